use std::{
    collections::BTreeMap,
    fmt, fs, io,
    os::unix::{fs::OpenOptionsExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use mercurious_runtime::Tasks;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader},
    process::{Child, Command},
    sync::{mpsc, watch},
};

use super::{Isolation, spawner::Spawner};

/// A file that is put into a replica: of a ConfigMap or a Secret.
#[derive(Clone)]
pub struct MountedFile {
    /// Where in the container: absolute.
    pub path: String,
    /// What it holds.
    pub contents: Vec<u8>,
}

/// One process to start.
#[derive(Clone)]
pub struct ReplicaSpec {
    /// For people and files: unique among those that run.
    pub name: String,
    /// The image's root file system.
    pub rootfs: PathBuf,
    /// The program and its arguments, as paths in the container.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// Where it starts, in the container.
    pub workdir: String,
    /// Files over those of the image.
    pub files: Vec<MountedFile>,
    /// Directories that it may write to, in the container; empty at the start.
    pub scratch: Vec<String>,
    /// A directory of its own on the machine; removed when it has ended.
    pub directory: PathBuf,
    /// Where its lines are kept.
    pub log: PathBuf,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code, if it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

impl fmt::Display for Exit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            // Bubblewrap and shells report a signal as 128 and its number.
            (Some(code), _) if code > 128 && code <= 128 + 64 => {
                match Signal::try_from(code - 128) {
                    Ok(signal) => write!(formatter, "ended by {signal}"),
                    Err(_) => write!(formatter, "exit code {code}"),
                }
            }
            (Some(code), _) => write!(formatter, "exit code {code}"),
            (None, Some(signal)) => match Signal::try_from(signal) {
                Ok(signal) => write!(formatter, "ended by {signal}"),
                Err(_) => write!(formatter, "ended by signal {signal}"),
            },
            (None, None) => formatter.write_str("ended"),
        }
    }
}

/// Why a replica could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is nothing to run.
    #[error("the image names no program; give `command` in the manifest")]
    NoProgram,
    /// The program is not in the image.
    #[error("`{program}` is not in the image")]
    NotInImage {
        /// What was to be run.
        program: String,
    },
    /// The program may not be executed.
    #[error("`{program}` in the image is not executable")]
    NotExecutable {
        /// What was to be run.
        program: String,
    },
    /// A path leaves the container.
    #[error("`{path}` is not an absolute path without `..`")]
    Path {
        /// The refused one.
        path: String,
    },
    /// The machine refused.
    #[error("cannot {action}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// Starts replicas.
#[derive(Clone, Debug)]
pub struct Runner {
    isolation: Isolation,
    spawner: Spawner,
    tasks: Tasks,
}

/// A process that was started from an image.
#[derive(Debug)]
pub struct Replica {
    pid: Pid,
    isolated: bool,
    exited: watch::Receiver<Option<Exit>>,
}

