use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::process::Command;

use super::root_fs::{Roots, remove};

/// What stands between a replica and the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Bubblewrap: files, processes and devices of its own; the machine's network, or a private one.
    Bubblewrap {
        /// Bubblewrap's absolute path.
        program: PathBuf,
        /// The command of [`crate::launcher`].
        launcher: Vec<OsString>,
        /// How replicas get their root file systems.
        roots: Roots,
    },
    /// Nothing. `launcher` is the command that starts a program so that it dies with its parent.
    Plain {
        /// The program and its first arguments.
        launcher: Vec<OsString>,
    },
}

/// A machine that does not answer such a question by then does not work.
const DEADLINE: Duration = Duration::from_secs(5);

/// Finds out whether bubblewrap works here; says why not where it does not. `replicas` is where the directories of
/// [`super::ReplicaSpec`]s will be.
pub async fn detect_isolation(
    launcher: Vec<OsString>,
    replicas: &Path,
) -> (Isolation, Option<String>) {
    let program = find_bubblewrap().await;
    let mut command = Command::new(&program);
    command.args(
        "--ro-bind / / --unshare-pid --proc /proc --dev /dev --die-with-parent true".split(' '),
    );
    let problem = match answer(&mut command).await {
        Ok(()) => {
            let roots = match try_overlay(&launcher, replicas).await {
                Ok(()) => Roots::Overlay,
                Err(problem) => {
                    tracing::warn!(problem = %problem, "overlay mounts do not work here; each replica gets a copy of its image");
                    Roots::Copy
                }
            };
            return (Isolation::Bubblewrap { program, launcher, roots }, None);
        }
        Err(Problem::Missing) => "bwrap is not installed (Debian's package: bubblewrap)".to_owned(),
        Err(Problem::Said(said)) => format!("bwrap does not work here ({said})"),
    };
    (
        Isolation::Plain { launcher },
        Some(format!("{problem}: images run as plain processes, with no isolation")),
    )
}

async fn try_overlay(launcher: &[OsString], replicas: &Path) -> Result<(), String> {
    let (first, rest) = launcher.split_first().ok_or("there is no launcher")?;
    let place = replicas.join(".overlay");
    remove(&place)
        .and_then(|()| fs::create_dir_all(&place))
        .map_err(|error| format!("{}: {error}", place.display()))?;
    let tried = answer(Command::new(first).args(rest).arg("try-overlay").arg(&place)).await;
    // What stays is removed the next time.
    let _ = remove(&place);
    tried.map_err(|problem| match problem {
        Problem::Missing => "the launcher cannot be found".to_owned(),
        Problem::Said(said) => said,
    })
}

enum Problem {
    Missing,
    Said(String),
}

async fn answer(command: &mut Command) -> Result<(), Problem> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    match tokio::time::timeout(DEADLINE, command.output()).await {
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(Problem::Said(said.trim().chars().take(300).collect()))
        }
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => Err(Problem::Missing),
        Ok(Err(error)) => Err(Problem::Said(error.to_string())),
        Err(_) => Err(Problem::Said("no answer".to_owned())),
    }
}

/// The absolute path of bwrap: a relative one would be searched in the environment of each replica.
async fn find_bubblewrap() -> PathBuf {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "command -v bwrap"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    match tokio::time::timeout(DEADLINE, shell.output()).await {
        Ok(Ok(output)) if output.status.success() => {
            PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
        }
        // Not there, whatever else is where Debian puts it.
        _ => PathBuf::from("bwrap"),
    }
}
