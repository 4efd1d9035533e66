//! Processes from images: started in a `bwrap` sandbox where that works, else as plain processes.
//!
//! # Guarantees
//! Children die with this process, however it ends: bwrap's own pid namespace dies with bwrap, which dies with
//! its parent; plain processes are started by [`crate::launcher`], which asks the kernel for the same. All are
//! started from one thread that lives as long as the process, because the kernel ties this to threads.
//! Variables are handed over in the environment, never on a command line.
//!
//! # Caveats
//! - The network is this machine's own.
//! - The image's `USER` is not honoured: programs run as the engine's user, without capabilities. Programs that
//!   change their user themselves do not start.
//! - Places to mount files and empty directories on are made in the image's root file system, where all
//!   replicas of the image see them empty.
//! - Without bwrap there is no isolation at all: mounted files and empty directories are not seen, absolute paths
//!   are the machine's, and a program that is linked dynamically is started by the image's own loader with the
//!   image's libraries. Only self-contained programs run well so.

mod command;
mod image_path;
mod isolation;
mod log;
mod orphans;
mod program;
mod replica;
mod runner;
mod spawner;
mod spec;

pub use isolation::{Isolation, detect_isolation};
pub use orphans::reap_orphans;
pub use replica::Replica;
pub use runner::Runner;
pub use spec::{Exit, MountedFile, ReplicaSpec, StartError};
