//! A server's process.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// A process that dies with this one. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
    /// The kernel kills the child when the thread that started it ends, so that thread lives as long as this.
    _keeper: mpsc::Sender<()>,
}

impl Process {
    /// Starts `program`; what it says goes to `log`.
    pub fn start(
        program: &Path,
        arguments: &[String],
        directory: &Path,
        log: &Path,
    ) -> anyhow::Result<Self> {
        Self::start_with(program, arguments, &[], directory, log)
    }

    /// Likewise, with variables beside those of this process.
    pub fn start_with(
        program: &Path,
        arguments: &[String],
        variables: &[(String, String)],
        directory: &Path,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(arguments)
            .envs(variables.iter().cloned())
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let (started, child) = mpsc::channel();
        let (keeper, end) = mpsc::channel::<()>();
        thread::spawn(move || {
            let _ = started.send(command.spawn());
            // Until the other end is dropped.
            let _ = end.recv();
        });
        let child = child.recv()?.with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self { child, log: log.to_owned(), _keeper: keeper })
    }

    /// Waits until `ready`, at most `limit`; fails when the process ends before.
    pub fn wait_until(
        &mut self,
        limit: Duration,
        mut ready: impl FnMut() -> bool,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        while !ready() {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended ({status}); its last words:\n{}", self.last_words());
            }
            ensure!(
                Instant::now() < deadline,
                "not ready after {limit:?}; its last words:\n{}",
                self.last_words()
            );
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, as SIGTERM does, and waits; whether it ended by itself.
    pub fn terminate(&mut self, limit: Duration) -> bool {
        let id = Pid::from_raw(self.child.id().cast_signed());
        let _ = kill(id, Signal::SIGTERM);
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if !self.is_running() {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.kill();
        false
    }

    /// The end of what it said.
    pub fn last_words(&self) -> String {
        let said = std::fs::read(&self.log).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
