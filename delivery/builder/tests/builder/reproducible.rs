use std::{fs::Permissions, os::unix::fs::PermissionsExt as _, path::Path};

use mercurious_builder::{BuiltImage, ImageBuilder};

use crate::{
    elf_file::{ElfFile, debian},
    image_content::{builder, entries},
};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const CREATED: &str = "2026-03-01T12:00:00Z";

fn facts(builder: ImageBuilder) -> ImageBuilder {
    builder
        .created(CREATED.parse().unwrap())
        .revision(COMMIT.parse().unwrap())
        .source("https://example.org/x")
}

fn layer_bytes(image: &BuiltImage) -> Vec<Vec<u8>> {
    image.layers.iter().map(|layer| std::fs::read(&layer.path).unwrap()).collect()
}

fn program(root: &Path, payload: &str) {
    ElfFile::program()
        .needs("libc.so.6")
        .needs("libz.so.1")
        .payload(payload)
        .write(&root.join("srv/program"));
    ElfFile::library("libz.so.1").write(&root.join("usr/lib/libz.so.1"));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (one, other) = (debian(), debian());
    program(one.path(), "same");
    program(other.path(), "same");
    // Neither times nor modes of the files count.
    let copy = other.path().join("srv/program");
    std::fs::set_permissions(&copy, Permissions::from_mode(0o700)).unwrap();
    std::fs::File::open(&copy).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();

    let output = tempfile::tempdir().unwrap();
    let first = facts(builder().system_root(one.path()).binary(one.path().join("srv/program")))
        .label("b", "2")
        .label("a", "1")
        .env("B", "2")
        .env("A", "1")
        .expose(80)
        .expose(443)
        .build(&output.path().join("first"))
        .unwrap();
    let second = builder()
        .expose(443)
        .expose(80)
        .env("A", "1")
        .env("B", "2")
        .label("a", "1")
        .label("b", "2");
    let second = facts(second.binary(copy).system_root(other.path()))
        .build(&output.path().join("deeper/second"))
        .unwrap();
    assert_eq!(first.manifest, second.manifest);
    assert_eq!(first.config, second.config);
    assert_eq!(layer_bytes(&first), layer_bytes(&second));
}

#[test]
fn another_commit_changes_the_programs_layer_alone() {
    let root = debian();
    let output = tempfile::tempdir().unwrap();
    let build = |payload: &str, created: &str| {
        program(root.path(), payload);
        builder()
            .system_root(root.path())
            .binary(root.path().join("srv/program"))
            .created(created.parse().unwrap())
            .build(output.path())
            .unwrap()
    };
    let (first, second) = (build("one", CREATED), build("two", "2026-03-02T12:00:00Z"));
    assert_eq!(first.layers[0].descriptor, second.layers[0].descriptor);
    assert_ne!(first.layers[1].descriptor, second.layers[1].descriptor);
    // A rebuilt commit whose program is the same sends no layer at all.
    let third = build("two", "2026-03-03T12:00:00Z");
    assert_eq!(second.layers, third.layers);
    assert_ne!(second.digest(), third.digest());
}

#[test]
fn entries_are_sorted_and_owned_by_root_without_a_time() {
    let root = debian();
    program(root.path(), "");
    let output = tempfile::tempdir().unwrap();
    let image = builder()
        .system_root(root.path())
        .binary(root.path().join("srv/program"))
        .build(output.path())
        .unwrap();
    for layer in &image.layers {
        let paths: Vec<String> = entries(layer)
            .into_iter()
            .map(|(path, _)| path.trim_end_matches('/').to_owned())
            .collect();
        let mut sorted = paths.clone();
        sorted.sort();
        assert_eq!(paths, sorted);
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(
            std::fs::File::open(&layer.path).unwrap(),
        ));
        for entry in archive.entries().unwrap() {
            let entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let header = entry.header();
            let owner = if path == "home/nonroot/" { 65532 } else { 0 };
            assert_eq!(
                (header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()),
                (owner, owner, 0),
                "{path}"
            );
            assert_eq!(
                (header.username().unwrap(), header.groupname().unwrap()),
                (Some(""), Some("")),
                "{path}"
            );
        }
    }
    let names: Vec<_> = std::fs::read_dir(output.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.iter().all(|name| name.ends_with(".tar.gz")), "no temporary files: {names:?}");
    let modes: Vec<_> = image
        .layers
        .iter()
        .map(|layer| std::fs::metadata(&layer.path).unwrap().permissions().mode() & 0o777)
        .collect();
    assert_eq!(modes, [0o644, 0o644]);
}
