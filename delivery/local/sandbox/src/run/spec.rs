use std::{collections::BTreeMap, fmt, io, path::PathBuf};

use nix::sys::signal::Signal;

use super::Identity;

/// A file that is put into a replica: of a ConfigMap or a Secret.
#[derive(Clone)]
pub struct MountedFile {
    /// Where in the container: absolute.
    pub path: String,
    /// What it holds.
    pub contents: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
}

/// A directory of the machine that is put into a replica, in a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountedDirectory {
    /// Where in the container: absolute.
    pub path: String,
    /// The directory on the machine.
    pub source: PathBuf,
    /// Whether writing is refused.
    pub read_only: bool,
}

/// Which network a replica is on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReplicaNetwork {
    /// This machine's own.
    #[default]
    Shared,
    /// Its own, with nothing but a loopback address: only in a sandbox.
    Private {
        /// Ports of this machine's loopback address that lead to ports of the replica, once it listens there.
        forwards: Vec<(u16, u16)>,
        /// Ports of this machine's loopback address that the replica reaches under the same number on its own.
        reached: Vec<u16>,
    },
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
    /// Directories of the machine over those of the image.
    pub directories: Vec<MountedDirectory>,
    /// Directories that it may write to, in the container; empty at the start.
    pub scratch: Vec<String>,
    /// Whether it may write nowhere but there.
    pub read_only: bool,
    /// As whom it runs, in a sandbox.
    pub identity: Identity,
    /// Which network it is on.
    pub network: ReplicaNetwork,
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
    /// The file is neither a program nor a script.
    #[error("`{program}` in the image is neither an ELF program nor a script with a `#!` line")]
    Format {
        /// What was to be run.
        program: String,
    },
    /// A path leaves the container.
    #[error("`{path}` is not an absolute path without `..`")]
    Path {
        /// The refused one.
        path: String,
    },
    /// A network of its own without a sandbox.
    #[error("a private network needs a sandbox; install bubblewrap")]
    NoSandbox,
    /// The machine refused.
    #[error("cannot {action}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
}
