//! Processes from images: started in a `bwrap` sandbox where that works, else as plain processes.
//!
//! # Guarantees
//! Children die with this process, however it ends: bwrap's own pid namespace dies with bwrap, which dies with
//! its parent; plain processes are started by [`crate::launcher`], which asks the kernel for the same. All are
//! started from one thread that lives as long as the process, because the kernel ties this to threads.
//! Variables are handed over in the environment, never on a command line.
//!
//! In a sandbox each start of a replica gets a root file system of its own, which it may write to and which is gone
//! with it: an overlay on the image's where the machine can, else a copy.
//!
//! # Who a program is
//! A program whose user is not root is that user in a user namespace where nobody else exists; all files of its image
//! are its own. A program of root's image is root without a user namespace where this process is root, with the few
//! rights that container engines give; where this process is somebody else it runs as that user, unless the manifest
//! asks for root by number.
//!
//! # Caveats
//! - On the machine's network every port is the machine's. On a private one nothing but the ports that are forwarded
//!   and reached leads in and out.
//! - Without bwrap there is no isolation at all: mounted files and empty directories are not seen, absolute paths
//!   are the machine's, nobody becomes another user, and a program that is linked dynamically is started by the
//!   image's own loader with the image's libraries. Only self-contained programs run well so.

mod command;
mod identity;
mod image_path;
mod isolation;
mod log;
mod orphans;
mod program;
mod replica;
mod root_fs;
mod runner;
mod spawner;
mod spec;

pub use identity::{Identity, IdentityError, IdentityRequest, identity};
pub use isolation::{Isolation, detect_isolation};
pub use orphans::reap_orphans;
pub use replica::Replica;
pub use root_fs::Roots;
pub use runner::Runner;
pub use spec::{Exit, MountedDirectory, MountedFile, ReplicaNetwork, ReplicaSpec, StartError};
