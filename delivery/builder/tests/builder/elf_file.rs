//! Writes small ELF files of which only the headers mean something.

use std::path::Path;

pub(crate) const X86_64: u16 = 62;
pub(crate) const AARCH64: u16 = 183;
const EXECUTABLE: u16 = 2;
const SHARED: u16 = 3;

/// A 64-bit little-endian file.
#[derive(Clone, Debug)]
pub(crate) struct ElfFile {
    machine: u16,
    kind: u16,
    interpreter: Option<String>,
    /// Tags with strings.
    strings: Vec<(u64, String)>,
    payload: Vec<u8>,
}

impl ElfFile {
    pub(crate) fn program() -> Self {
        Self {
            machine: X86_64,
            kind: EXECUTABLE,
            interpreter: Some("/lib64/ld-linux-x86-64.so.2".to_owned()),
            strings: Vec::new(),
            payload: Vec::new(),
        }
    }

    pub(crate) fn static_program() -> Self {
        Self { interpreter: None, ..Self::program() }
    }

    pub(crate) fn library(soname: &str) -> Self {
        let library = Self { kind: SHARED, interpreter: None, ..Self::program() };
        library.string(14, soname)
    }

    pub(crate) fn machine(self, machine: u16) -> Self {
        Self { machine, ..self }
    }

    pub(crate) fn interpreter(self, path: &str) -> Self {
        Self { interpreter: Some(path.to_owned()), ..self }
    }

    pub(crate) fn needs(self, library: &str) -> Self {
        self.string(1, library)
    }

    pub(crate) fn rpath(self, path: &str) -> Self {
        self.string(15, path)
    }

    pub(crate) fn runpath(self, path: &str) -> Self {
        self.string(29, path)
    }

    /// Makes the string table hold this, as a symbol version would.
    pub(crate) fn mentions(self, text: &str) -> Self {
        self.string(0x6fff_fef5, text)
    }

    /// Bytes that no header speaks of.
    pub(crate) fn payload(self, payload: impl Into<Vec<u8>>) -> Self {
        Self { payload: payload.into(), ..self }
    }

    fn string(mut self, tag: u64, text: &str) -> Self {
        self.strings.push((tag, text.to_owned()));
        self
    }

    pub(crate) fn write(&self, path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, self.bytes()).unwrap();
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let segments = 2 + u64::from(self.interpreter.is_some());
        let mut strings = vec![0];
        let mut dynamic = Vec::new();
        for (tag, text) in &self.strings {
            dynamic.extend([*tag, strings.len() as u64]);
            strings.extend_from_slice(text.as_bytes());
            strings.push(0);
        }
        let dynamic_at = 64 + 56 * segments;
        let dynamic_size = (dynamic.len() as u64 + 6) * 8;
        let strings_at = dynamic_at + dynamic_size;
        // DT_STRTAB, DT_STRSZ, DT_NULL.
        dynamic.extend([5, strings_at, 10, strings.len() as u64, 0, 0]);
        let interpreter_at = strings_at + strings.len() as u64;
        let interpreter: Vec<u8> = self.interpreter.iter().flat_map(|path| path.bytes()).collect();
        let size = interpreter_at + interpreter.len() as u64 + 1;

        let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        file.extend(self.kind.to_le_bytes());
        file.extend(self.machine.to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        for word in [0, 64, 0_u64] {
            file.extend(word.to_le_bytes());
        }
        file.extend(0_u32.to_le_bytes());
        for half in [64, 56, segments as u16, 64, 0, 0] {
            file.extend(half.to_le_bytes());
        }
        let mut segment = |kind: u32, at: u64, size: u64| {
            file.extend(kind.to_le_bytes());
            file.extend(5_u32.to_le_bytes());
            for word in [at, at, at, size, size, 8] {
                file.extend(word.to_le_bytes());
            }
        };
        if self.interpreter.is_some() {
            segment(3, interpreter_at, interpreter.len() as u64 + 1);
        }
        segment(1, 0, size);
        segment(2, dynamic_at, dynamic_size);
        for word in dynamic {
            file.extend(word.to_le_bytes());
        }
        file.extend(strings);
        file.extend(interpreter);
        file.push(0);
        assert_eq!(file.len() as u64, size);
        file.extend(&self.payload);
        file
    }
}

/// A directory that stands for `/`, with a glibc as Debian lays it out.
pub(crate) fn debian() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    ElfFile::library("ld-linux-x86-64.so.2")
        .write(&at("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"));
    ElfFile::library("libc.so.6")
        .needs("ld-linux-x86-64.so.2")
        .mentions("GLIBC_2.34")
        .write(&at("usr/lib/x86_64-linux-gnu/libc.so.6"));
    std::os::unix::fs::symlink("usr/lib", at("lib")).unwrap();
    std::fs::create_dir_all(at("usr/lib64")).unwrap();
    std::os::unix::fs::symlink("/usr/lib64", at("lib64")).unwrap();
    std::os::unix::fs::symlink(
        "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
        at("usr/lib64/ld-linux-x86-64.so.2"),
    )
    .unwrap();
    std::fs::create_dir_all(at("etc/ld.so.conf.d")).unwrap();
    std::fs::write(at("etc/ld.so.conf"), "include /etc/ld.so.conf.d/*.conf\n").unwrap();
    std::fs::write(at("etc/ld.so.conf.d/libc.conf"), "# default\n/usr/local/lib\n").unwrap();
    std::fs::write(
        at("etc/ld.so.conf.d/x86_64-linux-gnu.conf"),
        "/lib/x86_64-linux-gnu\n/usr/lib/x86_64-linux-gnu\n",
    )
    .unwrap();
    std::fs::create_dir_all(at("etc/ssl/certs")).unwrap();
    std::fs::write(
        at("etc/ssl/certs/ca-certificates.crt"),
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    root
}
