//! The hidden command by which plain processes die with their parent.

use std::{ffi::OsString, os::unix::process::CommandExt as _, process::ExitCode};

use nix::sys::{prctl, signal::Signal};

/// Asks the kernel to end this process when its parent thread ends, then becomes the program in `arguments`.
/// Returns only where that is impossible.
pub fn main(arguments: &[OsString]) -> ExitCode {
    let Some((program, rest)) = arguments.split_first() else {
        tracing::error!("launcher was given no program");
        return ExitCode::from(2);
    };
    if let Err(error) = prctl::set_pdeathsig(Signal::SIGKILL) {
        tracing::error!(error = %error, "launcher cannot tie the program to its parent");
        return ExitCode::from(126);
    }
    let error = std::process::Command::new(program).args(rest).exec();
    tracing::error!(error = %error, program.name = %program.to_string_lossy(), "program cannot be started");
    ExitCode::from(127)
}
