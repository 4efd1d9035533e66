//! Images that must not run: nothing is deployed, what runs goes on, and the reason can be read.

use std::{fs, path::Path, process::Command};

use mercurious_core::image::Digest;
use serde_json::json;
use tar::{Builder, EntryType, Header};

use crate::{
    images::{Engine, run},
    machine::{Machine, Wish, installed},
};

/// An image with one layer, as a directory that skopeo pushes from.
struct Hostile<'a> {
    layer: Vec<u8>,
    media_type: &'a str,
    architecture: &'a str,
    diff_id: Option<Digest>,
}

impl Hostile<'_> {
    fn of(layer: Vec<u8>) -> Self {
        Self {
            layer,
            media_type: "application/vnd.oci.image.layer.v1.tar",
            architecture: std::env::consts::ARCH.strip_prefix("x86_").map_or("arm64", |_| "amd64"),
            diff_id: None,
        }
    }

    fn push(&self, place: &Path, machine: &Machine, tag: u32) {
        let layout = place.join(format!("layout-{tag}"));
        let blobs = layout.join("blobs/sha256");
        fs::create_dir_all(&blobs).unwrap();
        let blob = |bytes: &[u8]| {
            let digest = Digest::of(bytes);
            fs::write(blobs.join(digest.hex()), bytes).unwrap();
            (digest.to_string(), bytes.len())
        };
        let layer = blob(&self.layer);
        let diff_id = self.diff_id.as_ref().map_or_else(|| layer.0.clone(), ToString::to_string);
        let config = json!({
            "architecture": self.architecture, "os": "linux",
            "config": { "Entrypoint": ["/bin/sh"] },
            "rootfs": { "type": "layers", "diff_ids": [diff_id] },
        });
        let config = blob(config.to_string().as_bytes());
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config.0, "size": config.1 },
            "layers": [{ "mediaType": self.media_type, "digest": layer.0, "size": layer.1 }],
        });
        let manifest = blob(manifest.to_string().as_bytes());
        let index = json!({ "schemaVersion": 2, "manifests": [{
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": manifest.0, "size": manifest.1,
            "annotations": { "org.opencontainers.image.ref.name": "it" },
        }]});
        fs::write(layout.join("index.json"), index.to_string()).unwrap();
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        run(Command::new("skopeo")
            .args(["copy", "--insecure-policy", "--dest-tls-verify=false", "--preserve-digests"])
            .arg(format!("oci:{}:it", layout.display()))
            .arg(format!("docker://{}:{tag}", machine.repository())));
    }
}

/// One entry, whatever its name and target.
fn entry(name: &str, kind: EntryType, target: &str, mode: u32) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(0);
    header.set_cksum();
    let mut builder = Builder::new(Vec::new());
    builder.append(&header, std::io::empty()).unwrap();
    builder.into_inner().unwrap()
}

fn gzip(bytes: impl std::io::Read) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut encoder = flate2::bufread::GzEncoder::new(
        std::io::BufReader::new(bytes),
        flate2::Compression::best(),
    );
    std::io::Read::read_to_end(&mut encoder, &mut packed).unwrap();
    packed
}

/// A gigabyte of zeros in a file.
fn bomb() -> (Vec<u8>, Digest) {
    let size: u64 = 1 << 30;
    let mut header = Header::new_gnu();
    header.set_path("zeros").unwrap();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    let tar = std::io::Read::chain(
        &header.as_bytes()[..],
        std::io::Read::take(std::io::repeat(0), size + 1024),
    );
    // Nobody gets as far as to compare it.
    (gzip(tar), Digest::of(b"never compared"))
}

