use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use tokio::process::Command;

use super::{
    Isolation, MountedFile, ReplicaSpec, StartError,
    image_path::ImageRoot,
    orphans::sandbox_name,
    program::{Kind, Program, find},
};

/// Directories that are empty and writable in every sandbox.
const EMPTY: [&str; 3] = ["tmp", "run", "var/tmp"];
/// Files of the machine that replace the image's own: the network is the machine's.
const MACHINE_FILES: [&str; 2] = ["etc/resolv.conf", "etc/hosts"];

/// The command that runs the program of a replica. Its mounted files must have been written.
pub(super) fn command(isolation: &Isolation, spec: &ReplicaSpec) -> Result<Command, StartError> {
    let root = ImageRoot::open(&spec.rootfs)
        .map_err(|source| StartError::Io { action: "open the image", source })?;
    let program = find(&root, spec)?;
    let mut command = match isolation {
        Isolation::Bubblewrap(path) => bubblewrap(path, &root, spec)?,
        Isolation::Plain { launcher } => plain(launcher, &root, &program, spec)?,
    };
    // Never on the command line, which every user of the machine can read.
    let handed_over = spec.env.iter().filter(|(name, _)| !steers_the_loader(name));
    command.env_clear().envs(handed_over).process_group(0).kill_on_drop(true);
    Ok(command)
}

/// Variables by which an image could make the machine's loader run its code in bwrap itself, outside the
/// sandbox. They are set inside only; they hold paths and options, never secrets.
fn steers_the_loader(name: &str) -> bool {
    name.starts_with("LD_")
        || name.starts_with("GLIBC_")
        || matches!(name, "GCONV_PATH" | "LOCPATH" | "MALLOC_CHECK_")
}

fn bubblewrap(program: &Path, root: &ImageRoot, spec: &ReplicaSpec) -> Result<Command, StartError> {
    let io = |source| StartError::Io { action: "make a place to mount on", source };
    let mut command = Command::new(program);
    command.arg0(sandbox_name(&spec.directory));
    command.arg("--ro-bind").arg(&spec.rootfs).arg("/");
    command.args(["--proc", "/proc", "--dev", "/dev"]);
    let mut empty: Vec<PathBuf> = Vec::new();
    for place in EMPTY {
        // What is a link to another place is served by that place.
        if root.dir().symlink_metadata(place).is_ok_and(|found| found.is_dir()) {
            empty.push(place.into());
        }
    }
    for path in &spec.scratch {
        let place = root.resolve(inside(path)?).map_err(io)?;
        if !empty.iter().any(|directory| place.starts_with(directory)) {
            root.place_directory(&place).map_err(io)?;
        }
        if !empty.contains(&place) {
            empty.push(place);
        }
    }
    for place in &empty {
        command.arg("--tmpfs").arg(Path::new("/").join(place));
    }
    for place in MACHINE_FILES {
        let machine = Path::new("/").join(place);
        let file = root.dir().symlink_metadata(place).is_ok_and(|found| found.is_file());
        if file && machine.is_file() {
            command.arg("--ro-bind").arg(&machine).arg(&machine);
        }
    }
    for file in &spec.files {
        let place = root.resolve(inside(&file.path)?).map_err(io)?;
        if !empty.iter().any(|directory| place.starts_with(directory)) {
            root.place_file(&place).map_err(io)?;
        }
        command.arg("--ro-bind").arg(source_of(spec, file)?).arg(Path::new("/").join(place));
    }
    for (name, value) in spec.env.iter().filter(|(name, _)| steers_the_loader(name)) {
        command.arg("--setenv").arg(name).arg(value);
    }
    command.args(["--unshare-pid", "--unshare-ipc", "--unshare-uts"]);
    command.args(["--die-with-parent", "--new-session", "--cap-drop", "ALL"]);
    let workdir = root.resolve(inside(&spec.workdir)?).map_err(io)?;
    if !empty.iter().any(|directory| workdir.starts_with(directory)) {
        root.place_directory(&workdir).map_err(io)?;
    }
    command.arg("--chdir").arg(Path::new("/").join(workdir));
    command.arg("--").args(&spec.argv);
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
    command.args(rest).arg(std::process::id().to_string());
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
        && root.dir().symlink_metadata(&loader).is_ok_and(|found| found.is_file())
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
    }
    Ok(())
}
