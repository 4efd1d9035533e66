//! Makes reproducible OCI images from a program, with no container engine.
//!
//! **Flow.** [`ImageBuilder`] reads the program's ELF headers, finds the shared libraries that its loader will
//! ask for, writes two layers (what changes rarely: libraries, certificates, accounts; and the program), then
//! the configuration and the manifest. [`BuiltImage::write_oci_layout`] makes a directory that other tools
//! read; [`publish`] sends the image to a registry.
//!
//! **Guarantees.** The same input gives the same bytes, whatever the directory, the order of calls, the clock
//! or the file system: entries are sorted, owners, modes and times are fixed. Files are streamed: memory does
//! not grow with the program.
//!
//! **Assumptions.** The program is a Linux ELF executable, and it asks for its libraries by its headers.
//!
//! **Caveats.** What a program opens by itself at run time (plugins, character-set modules, time-zone data) is
//! not seen; of glibc's own such libraries, `libgcc_s` and (before glibc 2.34) the name-service ones are
//! added. Compressed bytes depend on the version of the compressor that is built in.

mod accounts;
mod base;
mod builder;
mod built;
mod certificates;
mod descriptor;
mod elf;
mod image_config;
mod layer;
mod layout;
mod libraries;
mod publish;
mod search_path;
mod system_root;

pub use base::{Base, BaseError};
pub use builder::{BuildError, ImageBuilder, Libraries};
pub use built::{BuiltImage, BuiltLayer, Document, Warning};
pub use descriptor::{CONFIG_MEDIA_TYPE, Descriptor, LAYER_MEDIA_TYPE, MANIFEST_MEDIA_TYPE};
pub use elf::ProgramError;
pub use layer::LayerError;
pub use layout::LayoutError;
pub use libraries::LibraryError;
pub use publish::{
    BlobRole, Progress, Publication, PublishError, Published, PublishedBlob, fetch_base, publish,
};