#[test]
fn hostile_images_leave_what_runs_as_it_is_and_say_why() {
    if !installed(&["bwrap", "buildah", "skopeo", "busybox"]) || !nix::unistd::geteuid().is_root() {
        println!("skipped: needs root and the tools");
        return;
    }
    let engine = Engine::new();
    engine.busybox("good", "oci", "the good one");
    let mut machine = Machine::start(&Wish { container_port: 8080, ..Wish::default() });
    engine.skopeo(&machine, "good", 1, &[]);
    machine.serves("the good one");
    machine.logs("Succeeded: 1 runs");
    let outside = engine.path().join("outside");
    let cases: Vec<(Hostile<'_>, &str)> = vec![
        (Hostile::of(entry("../../../outside", EntryType::Regular, "", 0o644)), "holds `..`"),
        (Hostile::of(entry("/outside", EntryType::Regular, "", 0o644)), "path is absolute"),
        (Hostile::of(entry("link", EntryType::Symlink, "../outside", 0o644)), "leads outside"),
        (Hostile::of(entry("link", EntryType::Link, "../../etc/passwd", 0o644)), "leads outside"),
        (
            Hostile {
                diff_id: Some(Digest::of(b"another")),
                ..Hostile::of(entry("a", EntryType::Regular, "", 0o644))
            },
            "the image configuration says",
        ),
        (
            Hostile {
                architecture: "s390x",
                ..Hostile::of(entry("a", EntryType::Regular, "", 0o644))
            },
            "s390x",
        ),
        (
            Hostile {
                media_type: "application/vnd.oci.image.layer.nondistributable.v1.tar",
                ..Hostile::of(entry("f", EntryType::Regular, "", 0o644))
            },
            "foreign",
        ),
        (
            {
                let (layer, diff_id) = bomb();
                Hostile {
                    media_type: "application/vnd.oci.image.layer.v1.tar+gzip",
                    diff_id: Some(diff_id),
                    ..Hostile::of(layer)
                }
            },
            "too large",
        ),
        // Harmless by themselves, and skipped: then there is no program.
        (
            Hostile::of(entry("dev/sda", EntryType::Block, "", 0o666)),
            "`/bin/sh` is not in the image",
        ),
    ];
    for (tag, (hostile, reason)) in (2..).zip(&cases) {
        hostile.push(engine.path(), &machine, tag);
        machine.explains(reason);
        assert!(machine.get().is_some_and(|it| it.contains("the good one")), "{reason}");
    }
    assert!(!outside.exists());
    let images = fs::read_dir(machine.data().join("images")).unwrap();
    let half_done = images.flatten().filter(|it| it.file_name().to_string_lossy().starts_with('.'));
    assert_eq!(half_done.count(), 0, "half an image stays");
    assert!(machine.is_running());
    // A good one is deployed after all that.
    engine.busybox("better", "oci", "the better one");
    engine.skopeo(&machine, "better", 100, &[]);
    machine.serves("the better one");
}

#[test]
fn a_blob_that_is_not_what_its_digest_says_is_not_run() {
    if !installed(&["bwrap", "buildah", "skopeo", "busybox"]) || !nix::unistd::geteuid().is_root() {
        println!("skipped: needs root and the tools");
        return;
    }
    let engine = Engine::new();
    engine.busybox("good", "oci", "the good one");
    let machine = Machine::start(&Wish { container_port: 8080, ..Wish::default() });
    engine.skopeo(&machine, "good", 1, &[]);
    machine.serves("the good one");
    machine.logs("Succeeded: 1 runs");
    engine.busybox("bad", "oci", "the changed one");
    let before = blobs(&machine);
    let target = format!("docker://{}:unwatched", machine.repository());
    run(Command::new("skopeo")
        .args(["copy", "--insecure-policy", "--dest-tls-verify=false"])
        .args([&engine.stored("bad"), &target]));
    // Its largest new blob is the layer; the disk turns one bit of it.
    let layer = blobs(&machine)
        .into_iter()
        .filter(|path| !before.contains(path))
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap();
    let mut bytes = fs::read(&layer).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&layer, bytes).unwrap();
    let source = target.clone();
    let target = format!("docker://{}:2", machine.repository());
    run(Command::new("skopeo")
        .args(["copy", "--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false"])
        .args([&source, &target]));
    let text = machine.explains("ErrImagePull");
    assert!(text.contains("digest"), "{text}");
    assert!(machine.get().is_some_and(|it| it.contains("the good one")));
}

fn blobs(machine: &Machine) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![machine.data().join("registry")];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                left.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found
}
