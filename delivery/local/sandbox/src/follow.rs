use std::{
    ffi::OsString,
    io,
    path::{Component, Path, PathBuf},
};

use cap_std::fs::{Dir, Metadata};

/// So many symbolic links are followed in one path, as Linux does.
const LINKS: usize = 40;

/// Why a path leads nowhere.
#[derive(Debug)]
pub(crate) enum Lost<E> {
    /// Links that lead to each other, or too many of them.
    Loop(PathBuf),
    /// The disk.
    Io(io::Error),
    /// Whoever asked does not want to go on.
    Refused(E),
}

/// Follows all symbolic links of a path as a process in the root file system would: absolute ones from the root,
/// never above it. The answer is relative to the root and free of links.
///
/// `passes` is asked about everything on the way that is no link: what it is, if anything, and whether it is the
/// end of the path.
pub(crate) fn follow<E>(
    root: &Dir,
    path: &Path,
    mut passes: impl FnMut(&Path, Option<&Metadata>, bool) -> Result<(), E>,
) -> Result<PathBuf, Lost<E>> {
    let mut left = Vec::new();
    push(&mut left, path);
    let mut done = PathBuf::new();
    let mut links = 0;
    while let Some(part) = left.pop() {
        if part == ".." {
            done.pop();
            continue;
        }
        let next = done.join(&part);
        let found = match root.symlink_metadata(&next) {
            Ok(found) => Some(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(Lost::Io(error)),
        };
        if found.as_ref().is_some_and(Metadata::is_symlink) {
            links += 1;
            if links > LINKS {
                return Err(Lost::Loop(next));
            }
            let target = root.read_link_contents(&next).map_err(Lost::Io)?;
            if target.is_absolute() {
                done = PathBuf::new();
            }
            push(&mut left, &target);
        } else {
            passes(&next, found.as_ref(), left.is_empty()).map_err(Lost::Refused)?;
            done = next;
        }
    }
    Ok(done)
}

/// Puts the components of a path on the stack, the first one on top.
fn push(left: &mut Vec<OsString>, path: &Path) {
    left.extend(path.components().rev().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    }));
}
