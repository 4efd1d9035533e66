use std::collections::BTreeMap;

use mercurious_core::image::Digest;
use serde::{Deserialize, Serialize};

/// The largest manifest taken: what the specification asks registries to take at least.
pub(crate) const MANIFEST_LIMIT: usize = 4 * 1024 * 1024;

pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A manifest or index that keeps the rules.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) media_type: &'static str,
    /// What must be present: the config and layers of a manifest, the children of an index.
    pub(crate) references: Vec<Descriptor>,
    /// Whether the references are manifests themselves.
    pub(crate) is_index: bool,
    /// What this is about; need not be present.
    pub(crate) subject: Option<Digest>,
    /// As the referrers API filters by: the manifest's own, else its config's media type.
    pub(crate) artifact_type: Option<String>,
    pub(crate) annotations: BTreeMap<String, String>,
}

/// What points at content. Written out, it is an entry of an index.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(default, skip_serializing)]
    urls: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) annotations: Option<BTreeMap<String, String>>,
}

impl Descriptor {
    /// The entry for a manifest in the answer of the referrers API.
    pub(crate) fn referrer(digest: Digest, size: u64, manifest: Manifest) -> Self {
        Self {
            media_type: manifest.media_type.to_owned(),
            digest,
            size,
            urls: None,
            artifact_type: manifest.artifact_type,
            annotations: (!manifest.annotations.is_empty()).then_some(manifest.annotations),
        }
    }

    /// Layers that are fetched from elsewhere and need not be in the registry.
    fn is_foreign(&self) -> bool {
        self.media_type.contains("nondistributable")
            || self.media_type.contains(".foreign.")
            || self.urls.as_ref().is_some_and(|urls| !urls.is_empty())
    }
}

/// Lists are optional rather than empty: Go programs write `null` for an empty list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u64,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

impl Manifest {
    /// Reads a manifest, and holds it to the `Content-Type` it was sent with, if any. The error is for people.
    pub(crate) fn parse(body: &[u8], content_type: Option<&str>) -> Result<Self, String> {
        let document: Document = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if document.schema_version != 2 {
            return Err(format!("schemaVersion is {}, not 2", document.schema_version));
        }
        let sent = content_type.map(|text| text.split(';').next().unwrap_or_default().trim());
        let media_type = match (sent, document.media_type.as_deref()) {
            (Some(sent), Some(own)) if sent != own => {
                return Err(format!("Content-Type is `{sent}` and mediaType is `{own}`"));
            }
            (Some(text), _) | (None, Some(text)) => known(text)?,
            // Both are optional in an OCI document at rest; its shape tells.
            (None, None) if document.manifests.is_some() => OCI_INDEX,
            (None, None) => OCI_MANIFEST,
        };
        let is_index = matches!(media_type, OCI_INDEX | DOCKER_LIST);
        // A document that reads as both kinds means different things to different clients (CVE-2021-41190).
        let mixed = if is_index {
            document.config.is_some() || document.layers.is_some()
        } else {
            document.manifests.is_some()
        };
        if mixed {
            return Err("it has the fields of an index and of an image manifest".to_owned());
        }
        let config_type = document.config.as_ref().map(|config| config.media_type.clone());
        let references = if is_index {
            document.manifests.unwrap_or_default()
        } else {
            let config = document.config.ok_or("it has no config")?;
            let layers = document.layers.unwrap_or_default();
            std::iter::once(config).chain(layers).filter(|one| !one.is_foreign()).collect()
        };
        Ok(Self {
            media_type,
            references,
            is_index,
            subject: document.subject.map(|subject| subject.digest),
            artifact_type: document
                .artifact_type
                .filter(|kind| !kind.is_empty())
                .or(config_type)
                .filter(|kind| !kind.is_empty()),
            annotations: document.annotations.unwrap_or_default(),
        })
    }
}

fn known(media_type: &str) -> Result<&'static str, String> {
    [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST]
        .into_iter()
        .find(|known| *known == media_type)
        .ok_or_else(|| {
            format!(
                "`{}` is none of the four media types of images and indexes",
                media_type.chars().take(120).collect::<String>()
            )
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(body: &serde_json::Value, content_type: Option<&str>) -> String {
        Manifest::parse(body.to_string().as_bytes(), content_type).unwrap_err()
    }

    #[test]
    fn only_whole_manifests_of_the_four_types_are_taken() {
        let config = json!({"mediaType": "c", "digest": Digest::of(b"c"), "size": 1});
        let good = json!({"schemaVersion": 2, "config": config, "layers": null});
        let parsed = Manifest::parse(good.to_string().as_bytes(), None).unwrap();
        assert_eq!(parsed.media_type, OCI_MANIFEST);
        assert_eq!(parsed.artifact_type.as_deref(), Some("c"));
        assert_eq!(parsed.references.len(), 1);

        assert!(refused(&json!({"schemaVersion": 1}), None).contains("schemaVersion is 1"));
        assert!(refused(&json!({"schemaVersion": 2}), None).contains("no config"));
        assert!(refused(&good, Some("text/html")).contains("`text/html` is none"));
        let own = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config});
        assert!(refused(&own, Some(OCI_INDEX)).contains("mediaType is"));
        let both = json!({"schemaVersion": 2, "config": config, "manifests": []});
        assert!(refused(&both, Some(OCI_MANIFEST)).contains("fields of an index"));
        assert!(refused(&both, Some(OCI_INDEX)).contains("fields of an index"));
        let config = json!({"mediaType": "c", "digest": "sha512:00", "size": 1});
        assert!(refused(&json!({"schemaVersion": 2, "config": config}), None).contains("sha512"));
    }

    #[test]
    fn layers_from_elsewhere_need_not_be_present() {
        let layer = |kind: &str, urls| json!({"mediaType": kind, "digest": Digest::of(b"l"), "size": 1, "urls": urls});
        let config = layer("application/vnd.oci.image.config.v1+json", json!(null));
        let layers = [
            layer("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", json!([])),
            layer("application/vnd.oci.image.layer.nondistributable.v1.tar", json!(null)),
            layer("application/vnd.oci.image.layer.v1.tar", json!(["https://elsewhere.test/"])),
        ];
        let body = json!({"schemaVersion": 2, "config": config, "layers": layers}).to_string();
        assert_eq!(Manifest::parse(body.as_bytes(), None).unwrap().references.len(), 1);
    }
}
