//! The control groups of one cluster: a directory of its own in each hierarchy.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

const ROOT: &str = "/sys/fs/cgroup";
/// A file that only hierarchies of version 2 have.
const UNIFIED: &str = "cgroup.controllers";

/// Every hierarchy: the one of version 2, or those of version 1 and what stands beside them.
fn hierarchies() -> Vec<PathBuf> {
    let root = Path::new(ROOT);
    if root.join(UNIFIED).exists() {
        return vec![root.to_owned()];
    }
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    let directories = entries.flatten().filter(|it| it.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.map(|entry| entry.path()).collect()
}

/// Makes the group that the kubelet works beneath.
pub(crate) fn make(name: &str) -> io::Result<()> {
    for hierarchy in hierarchies() {
        let own = hierarchy.join(name);
        fs::create_dir_all(&own)?;
        // A set of no processors takes no process.
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if own.join(file).exists() && hierarchy.join(file).exists() {
                fs::write(own.join(file), fs::read(hierarchy.join(file))?)?;
            }
        }
    }
    Ok(())
}

/// Removes it with all beneath it, once the last process is gone; false if something is left.
pub(crate) fn remove(name: &str) -> bool {
    let mut left = true;
    for _ in 0..100 {
        left = false;
        for hierarchy in hierarchies() {
            let own = hierarchy.join(name);
            if own.exists() {
                remove_tree(&own);
                left |= own.exists();
            }
        }
        if !left {
            break;
        }
        // The kernel takes its time with the last process.
        thread::sleep(Duration::from_millis(50));
    }
    !left
}

fn remove_tree(group: &Path) {
    let Ok(entries) = fs::read_dir(group) else { return };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    // Fails while a process is in it; the caller looks again.
    let _ = fs::remove_dir(group);
}
