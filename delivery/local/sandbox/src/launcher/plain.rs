use std::{ffi::OsString, os::unix::process::CommandExt as _, process::ExitCode};

use super::{Failure, die_with_parent, number};

/// `PARENT PROGRAM ARGUMENT…`
pub(super) fn main(arguments: &[OsString]) -> Result<ExitCode, Failure> {
    let [parent, program, rest @ ..] = arguments else { return Err(Failure::usage()) };
    die_with_parent(number(parent)?)?;
    let error = std::process::Command::new(program).args(rest).exec();
    Err(Failure { code: 127, ..Failure::new(format!("start {}", program.display()), error) })
}
