use std::path::Path;

use mercurious_builder::{
    BlobRole, BuiltImage, ImageBuilder, Progress, Publication, PublishError, fetch_base, publish,
};
use mercurious_core::image::{ImageReference, Repository, Tag};
use mercurious_distribution::{Distribution, Settings, serve};
use mercurious_registry::{Keychain, PushedBlob, RegistryClient};
use mercurious_runtime::Tasks;
use tokio::net::TcpListener;

use crate::{
    elf_file::{ElfFile, debian},
    image_content::builder,
};

struct Registry {
    host: String,
    client: RegistryClient,
    keychain: Keychain,
    tasks: Tasks,
    _directory: tempfile::TempDir,
}

impl Registry {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let distribution = Distribution::open(directory.path(), Settings::default()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let tasks = Tasks::new();
        let stopping = tasks.stopping();
        tasks.spawn(
            "registry",
            async move { serve(listener, distribution, stopping).await.unwrap() },
        );
        let client = RegistryClient::builder().build().unwrap();
        Self { host, client, keychain: Keychain::default(), tasks, _directory: directory }
    }

    fn repository(&self, path: &str) -> Repository {
        format!("{}/{path}", self.host).parse().unwrap()
    }

    fn reference(&self, text: &str) -> ImageReference {
        format!("{}/{text}", self.host).parse().unwrap()
    }
}

fn tags(names: &[&str]) -> Vec<Tag> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn image(
    output: &Path,
    payload: &str,
    change: impl FnOnce(ImageBuilder) -> ImageBuilder,
) -> BuiltImage {
    let root = debian();
    ElfFile::static_program().payload(payload).write(&root.path().join("server"));
    let builder = builder().system_root(root.path()).binary(root.path().join("server"));
    change(builder).build(output).unwrap()
}

fn outcomes(blobs: &[mercurious_builder::PublishedBlob]) -> Vec<(BlobRole, PushedBlob)> {
    blobs.iter().map(|blob| (blob.role, blob.outcome)).collect()
}

#[tokio::test]
async fn r12_a_published_image_is_found_by_commit_and_by_latest() {
    let registry = Registry::start().await;
    let output = tempfile::tempdir().unwrap();
    let built =
        image(output.path(), "1", |builder| builder.revision("0123456789abcdef".parse().unwrap()));
    let repository = registry.repository("team/app");
    let tags = tags(&["latest", "sha-0123456789abcdef"]);
    let mut told = Vec::new();
    let publication =
        Publication { image: &built, base: None, repository: &repository, tags: &tags };
    let published = publication
        .push(&registry.client, &registry.keychain, |step| told.push(step))
        .await
        .unwrap();
    assert_eq!(&published.digest, built.digest());
    assert_eq!(published.tags, [tags[1].clone(), tags[0].clone()], "the commit's tag first");
    let sent = PushedBlob::Sent;
    assert_eq!(
        outcomes(&published.blobs),
        [(BlobRole::Layer, sent), (BlobRole::Layer, sent), (BlobRole::Config, sent)]
    );
    assert_eq!(published.bytes_sent(), published.blobs.iter().map(|blob| blob.size).sum::<u64>());
    assert_eq!(told.len(), 6);
    assert_eq!(told[5], Progress::Arrived(published.blobs[2].clone()));
    for tag in ["latest", "sha-0123456789abcdef"] {
        let head = registry.client.head(&repository, tag, &registry.keychain).await.unwrap();
        assert_eq!(&head.digest, built.digest());
    }
    let resolved = registry
        .client
        .resolve(&repository, built.digest(), None, &built.platform, &registry.keychain)
        .await
        .unwrap();
    assert_eq!(resolved.release.commit.unwrap().as_str(), "0123456789abcdef");

    let again = publish(&registry.client, &registry.keychain, &built, None, &repository, &tags)
        .await
        .unwrap();
    assert!(again.blobs.iter().all(|blob| blob.outcome == PushedBlob::Present), "{again:?}");
    assert_eq!(again.bytes_sent(), 0);

    let next = image(output.path(), "2", |builder| builder);
    let next =
        publish(&registry.client, &registry.keychain, &next, None, &repository, &[]).await.unwrap();
    let present = PushedBlob::Present;
    assert_eq!(
        outcomes(&next.blobs),
        [(BlobRole::Layer, present), (BlobRole::Layer, sent), (BlobRole::Config, sent)],
        "libraries and certificates are not sent again"
    );
    registry.tasks.stop();
}

#[tokio::test]
async fn a_base_is_mounted_from_its_own_registry_and_copied_from_another() {
    let (here, elsewhere) = (Registry::start().await, Registry::start().await);
    let output = tempfile::tempdir().unwrap();
    let below = image(output.path(), "below", |builder| builder);
    for registry in [&here, &elsewhere] {
        let repository = registry.repository("base/os");
        publish(&registry.client, &registry.keychain, &below, None, &repository, &tags(&["1"]))
            .await
            .unwrap();
    }
    for (from, outcome) in [(&here, PushedBlob::Mounted), (&elsewhere, PushedBlob::Sent)] {
        let reference = from.reference("base/os:1");
        let base =
            fetch_base(&from.client, &from.keychain, &reference, &below.platform).await.unwrap();
        let built = image(output.path(), "above", |builder| builder.base(base));
        assert_eq!(built.base_layers.len(), 2);
        let repository = here.repository(&format!("team/{}", outcome == PushedBlob::Mounted));
        let unknown = publish(&here.client, &here.keychain, &built, None, &repository, &[])
            .await
            .unwrap_err();
        assert!(matches!(unknown, PublishError::UnknownBase { .. }), "{unknown}");
        let published = publish(
            &here.client,
            &here.keychain,
            &built,
            Some(reference.repository()),
            &repository,
            &[],
        )
        .await
        .unwrap();
        assert_eq!(
            outcomes(&published.blobs)[..2],
            [(BlobRole::Base, outcome), (BlobRole::Base, outcome)]
        );
    }
    here.tasks.stop();
    elsewhere.tasks.stop();
}

#[tokio::test]
async fn an_absent_base_is_named() {
    let registry = Registry::start().await;
    let reference = registry.reference("base/gone:1");
    let platform = "linux/amd64".parse().unwrap();
    let error =
        fetch_base(&registry.client, &registry.keychain, &reference, &platform).await.unwrap_err();
    assert!(matches!(error, PublishError::Base { .. }) && !error.is_retryable(), "{error}");
    registry.tasks.stop();
}
