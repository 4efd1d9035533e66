use std::{fs, path::Path};

/// What is left of a cluster that kept its files here: its directory, processes, mounts and control groups.
pub fn leftovers(place: &Path) -> Vec<String> {
    let mut left = Vec::new();
    if place.exists() {
        left.push(format!("directory {}", place.display()));
    }
    let text = place.display().to_string();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        // It may end at any of these lines.
        let Ok(command) = fs::read(entry.path().join("cmdline")) else { continue };
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if command.contains(&text) {
            left.push(format!("process {}: {command}", entry.file_name().display()));
        }
    }
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    left.extend(
        mounts.lines().filter(|line| line.contains(&text)).map(|line| format!("mount {line}")),
    );
    let name = place.file_name().unwrap_or_default();
    let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten();
    let groups = hierarchies.map(|entry| entry.path().join(name)).filter(|path| path.exists());
    left.extend(groups.map(|path| format!("control group {}", path.display())));
    left
}
