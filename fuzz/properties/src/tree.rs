use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use mercurious_sandbox::unpack::UnpackLimits;

const SECRET: &str = "untouched";

/// A directory with something beside the roots that must not change.
pub(crate) struct Sentinel {
    directory: tempfile::TempDir,
}

impl Sentinel {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let beside = directory.path().join("beside");
        fs::create_dir(&beside).expect("a directory");
        fs::write(beside.join("secret"), SECRET).expect("a file");
        fs::set_permissions(beside.join("secret"), fs::Permissions::from_mode(0o640))
            .expect("a mode");
        Self { directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn beside(&self) -> PathBuf {
        self.path().join("beside")
    }

    /// Nothing but the roots has appeared, and nothing beside them has changed.
    pub(crate) fn check(&self, roots: &[&str]) {
        let expected: BTreeSet<String> =
            roots.iter().chain(&["beside"]).map(ToString::to_string).collect();
        assert_eq!(names(self.path()), expected);
        assert_eq!(names(&self.beside()), BTreeSet::from(["secret".to_owned()]));
        let secret = self.beside().join("secret");
        let metadata = fs::symlink_metadata(&secret).expect("the sentinel");
        assert!(metadata.is_file() && metadata.nlink() == 1, "the sentinel was linked or replaced");
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o640);
        assert_eq!(fs::read_to_string(&secret).expect("the sentinel"), SECRET);
    }
}

fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect()
}

/// Everything below a directory, without following a link.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tree(BTreeMap<PathBuf, Thing>);

#[derive(Debug, PartialEq, Eq)]
enum Thing {
    Directory { mode: u32 },
    File { mode: u32, content: Vec<u8> },
    Link(PathBuf),
}

impl Tree {
    pub(crate) fn read(root: &Path) -> Self {
        let mut things = BTreeMap::new();
        let mut left = vec![PathBuf::new()];
        while let Some(directory) = left.pop() {
            for entry in fs::read_dir(root.join(&directory)).expect("a directory") {
                let path = directory.join(entry.expect("an entry").file_name());
                let place = root.join(&path);
                let metadata = fs::symlink_metadata(&place).expect("an entry");
                let mode = metadata.permissions().mode() & 0o7777;
                let thing = if metadata.is_dir() {
                    left.push(path.clone());
                    Thing::Directory { mode }
                } else if metadata.is_symlink() {
                    Thing::Link(fs::read_link(&place).expect("a link"))
                } else {
                    assert!(
                        metadata.is_file(),
                        "{} is no file, directory or link",
                        place.display()
                    );
                    Thing::File { mode, content: fs::read(&place).expect("a file") }
                };
                things.insert(path, thing);
            }
        }
        Self(things)
    }

    /// The bounds hold, and nobody gains or loses rights.
    pub(crate) fn check(&self, limits: &UnpackLimits, layers: u64) {
        let things = self.0.len() as u64;
        assert!(things <= limits.entries * layers, "{things} things were made");
        let mut bytes = 0;
        for (path, thing) in &self.0 {
            match thing {
                Thing::Directory { mode } => {
                    assert_eq!(mode & 0o7700, 0o700, "{}", path.display());
                }
                Thing::File { mode, content } => {
                    assert_eq!(mode & 0o7400, 0o400, "{}", path.display());
                    bytes += content.len() as u64;
                }
                Thing::Link(target) => assert_stays_inside(path, target),
            }
        }
        // A hard link shows its file once more for each of its names.
        assert!(bytes <= limits.total_bytes * layers * limits.entries, "{bytes} bytes");
    }
}

/// A relative link does not climb above the root.
fn assert_stays_inside(path: &Path, target: &Path) {
    let mut depth = path.components().count() - 1;
    for component in target.components() {
        match component {
            std::path::Component::ParentDir => {
                assert!(depth > 0, "{} leads outside, to {}", path.display(), target.display());
                depth -= 1;
            }
            std::path::Component::Normal(_) => depth += 1,
            std::path::Component::RootDir => return,
            _ => {}
        }
    }
}
