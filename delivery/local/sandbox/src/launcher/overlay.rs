use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::{DirBuilderExt as _, symlink},
    path::Path,
    process::ExitCode,
};

use nix::{
    mount::{MsFlags, mount},
    unistd::geteuid,
};

use super::{Failure, namespaces::own_mounts};

/// Mounts an image's root file system at `root` in a replica's directory, with what the replica writes beside it.
/// The mount is seen by this process and its children alone, and ends with them.
pub(super) fn mount_root(image: &Path, directory: &Path) -> Result<(), Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::new("mount the replica's root file system", error);
    prepare(image, directory).map_err(|error| failed(&error))?;
    own_mounts()?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .map_err(|error| failed(&error))?;
    // Relative names need no escapes in the options.
    std::env::set_current_dir(directory).map_err(|error| failed(&error))?;
    let mut options = "lowerdir=lower,upperdir=upper,workdir=work".to_owned();
    if !geteuid().is_root() {
        // Trusted attributes are root's.
        options.push_str(",userxattr");
    }
    mount(Some("overlay"), "root", Some("overlay"), MsFlags::empty(), Some(options.as_str()))
        .map_err(|error| failed(&error))
}

fn prepare(image: &Path, directory: &Path) -> io::Result<()> {
    // The root directory's own permissions are those of the upper one.
    let mut builder = fs::DirBuilder::new();
    for name in ["upper", "work", "root"] {
        builder.mode(0o755).create(directory.join(name))?;
        fs::set_permissions(directory.join(name), fs::metadata(image)?.permissions())?;
    }
    symlink(image, directory.join("lower"))
}

/// `DIRECTORY`: mounts one there and ends.
pub(super) fn attempt(arguments: &[OsString]) -> Result<ExitCode, Failure> {
    let [directory] = arguments else { return Err(Failure::usage()) };
    let directory = Path::new(directory);
    let image = directory.join("image");
    let failed = |error| Failure::new("try an overlay mount", error);
    fs::DirBuilder::new().mode(0o755).create(&image).map_err(failed)?;
    mount_root(&image, directory)?;
    fs::write(directory.join("root/written"), "").map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}
