use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output},
};

use mercurious_core::image::Digest;
use serde_json::{Value, json};

use crate::support::{Process, program};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Writes an OCI layout with one image of one layer. Returns the manifest's digest.
fn layout(directory: &Path, tag: &str, megabytes: usize) -> Digest {
    fs::create_dir_all(directory.join("blobs/sha256")).unwrap();
    let mut content = vec![0; megabytes * 1024 * 1024 + 100];
    fastrand::fill(&mut content);
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, "content", &content[..]).unwrap();
    let archive = archive.into_inner().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    gzip.write_all(&archive).unwrap();
    let place = |kind: &str, bytes: &[u8]| -> Value {
        let digest = Digest::of(bytes);
        fs::write(directory.join("blobs/sha256").join(digest.hex()), bytes).unwrap();
        json!({"mediaType": kind, "digest": digest, "size": bytes.len()})
    };
    let layer = place(LAYER, &gzip.finish().unwrap());
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": {"tag": tag}},
        "rootfs": {"type": "layers", "diff_ids": [Digest::of(&archive)]},
    });
    let config = place("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest =
        json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]});
    let mut descriptor = place(kind, manifest.to_string().as_bytes());
    let digest = descriptor["digest"].as_str().unwrap().parse().unwrap();
    descriptor["annotations"] = json!({"org.opencontainers.image.ref.name": tag});
    let index = json!({"schemaVersion": 2, "manifests": [descriptor]});
    fs::write(directory.join("index.json"), index.to_string()).unwrap();
    fs::write(directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    digest
}

fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}\n{stdout}\n{stderr}");
    stdout.trim().to_owned()
}

#[test]
fn skopeo_pushes_copies_lists_and_deletes() {
    if !program("skopeo") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let registry = Process::start(&place.path().join("registry"));
    let source = place.path().join("source");
    let digest = layout(&source, "one", 8);
    let logins = place.path().join("auth.json");
    fs::write(&logins, "{}").unwrap();
    let skopeo = || {
        let mut skopeo = Command::new("skopeo");
        // Without a login session its own place for passwords may be closed to it.
        skopeo.env("REGISTRY_AUTH_FILE", &logins);
        skopeo.arg("--insecure-policy");
        skopeo
    };
    let image = |name: &str| format!("docker://{}/{name}", registry.address);
    let local = |path: &Path, tag: &str| format!("oci:{}:{tag}", path.display());
    let to = "--dest-tls-verify=false";
    let from = "--src-tls-verify=false";
    run(skopeo().args(["copy", to, &local(&source, "one"), &image("team/app:one")]));
    // Again: nothing is sent twice; to another repository: mounted.
    run(skopeo().args(["copy", to, &local(&source, "one"), &image("team/app:two")]));
    run(skopeo().args(["copy", to, from, &image("team/app:two"), &image("copies/app:x")]));
    let target = place.path().join("target");
    let by_digest = image(&format!("copies/app@{digest}"));
    run(skopeo().args(["copy", from, &by_digest, &local(&target, "back")]));
    for file in fs::read_dir(source.join("blobs/sha256")).unwrap() {
        let path = file.unwrap().path();
        let back = target.join("blobs/sha256").join(path.file_name().unwrap());
        assert_eq!(fs::read(path).unwrap(), fs::read(back).unwrap());
    }
    let seen = run(skopeo().args(["inspect", "--tls-verify=false", &image("team/app:one")]));
    let seen: Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(seen["Digest"], digest.as_str());
    assert_eq!(seen["RepoTags"], json!(["one", "two"]));
    run(skopeo().args(["delete", "--tls-verify=false", &image("team/app:one")]));
    let gone =
        skopeo().args(["inspect", "--tls-verify=false", &image("team/app:two")]).output().unwrap();
    assert!(!gone.status.success(), "deleting an image takes all its tags");
}

#[test]
fn crane_pushes_tags_lists_validates_and_pulls() {
    if !program("crane") {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let registry = Process::start(&place.path().join("registry"));
    let source = place.path().join("source");
    let digest = layout(&source, "one", 4);
    let image = |name: &str| format!("{}/{name}", registry.address);
    let crane = |arguments: &[&str]| run(Command::new("crane").args(arguments));
    crane(&["push", source.to_str().unwrap(), &image("team/app:one")]);
    assert_eq!(crane(&["digest", &image("team/app:one")]), digest.as_str());
    crane(&["tag", &image("team/app:one"), "two"]);
    assert_eq!(crane(&["ls", &image("team/app")]), "one\ntwo");
    assert_eq!(crane(&["catalog", &registry.address]), "team/app");
    crane(&["copy", &image("team/app:two"), &image("other:three")]);
    crane(&["validate", "--remote", &image("other:three")]);
    let layers = ["index", "append", "-m", &image("other:three"), "-t", &image("other:index")];
    crane(&layers);
    crane(&["validate", "--remote", &image("other:index")]);
    let archive = place.path().join("image.tar");
    crane(&["pull", &image("other:three"), archive.to_str().unwrap()]);
    assert!(fs::metadata(archive).unwrap().len() > 4 * 1024 * 1024);
    crane(&["delete", &image("other:index")]);
    assert_eq!(crane(&["ls", &image("other")]), "three");
}
