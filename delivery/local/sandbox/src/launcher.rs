//! The hidden command by which plain processes die with their parent.

use std::{
    ffi::OsString,
    os::unix::process::{CommandExt as _, parent_id},
    process::ExitCode,
};

use nix::sys::{prctl, signal::Signal};

/// Takes the parent's process id, a program and its arguments. Asks the kernel to end this process when the thread
/// that started it ends, then becomes the program. Returns only where that is impossible.
pub fn main(arguments: &[OsString]) -> ExitCode {
    let [parent, program, rest @ ..] = arguments else {
        tracing::error!("launcher was given no program");
        return ExitCode::from(2);
    };
    if let Err(error) = prctl::set_pdeathsig(Signal::SIGKILL) {
        tracing::error!(error = %error, "launcher cannot tie the program to its parent");
        return ExitCode::from(126);
    }
    // The parent may have ended before the kernel was asked.
    if parent.to_str().and_then(|text| text.parse().ok()) != Some(parent_id()) {
        tracing::error!("launcher has lost its parent");
        return ExitCode::from(126);
    }
    let error = std::process::Command::new(program).args(rest).exec();
    tracing::error!(error = %error, program.name = %program.to_string_lossy(), "program cannot be started");
    ExitCode::from(127)
}
