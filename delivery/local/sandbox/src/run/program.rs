use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read as _},
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use cap_std::fs::PermissionsExt as _;
use object::{
    Endianness, ReadCache,
    read::elf::{FileHeader as _, ProgramHeader as _},
};

use super::{ReplicaSpec, StartError, image_path::ImageRoot};

/// A program in an image.
pub(super) struct Program {
    /// Relative to the root file system, free of links.
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
}

/// How the kernel would start it.
pub(super) enum Kind {
    /// By itself: an ELF program that is linked statically.
    Static,
    /// Through its loader, a path in the image.
    Dynamic { loader: PathBuf },
    /// By an interpreter in the image, with at most one argument.
    Script { interpreter: PathBuf, argument: Option<String> },
}

/// Where names without a slash are searched when the environment does not say.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Finds the program; names without a slash are searched in the container's `PATH`.
pub(super) fn find(root: &ImageRoot, spec: &ReplicaSpec) -> Result<Program, StartError> {
    let name = spec.argv.first().filter(|name| !name.is_empty()).ok_or(StartError::NoProgram)?;
    let candidates: Vec<PathBuf> = if name.contains('/') {
        // An absolute name replaces the directory.
        vec![Path::new(&spec.workdir).join(name)]
    } else {
        let search = spec.env.get("PATH").map_or(SEARCH_PATH, String::as_str);
        search.split(':').map(|directory| Path::new(directory).join(name)).collect()
    };
    let mut refused = StartError::NotInImage { program: name.clone() };
    for candidate in candidates {
        let Ok(path) = root.resolve(&candidate) else { continue };
        let Ok(found) = root.dir().symlink_metadata(&path) else { continue };
        if !found.is_file() {
            continue;
        }
        if found.permissions().mode() & 0o111 == 0 {
            refused = StartError::NotExecutable { program: name.clone() };
            continue;
        }
        return match Kind::of(&root.on_machine(&path)) {
            Ok(Some(kind)) => Ok(Program { path, kind }),
            Ok(None) => Err(StartError::Format { program: name.clone() }),
            Err(source) => Err(StartError::Io { action: "read the program", source }),
        };
    }
    Err(refused)
}

impl Kind {
    /// `None` where it is nothing that can be executed.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        let mut file = File::open(path)?;
        // Linux reads no more of a `#!` line than this.
        let mut head = Vec::with_capacity(256);
        (&mut file).take(256).read_to_end(&mut head)?;
        if let Some(line) = head.strip_prefix(b"#!") {
            return Ok(script(line));
        }
        if !head.starts_with(b"\x7fELF") {
            return Ok(None);
        }
        Ok(Some(match loader(&ReadCache::new(file)) {
            Some(loader) => Self::Dynamic { loader },
            None => Self::Static,
        }))
    }
}

fn script(line: &[u8]) -> Option<Kind> {
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let (interpreter, argument) = match line.trim().split_once(char::is_whitespace) {
        Some((interpreter, argument)) => (interpreter, Some(argument.trim().to_owned())),
        None => (line.trim(), None),
    };
    (!interpreter.is_empty()).then(|| Kind::Script { interpreter: interpreter.into(), argument })
}

fn loader(data: &ReadCache<File>) -> Option<PathBuf> {
    let header = object::elf::FileHeader64::<Endianness>::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, data).ok()?;
    let name = segments.iter().find_map(|it| it.interpreter(endian, data).ok().flatten())?;
    Some(PathBuf::from(OsStr::from_bytes(name)))
}
