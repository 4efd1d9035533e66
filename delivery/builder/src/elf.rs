use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use mercurious_core::image::Platform;
use object::{
    Endianness, ReadCache, ReadRef, StringTable,
    elf::{self, FileHeader32, FileHeader64},
    read::elf::{Dyn as _, FileHeader, ProgramHeader as _},
};

/// Why a file is not a program that an image can be made of.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The file could not be read.
    #[error("could not read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// `#!…`
    #[error(
        "`{}` is a script (`{first_line}`), not a compiled program: a script needs a base image that has its interpreter",
        path.display()
    )]
    Script {
        /// The file.
        path: PathBuf,
        /// Its first line, shortened.
        first_line: String,
    },
    /// Neither ELF nor script.
    #[error("`{}` is not a Linux program: it does not begin with an ELF header", path.display())]
    NotElf {
        /// The file.
        path: PathBuf,
    },
    /// An ELF file whose headers make no sense.
    #[error("`{}` is a damaged ELF file ({what})", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What could not be read.
        what: String,
    },
    /// An ELF file of another kind.
    #[error("`{}` is {kind}, not a program", path.display())]
    NotExecutable {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// A program for another machine.
    #[error("`{}` is built for {found}, but the image is for {wanted}", path.display())]
    OtherPlatform {
        /// The file.
        path: PathBuf,
        /// What its header says.
        found: String,
        /// The platform asked for.
        wanted: Box<Platform>,
    },
}

/// What machine an ELF file is for: files load each other only if these agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) code: u16,
    pub(crate) is_64_bit: bool,
    pub(crate) is_little_endian: bool,
}

impl Machine {
    /// The architecture as image indexes name it; none if images know no name for it.
    pub(crate) fn architecture(self) -> Option<&'static str> {
        Some(match (elf::Machine(self.code), self.is_64_bit, self.is_little_endian) {
            (elf::EM_X86_64, true, true) => "amd64",
            (elf::EM_386, false, true) => "386",
            (elf::EM_AARCH64, true, true) => "arm64",
            (elf::EM_ARM, false, true) => "arm",
            (elf::EM_RISCV, true, true) => "riscv64",
            (elf::EM_PPC64, true, true) => "ppc64le",
            (elf::EM_PPC64, true, false) => "ppc64",
            (elf::EM_S390, true, false) => "s390x",
            (elf::EM_LOONGARCH, true, true) => "loong64",
            _ => return None,
        })
    }

    /// The directory that Debian's family keeps this machine's libraries in, under `/lib` and `/usr/lib`.
    pub(crate) fn multiarch_directories(self) -> &'static [&'static str] {
        match self.architecture() {
            Some("amd64") => &["x86_64-linux-gnu"],
            Some("386") => &["i386-linux-gnu"],
            Some("arm64") => &["aarch64-linux-gnu"],
            Some("arm") => &["arm-linux-gnueabihf", "arm-linux-gnueabi"],
            Some("riscv64") => &["riscv64-linux-gnu"],
            Some("ppc64le") => &["powerpc64le-linux-gnu"],
            Some("s390x") => &["s390x-linux-gnu"],
            Some("loong64") => &["loongarch64-linux-gnu"],
            _ => &[],
        }
    }
}

/// What an ELF file asks of its loader.
#[derive(Clone, Debug)]
pub(crate) struct Elf {
    pub(crate) machine: Machine,
    /// The loader's path, `PT_INTERP`.
    pub(crate) interpreter: Option<String>,
    /// `DT_NEEDED`, in order.
    pub(crate) needed: Vec<String>,
    pub(crate) soname: Option<String>,
    /// `DT_RPATH`, split at colons, not expanded.
    pub(crate) rpath: Vec<String>,
    /// `DT_RUNPATH`, split at colons, not expanded.
    pub(crate) runpath: Vec<String>,
    /// Whether the file defines or uses the symbol version `GLIBC_2.34`.
    pub(crate) mentions_glibc_2_34: bool,
    file_type: elf::FileType,
    is_position_independent_program: bool,
}

