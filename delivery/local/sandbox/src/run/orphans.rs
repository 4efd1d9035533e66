use std::{ffi::OsString, fs, io, path::Path};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

use super::root_fs::remove;

/// Writes down the process and when it started: together they name it for good.
pub(super) fn record(directory: &Path, pid: Pid) -> io::Result<()> {
    let started = started_at(pid).unwrap_or_default();
    fs::write(directory.join("process"), format!("{pid} {started}\n"))
}

/// Clock ticks after the start of the machine; `None` where no such process lives.
fn started_at(pid: Pid) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; the start time is the 20th field behind it.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    // A process that has ended stays in the list until its parent asks for it.
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}

/// What bubblewrap is called in the list of processes. It and its init in the namespace keep that name, the program
/// does not: an engine that is killed while a sandbox is being made can leave that init behind, whose number is
/// written nowhere.
pub(super) fn sandbox_name(directory: &Path) -> OsString {
    let mut name = OsString::from("bwrap:");
    name.push(directory);
    name
}

fn sandboxes_below(replicas: &Path) -> io::Result<Vec<Pid>> {
    let mut wanted = sandbox_name(replicas).into_encoded_bytes();
    wanted.push(b'/');
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let pid = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        // It may have ended by now.
        if let Some(pid) = pid
            && fs::read(entry.path().join("cmdline")).is_ok_and(|line| line.starts_with(&wanted))
        {
            found.push(Pid::from_raw(pid));
        }
    }
    Ok(found)
}

/// Ends processes that an earlier engine left, and removes their directories. `replicas` holds the directories of
/// [`super::ReplicaSpec`]s. Returns how many were alive.
pub fn reap_orphans(replicas: &Path) -> io::Result<usize> {
    let entries = match fs::read_dir(replicas) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut ended = 0;
    for pid in sandboxes_below(replicas)? {
        ended += usize::from(kill(pid, Signal::SIGKILL).is_ok());
    }
    for entry in entries {
        let directory = entry?.path();
        if !directory.is_dir() {
            continue;
        }
        if let Ok(text) = fs::read_to_string(directory.join("process"))
            && let Some((pid, started)) = text.trim().split_once(' ')
            && let Ok(pid) = pid.parse::<i32>().map(Pid::from_raw)
            && pid.as_raw() > 1
            && started_at(pid).as_deref() == Some(started)
        {
            // It leads its own group. Either may have ended by now.
            let _ = killpg(pid, Signal::SIGKILL);
            let _ = kill(pid, Signal::SIGKILL);
            ended += 1;
        }
        remove(&directory)?;
    }
    Ok(ended)
}
