//! Pushing: blobs, manifests, images; `registries.md` §7.

mod blob;
mod image;
mod manifest;

pub use blob::{BlobSource, BlobToPush, PushedBlob};
pub use image::{ImageToPush, PushedImage};
