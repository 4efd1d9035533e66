use std::{fs, io, path::Path};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

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

/// Ends processes that an earlier engine left, and removes their directories. `replicas` holds the directories of
/// [`super::ReplicaSpec`]s. Returns how many were alive.
pub fn reap_orphans(replicas: &Path) -> io::Result<usize> {
    let entries = match fs::read_dir(replicas) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut ended = 0;
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
        fs::remove_dir_all(&directory)?;
    }
    Ok(ended)
}
