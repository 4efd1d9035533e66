//! The configuration and the manifest, with every map in order.

use std::collections::BTreeMap;

use mercurious_core::image::Commit;
use serde::Serialize;

use super::{BuildError, DIRECTORY, ImageBuilder};
use crate::{
    accounts::NONROOT,
    built::{BuiltLayer, Document},
    certificates,
    descriptor::{CONFIG_MEDIA_TYPE, Descriptor, MANIFEST_MEDIA_TYPE},
    image_config::{History, ImageConfig, RootFileSystem, RunConfig},
};

const PREFIX: &str = "org.opencontainers.image.";
/// Facts of a base that would be lies about what is built upon it.
const NOT_INHERITED: &[&str] = &[
    "authors",
    "base.digest",
    "base.name",
    "created",
    "description",
    "documentation",
    "licenses",
    "ref.name",
    "revision",
    "source",
    "title",
    "url",
    "vendor",
    "version",
];
const PATH: &str = "/app:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl ImageBuilder {
    pub(super) fn config_document(
        &self,
        name: &str,
        layers: &[(BuiltLayer, &str)],
        has_certificates: bool,
    ) -> Result<Document, BuildError> {
        to_document(CONFIG_MEDIA_TYPE, &self.config(name, layers, has_certificates))
    }

    pub(super) fn manifest_document(
        &self,
        name: &str,
        config: &Document,
        base_layers: &[Descriptor],
        layers: &[BuiltLayer],
    ) -> Result<Document, BuildError> {
        let own = layers.iter().map(|layer| &layer.descriptor);
        let manifest = Manifest {
            schema_version: 2,
            media_type: MANIFEST_MEDIA_TYPE,
            config: config.descriptor(),
            layers: base_layers.iter().chain(own).cloned().collect(),
            annotations: with_facts(self.facts(name), &self.annotations),
        };
        to_document(MANIFEST_MEDIA_TYPE, &manifest)
    }

    fn config(
        &self,
        name: &str,
        layers: &[(BuiltLayer, &str)],
        has_certificates: bool,
    ) -> ImageConfig {
        let base = self.base.as_ref().map(|base| base.config.clone()).unwrap_or_default();
        let created = self.created.map(|at| at.to_string());
        let mut run: RunConfig = base.config;
        if !run.has_env("PATH") {
            run.set_env("PATH", PATH);
        }
        if has_certificates {
            run.set_env("SSL_CERT_FILE", certificates::IN_IMAGE);
        }
        for (name, value) in &self.env {
            run.set_env(name, value);
        }
        run.entrypoint =
            self.entrypoint.clone().unwrap_or_else(|| vec![format!("{DIRECTORY}/{name}")]);
        run.cmd.clone_from(&self.arguments);
        "/".clone_into(&mut run.working_dir);
        match &self.user {
            Some(user) => run.user.clone_from(user),
            None if run.user.is_empty() => run.user = format!("{NONROOT}:{NONROOT}"),
            None => {}
        }
        for port in &self.ports {
            run.exposed_ports.insert(format!("{port}/tcp"), serde_json::json!({}));
        }
        run.labels.retain(|label, _| {
            label.strip_prefix(PREFIX).is_none_or(|fact| !NOT_INHERITED.contains(&fact))
        });
        run.labels.extend(with_facts(self.facts(name), &self.labels));

        let mut rootfs = RootFileSystem { kind: "layers".to_owned(), ..base.rootfs };
        rootfs.diff_ids.extend(layers.iter().map(|(layer, _)| layer.diff_id.clone()));
        let mut history = base.history;
        history.extend(layers.iter().map(|(_, comment)| History {
            created: created.clone(),
            created_by: Some("mercurious publish".to_owned()),
            comment: Some((*comment).to_owned()),
            ..History::default()
        }));
        ImageConfig {
            created,
            architecture: self.platform.architecture.clone(),
            os: self.platform.os.clone(),
            os_version: base.os_version,
            variant: self.platform.variant.clone(),
            config: run,
            rootfs,
            history,
        }
    }

    /// What labels and annotations both say of the image.
    fn facts(&self, name: &str) -> BTreeMap<String, String> {
        [
            ("created", self.created.map(|at| at.to_string())),
            ("revision", self.revision.as_ref().map(Commit::to_string)),
            ("source", self.source.clone()),
            ("title", Some(name.to_owned())),
            ("version", self.version.clone()),
        ]
        .into_iter()
        .filter_map(|(fact, value)| Some((format!("{PREFIX}{fact}"), value?)))
        .collect()
    }
}

/// `org.opencontainers.image.*`, unless the user said otherwise.
fn with_facts(
    mut facts: BTreeMap<String, String>,
    own: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    facts.extend(own.clone());
    facts
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u8,
    media_type: &'static str,
    config: Descriptor,
    layers: Vec<Descriptor>,
    annotations: BTreeMap<String, String>,
}

fn to_document(media_type: &str, document: &impl Serialize) -> Result<Document, BuildError> {
    let bytes = serde_json::to_vec(document).map_err(BuildError::Json)?;
    Ok(Document::new(media_type, bytes))
}