/// A log file is turned over at this size; one older one is kept.
const LOG_BYTES: u64 = 10 * 1024 * 1024;
/// A longer line is cut.
const LINE_BYTES: usize = 16 * 1024;

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
        fs::create_dir_all(&spec.directory).map_err(io("make the replica's directory"))?;
        let mut command = match &self.isolation {
            Isolation::Bubblewrap(program) => bubblewrap(program, spec)?,
            Isolation::Plain { launcher } => plain(launcher, spec)?,
        };
        command
            .env_clear()
            .envs(&spec.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = self.spawner.spawn(command).await.map_err(io("start the program"))?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let Some(pid) = pid else {
            return Err(StartError::Io { action: "start the program", source: io::ErrorKind::NotFound.into() });
        };
        record(&spec.directory, pid).map_err(io("write the replica's process file"))?;
        let (sender, receiver) = mpsc::channel(256);
        if let Some(stdout) = child.stdout.take() {
            self.tasks.spawn("log", read_lines(stdout, sender.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            self.tasks.spawn("log", read_lines(stderr, sender));
        }
        let (exit, exited) = watch::channel(None);
        self.tasks.spawn("replica", follow(child, exit, receiver, spec.log.clone(), spec.directory.clone(), lines));
        let isolated = matches!(self.isolation, Isolation::Bubblewrap(_));
        Ok(Replica { pid, isolated, exited })
    }

    /// Runs a command beside a replica, with its files and variables; ends it at the deadline.
    pub async fn execute(&self, spec: &ReplicaSpec, argv: &[String], deadline: Duration) -> Result<(), String> {
        let spec = ReplicaSpec { argv: argv.to_vec(), ..spec.clone() };
        let mut command = match &self.isolation {
            Isolation::Bubblewrap(program) => bubblewrap(program, &spec),
            Isolation::Plain { launcher } => plain(launcher, &spec),
        }
        .map_err(|error| error.to_string())?;
        command.env_clear().envs(&spec.env).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.kill_on_drop(true);
        let mut child = self.spawner.spawn(command).await.map_err(|error| error.to_string())?;
        match tokio::time::timeout(deadline, child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(Exit { code: status.code(), signal: status.signal() }.to_string()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no end within {deadline:?}")),
        }
    }
}

impl Replica {
    /// The process that was started: bubblewrap's own where there is a sandbox.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Resolves when the process has ended.
    pub fn exited(&self) -> watch::Receiver<Option<Exit>> {
        self.exited.clone()
    }

    /// Asks the process to stop, and ends it with all it started when it has not after `grace`.
    pub async fn stop(&self, signal: Signal, grace: Duration) -> Exit {
        let mut exited = self.exited.clone();
        self.send(signal);
        if let Ok(Ok(exit)) = tokio::time::timeout(grace, exited.wait_for(Option::is_some)).await {
            return exit.unwrap_or(Exit { code: None, signal: None });
        }
        // Ending bubblewrap ends its pid namespace; a plain process has its own group.
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = nix::sys::signal::killpg(self.pid, Signal::SIGKILL);
        match exited.wait_for(Option::is_some).await {
            Ok(exit) => exit.unwrap_or(Exit { code: None, signal: Some(9) }),
            Err(_) => Exit { code: None, signal: Some(9) },
        }
    }

    /// Sends a signal to the container's main process.
    fn send(&self, signal: Signal) {
        if !self.isolated {
            let _ = kill(self.pid, signal);
            return;
        }
        // bwrap → its init in the namespace → the program.
        let mut target = self.pid;
        for _ in 0..2 {
            match child_of(target) {
                Some(child) => target = child,
                None => break,
            }
        }
        let _ = kill(target, signal);
    }
}

/// The first child of a process.
fn child_of(pid: Pid) -> Option<Pid> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    text.split_whitespace().next()?.parse().ok().map(Pid::from_raw)
}

fn bubblewrap(program: &Path, spec: &ReplicaSpec) -> Result<Command, StartError> {
    let first = spec.argv.first().ok_or(StartError::NoProgram)?;
    find(spec, first)?;
    let mut command = Command::new(program);
    command.arg("--ro-bind").arg(&spec.rootfs).arg("/");
    command.args(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run"]);
    if spec.rootfs.join("var/tmp").is_dir() && !spec.rootfs.join("var/tmp").is_symlink() {
        command.args(["--tmpfs", "/var/tmp"]);
    }
    for file in ["/etc/resolv.conf", "/etc/hosts"] {
        let inside = spec.rootfs.join(&file[1..]);
        if Path::new(file).exists() && inside.is_file() && !inside.is_symlink() {
            command.args(["--ro-bind", file, file]);
        }
    }
    for path in &spec.scratch {
        command.arg("--tmpfs").arg(inside(path)?);
    }
    for file in &spec.files {
        let source = write_file(spec, file)?;
        command.arg("--ro-bind").arg(source).arg(inside(&file.path)?);
    }
    command.args(["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session"]);
    command.args(["--cap-drop", "ALL"]);
    command.arg("--chdir").arg(inside(&spec.workdir)?);
    command.arg("--").args(&spec.argv);
    Ok(command)
}

fn plain(launcher: &[std::ffi::OsString], spec: &ReplicaSpec) -> Result<Command, StartError> {
    let first = spec.argv.first().ok_or(StartError::NoProgram)?;
    let found = find(spec, first)?;
    let (program, arguments) = launcher.split_first().ok_or(StartError::NoProgram)?;
    let mut command = Command::new(program);
    command.args(arguments);
    // A program that wants the image's loader and libraries is started by that loader.
    if let Some(loader) = loader_of(spec) {
        command.arg(loader).arg("--library-path").arg(library_path(&spec.rootfs));
    }
    command.arg(found).args(&spec.argv[1..]).current_dir(&spec.directory);
    Ok(command)
}

fn loader_of(spec: &ReplicaSpec) -> Option<PathBuf> {
    ["lib64/ld-linux-x86-64.so.2", "lib/ld-linux-aarch64.so.1"]
        .iter()
        .map(|path| spec.rootfs.join(path))
        .find(|path| path.exists())
}

fn library_path(rootfs: &Path) -> String {
    let parts = ["lib", "lib64", "usr/lib", "usr/lib64", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu", "usr/lib/aarch64-linux-gnu"];
    parts.map(|part| rootfs.join(part).to_string_lossy().into_owned()).join(":")
}

/// The program's file on the machine; names without a slash are searched in the container's `PATH`.
fn find(spec: &ReplicaSpec, program: &str) -> Result<PathBuf, StartError> {
    let candidates: Vec<String> = if program.contains('/') {
        let from = if program.starts_with('/') { String::new() } else { format!("{}/", spec.workdir) };
        vec![format!("{from}{program}")]
    } else {
        let path = spec.env.get("PATH").map_or("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", String::as_str);
        path.split(':').map(|directory| format!("{directory}/{program}")).collect()
    };
    let root = cap_std::fs::Dir::open_ambient_dir(&spec.rootfs, cap_std::ambient_authority())
        .map_err(|source| StartError::Io { action: "open the image", source })?;
    for candidate in candidates {
        let relative = candidate.trim_start_matches('/');
        // A link to an absolute path is followed by the sandbox, not here: taken as found.
        let Ok(found) = root.symlink_metadata(relative) else { continue };
        use cap_std::fs::PermissionsExt as _;
        if found.is_file() && found.permissions().mode() & 0o111 == 0 {
            return Err(StartError::NotExecutable { program: program.to_owned() });
        }
        if !found.is_dir() {
            return Ok(spec.rootfs.join(relative));
        }
    }
    Err(StartError::NotInImage { program: program.to_owned() })
}

fn inside(path: &str) -> Result<&str, StartError> {
    let clean = path.starts_with('/') && !path.split('/').any(|part| part == "..");
    if clean { Ok(path) } else { Err(StartError::Path { path: path.to_owned() }) }
}

/// Writes a mounted file on the machine, readable by us alone, and makes its place in the image.
fn write_file(spec: &ReplicaSpec, file: &MountedFile) -> Result<PathBuf, StartError> {
    let io = |source| StartError::Io { action: "write a mounted file", source };
    let path = inside(&file.path)?;
    let source = spec.directory.join("files").join(path.trim_start_matches('/'));
    if let Some(parent) = source.parent() {
        fs::create_dir_all(parent).map_err(io)?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o400);
    // A file of an earlier start may not be written over with that mode.
    let _ = fs::remove_file(&source);
    io::Write::write_all(&mut options.open(&source).map_err(io)?, &file.contents).map_err(io)?;
    let root = cap_std::fs::Dir::open_ambient_dir(&spec.rootfs, cap_std::ambient_authority()).map_err(io)?;
    let relative = Path::new(path.trim_start_matches('/'));
    if root.symlink_metadata(relative).is_err() {
        if let Some(parent) = relative.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            root.create_dir_all(parent).map_err(io)?;
        }
        root.write(relative, b"").map_err(io)?;
    }
    Ok(source)
}

/// The process and when it started: together they name it for good.
fn record(directory: &Path, pid: Pid) -> io::Result<()> {
    let started = started_at(pid).unwrap_or_default();
    fs::write(directory.join("process"), format!("{pid} {started}\n"))
}

fn started_at(pid: Pid) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; the start time is the 20th field behind it.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19).map(str::to_owned)
}

