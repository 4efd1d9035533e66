use anyhow::Context as _;
use bytes::Bytes;
use mercurious_core::image::{Digest, Repository, Tag};
use mercurious_registry::{BlobToPush, ImageToPush, Keychain, RegistryClient, Retries};
use serde_json::{Value, json};

use crate::{Home, Image};

/// An image in the registry of which others differ in their configuration alone.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    manifest: Value,
    configuration: Value,
}

impl Home {
    /// Pushes an image as [`Home::push`] does, but makes it from the first that this home was given: only its
    /// configuration is new, so that it costs next to nothing. A failed push is not tried again.
    pub async fn push_like(&mut self, image: &Image) -> anyhow::Result<Digest> {
        let client = client()?;
        let repository: Repository = self.repository().parse()?;
        let Some(pattern) = self.pattern.clone() else {
            let (digest, _) = self.push(image).await?;
            let manifest = self.document(&client, &repository, &digest).await?;
            let config = manifest["config"]["digest"].as_str().context("no config")?.parse()?;
            let size = manifest["config"]["size"].as_u64().context("no size")?;
            let blob = mercurious_registry::BlobDescriptor {
                digest: config,
                size,
                media_type: String::new(),
            };
            let bytes = client.blob_bytes(&repository, &blob, &Keychain::anonymous()).await?;
            let configuration = serde_json::from_slice(&bytes)?;
            self.pattern = Some(Pattern { manifest, configuration });
            return Ok(digest);
        };
        let image_to_push = pattern.image(image)?;
        let tags: Vec<Tag> = vec![format!("sha-{}", image.commit()).parse()?, "latest".parse()?];
        let pushed = client
            .push_image(&repository, &image_to_push, &tags, None, &Keychain::anonymous())
            .await?;
        Ok(pushed.digest)
    }

    async fn document(
        &self,
        client: &RegistryClient,
        repository: &Repository,
        digest: &Digest,
    ) -> anyhow::Result<Value> {
        let found =
            client.manifest(repository, digest.as_str(), &Keychain::anonymous()).await?;
        Ok(serde_json::from_slice(&found.bytes)?)
    }

    /// The digest of this image's commit tag in the embedded registry, with all that it names; nothing where the
    /// tag is not there. An image that is there in part is an error.
    pub async fn whole_in_registry(&self, image: &Image) -> anyhow::Result<Option<Digest>> {
        let client = client()?;
        let repository: Repository = self.repository().parse()?;
        let anonymous = Keychain::anonymous();
        let tag = format!("sha-{}", image.commit());
        let digest = match client.head(&repository, &tag, &anonymous).await {
            Ok(head) => head.digest,
            Err(mercurious_registry::RegistryError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let manifest = self.document(&client, &repository, &digest).await?;
        let layers = manifest["layers"].as_array().context("no layers")?;
        for blob in layers.iter().chain([&manifest["config"]]) {
            let blob: Digest = blob["digest"].as_str().context("no digest")?.parse()?;
            let is_there = client.has_blob(&repository, &blob, &anonymous).await?;
            anyhow::ensure!(is_there, "{tag} is there, but its {blob} is not");
        }
        Ok(Some(digest))
    }
}

fn client() -> anyhow::Result<RegistryClient> {
    Ok(RegistryClient::builder().retries(Retries { most: 0, ..Retries::default() }).build()?)
}

impl Pattern {
    fn image(&self, image: &Image) -> anyhow::Result<ImageToPush> {
        let mut configuration = self.configuration.clone();
        let created = jiff::Timestamp::from_second(image.created())?.to_string();
        let own = |variable: &Value| {
            variable.as_str().is_some_and(|variable| variable.starts_with("EXAMPLE_"))
        };
        let mut env = configuration["config"]["Env"].as_array().cloned().unwrap_or_default();
        env.retain(|variable| !own(variable));
        env.extend(image.variables().into_iter().map(Value::from));
        configuration["config"]["Env"] = env.into();
        configuration["created"] = created.clone().into();
        if let Some(architecture) = image.architecture {
            configuration["architecture"] = architecture.into();
        }
        let facts = |value: &mut Value| {
            if value.is_object() {
                value["org.opencontainers.image.revision"] = image.commit().into();
                value["org.opencontainers.image.created"] = created.clone().into();
            }
        };
        facts(&mut configuration["config"]["Labels"]);
        let configuration = BlobToPush::from_bytes(serde_json::to_vec(&configuration)?);
        let mut manifest = self.manifest.clone();
        manifest["config"]["digest"] = configuration.digest.to_string().into();
        manifest["config"]["size"] = json!(configuration.size);
        facts(&mut manifest["annotations"]);
        let media_type = manifest["mediaType"].as_str().context("no media type")?.to_owned();
        Ok(ImageToPush {
            blobs: vec![configuration],
            manifest: Bytes::from(serde_json::to_vec(&manifest)?),
            media_type,
        })
    }
}
