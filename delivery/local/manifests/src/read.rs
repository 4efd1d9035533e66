use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    Fault, ManifestErrors, Manifests, Origin, lint,
    object::read_object,
    tree::{Broken, documents},
};

/// A file is read no further than this.
const FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Reads files, directories (their own `*.yaml`, `*.yml` and `*.json`, in the order of their names) and `-`, standard
/// input. All faults of all files come together; where there is none, references between objects are checked too.
pub fn read_paths(paths: &[PathBuf]) -> Result<Manifests, ManifestErrors> {
    let mut reader = Reader::default();
    for path in paths {
        if path.as_os_str() == "-" {
            reader.read_bytes(&Arc::from("-"), |buffer| {
                io::stdin().lock().take(FILE_BYTES + 1).read_to_end(buffer)
            });
        } else if path.is_dir() {
            reader.read_directory(path);
        } else {
            reader.read_file(path);
        }
    }
    let manifests = reader.end()?;
    manifests.validate()?;
    Ok(manifests)
}

/// Reads one text of any number of documents; `file` is what faults call it. References between objects are not
/// checked.
pub fn parse(text: &str, file: &str) -> Result<Manifests, ManifestErrors> {
    let mut reader = Reader::default();
    reader.read_text(&Arc::from(file), text);
    reader.end()
}

#[derive(Default)]
struct Reader {
    manifests: Manifests,
    faults: ManifestErrors,
}

impl Reader {
    fn end(mut self) -> Result<Manifests, ManifestErrors> {
        lint::unpinned(&mut self.manifests);
        if self.faults.is_empty() { Ok(self.manifests) } else { Err(self.faults) }
    }

    fn fault(&mut self, origin: Origin, what: String, hint: Option<&str>) {
        let hint = hint.map(str::to_owned);
        self.faults.push(Fault { origin, field: String::new(), what, hint });
    }

    fn read_directory(&mut self, directory: &Path) {
        let origin = Origin::file(directory.to_string_lossy());
        let mut files: Vec<PathBuf> = match fs::read_dir(directory).and_then(Iterator::collect) {
            Ok(entries) => {
                let entries: Vec<fs::DirEntry> = entries;
                entries.into_iter().map(|entry| entry.path()).collect()
            }
            Err(error) => return self.fault(origin, format!("cannot be read: {error}"), None),
        };
        let is_manifest = |extension: &std::ffi::OsStr| {
            ["yaml", "yml", "json"].iter().any(|known| extension == *known)
        };
        files.retain(|path| path.extension().is_some_and(is_manifest) && path.is_file());
        files.sort();
        if files.is_empty() {
            let what = "holds no *.yaml, *.yml or *.json".to_owned();
            return self.fault(origin, what, Some("name a file, or the directory that has them"));
        }
        for path in files {
            self.read_file(&path);
        }
    }

    fn read_file(&mut self, path: &Path) {
        self.read_bytes(&Arc::from(path.to_string_lossy()), |buffer| {
            fs::File::open(path)?.take(FILE_BYTES + 1).read_to_end(buffer)
        });
    }

    fn read_bytes(
        &mut self,
        file: &Arc<str>,
        read: impl FnOnce(&mut Vec<u8>) -> io::Result<usize>,
    ) {
        let origin = Origin::file(Arc::clone(file));
        let mut bytes = Vec::new();
        match read(&mut bytes) {
            Ok(length) if length as u64 > FILE_BYTES => {
                let what = format!("is larger than {} MiB", FILE_BYTES >> 20);
                return self.fault(origin, what, Some("split it"));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let hint = "name an existing file or directory";
                return self.fault(origin, "does not exist".to_owned(), Some(hint));
            }
            Err(error) => return self.fault(origin, format!("cannot be read: {error}"), None),
        }
        match String::from_utf8(bytes) {
            Ok(text) => self.read_text(file, &text),
            Err(error) => {
                let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = String::from_utf8_lossy(valid).matches('\n').count() + 1;
                let origin = Origin { file: Arc::clone(file), line, column: 1 };
                self.fault(origin, "is not UTF-8".to_owned(), Some("save the file as UTF-8"));
            }
        }
    }

    fn read_text(&mut self, file: &Arc<str>, text: &str) {
        let (documents, broken) = documents(text);
        for document in documents {
            read_object(&document, file, &mut self.manifests, &mut self.faults);
        }
        if let Some(Broken { position: (line, column), what, hint }) = broken {
            self.fault(Origin { file: Arc::clone(file), line, column }, what, hint);
        }
    }
}
