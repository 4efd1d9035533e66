use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
};

use nix::{
    errno::Errno,
    sched::{CloneFlags, setns, unshare},
    unistd::{getegid, geteuid},
};

use super::Failure;

/// Moves this process into a mount namespace of its own, in a user namespace of its own where it is nobody special.
/// Users and groups keep their numbers.
pub(super) fn own_mounts() -> Result<(), Failure> {
    let failed = |error: Errno| Failure::new("make a mount namespace", error);
    if geteuid().is_root() {
        match unshare(CloneFlags::CLONE_NEWNS) {
            // Root of a container, say.
            Err(Errno::EPERM) => {}
            answer => return answer.map_err(failed),
        }
    }
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).map_err(failed)?;
    for (file, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("{user} {user} 1")),
        ("gid_map", format!("{group} {group} 1")),
    ] {
        fs::write(format!("/proc/self/{file}"), text)
            .map_err(|error| Failure::new("make a user namespace", error))?;
    }
    Ok(())
}

/// Moves this thread into a namespace of another process, unless it is there.
pub(super) fn join(process: i32, name: &str, kind: CloneFlags) -> Result<(), Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(format!("enter the replica's {name} namespace"), error)
    };
    let open = |path: String| File::open(path).map_err(|error| failed(&error));
    let theirs = open(format!("/proc/{process}/ns/{name}"))?;
    let own = open(format!("/proc/thread-self/ns/{name}"))?;
    let id = |file: &File| file.metadata().map(|it| it.ino()).map_err(|error| failed(&error));
    if id(&theirs)? == id(&own)? {
        return Ok(());
    }
    setns(theirs, kind).map_err(|error| failed(&error))
}
