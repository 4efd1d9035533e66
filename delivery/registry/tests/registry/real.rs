//! Against the embedded registry, and with images that another program made.

use std::process::Command;

use bytes::Bytes;
use mercurious_core::image::{Digest, Repository};
use mercurious_distribution::{Distribution, Settings, serve};
use mercurious_registry::{BlobToPush, ImageToPush, Keychain, PushedBlob};
use mercurious_runtime::Tasks;
use serde_json::json;

use crate::{
    images::{CONFIG, MANIFEST},
    support::{amd64, client, tag},
};

struct Registry {
    host: String,
    tasks: Tasks,
    _directory: tempfile::TempDir,
}

impl Registry {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let distribution = Distribution::open(directory.path(), Settings::default()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let tasks = Tasks::new();
        let stopping = tasks.stopping();
        tasks.spawn("registry", async move {
            serve(listener, distribution, stopping).await.unwrap();
        });
        Self { host, tasks, _directory: directory }
    }

    fn repository(&self, path: &str) -> Repository {
        format!("{}/{path}", self.host).parse().unwrap()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

fn image(layer: &[u8], created: &str) -> ImageToPush {
    let layer = BlobToPush::from_bytes(layer.to_vec());
    let config = json!({"os": "linux", "architecture": "amd64", "created": created,
        "config": {"Entrypoint": ["/app"]},
        "rootfs": {"type": "layers", "diff_ids": [layer.digest]}})
    .to_string();
    let config = BlobToPush::from_bytes(config);
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": config.digest, "size": config.size},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar",
                    "digest": layer.digest, "size": layer.size}]})
    .to_string();
    ImageToPush {
        blobs: vec![layer, config],
        manifest: Bytes::from(manifest),
        media_type: MANIFEST.into(),
    }
}

#[tokio::test]
async fn what_is_pushed_can_be_looked_at_listed_resolved_and_pulled() {
    let registry = Registry::start().await;
    let (client, keychain) = (client(), Keychain::anonymous());
    let repository = registry.repository("team/app");
    let layer = vec![3_u8; 5 * 1024 * 1024];
    let image = image(&layer, "2025-01-01T00:00:00Z");
    let tags = [tag("latest"), tag("sha-0123456789abcdef0123456789abcdef01234567")];
    let pushed = client.push_image(&repository, &image, &tags, None, &keychain).await.unwrap();
    assert_eq!(pushed.blobs, [PushedBlob::Sent, PushedBlob::Sent]);
    assert_eq!(pushed.tags.last().unwrap().as_str(), "latest");

    let head = client.head(&repository, "latest", &keychain).await.unwrap();
    assert_eq!(head.digest, pushed.digest);
    assert_eq!(client.tags(&repository, &keychain).await.unwrap(), tags);
    let found = client
        .resolve(&repository, &head.digest, Some(&tags[1]), &amd64(), &keychain)
        .await
        .unwrap();
    assert_eq!(found.release.image().tag(), Some(&tags[1]));
    assert_eq!(found.layers[0].size, layer.len() as u64);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("layer");
    client.blob_to_file(&repository, &found.layers[0], &path, &keychain).await.unwrap();
    assert_eq!(Digest::of(&std::fs::read(&path).unwrap()), found.layers[0].digest);

    // The same image again sends nothing but its manifest; next door it is mounted or present.
    let again = client.push_image(&repository, &image, &tags, None, &keychain).await.unwrap();
    assert_eq!(again.blobs, [PushedBlob::Present, PushedBlob::Present]);
    let other = registry.repository("team/other");
    let mounted =
        client.push_image(&other, &image, &[tag("x")], Some(&repository), &keychain).await.unwrap();
    assert_eq!(mounted.blobs, [PushedBlob::Mounted, PushedBlob::Mounted]);
    assert!(client.head(&repository, "absent", &keychain).await.unwrap_err().is_not_found());
    assert!(
        client
            .tags(&registry.repository("team/absent"), &keychain)
            .await
            .unwrap_err()
            .is_not_found()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_another_program_resolve_too() {
    if Command::new("skopeo").arg("--version").output().is_err() {
        eprintln!("skipped: skopeo is not installed");
        return;
    }
    let registry = Registry::start().await;
    let (client, keychain) = (client(), Keychain::anonymous());
    let repository = registry.repository("team/app");
    let image = image(b"layer", "2025-01-01T00:00:00Z");
    client.push_image(&repository, &image, &[tag("oci")], None, &keychain).await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let logins = place.path().join("auth.json");
    std::fs::write(&logins, "{}").unwrap();
    let copy = |from: &str, format: &str| {
        let status = Command::new("skopeo")
            // Without a login session its own place for passwords may be closed to it.
            .env("REGISTRY_AUTH_FILE", &logins)
            .args(["copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"])
            .args(["--format", format])
            .arg(format!("docker://{repository}:{from}"))
            .arg(format!("docker://{}/copied/app:{format}", registry.host))
            .status()
            .unwrap();
        assert!(status.success());
    };
    copy("oci", "oci");
    copy("oci", "v2s2");
    let copied = registry.repository("copied/app");
    for format in ["oci", "v2s2"] {
        let head = client.head(&copied, format, &keychain).await.unwrap();
        let found = client.resolve(&copied, &head.digest, None, &amd64(), &keychain).await.unwrap();
        assert_eq!(found.layers.len(), 1);
        assert_eq!(found.release.built_at.unwrap().to_string(), "2025-01-01T00:00:00Z");
    }
}
