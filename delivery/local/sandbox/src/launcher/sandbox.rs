use std::{
    ffi::OsString,
    io::{PipeReader, PipeWriter},
    os::{
        fd::{AsFd, AsRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use super::{Failure, die_with_parent, number, overlay::mount_root};

/// `PARENT NAME IMAGE DIRECTORY RELAY… -- BWRAP ARGUMENT…`: IMAGE is mounted in DIRECTORY, unless it is empty;
/// RELAY is the relay's command, nothing where the replica is on this machine's network; NAME is what
/// bubblewrap is called in the list of processes.
pub(super) fn main(arguments: &[OsString]) -> Result<ExitCode, Failure> {
    let end = arguments.iter().position(|it| it == "--").ok_or_else(Failure::usage)?;
    let (own, rest) = (&arguments[..end], &arguments[end + 1..]);
    let [parent, name, image, directory, relay @ ..] = own else { return Err(Failure::usage()) };
    let [bubblewrap, rest @ ..] = rest else { return Err(Failure::usage()) };
    let parent = number(parent)?;
    die_with_parent(parent)?;
    let mut command = Command::new(bubblewrap);
    command.arg0(name);
    // Both are closed when this process has become bubblewrap and that has no use for them any more.
    let _pipes = if relay.is_empty() {
        None
    } else {
        let pipes = start_relay(relay)?;
        command.arg("--info-fd").arg(pipes.0.as_raw_fd().to_string());
        command.arg("--block-fd").arg(pipes.1.as_raw_fd().to_string());
        Some(pipes)
    };
    if !image.is_empty() {
        mount_root(Path::new(image), Path::new(directory))?;
        die_with_parent(parent)?;
    }
    let error = command.args(rest).exec();
    Err(Failure { code: 127, ..Failure::new("start bubblewrap", error) })
}

/// Starts the relay while this process is still on this machine's network. Bubblewrap tells it of the sandbox
/// through the first pipe, and waits for its word on the second.
fn start_relay(relay: &[OsString]) -> Result<(PipeWriter, PipeReader), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new("start the relay", error);
    let (told, tells) = std::io::pipe().map_err(|error| failed(&error))?;
    let (waits, says) = std::io::pipe().map_err(|error| failed(&error))?;
    let (program, arguments) = relay.split_first().ok_or_else(Failure::usage)?;
    Command::new(program)
        .args(arguments)
        .arg(std::process::id().to_string())
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(told)))
        .stdout(Stdio::from(OwnedFd::from(says)))
        .spawn()
        .map_err(|error| failed(&error))?;
    survive_exec(&tells).map_err(|error| failed(&error))?;
    survive_exec(&waits).map_err(|error| failed(&error))?;
    Ok((tells, waits))
}

fn survive_exec(pipe: &impl AsFd) -> nix::Result<()> {
    fcntl(pipe, FcntlArg::F_SETFD(FdFlag::empty())).map(|_| ())
}
