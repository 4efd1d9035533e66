use std::{io, os::unix::process::ExitStatusExt as _, process::Stdio, time::Duration};

use mercurious_runtime::Tasks;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::sync::{mpsc, watch};

use super::{
    Exit, Isolation, Replica, ReplicaSpec, Roots, StartError,
    command::{beside, command, write_files},
    log::{LogWriter, Tail, read_lines},
    orphans::record,
    replica::Following,
    root_fs::{copy, root_of},
    spawner::Spawner,
};

/// Starts replicas.
#[derive(Clone, Debug)]
pub struct Runner {
    isolation: Isolation,
    spawner: Spawner,
    tasks: Tasks,
}

/// Lines that wait to be written before a replica's pipe is held back.
const LINES: usize = 256;

impl Runner {
    /// A runner whose helper tasks live on these tasks.
    pub fn new(isolation: Isolation, tasks: Tasks) -> io::Result<Self> {
        Ok(Self { isolation, spawner: Spawner::start()?, tasks })
    }

    /// What stands between a replica and the machine.
    pub fn isolation(&self) -> &Isolation {
        &self.isolation
    }

    /// Starts a replica. Its lines go to its log and to `lines`.
    pub async fn start(
        &self,
        spec: &ReplicaSpec,
        lines: impl Fn(String) + Send + Sync + 'static,
    ) -> Result<Replica, StartError> {
        let io = |action| move |source| StartError::Io { action, source };
        write_files(spec)?;
        if matches!(self.isolation, Isolation::Bubblewrap { roots: Roots::Copy, .. }) {
            let (image, root) = (spec.rootfs.clone(), root_of(&spec.directory));
            let copied = tokio::task::spawn_blocking(move || copy(&image, &root)).await;
            copied.map_err(io::Error::other).flatten().map_err(io("copy the image"))?;
        }
        let mut command = command(&self.isolation, spec)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.spawner.spawn(command).await.map_err(io("start the program"))?;
        let pid = pid_of(&child).map_err(io("start the program"))?;
        record(&spec.directory, pid).map_err(io("write the replica's process file"))?;
        let (sender, receiver) = mpsc::channel(LINES);
        if let Some(stdout) = child.stdout.take() {
            self.tasks.spawn("replica-stdout", read_lines(stdout, sender.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            self.tasks.spawn("replica-stderr", read_lines(stderr, sender));
        }
        let (exit, exited) = watch::channel(None);
        let (signals, heard) = mpsc::unbounded_channel();
        let tail = Tail::default();
        let log = LogWriter::open(spec.log.clone(), tail.clone(), lines).await;
        let isolated = matches!(self.isolation, Isolation::Bubblewrap { .. });
        let following = Following {
            child,
            pid,
            isolated,
            signals: heard,
            lines: receiver,
            log,
            exit,
            directory: spec.directory.clone(),
            spawner: self.spawner.clone(),
        };
        self.tasks.spawn("replica", following.run());
        Ok(Replica { pid, isolated, signals, exited, tail })
    }

    /// Runs a command in a replica that runs, with its files and variables; ends it with all it started at the
    /// deadline.
    pub async fn execute(
        &self,
        replica: &Replica,
        spec: &ReplicaSpec,
        argv: &[String],
        deadline: Duration,
    ) -> Result<(), String> {
        let spec = ReplicaSpec { argv: argv.to_vec(), ..spec.clone() };
        let program = replica.program().ok_or("the replica has not started yet, or has ended")?;
        let mut command =
            beside(&self.isolation, &spec, program).map_err(|error| error.to_string())?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = self.spawner.spawn(command).await.map_err(|error| error.to_string())?;
        // Also when this future is dropped, as at a caller's own deadline.
        let _group = Group(pid_of(&child).map_err(|error| error.to_string())?);
        match tokio::time::timeout(deadline, child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => {
                Err(Exit { code: status.code(), signal: status.signal() }.to_string())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no end within {deadline:?}")),
        }
    }
}

/// Ends the process group of a command. The number cannot be another's while a process of the group lives; an
/// empty group is not found.
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = killpg(self.0, Signal::SIGKILL);
    }
}

fn pid_of(child: &tokio::process::Child) -> io::Result<Pid> {
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    id.map(Pid::from_raw).ok_or_else(|| io::ErrorKind::NotFound.into())
}
