use std::io::Write;

use mercurious_core::image::Digest;
use mercurious_distribution::{Distribution, Reference, RepositoryName, Settings};

use crate::support::{Process, answer, content, digest_of, field, image_blobs, image_manifest};

/// Opens what a killed registry left and verifies that nothing is half there.
fn assert_consistent(directory: &std::path::Path, name: &str) {
    content(directory);
    let distribution = Distribution::open(directory, Settings::default()).unwrap();
    let temporary = std::fs::read_dir(directory.join("temporary")).unwrap().count();
    assert_eq!(temporary, 0);
    let name: RepositoryName = name.parse().unwrap();
    for (tag, digest) in distribution.tags(&name).unwrap() {
        let found = distribution.manifest(&name, &Reference::Tag(tag.clone())).unwrap();
        let found = found.unwrap_or_else(|| panic!("{tag} names a manifest that is not there"));
        assert_eq!(found.digest, digest);
        let manifest: serde_json::Value =
            serde_json::from_slice(&std::fs::read(found.path).unwrap()).unwrap();
        for one in [&manifest["config"], &manifest["layers"][0]] {
            let part: Digest = one["digest"].as_str().unwrap().parse().unwrap();
            assert!(distribution.blob_path(&part).is_some(), "{tag} lacks a part");
        }
    }
}

#[test]
fn an_upload_goes_on_after_the_registry_was_killed_in_the_middle_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let registry = Process::start(directory.path());
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let digest = Digest::of(&bytes);
    let (_, head) = registry.ask("POST", "/v2/app/blobs/uploads/", "", b"");
    let at = field(&head, "location").to_owned();
    let (first, rest) = bytes.split_at(1_000_000);
    assert_eq!(registry.ask("PATCH", &at, "", first).0, 202);
    let mut stream = registry.connect();
    let head = format!(
        "PATCH {at} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n",
        registry.address,
        rest.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&rest[..5_000_000]).unwrap();
    registry.kill();

    assert_consistent(directory.path(), "app");
    let registry = Process::start(directory.path());
    assert_eq!(registry.ask("HEAD", &format!("/v2/app/blobs/{digest}"), "", b"").0, 404);
    let (status, head) = registry.ask("GET", &at, "", b"");
    assert_eq!(status, 204);
    let here = field(&head, "range").strip_prefix("0-").unwrap().parse::<usize>().unwrap() + 1;
    assert!((1_000_000..=6_000_000).contains(&here), "{here} bytes are here");
    let range = format!("Content-Range: {here}-{}\r\n", bytes.len() - 1);
    let (status, head) =
        registry.ask("PUT", &format!("{at}?digest={digest}"), &range, &bytes[here..]);
    assert_eq!(status, 201, "{head}");
    registry.kill();
    assert!(content(directory.path()).contains(&digest));
}

#[test]
fn a_registry_killed_at_any_moment_has_what_it_acknowledged_and_nothing_by_halves() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<(String, Digest)> = Vec::new();
    for round in 0..24_u32 {
        let registry = Process::start(directory.path());
        let whole = fastrand::u32(0..3);
        for image in 0..=whole {
            let seed = format!("{round}-{image}");
            for blob in image_blobs(&seed) {
                let path = format!("/v2/app/blobs/uploads/?digest={}", Digest::of(&blob));
                assert_eq!(registry.ask("POST", &path, "", &blob).0, 201);
            }
            let manifest = image_manifest(&seed).to_string();
            // Always the same tag and one of its own: replacing and adding.
            let tag = if image % 2 == 0 { "latest".to_owned() } else { format!("t{seed}") };
            let kind = "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n";
            let mut stream = registry.connect();
            let head = format!(
                "PUT /v2/app/manifests/{tag} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{kind}Content-Length: {}\r\n\r\n{manifest}",
                registry.address,
                manifest.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            if image < whole {
                assert_eq!(answer(&mut stream).0, 201);
                acknowledged.retain(|(other, _)| *other != tag);
                acknowledged.push((tag, digest_of(&image_manifest(&seed))));
            } else {
                // In the middle of the last one, nobody knows where.
                for _ in 0..fastrand::u32(0..400_000) {
                    std::hint::spin_loop();
                }
                acknowledged.retain(|(other, _)| *other != tag);
            }
        }
        registry.kill();
        assert_consistent(directory.path(), "app");
        let distribution = Distribution::open(directory.path(), Settings::default()).unwrap();
        let tags = distribution.tags(&"app".parse().unwrap()).unwrap();
        for (tag, digest) in &acknowledged {
            assert_eq!(tags.get(&tag.parse().unwrap()), Some(digest), "{tag} was acknowledged");
        }
    }
}