/// Ends processes that an earlier home left, and removes their directories. Returns how many were alive.
pub fn reap_orphans(replicas: &Path) -> io::Result<usize> {
    let mut ended = 0;
    for entry in fs::read_dir(replicas)? {
        let directory = entry?.path();
        if let Ok(text) = fs::read_to_string(directory.join("process"))
            && let Some((pid, started)) = text.trim().split_once(' ')
            && let Ok(pid) = pid.parse().map(Pid::from_raw)
            && started_at(pid).as_deref() == Some(started)
        {
            let _ = nix::sys::signal::killpg(pid, Signal::SIGKILL);
            let _ = kill(pid, Signal::SIGKILL);
            ended += 1;
        }
        fs::remove_dir_all(&directory)?;
    }
    Ok(ended)
}

async fn read_lines(source: impl AsyncRead + Unpin, sender: mpsc::Sender<String>) {
    let mut reader = BufReader::with_capacity(LINE_BYTES, source);
    let mut line = Vec::new();
    loop {
        let (used, ends) = match reader.fill_buf().await {
            Ok([]) | Err(_) => break,
            Ok(buffer) => match buffer.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    line.extend_from_slice(&buffer[..end]);
                    (end + 1, true)
                }
                None => {
                    line.extend_from_slice(buffer);
                    (buffer.len(), line.len() >= LINE_BYTES)
                }
            },
        };
        reader.consume(used);
        if ends {
            let text = String::from_utf8_lossy(&line).into_owned();
            line.clear();
            if sender.send(text).await.is_err() {
                return;
            }
        }
    }
    if !line.is_empty() {
        let _ = sender.send(String::from_utf8_lossy(&line).into_owned()).await;
    }
}

