//! What must hold of every input that a stranger writes: registries' answers, layers, manifests, policies, references.
//!
//! Each function takes the bytes that a fuzzer chose and panics where a property does not hold. The fuzz targets
//! (`fuzz/fuzz_targets`) call them with new inputs on the nightly toolchain; the test `replay` calls them with the
//! committed corpora on the stable one. `docs/fuzzing.md` says what each asserts.

mod answer;
mod challenge;
mod docker_config;
mod layer;
mod manifest;
mod range;
mod reference;
mod tag_filter;
mod text;
mod tree;
mod webhook;

pub use answer::{link_header, retry_after};
pub use challenge::challenge;
pub use docker_config::docker_config;
pub use layer::{layer_bytes, layer_entries};
pub use manifest::manifest;
pub use range::semver_range;
pub use reference::image_reference;
pub use tag_filter::tag_filter;
pub use webhook::webhook;

/// Panics where the bytes that a fuzzer chose break it.
pub type Property = fn(&[u8]);

/// Every property by the name of its fuzz target and corpus.
pub const PROPERTIES: [(&str, Property); 11] = [
    ("challenge", challenge),
    ("docker_config", docker_config),
    ("image_reference", image_reference),
    ("layer_bytes", layer_bytes),
    ("layer_entries", layer_entries),
    ("link_header", link_header),
    ("manifest", manifest),
    ("retry_after", retry_after),
    ("semver_range", semver_range),
    ("tag_filter", tag_filter),
    ("webhook", webhook),
];
