//! The hidden command that stands between this program and a replica's.
//!
//! Everything that must be done in a process of its own before a program can be started is done here: this process
//! ties itself to the one that started it, moves itself into other namespaces, and becomes the program. Nothing here
//! is for people; what goes wrong is written to the standard error, which is the replica's log.
//!
//! - `plain PARENT PROGRAM…`: becomes the program, which dies with its parent;
//! - `sandbox …`: mounts the replica's own root file system, starts its relay, and becomes bubblewrap;
//! - `relay …`: carries connections between this machine's network and the private one of a replica;
//! - `enter …`: runs a command inside a replica that runs;
//! - `try-overlay DIRECTORY`: says whether overlay mounts work there.

mod enter;
mod namespaces;
mod overlay;
mod plain;
mod relay;
mod sandbox;

use std::{ffi::OsString, fmt, io, io::Write as _, process::ExitCode};

use nix::sys::{prctl, signal::Signal};

/// Why the launcher gave up.
#[derive(Debug)]
struct Failure {
    what: String,
    code: u8,
}

impl Failure {
    fn new(what: impl fmt::Display, cause: impl fmt::Display) -> Self {
        Self { what: format!("cannot {what}: {cause}"), code: 126 }
    }

    fn usage() -> Self {
        Self {
            what: "the launcher was called with other arguments than its own".to_owned(),
            code: 2,
        }
    }
}

/// Does what the first argument names. Returns only where the program does not take this process' place.
pub fn main(arguments: &[OsString]) -> ExitCode {
    let Some((verb, rest)) = arguments.split_first() else {
        return report(&Failure::usage());
    };
    let done = match verb.to_str() {
        Some("plain") => plain::main(rest),
        Some("sandbox") => sandbox::main(rest),
        Some("relay") => relay::main(rest),
        Some("enter") => enter::main(rest),
        Some("try-overlay") => overlay::attempt(rest),
        _ => Err(Failure::usage()),
    };
    match done {
        Ok(code) => code,
        Err(failure) => report(&failure),
    }
}

fn report(failure: &Failure) -> ExitCode {
    // Where nobody reads it nobody misses it.
    let _ = writeln!(io::stderr(), "mercurious: {}", failure.what);
    ExitCode::from(failure.code)
}

/// Asks the kernel to end this process when the thread that started it ends. To be asked again whenever this process
/// has changed its user namespace: the kernel forgets it then.
fn die_with_parent(parent: i32) -> Result<(), Failure> {
    prctl::set_pdeathsig(Signal::SIGKILL)
        .map_err(|error| Failure::new("tie the program to its parent", error))?;
    // The parent may have ended before the kernel was asked.
    if nix::unistd::getppid().as_raw() == parent {
        Ok(())
    } else {
        Err(Failure::new("tie the program to its parent", "it has ended"))
    }
}

fn number<T: std::str::FromStr>(text: &OsString) -> Result<T, Failure> {
    text.to_str().and_then(|text| text.parse().ok()).ok_or_else(Failure::usage)
}
