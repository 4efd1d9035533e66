use std::{
    ffi::OsString,
    fs,
    os::unix::process::ExitStatusExt as _,
    process::{Command, ExitCode, Stdio},
};

use nix::sched::CloneFlags;
use rustix::thread::{CapabilitySet, remove_capability_from_bounding_set, set_no_new_privs};

use super::{Failure, die_with_parent, namespaces::join, number};

/// In the order in which they must be entered: the first gives the rights for the others.
const NAMESPACES: [(&str, CloneFlags); 6] = [
    ("user", CloneFlags::CLONE_NEWUSER),
    ("ipc", CloneFlags::CLONE_NEWIPC),
    ("uts", CloneFlags::CLONE_NEWUTS),
    ("net", CloneFlags::CLONE_NEWNET),
    ("pid", CloneFlags::CLONE_NEWPID),
    ("mnt", CloneFlags::CLONE_NEWNS),
];

/// `PARENT PROCESS WORKDIR NAME=VALUE… -- PROGRAM ARGUMENT…`: runs a command in the namespaces of a process, with no
/// more rights than that has, and ends as it ends.
pub(super) fn main(arguments: &[OsString]) -> Result<ExitCode, Failure> {
    let end = arguments.iter().position(|it| it == "--").ok_or_else(Failure::usage)?;
    let [parent, process, workdir, variables @ ..] = &arguments[..end] else {
        return Err(Failure::usage());
    };
    let [program, rest @ ..] = &arguments[end + 1..] else { return Err(Failure::usage()) };
    let (parent, process) = (number(parent)?, number(process)?);
    die_with_parent(parent)?;
    let bounding = bounding_set(process)?;
    for (name, kind) in NAMESPACES {
        join(process, name, kind)?;
    }
    let failed = |error: &dyn std::fmt::Display| Failure::new("give up rights", error);
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        if !bounding.contains(capability)
            && let Err(error) = remove_capability_from_bounding_set(capability)
            // The kernel knows fewer.
            && error != rustix::io::Errno::INVAL
        {
            return Err(failed(&error));
        }
    }
    set_no_new_privs(true).map_err(|error| failed(&error))?;
    let mut command = Command::new(program);
    command.args(rest).current_dir(workdir).stdin(Stdio::null());
    for variable in variables {
        let text = variable.to_str().and_then(|text| text.split_once('='));
        let (name, value) = text.ok_or_else(Failure::usage)?;
        command.env(name, value);
    }
    // The process namespace is the child's, so a child it must be.
    let status = command.status().map_err(|error| Failure {
        code: 127,
        ..Failure::new(format!("start {}", program.display()), error)
    })?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(126);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(126)))
}

fn bounding_set(process: i32) -> Result<CapabilitySet, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new("read the replica's rights", error);
    let status =
        fs::read_to_string(format!("/proc/{process}/status")).map_err(|error| failed(&error))?;
    let text = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    let bits = u64::from_str_radix(text.ok_or_else(|| failed(&"no such line"))?.trim(), 16);
    bits.map(CapabilitySet::from_bits_retain).map_err(|error| failed(&error))
}
