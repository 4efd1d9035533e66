use std::{
    collections::VecDeque,
    ffi::OsString,
    path::{Component, Path, PathBuf},
};

/// The file system that libraries are taken from: the machine's own, or a directory that stands for `/`, as
/// cross-compilers keep one. Symbolic links inside it are read as that system would read them.
#[derive(Clone, Debug)]
pub(crate) struct SystemRoot(PathBuf);

/// As the kernel's own limit.
const MOST_LINKS: usize = 40;

impl SystemRoot {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// Where the thing at `path` (absolute, inside the root) really is; none if there is nothing.
    pub(crate) fn locate(&self, path: &str) -> Option<PathBuf> {
        let mut left: VecDeque<OsString> = names(Path::new(path));
        let mut at: Vec<OsString> = Vec::new();
        let mut links = 0;
        while let Some(name) = left.pop_front() {
            if name == ".." {
                at.pop();
                continue;
            }
            at.push(name);
            let host = self.host(&at);
            let Ok(metadata) = host.symlink_metadata() else { return None };
            if metadata.is_symlink() {
                links += 1;
                if links > MOST_LINKS {
                    return None;
                }
                let target = host.read_link().ok()?;
                if target.is_absolute() {
                    at.clear();
                } else {
                    at.pop();
                }
                let mut before = names(&target);
                before.append(&mut left);
                left = before;
            }
        }
        Some(self.host(&at))
    }

    /// As [`SystemRoot::locate`], for regular files only.
    pub(crate) fn locate_file(&self, path: &str) -> Option<PathBuf> {
        self.locate(path).filter(|found| found.is_file())
    }

    fn host(&self, names: &[OsString]) -> PathBuf {
        let mut path = self.0.clone();
        path.extend(names);
        path
    }
}

fn names(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_stay_inside_the_root() {
        let directory = tempfile::tempdir().unwrap();
        let root = SystemRoot::new(directory.path().to_owned());
        std::fs::create_dir_all(directory.path().join("usr/lib")).unwrap();
        std::fs::write(directory.path().join("usr/lib/libx.so.1.2"), "x").unwrap();
        symlink("/usr/lib", directory.path().join("lib")).unwrap();
        symlink("libx.so.1.2", directory.path().join("usr/lib/libx.so.1")).unwrap();
        symlink("loop", directory.path().join("loop")).unwrap();
        let real = directory.path().join("usr/lib/libx.so.1.2");
        assert_eq!(root.locate_file("/lib/libx.so.1"), Some(real.clone()));
        assert_eq!(root.locate_file("/lib/../../../lib/./libx.so.1"), Some(real));
        assert_eq!(root.locate("/loop"), None);
        assert_eq!(root.locate_file("/lib"), None);
    }
}
