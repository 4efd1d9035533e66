//! Finds the files that the dynamic loader will open, as `ld.so(8)` finds them.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    path::{Path, PathBuf},
};

use crate::{
    elf::{Elf, ProgramError},
    search_path::SearchPath,
    system_root::SystemRoot,
};

/// Why a program's libraries could not be gathered.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The loader itself is absent.
    #[error("`{}` asks for the loader `{interpreter}`, which is not on this system", program.display())]
    NoInterpreter {
        /// The program.
        program: PathBuf,
        /// Its `PT_INTERP`.
        interpreter: String,
    },
    /// No directory has the library.
    #[error("library `{library}`, needed by `{needed_by}`, was not found; looked in {}", looked_in.join(", "))]
    Missing {
        /// The name asked for.
        library: String,
        /// Who asks.
        needed_by: String,
        /// Each directory, in order; one that has a file of this name for another machine says so.
        looked_in: Vec<String>,
    },
    /// A library's headers could not be read.
    #[error("a shared library is unusable")]
    Unusable(#[source] ProgramError),
    /// A program whose directories lead out of what an image can hold.
    #[error(
        "library `{library}`, needed by `{needed_by}`, would lie at `{path}`, where an image has other things"
    )]
    Forbidden {
        /// The name asked for.
        library: String,
        /// Who asks.
        needed_by: String,
        /// Where it would have to be.
        path: String,
    },
}

/// The libraries of a program: where the image's loader expects each, and the file on this system.
pub(crate) type Gathered = BTreeMap<String, PathBuf>;

/// A loaded file, with its directory on this system and in the image.
struct Loaded {
    name: String,
    elf: Elf,
    origin: Origin,
    loader: Option<usize>,
}

#[derive(Clone)]
struct Origin {
    host: Place,
    image: String,
}

/// A directory on this system.
#[derive(Clone)]
enum Place {
    /// A path inside the system root.
    System(String),
    /// Anywhere: the program itself need not lie inside the root.
    Outside(PathBuf),
}

impl Place {
    fn below(&self, rest: &str) -> Self {
        match self {
            Self::System(directory) => Self::System(format!("{directory}{rest}")),
            Self::Outside(directory) => Self::Outside(directory.join(rest.trim_start_matches('/'))),
        }
    }

    fn file(&self, root: &SystemRoot, name: &str) -> Option<PathBuf> {
        match self {
            Self::System(directory) => root.locate_file(&format!("{directory}/{name}")),
            Self::Outside(directory) => Some(directory.join(name))
                .filter(|file| file.is_file())
                .and_then(|file| file.canonicalize().ok()),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::System(directory) => directory.clone(),
            Self::Outside(directory) => directory.display().to_string(),
        }
    }
}

/// Libraries that glibc opens by itself, which headers do not name.
const OPENED_BY_GLIBC: &[&str] = &["libgcc_s.so.1"];
/// Since glibc 2.34 these are part of libc itself.
const NAME_SERVICE: &[&str] = &["libnss_files.so.2", "libnss_dns.so.2"];
/// What musl's loader answers for itself.
const MUSL_OWN: &[&str] = &["c", "pthread", "rt", "m", "dl", "util", "xnet"];

/// Everything that `program` needs beside itself, for an image in which it lies in `image_directory`.
/// A program without a loader (static) needs nothing.
pub(crate) fn gather(
    root: &SystemRoot,
    program: &Path,
    elf: &Elf,
    image_directory: &str,
) -> Result<Gathered, LibraryError> {
    let Some(interpreter) = elf.interpreter.clone() else { return Ok(Gathered::new()) };
    let loader_file =
        root.locate_file(&interpreter).ok_or_else(|| LibraryError::NoInterpreter {
            program: program.to_owned(),
            interpreter: interpreter.clone(),
        })?;
    let machine = elf.machine;
    let is_match = |path: &str| {
        root.locate_file(path)
            .and_then(|file| Elf::read(&file).ok())
            .is_some_and(|elf| elf.machine == machine)
    };
    let search = SearchPath::of(root, &interpreter, is_match, machine);
    let real = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    let host = Place::Outside(real.parent().map(Path::to_owned).unwrap_or_default());
    let mut gathering = Gathering {
        root,
        search,
        known: HashSet::from([base_name(&interpreter).to_owned()]),
        gathered: Gathered::from([(normal(&interpreter), loader_file.clone())]),
        loaded: vec![Loaded {
            name: program.display().to_string(),
            elf: elf.clone(),
            origin: Origin { host, image: image_directory.to_owned() },
            loader: None,
        }],
    };
    let loader = Elf::read(&loader_file).map_err(LibraryError::Unusable)?;
    gathering.known.extend(loader.soname);
    gathering.run()?;
    gathering.add_opened_by_glibc()?;
    Ok(gathering.gathered)
}

struct Gathering<'a> {
    root: &'a SystemRoot,
    search: SearchPath,
    /// Names that are loaded already: a loader matches each request against these first.
    known: HashSet<String>,
    gathered: Gathered,
    loaded: Vec<Loaded>,
}

