use std::{ffi::OsString, path::PathBuf, process::Stdio, time::Duration};

/// What stands between a replica and the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Bubblewrap: the image's own files, processes and devices; the machine's network.
    Bubblewrap(PathBuf),
    /// Nothing. `launcher` is the command that starts a program so that it dies with its parent.
    Plain {
        /// The program and its first arguments.
        launcher: Vec<OsString>,
    },
}

/// Finds out whether bubblewrap works here; says why not where it does not.
pub async fn detect_isolation(launcher: Vec<OsString>) -> (Isolation, Option<String>) {
    let arguments = [
        "--ro-bind",
        "/",
        "/",
        "--unshare-pid",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--die-with-parent",
        "true",
    ];
    let found = find_bubblewrap().await;
    let mut command = tokio::process::Command::new(&found);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let problem = match tokio::time::timeout(Duration::from_secs(5), command.output()).await {
        Ok(Ok(output)) if output.status.success() => {
            return (Isolation::Bubblewrap(found), None);
        }
        Ok(Ok(output)) => {
            let said = String::from_utf8_lossy(&output.stderr)
                .trim()
                .chars()
                .take(300)
                .collect::<String>();
            format!("bwrap does not work here ({said})")
        }
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            "bwrap is not installed (Debian's package: bubblewrap)".to_owned()
        }
        Ok(Err(error)) => format!("bwrap cannot be started ({error})"),
        Err(_) => "bwrap does not answer".to_owned(),
    };
    (
        Isolation::Plain { launcher },
        Some(format!("{problem}: images run as plain processes, with no isolation")),
    )
}

/// The absolute path of bwrap: a relative one would be searched in the environment of each replica.
async fn find_bubblewrap() -> PathBuf {
    let mut shell = tokio::process::Command::new("sh");
    shell
        .args(["-c", "command -v bwrap"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    match tokio::time::timeout(Duration::from_secs(5), shell.output()).await {
        Ok(Ok(output)) if output.status.success() => {
            PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
        }
        _ => PathBuf::from("/usr/bin/bwrap"),
    }
}