/// Writes the lines down, then tells how the process ended: who sees the end has seen all lines.
async fn follow(
    mut child: Child,
    exit: watch::Sender<Option<Exit>>,
    mut receiver: mpsc::Receiver<String>,
    log: PathBuf,
    directory: PathBuf,
    lines: impl Fn(String) + Send + Sync + 'static,
) {
    let mut written = fs::metadata(&log).map_or(0, |found| found.len());
    let open = async || tokio::fs::OpenOptions::new().create(true).append(true).open(&log).await;
    let mut file = open().await.ok();
    let mut status = None;
    loop {
        tokio::select! {
            biased;
            line = receiver.recv() => match line {
                Some(line) => {
                    if written > LOG_BYTES {
                        let _ = tokio::fs::rename(&log, log.with_extension("log.1")).await;
                        file = open().await.ok();
                        written = 0;
                    }
                    if let Some(file) = &mut file {
                        let text = format!("{line}\n");
                        written += text.len() as u64;
                        let _ = file.write_all(text.as_bytes()).await;
                    }
                    lines(line);
                }
                None => break,
            },
            ended = child.wait(), if status.is_none() => status = Some(ended),
        }
        if status.is_some() && receiver.is_empty() {
            // Grandchildren may hold the pipes open for ever.
            let _ = tokio::time::timeout(Duration::from_millis(100), async {
                while let Some(line) = receiver.recv().await {
                    lines(line);
                }
            }).await;
            break;
        }
    }
    if let Some(file) = &mut file {
        let _ = file.flush().await;
    }
    let status = match status {
        Some(status) => status,
        None => child.wait().await,
    };
    let ended = match status {
        Ok(status) => Exit { code: status.code(), signal: status.signal() },
        Err(_) => Exit { code: None, signal: None },
    };
    let _ = fs::remove_dir_all(&directory);
    exit.send_replace(Some(ended));
}