impl Gathering<'_> {
    /// Breadth first, as loaders do it: the order decides which of two files of one name is used.
    fn run(&mut self) -> Result<(), LibraryError> {
        let mut queue: VecDeque<usize> = (0..self.loaded.len()).collect();
        while let Some(index) = queue.pop_front() {
            for name in self.loaded[index].elf.needed.clone() {
                if self.is_known(&name) {
                    continue;
                }
                self.load(index, &name)?;
                queue.push_back(self.loaded.len() - 1);
            }
        }
        Ok(())
    }

    fn is_known(&self, name: &str) -> bool {
        let own = || {
            let stem = name.strip_prefix("lib").and_then(|name| name.split_once('.'));
            stem.is_some_and(|(stem, _)| MUSL_OWN.contains(&stem))
        };
        self.known.contains(name) || (self.search.is_musl && own())
    }

    fn load(&mut self, index: usize, name: &str) -> Result<(), LibraryError> {
        let machine = self.loaded[0].elf.machine;
        let mut looked_in = Vec::new();
        for Origin { host, image } in self.places(index, name) {
            let mut shown = host.shown();
            if let Some(file) = host.file(self.root, base_name(name)) {
                match Elf::read(&file) {
                    Ok(elf) if elf.machine == machine => {
                        let loaded = Loaded {
                            name: file.display().to_string(),
                            elf,
                            origin: Origin { host, image },
                            loader: Some(index),
                        };
                        return self.accept(name, file, loaded);
                    }
                    Ok(_) => shown.push_str(" (has one for another machine)"),
                    // A linker's script, as `libc.so` of development packages: ldconfig ignores it as well.
                    Err(ProgramError::NotElf { .. }) => {
                        shown.push_str(" (has one that is no library)");
                    }
                    Err(error) => return Err(LibraryError::Unusable(error)),
                }
            }
            looked_in.push(shown);
        }
        Err(LibraryError::Missing {
            library: name.to_owned(),
            needed_by: self.loaded[index].name.clone(),
            looked_in,
        })
    }

    /// `loaded` has its directory in the image as the search path names it.
    fn accept(
        &mut self,
        name: &str,
        file: PathBuf,
        mut loaded: Loaded,
    ) -> Result<(), LibraryError> {
        let path = normal(&format!("{}/{}", loaded.origin.image, base_name(name)));
        // The image's own files must not be hidden by a library that an odd search path puts there.
        if ["/etc/", "/proc/", "/sys/", "/dev/"].iter().any(|taken| path.starts_with(taken)) {
            let loader = loaded.loader.and_then(|loader| self.loaded.get(loader));
            return Err(LibraryError::Forbidden {
                library: name.to_owned(),
                needed_by: loader.map(|loader| loader.name.clone()).unwrap_or_default(),
                path,
            });
        }
        self.known.insert(name.to_owned());
        self.known.extend(loaded.elf.soname.clone());
        loaded.origin.image =
            path.rsplit_once('/').map_or_else(String::new, |(parent, _)| parent.into());
        self.loaded.push(loaded);
        self.gathered.insert(path, file);
        Ok(())
    }

    /// The directories for a request of the loaded file at `index`, in the loader's order.
    fn places(&self, index: usize, name: &str) -> Vec<Origin> {
        if let Some((directory, _)) = name.rsplit_once('/') {
            // A path is opened as it stands; a relative one would depend on the working directory.
            let place = Place::System(directory.to_owned());
            return vec![Origin { host: place, image: directory.to_owned() }];
        }
        let mut places = Vec::new();
        let requester = &self.loaded[index];
        if self.search.is_musl || requester.elf.runpath.is_empty() {
            let mut at = Some(index);
            while let Some(loaded) = at.and_then(|at| self.loaded.get(at)) {
                if loaded.elf.runpath.is_empty() {
                    places.extend(loaded.elf.rpath.iter().filter_map(|path| expand(path, loaded)));
                } else if self.search.is_musl {
                    places
                        .extend(loaded.elf.runpath.iter().filter_map(|path| expand(path, loaded)));
                }
                at = loaded.loader;
            }
        } else {
            places.extend(requester.elf.runpath.iter().filter_map(|path| expand(path, requester)));
        }
        places.extend(self.search.directories.iter().map(|(host, image)| Origin {
            host: Place::System(host.clone()),
            image: image.clone(),
        }));
        places
    }

    fn add_opened_by_glibc(&mut self) -> Result<(), LibraryError> {
        let libc =
            self.loaded.iter().find(|loaded| loaded.elf.soname.as_deref() == Some("libc.so.6"));
        let Some(libc) = libc else { return Ok(()) };
        let mut names = OPENED_BY_GLIBC.to_vec();
        if !libc.elf.mentions_glibc_2_34 {
            names.extend(NAME_SERVICE);
        }
        for name in names {
            if self.is_known(name) {
                continue;
            }
            match self.load(0, name) {
                Ok(()) | Err(LibraryError::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.run()
    }
}

/// `$ORIGIN` is the directory of the file whose header has the path. Paths with other variables, and relative
/// ones, name no directory that an image could have.
fn expand(path: &str, loaded: &Loaded) -> Option<Origin> {
    let rest = path.strip_prefix("$ORIGIN").or_else(|| path.strip_prefix("${ORIGIN}"));
    match rest {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => Some(Origin {
            host: loaded.origin.host.below(rest),
            image: format!("{}{rest}", loaded.origin.image),
        }),
        None if path.starts_with('/') && !path.contains('$') => {
            Some(Origin { host: Place::System(path.to_owned()), image: path.to_owned() })
        }
        _ => None,
    }
}

/// Without `.`, `..` and doubled slashes: an image made here has no links, so this loses nothing.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
