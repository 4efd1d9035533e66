use std::{
    collections::BTreeSet, fs, os::unix::process::ExitStatusExt as _, path::PathBuf,
    sync::PoisonError, time::Duration,
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use tokio::{
    process::Child,
    sync::{mpsc, watch},
};

use super::{
    Exit,
    log::{LogWriter, Tail},
    root_fs::remove,
    spawner::Spawner,
};
use crate::listening::{children, ports_of};

/// A process that was started from an image.
#[derive(Debug)]
pub struct Replica {
    pub(super) pid: Pid,
    pub(super) isolated: bool,
    pub(super) signals: mpsc::UnboundedSender<Signal>,
    pub(super) exited: watch::Receiver<Option<Exit>>,
    pub(super) tail: Tail,
}

/// Pipes that a grandchild holds are not waited for longer than this after the end.
const LAST_LINES: Duration = Duration::from_secs(2);
/// Between two looks for the program that bubblewrap is about to start.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

const UNKNOWN: Exit = Exit { code: None, signal: None };

impl Replica {
    /// The process that was started: bubblewrap's own where there is a sandbox.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// The process of the image's program, once it runs.
    pub(super) fn program(&self) -> Option<Pid> {
        if self.exited.borrow().is_some() {
            return None;
        }
        program_of(self.pid, self.isolated)
    }

    /// The TCP ports that it takes connections on, on the network that it is on.
    pub fn ports(&self) -> BTreeSet<u16> {
        self.program().map(|program| ports_of(program.as_raw())).unwrap_or_default()
    }

    /// Holds how the process ended, once it has and all its lines are written down.
    pub fn exited(&self) -> watch::Receiver<Option<Exit>> {
        self.exited.clone()
    }

    /// Its last lines, 200 at most, the oldest first.
    pub fn tail(&self) -> Vec<String> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Asks the process to stop, and ends it with all it started when it has not after `grace`.
    pub async fn stop(&self, signal: Signal, grace: Duration) -> Exit {
        let mut exited = self.exited.clone();
        // A replica that has ended hears nothing.
        let _ = self.signals.send(signal);
        if let Ok(exit) = tokio::time::timeout(grace, exited.wait_for(Option::is_some)).await {
            return exit.ok().and_then(|exit| *exit).unwrap_or(UNKNOWN);
        }
        let _ = self.signals.send(Signal::SIGKILL);
        exited.wait_for(Option::is_some).await.ok().and_then(|exit| *exit).unwrap_or(UNKNOWN)
    }
}

/// Owns a running process: only here are signals sent, while the process is known not to have been reaped, so
/// that none can reach another process that was given its number.
pub(super) struct Following<F> {
    pub(super) child: Child,
    pub(super) pid: Pid,
    pub(super) isolated: bool,
    pub(super) signals: mpsc::UnboundedReceiver<Signal>,
    pub(super) lines: mpsc::Receiver<String>,
    pub(super) log: LogWriter<F>,
    pub(super) exit: watch::Sender<Option<Exit>>,
    pub(super) directory: PathBuf,
    /// Its thread must outlive the process.
    pub(super) spawner: Spawner,
}

impl<F: Fn(String)> Following<F> {
    /// Writes the lines down, then tells how the process ended: who sees the end has seen all lines.
    pub(super) async fn run(mut self) {
        let mut pending = None;
        let mut open = true;
        let status = loop {
            tokio::select! {
                status = self.child.wait() => break status,
                line = self.lines.recv(), if open => match line {
                    Some(line) => self.log.write(line).await,
                    None => open = false,
                },
                Some(signal) = self.signals.recv() => pending = Some(signal),
                () = tokio::time::sleep(LOOK_AGAIN), if pending.is_some() => {}
            }
            if let Some(signal) = pending
                && self.deliver(signal)
            {
                pending = None;
            }
        };
        // What it left in its own group would hold its ports; a sandbox has taken all with it.
        if !self.isolated {
            let _ = killpg(self.pid, Signal::SIGKILL);
        }
        let rest = async {
            while let Some(line) = self.lines.recv().await {
                self.log.write(line).await;
            }
        };
        // A process that left the group may hold the pipes open for ever.
        let _ = tokio::time::timeout(LAST_LINES, rest).await;
        self.log.finish().await;
        let ended =
            status.map_or(UNKNOWN, |status| Exit { code: status.code(), signal: status.signal() });
        // What stays is removed by `reap_orphans`.
        let _ = remove(&self.directory);
        drop(self.spawner);
        self.exit.send_replace(Some(ended));
    }

    /// False where the program is not there yet.
    fn deliver(&self, signal: Signal) -> bool {
        if signal == Signal::SIGKILL {
            // Ending bubblewrap ends its pid namespace; a plain process leads its own group.
            let _ = kill(self.pid, signal);
            let _ = killpg(self.pid, signal);
            return true;
        }
        if !self.isolated {
            let _ = kill(self.pid, signal);
            return true;
        }
        let Some(program) = program_of(self.pid, true) else { return false };
        let _ = kill(program, signal);
        true
    }
}

/// The image's program. In a sandbox: bwrap → its init in the namespace, which has bwrap's name and ignores signals →
/// the program. Bwrap's other child, if any, is the relay.
fn program_of(pid: Pid, isolated: bool) -> Option<Pid> {
    if !isolated {
        return Some(pid);
    }
    let is_init = |child: &i32| {
        fs::read(format!("/proc/{child}/cmdline")).is_ok_and(|it| it.starts_with(b"bwrap:"))
    };
    let init = children(pid.as_raw()).into_iter().find(is_init)?;
    let program = children(init).into_iter().next()?;
    // It has bwrap's name until it has become the program.
    (!is_init(&program)).then(|| Pid::from_raw(program))
}
