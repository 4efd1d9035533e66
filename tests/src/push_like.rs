use anyhow::Context as _;
use bytes::Bytes;
use mercurious_core::image::{Digest, Repository, Tag};
use mercurious_registry::{
    BlobDescriptor, BlobToPush, ImageToPush, Keychain, RegistryClient, Retries,
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{Home, Image};

/// An image made once by the program, of which others differ in their configuration alone.
#[derive(Debug)]
pub struct Pattern {
    manifest: Value,
    configuration: Value,
    layers: Vec<BlobToPush>,
}

/// Making an image is the dearest part of a trial: each test program does it once.
static PATTERN: OnceCell<Pattern> = OnceCell::const_new();

impl Home {
    /// Pushes an image as [`Home::push`] does, but in one attempt, and made from one that the program published:
    /// only its configuration is new, so that it costs next to nothing.
    pub async fn push_like(&self, image: &Image) -> anyhow::Result<Digest> {
        let pattern = PATTERN.get_or_try_init(|| self.pattern()).await?;
        pattern.push(&self.repository(), image).await
    }

    /// Published where nobody looks, and read back.
    async fn pattern(&self) -> anyhow::Result<Pattern> {
        let repository = self.repository_of("pattern/example");
        let (digest, _) = self.push_to(&repository, &Image::good(0)).await?;
        Pattern::read(&repository, digest.as_str()).await
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
        let manifest = document(&client, &repository, digest.as_str()).await?;
        let layers = manifest["layers"].as_array().context("no layers")?;
        for blob in layers.iter().chain([&manifest["config"]]) {
            let blob: Digest = blob["digest"].as_str().context("no digest")?.parse()?;
            let is_there = client.has_blob(&repository, &blob, &anonymous).await?;
            anyhow::ensure!(is_there, "{tag} is there, but its {blob} is not");
        }
        Ok(Some(digest))
    }
}

async fn document(
    client: &RegistryClient,
    repository: &Repository,
    reference: &str,
) -> anyhow::Result<Value> {
    let found = client.manifest(repository, reference, &Keychain::anonymous()).await?;
    Ok(serde_json::from_slice(&found.bytes)?)
}

fn client() -> anyhow::Result<RegistryClient> {
    Ok(RegistryClient::builder().retries(Retries { most: 0, ..Retries::default() }).build()?)
}

impl Pattern {
    /// Of an image that was published; it is named by its digest or a tag.
    pub async fn read(repository: &str, reference: &str) -> anyhow::Result<Self> {
        let (client, anonymous) = (client()?, Keychain::anonymous());
        let repository: Repository = repository.parse()?;
        let manifest = document(&client, &repository, reference).await?;
        let blob = async |blob: &Value| -> anyhow::Result<Bytes> {
            let blob = BlobDescriptor {
                digest: blob["digest"].as_str().context("no digest")?.parse()?,
                size: blob["size"].as_u64().context("no size")?,
                media_type: String::new(),
            };
            Ok(client.blob_bytes(&repository, &blob, &anonymous).await?)
        };
        let configuration = serde_json::from_slice(&blob(&manifest["config"]).await?)?;
        let mut layers = Vec::new();
        for layer in manifest["layers"].as_array().context("no layers")? {
            layers.push(BlobToPush::from_bytes(blob(layer).await?));
        }
        Ok(Self { manifest, configuration, layers })
    }

    /// Pushes this image, its commit's tag before `latest`; its digest.
    pub async fn push(&self, repository: &str, image: &Image) -> anyhow::Result<Digest> {
        let repository: Repository = repository.parse()?;
        let tags: Vec<Tag> = vec![format!("sha-{}", image.commit()).parse()?, "latest".parse()?];
        let image = self.image(image)?;
        let pushed =
            client()?.push_image(&repository, &image, &tags, None, &Keychain::anonymous()).await?;
        Ok(pushed.digest)
    }

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
            blobs: self.layers.iter().cloned().chain([configuration]).collect(),
            manifest: Bytes::from(serde_json::to_vec(&manifest)?),
            media_type,
        })
    }
}
