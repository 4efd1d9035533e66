//! Processes from images: started in a `bwrap` sandbox where that works, else as plain processes.
//!
//! # Guarantees
//! Children die with this process, however it ends: bwrap's own pid namespace dies with bwrap, which dies with
//! its parent; plain processes are started by [`crate::launcher`], which asks the kernel for the same. All are
//! started from one thread that lives as long as the process, because the kernel ties this to threads.
//! Variables are handed over in the environment, never on a command line.
//!
//! # Caveats
//! The network is this machine's own. Without bwrap there is no isolation at all.

mod isolation;
mod replica;
mod spawner;

pub use isolation::{Isolation, detect_isolation};
pub use replica::{reap_orphans, Exit, MountedFile, Replica, ReplicaSpec, Runner, StartError};
