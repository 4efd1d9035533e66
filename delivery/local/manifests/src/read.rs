use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{Fault, ManifestErrors, Manifests, Origin, document};

/// A file is read no further than this.
const FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Reads files, directories (their `*.yaml`, `*.yml` and `*.json`) and `-`, standard input. All faults of all
/// files come together; references between objects are checked too.
pub fn read_paths(paths: &[PathBuf]) -> Result<Manifests, ManifestErrors> {
    let mut manifests = Manifests::default();
    let mut faults = ManifestErrors::default();
    for path in paths {
        read_path(path, &mut manifests, &mut faults);
    }
    if faults.is_empty() {
        manifests.validate()?;
        Ok(manifests)
    } else {
        Err(faults)
    }
}

/// Reads one text of any number of documents. References between objects are not checked.
pub fn parse(text: &str, file: &str) -> Result<Manifests, ManifestErrors> {
    let mut manifests = Manifests::default();
    let mut faults = ManifestErrors::default();
    read_text(text, &Arc::from(file), &mut manifests, &mut faults);
    if faults.is_empty() { Ok(manifests) } else { Err(faults) }
}

fn read_path(path: &Path, manifests: &mut Manifests, faults: &mut ManifestErrors) {
    let file: Arc<str> = path.to_string_lossy().into();
    let mut fault = |what: String, hint: Option<&str>| {
        faults.push(Fault {
            origin: Origin::file(Arc::clone(&file)),
            field: String::new(),
            what,
            hint: hint.map(str::to_owned),
        });
    };
    if path.is_dir() {
        let mut inside: Vec<PathBuf> = match fs::read_dir(path) {
            Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.path()).collect(),
            Err(error) => return fault(format!("cannot be read: {error}"), None),
        };
        inside.retain(|path| {
            path.is_file()
                && path.extension().is_some_and(|extension| {
                    ["yaml", "yml", "json"].iter().any(|known| extension == *known)
                })
        });
        inside.sort();
        if inside.is_empty() {
            return fault(
                "holds no *.yaml, *.yml or *.json".to_owned(),
                Some("name a file, or another directory"),
            );
        }
        for path in inside {
            read_path(&path, manifests, faults);
        }
        return;
    }
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(FILE_BYTES).read_to_string(&mut text)
    } else {
        fs::File::open(path).and_then(|file| file.take(FILE_BYTES).read_to_string(&mut text))
    };
    match read {
        Ok(bytes) if bytes as u64 == FILE_BYTES => {
            fault(format!("is larger than {FILE_BYTES} bytes"), None);
        }
        Ok(_) => read_text(&text, &file, manifests, faults),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            fault("does not exist".to_owned(), Some("name an existing file or directory with -f"));
        }
        Err(error) => fault(format!("cannot be read: {error}"), None),
    }
}

fn read_text(text: &str, file: &Arc<str>, manifests: &mut Manifests, faults: &mut ManifestErrors) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut first_line = 0;
    let mut document = String::new();
    for (number, line) in text.lines().enumerate() {
        let marker = line == "---" || line.starts_with("--- ") || line.starts_with("---\t");
        if marker || line == "..." {
            read_document(&document, first_line, file, manifests, faults);
            document.clear();
            first_line = number + 1;
            continue;
        }
        document.push_str(line);
        document.push('\n');
    }
    read_document(&document, first_line, file, manifests, faults);
}

fn read_document(
    text: &str,
    first_line: usize,
    file: &Arc<str>,
    manifests: &mut Manifests,
    faults: &mut ManifestErrors,
) {
    let empty =
        text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    if !empty {
        document::read(text, first_line, file, manifests, faults);
    }
}
