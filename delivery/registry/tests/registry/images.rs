//! Images as builders make them, in memory.

use mercurious_core::image::Digest;
use serde_json::{Value, json};

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) digest: Digest,
    pub(crate) bytes: Vec<u8>,
    pub(crate) media_type: &'static str,
}

impl Document {
    pub(crate) fn new(value: &Value, media_type: &'static str) -> Self {
        let bytes = value.to_string().into_bytes();
        Self { digest: Digest::of(&bytes), bytes, media_type }
    }

    pub(crate) fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

/// A configuration and the manifest above it.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) manifest: Document,
    pub(crate) config: Document,
}

pub(crate) fn image(platform: &str, created: &str, labels: &Value) -> Image {
    let (os, architecture) = platform.split_once('/').unwrap();
    let config = Document::new(
        &json!({"os": os, "architecture": architecture, "created": created,
            "config": {"Entrypoint": ["/app"], "Labels": labels},
            "rootfs": {"type": "layers", "diff_ids": []}}),
        CONFIG,
    );
    let manifest = Document::new(
        &json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config.descriptor(), "layers": []}),
        MANIFEST,
    );
    Image { manifest, config }
}

/// An index as `build-push-action` makes it: each image with its attestation behind it.
pub(crate) fn index(images: &[(&str, &Image)], annotations: &Value) -> Document {
    let mut manifests = Vec::new();
    for (platform, image) in images {
        let (os, architecture) = platform.split_once('/').unwrap();
        let mut attestation =
            Document::new(&json!({"of": image.manifest.digest}), MANIFEST).descriptor();
        attestation["platform"] = json!({"os": "unknown", "architecture": "unknown"});
        attestation["annotations"] = json!({
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": image.manifest.digest,
        });
        let mut entry = image.manifest.descriptor();
        entry["platform"] = json!({"os": os, "architecture": architecture});
        // Before the image: the first entry is not the image.
        manifests.push(attestation);
        manifests.push(entry);
    }
    Document::new(
        &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests, "annotations": annotations}),
        INDEX,
    )
}
