use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use nix::unistd::Pid;
use tokio::process::Command;

use super::{
    Identity, Isolation, MountedFile, ReplicaNetwork, ReplicaSpec, Roots, StartError,
    image_path::ImageRoot,
    orphans::sandbox_name,
    program::{Kind, Program, find},
    root_fs::root_of,
};

/// What the image's root may do, as with other engines: own, read and signal what is in the container, and become
/// somebody else there. No mounts, no devices, no network.
const ROOT_MAY: [&str; 9] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
];
/// Files of the machine that replace the image's own: the network is the machine's.
const MACHINE_FILES: [&str; 2] = ["etc/resolv.conf", "etc/hosts"];

/// The command that runs the program of a replica. Its mounted files must have been written.
pub(super) fn command(isolation: &Isolation, spec: &ReplicaSpec) -> Result<Command, StartError> {
    let root = ImageRoot::open(&spec.rootfs)
        .map_err(|source| StartError::Io { action: "open the image", source })?;
    let program = find(&root, spec)?;
    let mut command = match isolation {
        Isolation::Bubblewrap { program, launcher, roots } => {
            sandbox((program, launcher, *roots), &root, spec)?
        }
        Isolation::Plain { .. } if spec.network != ReplicaNetwork::Shared => {
            return Err(StartError::NoSandbox);
        }
        Isolation::Plain { launcher } => plain(launcher, &root, &program, spec)?,
    };
    hand_over(&mut command, spec);
    Ok(command)
}

/// Never on the command line, which every user of the machine can read.
fn hand_over(command: &mut Command, spec: &ReplicaSpec) {
    let handed_over = spec.env.iter().filter(|(name, _)| !steers_the_loader(name));
    command.env_clear().envs(handed_over).process_group(0).kill_on_drop(true);
}

/// Variables by which an image could make the machine's loader run its code in bwrap itself, outside the
/// sandbox. They are set inside only; they hold paths and options, never secrets.
fn steers_the_loader(name: &str) -> bool {
    name.starts_with("LD_")
        || name.starts_with("GLIBC_")
        || matches!(name, "GCONV_PATH" | "LOCPATH" | "MALLOC_CHECK_")
}

/// The launcher, which makes the root file system and the way to it and becomes bubblewrap.
fn sandbox(
    (program, launcher, roots): (&Path, &[OsString], Roots),
    root: &ImageRoot,
    spec: &ReplicaSpec,
) -> Result<Command, StartError> {
    let (first, rest) = launcher.split_first().ok_or(StartError::NoProgram)?;
    let name = sandbox_name(&spec.directory);
    let mut command = Command::new(first);
    command.arg0(&name).args(rest).arg("sandbox").arg(std::process::id().to_string()).arg(&name);
    match roots {
        Roots::Overlay => command.arg(&spec.rootfs),
        Roots::Copy => command.arg(""),
    };
    command.arg(&spec.directory);
    if let ReplicaNetwork::Private { forwards, reached } = &spec.network {
        command.args(launcher).arg("relay");
        command.args(forwards.iter().map(|(outer, inner)| format!("forward:{outer}:{inner}")));
        command.args(reached.iter().map(|port| format!("reach:{port}")));
    }
    command.arg("--").arg(program);
    bubblewrap(&mut command, root, spec)?;
    Ok(command)
}

fn bubblewrap(
    command: &mut Command,
    root: &ImageRoot,
    spec: &ReplicaSpec,
) -> Result<(), StartError> {
    let io = |source| StartError::Io { action: "make a place to mount on", source };
    let place_of = |path: &str| Ok(Path::new("/").join(root.resolve(inside(path)?).map_err(io)?));
    command.arg("--bind").arg(root_of(&spec.directory)).arg("/");
    command.args(["--proc", "/proc"]);
    let Identity { user, group, asked, .. } = spec.identity;
    let somebody = user != 0 || group != 0;
    let root_here = nix::unistd::geteuid().is_root();
    devices(command, spec.network == ReplicaNetwork::Shared && root_here && !somebody);
    for path in &spec.scratch {
        command.args(["--perms", "0777", "--tmpfs"]).arg(place_of(path)?);
    }
    for directory in &spec.directories {
        let bind = if directory.read_only { "--ro-bind" } else { "--bind" };
        command.arg(bind).arg(&directory.source).arg(place_of(&directory.path)?);
    }
    for file in MACHINE_FILES {
        let machine = Path::new("/").join(file);
        if machine.is_file() {
            command.arg("--ro-bind").arg(&machine).arg(place_of(&format!("/{file}"))?);
        }
    }
    for file in &spec.files {
        command.arg("--ro-bind").arg(source_of(spec, file)?).arg(place_of(&file.path)?);
    }
    let workdir = place_of(&spec.workdir)?;
    command.arg("--dir").arg(&workdir);
    if spec.read_only {
        command.args(["--remount-ro", "/"]);
    }
    for (name, value) in spec.env.iter().filter(|(name, _)| steers_the_loader(name)) {
        command.arg("--setenv").arg(name).arg(value);
    }
    command.args(["--unshare-pid", "--unshare-ipc", "--unshare-uts"]);
    if spec.network != ReplicaNetwork::Shared {
        command.arg("--unshare-net");
    }
    command.args(["--die-with-parent", "--new-session", "--cap-drop", "ALL"]);
    if somebody || (asked && !root_here) {
        command.args(["--unshare-user", "--uid", &user.to_string(), "--gid", &group.to_string()]);
    }
    if user == 0 && (root_here || asked) {
        command.args(ROOT_MAY.iter().flat_map(|capability| ["--cap-add", capability]));
    }
    command.arg("--chdir").arg(workdir);
    command.arg("--").args(&spec.argv);
    Ok(())
}

