use mercurious_core::image::{Digest, Platform, Tag};
use mercurious_registry::{Keychain, RegistryClient, RegistryError, Resolved};
use serde_json::json;

use crate::{
    images::{CONFIG, Document, INDEX, MANIFEST, image, index},
    liar::Liar,
    support::{Shelf, amd64, builder, client, repository, tag},
};

async fn resolve(
    client: &RegistryClient,
    liar: &Liar,
    digest: &Digest,
    tag: Option<&Tag>,
    platform: &Platform,
) -> Result<Resolved, RegistryError> {
    client.resolve(&repository(liar), digest, tag, platform, &Keychain::anonymous()).await
}

#[tokio::test]
async fn the_image_is_found_behind_its_attestation() {
    let shelf = Shelf::default();
    let amd = image("linux/amd64", "2025-05-05T05:05:05Z", &json!({}));
    let arm = image("linux/arm64", "2025-05-05T05:05:06Z", &json!({}));
    let index = index(&[("linux/amd64", &amd), ("linux/arm64", &arm)], &json!({}));
    shelf.put_image(&amd);
    shelf.put_image(&arm);
    shelf.put(&index);
    let liar = shelf.serve();
    let client = client();
    let named = tag("sha-0123456789abcdef0123456789abcdef01234567");
    let found = resolve(&client, &liar, &index.digest, Some(&named), &amd64()).await.unwrap();
    assert_eq!(found.release.digest, index.digest, "the index is deployed, not its entry");
    assert_eq!(found.platform_digest, amd.manifest.digest);
    assert_eq!(found.release.built_at.unwrap().to_string(), "2025-05-05T05:05:05Z");
    assert_eq!(found.release.commit.as_ref().unwrap().as_str(), &named.as_str()[4..]);
    let platforms: Vec<_> = found.release.platforms.iter().map(ToString::to_string).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    assert_eq!(
        found.configuration.config().as_ref().unwrap().entrypoint().as_deref(),
        Some(["/app".to_owned()].as_slice())
    );
    assert_eq!(liar.asked().len(), 3);
    // What is known by digest is never asked for again.
    let again = resolve(&client, &liar, &index.digest, Some(&named), &amd64()).await.unwrap();
    assert_eq!((again, liar.asked().len()), (found, 3));
}

#[tokio::test]
async fn a_foreign_platform_is_refused_and_the_others_are_named() {
    let shelf = Shelf::default();
    let arm = image("linux/arm64", "2025-05-05T05:05:06Z", &json!({}));
    let index = index(&[("linux/arm64", &arm)], &json!({}));
    shelf.put_image(&arm);
    shelf.put(&index);
    let liar = shelf.serve();
    for digest in [&index.digest, &arm.manifest.digest] {
        let error = resolve(&client(), &liar, digest, None, &amd64()).await.unwrap_err();
        assert!(matches!(error, RegistryError::PlatformMissing { .. }), "{error:?}");
        assert!(error.is_unusable_image());
        assert!(error.to_string().contains("linux/arm64"), "{error}");
    }
}

#[tokio::test]
async fn an_index_of_attestations_alone_has_no_platform() {
    let shelf = Shelf::default();
    let lone = Document::new(
        &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {"mediaType": MANIFEST, "digest": Digest::of(b"a"), "size": 1,
             "platform": {"os": "linux", "architecture": "amd64"},
             "artifactType": "application/vnd.docker.attestation.manifest.v1+json"}]}),
        INDEX,
    );
    shelf.put(&lone);
    let liar = shelf.serve();
    let error = resolve(&client(), &liar, &lone.digest, None, &amd64()).await.unwrap_err();
    assert!(error.to_string().contains("none that is named"), "{error}");
}

