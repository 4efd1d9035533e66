//! Ends what an engine leaves that was killed while it started something.
//!
//! # Flow
//! [`LeftOvers::watch`] starts a process that reads from a pipe which only the engine holds open. Where the pipe ends,
//! the engine has ended, and [`end_left_overs`] looks for its replicas until there are none.
//!
//! # Guarantees
//! Replicas die with the engine by themselves, unless it is killed in the moment in which a sandbox is made: those are
//! found here. A run's replicas lie in a directory of their own, so that no other engine's are taken for them.

use std::{
    ffi::OsString,
    fs,
    io::{self, Read as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use mercurious_sandbox::run::reap_orphans;

/// Nothing is left once nothing was found for so long: a process that was being made shows its name by then.
const QUIET: Duration = Duration::from_millis(500);
/// How often is looked.
const PAUSE: Duration = Duration::from_millis(20);
/// What cannot be ended in this time is left to the next start.
const PATIENCE: Duration = Duration::from_secs(30);

/// One run's replicas, and who sees to their end.
#[derive(Debug)]
pub(crate) struct LeftOvers {
    /// Where the replicas of this run have their directories.
    pub(crate) directory: PathBuf,
    /// Ends with this process, however that ends.
    _open: Option<ChildStdin>,
}

impl LeftOvers {
    /// Ends what earlier engines left below `replicas`, and says how many processes that were.
    pub(crate) fn of_earlier_runs(replicas: &Path) -> io::Result<usize> {
        let mut ended = 0;
        for entry in fs::read_dir(replicas)? {
            let run = entry?.path();
            if run.is_dir() {
                ended += reap_orphans(&run)?;
            }
        }
        Ok(ended + reap_orphans(replicas)?)
    }

    /// Makes this run's directory below `replicas`. `watcher` is the command that calls [`end_left_overs`].
    pub(crate) fn watch(replicas: &Path, watcher: &[OsString]) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("run-").tempdir_in(replicas)?.keep();
        let mut open = None;
        if let [program, arguments @ ..] = watcher {
            let mut child = Command::new(program)
                .args(arguments)
                .arg(&directory)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                // What a terminal sends to the engine is not for this one.
                .process_group(0)
                .spawn()?;
            open = child.stdin.take();
        }
        Ok(Self { directory, _open: open })
    }
}

/// Waits until the standard input ends, then ends every replica below this directory.
pub fn end_left_overs(directory: &Path) -> io::Result<()> {
    io::stdin().read_to_end(&mut Vec::new())?;
    let until = Instant::now() + PATIENCE;
    let mut quiet_since = Instant::now();
    while quiet_since.elapsed() < QUIET && Instant::now() < until {
        if reap_orphans(directory)? > 0 {
            quiet_since = Instant::now();
        }
        std::thread::sleep(PAUSE);
    }
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