impl Elf {
    /// Reads the headers only, whatever the file's size.
    pub(crate) fn read(path: &Path) -> Result<Self, ProgramError> {
        let failed = |source| ProgramError::Read { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        let mut start = Vec::new();
        (&mut file).take(128).read_to_end(&mut start).map_err(failed)?;
        if start.starts_with(b"#!") {
            let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
            let first_line = String::from_utf8_lossy(line).trim().to_owned();
            return Err(ProgramError::Script { path: path.to_owned(), first_line });
        }
        if !start.starts_with(b"\x7fELF") {
            return Err(ProgramError::NotElf { path: path.to_owned() });
        }
        let data = ReadCache::new(file);
        let parsed = if start.get(4) == Some(&elf::ELFCLASS64.0) {
            parse::<FileHeader64<Endianness>, _>(&data)
        } else {
            parse::<FileHeader32<Endianness>, _>(&data)
        };
        parsed
            .map_err(|what| ProgramError::Damaged { path: path.to_owned(), what: what.to_string() })
    }

    /// Refuses what cannot be started, and what is for another machine than `platform`.
    pub(crate) fn require_program(
        &self,
        path: &Path,
        platform: &Platform,
    ) -> Result<(), ProgramError> {
        let kind = match self.file_type {
            elf::ET_EXEC => None,
            elf::ET_DYN if self.interpreter.is_some() || self.is_position_independent_program => {
                None
            }
            elf::ET_DYN => Some("a shared library"),
            elf::ET_REL => Some("an object file that was not linked"),
            elf::ET_CORE => Some("a memory dump"),
            _ => Some("an ELF file of unknown kind"),
        };
        if let Some(kind) = kind {
            return Err(ProgramError::NotExecutable { path: path.to_owned(), kind });
        }
        let found = self.machine.architecture();
        if platform.os != "linux" || found != Some(platform.architecture.as_str()) {
            return Err(ProgramError::OtherPlatform {
                path: path.to_owned(),
                found: found.map_or_else(
                    || format!("an unnamed machine (ELF machine {})", self.machine.code),
                    |architecture| format!("linux/{architecture}"),
                ),
                wanted: platform.clone().into(),
            });
        }
        Ok(())
    }
}

fn parse<'data, H, R>(data: R) -> object::read::Result<Elf>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = H::parse(data)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, data)?;
    let mut found = Elf {
        machine: Machine {
            code: header.e_machine(endian).0,
            is_64_bit: header.is_class_64(),
            is_little_endian: header.is_little_endian(),
        },
        interpreter: None,
        needed: Vec::new(),
        soname: None,
        rpath: Vec::new(),
        runpath: Vec::new(),
        mentions_glibc_2_34: false,
        file_type: header.e_type(endian),
        is_position_independent_program: false,
    };
    let mut dynamic: &[H::Dyn] = &[];
    for segment in segments {
        if let Some(interpreter) = segment.interpreter(endian, data)? {
            found.interpreter = Some(text(interpreter));
        }
        if let Some(entries) = segment.dynamic(endian, data)? {
            dynamic = entries;
        }
    }
    let entries: Vec<(elf::DynamicTag, u64)> = dynamic
        .iter()
        .map(|entry| (entry.tag(endian), entry.val(endian)))
        .take_while(|(tag, _)| *tag != elf::DT_NULL)
        .collect();
    let value = |wanted| entries.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
    found.is_position_independent_program =
        value(elf::DT_FLAGS_1).is_some_and(|flags| flags & DF_1_PIE != 0);
    let (Some(address), Some(size)) = (value(elf::DT_STRTAB), value(elf::DT_STRSZ)) else {
        return Ok(found);
    };
    // The table is named by its address in memory; the segment that holds it says where it is in the file.
    let start = segments
        .iter()
        .filter(|segment| segment.p_type(endian) == elf::PT_LOAD)
        .find_map(|segment| {
            let (offset, length) = segment.file_range(endian);
            let inside = address.checked_sub(segment.p_vaddr(endian).into())?;
            (inside < length).then(|| offset.saturating_add(inside))
        })
        .unwrap_or(address);
    let strings = StringTable::new(data, start, start.saturating_add(size));
    let string = |offset: u64| {
        u32::try_from(offset).ok().and_then(|offset| strings.get(offset).ok()).map(text)
    };
    let split = |list: Option<String>| -> Vec<String> {
        list.map(|list| {
            list.split(':').filter(|part| !part.is_empty()).map(str::to_owned).collect()
        })
        .unwrap_or_default()
    };
    found.needed = entries
        .iter()
        .filter(|(tag, _)| *tag == elf::DT_NEEDED)
        .filter_map(|(_, offset)| string(*offset))
        .collect();
    found.soname = value(elf::DT_SONAME).and_then(string);
    found.rpath = split(value(elf::DT_RPATH).and_then(string));
    found.runpath = split(value(elf::DT_RUNPATH).and_then(string));
    if size < LONGEST_STRING_TABLE
        && let Ok(bytes) = data.read_bytes_at(start, size)
    {
        let version = b"GLIBC_2.34\0";
        found.mentions_glibc_2_34 = bytes.windows(version.len()).any(|window| window == version);
    }
    Ok(found)
}

/// `DF_1_PIE` of glibc's `elf.h`.
const DF_1_PIE: u64 = 0x0800_0000;

/// A string table beyond this is not searched for version names: libc's own has some 30 kB.
const LONGEST_STRING_TABLE: u64 = 1 << 20;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