/// For pseudo-terminals in a user namespace bubblewrap starts the program in a second one, below that which owns all
/// others of its namespaces: nobody could enter these after it, as a command beside the program must, or the relay of a
/// private network. So only where there is no user namespace are there pseudo-terminals.
fn devices(command: &mut Command, terminals: bool) {
    if terminals {
        command.args(["--dev", "/dev"]);
        return;
    }
    command.args(["--tmpfs", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm"]);
    for device in ["null", "zero", "full", "random", "urandom", "tty"] {
        let path = format!("/dev/{device}");
        command.args(["--dev-bind-try", &path, &path]);
    }
    for (target, name) in [("", "fd"), ("/0", "stdin"), ("/1", "stdout"), ("/2", "stderr")] {
        command.args(["--symlink", &format!("/proc/self/fd{target}"), &format!("/dev/{name}")]);
    }
}

/// Runs a command in a replica that runs; `program` is the process of its own program.
pub(super) fn beside(
    isolation: &Isolation,
    spec: &ReplicaSpec,
    program: Pid,
) -> Result<Command, StartError> {
    let Isolation::Bubblewrap { launcher, .. } = isolation else {
        return command(isolation, spec);
    };
    let (first, rest) = launcher.split_first().ok_or(StartError::NoProgram)?;
    let mut command = Command::new(first);
    command.args(rest).arg("enter").arg(std::process::id().to_string()).arg(program.to_string());
    command.arg(inside(&spec.workdir)?);
    for (name, value) in spec.env.iter().filter(|(name, _)| steers_the_loader(name)) {
        command.arg(format!("{name}={value}"));
    }
    command.arg("--").args(&spec.argv);
    hand_over(&mut command, spec);
    Ok(command)
}

/// Without a sandbox there is no outside: such variables are dropped.
fn plain(
    launcher: &[OsString],
    root: &ImageRoot,
    program: &Program,
    spec: &ReplicaSpec,
) -> Result<Command, StartError> {
    let io = |source| StartError::Io { action: "find the interpreter in the image", source };
    let (first, rest) = launcher.split_first().ok_or(StartError::NoProgram)?;
    let mut command = Command::new(first);
    command.args(rest).arg("plain").arg(std::process::id().to_string());
    match &program.kind {
        Kind::Script { interpreter, argument } => {
            let path = root.resolve(interpreter).map_err(io)?;
            let kind = Kind::of(&root.on_machine(&path)).map_err(io)?.unwrap_or(Kind::Static);
            through_loader(&mut command, root, &Program { path, kind });
            command.args(argument).arg(root.on_machine(&program.path));
        }
        _ => through_loader(&mut command, root, program),
    }
    let workdir = root.resolve(inside(&spec.workdir)?).map_err(io)?;
    root.place_directory(&workdir).map_err(io)?;
    command.args(&spec.argv[1..]).current_dir(root.on_machine(&workdir));
    Ok(command)
}

/// Adds the program, started by the image's own loader with the image's libraries where it wants one.
fn through_loader(command: &mut Command, root: &ImageRoot, program: &Program) {
    if let Kind::Dynamic { loader } = &program.kind
        && let Ok(loader) = root.resolve(loader)
        && root.is_file(&loader)
    {
        command.arg(root.on_machine(&loader)).arg("--library-path").arg(library_path(root));
    }
    command.arg(root.on_machine(&program.path));
}

fn library_path(root: &ImageRoot) -> OsString {
    let architecture = std::env::consts::ARCH;
    let mut joined = OsString::new();
    for base in ["usr/local/lib", "lib", "usr/lib", "lib64", "usr/lib64"] {
        for place in [format!("{base}/{architecture}-linux-gnu"), base.to_owned()] {
            let Ok(place) = root.resolve(Path::new(&place)) else { continue };
            if root.dir().symlink_metadata(&place).is_ok_and(|found| found.is_dir()) {
                if !joined.is_empty() {
                    joined.push(":");
                }
                joined.push(root.on_machine(&place));
            }
        }
    }
    joined
}

fn inside(path: &str) -> Result<&Path, StartError> {
    let clean =
        path.starts_with('/') && !path.contains('\0') && !path.split('/').any(|part| part == "..");
    if clean { Ok(Path::new(path)) } else { Err(StartError::Path { path: path.to_owned() }) }
}

fn source_of(spec: &ReplicaSpec, file: &MountedFile) -> Result<PathBuf, StartError> {
    let path = inside(&file.path)?;
    Ok(spec.directory.join("files").join(path.strip_prefix("/").unwrap_or(path)))
}

/// Makes the replica's directory and writes its mounted files there, for the engine's own user alone.
pub(super) fn write_files(spec: &ReplicaSpec) -> Result<(), StartError> {
    let io = |source| StartError::Io { action: "write a mounted file", source };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(&spec.directory)
        .map_err(|source| StartError::Io { action: "make the replica's directory", source })?;
    for file in &spec.files {
        let source = source_of(spec, file)?;
        if let Some(parent) = source.parent() {
            builder.create(parent).map_err(io)?;
        }
        match fs::remove_file(&source) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        let mut options = fs::OpenOptions::new();
        let mut written =
            options.write(true).create_new(true).mode(0o400).open(&source).map_err(io)?;
        io::Write::write_all(&mut written, &file.contents).map_err(io)?;
        // The directory above is closed to others; in the container the bits are what was asked for.
        written.set_permissions(fs::Permissions::from_mode(file.mode | 0o400)).map_err(io)?;
    }
    Ok(())
}