#[tokio::test]
async fn annotations_of_the_index_are_believed_before_a_base_images_labels() {
    let shelf = Shelf::default();
    let base = json!({
        "org.opencontainers.image.created": "2025-12-31T00:00:00Z",
        "org.opencontainers.image.revision": "fedcba9876543210fedcba9876543210fedcba98",
        "org.opencontainers.image.source": "https://github.com/nodejs/docker-node",
    });
    let app = image("linux/amd64", "1970-01-01T00:00:00Z", &base);
    let plain = index(&[("linux/amd64", &app)], &json!({}));
    let annotated = index(
        &[("linux/amd64", &app)],
        &json!({"org.opencontainers.image.created": "2025-06-01T00:00:00Z",
                "org.opencontainers.image.revision": "0123456789abcdef0123456789abcdef01234567"}),
    );
    shelf.put_image(&app);
    shelf.put(&plain);
    shelf.put(&annotated);
    let liar = shelf.serve();
    let client = client();
    let found = resolve(&client, &liar, &plain.digest, None, &amd64()).await.unwrap();
    assert_eq!((found.release.commit, found.source), (None, None));
    let found = resolve(&client, &liar, &annotated.digest, None, &amd64()).await.unwrap();
    assert_eq!(found.release.built_at.unwrap().to_string(), "2025-06-01T00:00:00Z");
    assert!(found.release.commit.unwrap().as_str().starts_with("0123456789"));
}

#[tokio::test]
async fn dockers_own_types_are_images_too() {
    let shelf = Shelf::default();
    let mut app = image("linux/amd64", "2025-01-01T00:00:00Z", &json!({}));
    app.manifest = Document::new(
        &json!({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json",
                       "digest": app.config.digest, "size": app.config.bytes.len()},
            "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                        "digest": Digest::of(b"l"), "size": 7}]}),
        "application/vnd.docker.distribution.manifest.v2+json",
    );
    shelf.put_image(&app);
    let liar = shelf.serve();
    let found = resolve(&client(), &liar, &app.manifest.digest, None, &amd64()).await.unwrap();
    assert_eq!(found.platform_digest, app.manifest.digest);
    assert_eq!(found.layers[0].size, 7);
    assert_eq!(found.layers[0].media_type, "application/vnd.docker.image.rootfs.diff.tar.gzip");
}

#[tokio::test]
async fn a_chart_is_not_an_image() {
    let shelf = Shelf::default();
    let chart = Document::new(
        &json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
            "config": {"mediaType": "application/vnd.cncf.helm.config.v1+json",
                       "digest": Digest::of(b"c"), "size": 1}}),
        MANIFEST,
    );
    shelf.put(&chart);
    let liar = shelf.serve();
    let error = resolve(&client(), &liar, &chart.digest, None, &amd64()).await.unwrap_err();
    assert!(error.to_string().contains("helm.config"), "{error}");
}

#[tokio::test]
async fn a_configuration_of_another_digest_is_never_used() {
    let shelf = Shelf::default();
    let app = image("linux/amd64", "2025-01-01T00:00:00Z", &json!({}));
    shelf.put_image(&app);
    let (manifest, digest) = (app.manifest.digest.clone(), app.config.digest.to_string());
    let liar = Liar::new(move |asked| {
        if asked.path().ends_with(&digest) {
            let forged =
                String::from_utf8(app.config.bytes.clone()).unwrap().replace("/app", "/bad");
            return crate::liar::Told::ok(forged).header("content-type", CONFIG);
        }
        shelf.answer(asked)
    });
    let error = resolve(&client(), &liar, &manifest, None, &amd64()).await.unwrap_err();
    assert!(matches!(error, RegistryError::DigestMismatch { .. }), "{error:?}");
}

#[tokio::test]
async fn a_restart_with_a_cache_asks_for_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let shelf = Shelf::default();
    let app = image("linux/amd64", "2025-01-01T00:00:00Z", &json!({}));
    shelf.put_image(&app);
    let liar = shelf.serve();
    for _ in 0..2 {
        let client = builder().cache_directory(directory.path()).build().unwrap();
        resolve(&client, &liar, &app.manifest.digest, None, &amd64()).await.unwrap();
    }
    assert_eq!(liar.asked().len(), 2);
}

#[tokio::test]
async fn documents_of_one_repository_say_nothing_of_another() {
    let shelf = Shelf::default();
    let app = image("linux/amd64", "2025-01-01T00:00:00Z", &json!({}));
    shelf.put_image(&app);
    let liar = shelf.serve();
    let client = client();
    resolve(&client, &liar, &app.manifest.digest, None, &amd64()).await.unwrap();
    let other = format!("{}/team/other", liar.host).parse().unwrap();
    let error = client
        .resolve(&other, &app.manifest.digest, None, &amd64(), &Keychain::anonymous())
        .await
        .unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
}
