use std::{fs, path::Path};

use mercurious_sandbox::unpack::{LayerError, UnpackLimits, unpack_untrusted_layer};
use tar::{EntryType, Header};

use crate::{
    text::assert_fit_to_print,
    tree::{Sentinel, Tree},
};

const PLAIN: &str = "application/vnd.oci.image.layer.v1.tar";
const LIMITS: UnpackLimits = UnpackLimits {
    total_bytes: 256 << 10,
    entries: 64,
    name_bytes: 512,
    ratio: 50,
    ratio_floor_bytes: 64 << 10,
};

/// A layer as it comes from a registry: plain, gzip or Zstandard by its first bytes.
pub fn layer_bytes(data: &[u8]) {
    let media_type = match data {
        [0x1f, 0x8b, ..] => "application/vnd.oci.image.layer.v1.tar+gzip",
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            "application/vnd.oci.image.layer.v1.tar+zstd"
        }
        _ => PLAIN,
    };
    unpack(&[(media_type, data.to_vec())]);
}

/// Layers as lines of text (`file NAME TEXT`, `dir NAME`, `link NAME TARGET`, `hard NAME TARGET`, `fifo NAME`,
/// `mode OCTAL`, `size BYTES`, `pax KEY VALUE`), separated by `---`: every header is right, whatever it asks for. `@` in a
/// target is the absolute path of the directory beside the root.
pub fn layer_entries(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let sentinel = Sentinel::new();
    let beside = sentinel.beside().to_string_lossy().into_owned();
    let layers: Vec<(&str, Vec<u8>)> =
        text.split("---\n").take(3).map(|layer| (PLAIN, archive(layer, &beside))).collect();
    unpack_beside(&layers, &sentinel);
}

fn unpack(layers: &[(&str, Vec<u8>)]) {
    unpack_beside(layers, &Sentinel::new());
}

/// Unpacks the layers twice, in two roots; nothing outside changes, and both say and hold the same.
fn unpack_beside(layers: &[(&str, Vec<u8>)], sentinel: &Sentinel) {
    let once = apply(layers, sentinel, "root");
    sentinel.check(&["root"]);
    let root = Tree::read(&sentinel.path().join("root"));
    root.check(&LIMITS, layers.len() as u64);
    let twice = apply(layers, sentinel, "again");
    sentinel.check(&["again", "root"]);
    assert_eq!(once, twice, "two unpackings differ");
    assert_eq!(root, Tree::read(&sentinel.path().join("again")), "two unpackings differ");
}

/// What went wrong, if anything did. Only a fault of this machine may be worth another try, and there is none here.
fn apply(layers: &[(&str, Vec<u8>)], sentinel: &Sentinel, name: &str) -> Option<String> {
    let root = sentinel.path().join(name);
    fs::create_dir(&root).expect("a directory");
    for (media_type, bytes) in layers {
        let file = sentinel.path().join("layer");
        fs::write(&file, bytes).expect("a file");
        let found = unpack_untrusted_layer(&file, media_type, &root, &LIMITS);
        fs::remove_file(&file).expect("a file");
        if let Err(error) = found {
            assert_is_the_layers_fault(&error, &root);
            return Some(error.to_string());
        }
    }
    None
}

fn assert_is_the_layers_fault(error: &LayerError, root: &Path) {
    let mut message = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(one) = cause {
        message.push_str(": ");
        message.push_str(&one.to_string());
        cause = one.source();
    }
    assert_fit_to_print(&message);
    assert!(!message.contains(&*root.to_string_lossy()), "{message}");
    assert!(!matches!(error, LayerError::Write { .. } | LayerError::Open(_)), "{message}");
}

/// The archive that the lines describe; a line that describes nothing is left out.
fn archive(text: &str, beside: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut mode = 0o644;
    let mut size = None;
    for line in text.lines().take(200) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
        let kind = match word {
            "mode" => {
                mode = u32::from_str_radix(rest, 8).unwrap_or(0) & 0o7777;
                continue;
            }
            "size" => {
                size = rest.parse::<u64>().ok();
                continue;
            }
            "file" => EntryType::Regular,
            "dir" => EntryType::Directory,
            "link" => EntryType::Symlink,
            "hard" => EntryType::Link,
            "fifo" => EntryType::Fifo,
            "char" => EntryType::Char,
            "sparse" => EntryType::GNUSparse,
            "pax" => EntryType::XHeader,
            "global" => EntryType::XGlobalHeader,
            _ => continue,
        };
        let (name, value) = (name.replace('@', beside), value.replace('@', beside));
        let (link, content) = match kind {
            EntryType::Symlink | EntryType::Link => (value.as_str(), String::new()),
            EntryType::XHeader | EntryType::XGlobalHeader => ("", pax_record(&name, &value)),
            _ => ("", value.clone()),
        };
        for (text, kind) in
            [(name.as_str(), EntryType::GNULongName), (link, EntryType::GNULongLink)]
        {
            if text.len() > 100 {
                let header = header(kind, "././@LongLink", "", 0, text.len() as u64);
                write(&mut bytes, &header, text.as_bytes());
            }
        }
        let size = size.take().unwrap_or(content.len() as u64);
        write(&mut bytes, &header(kind, &name, link, mode, size), content.as_bytes());
    }
    bytes.extend_from_slice(&[0; 1024]);
    bytes
}

/// `LENGTH KEY=VALUE\n`, the length counting itself.
fn pax_record(key: &str, value: &str) -> String {
    let body = format!(" {key}={value}\n");
    let mut length = body.len();
    while length != body.len() + length.to_string().len() {
        length = body.len() + length.to_string().len();
    }
    format!("{length}{body}")
}

/// A header as it is asked for: the builder of the tar crate refuses much of this.
fn header(kind: EntryType, name: &str, link: &str, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    let gnu = header.as_gnu_mut().expect("made as one");
    let fill = |field: &mut [u8; 100], text: &str| {
        let length = text.len().min(100);
        field[..length].copy_from_slice(&text.as_bytes()[..length]);
    };
    fill(&mut gnu.name, name);
    fill(&mut gnu.linkname, link);
    header.set_cksum();
    header
}

fn write(bytes: &mut Vec<u8>, header: &Header, content: &[u8]) {
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
}
