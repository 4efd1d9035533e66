//! What other programs make of the images: skopeo reads them, bubblewrap runs them.

use std::{path::Path, process::Command};

use mercurious_builder::{BuiltImage, ImageBuilder};
use mercurious_core::image::Platform;
use serde_json::Value;

use crate::image_content::unpack;

/// The test's own program, which is linked as most Rust programs are.
fn own_image(output: &Path) -> BuiltImage {
    ImageBuilder::new(Platform::of_this_program())
        .binary(std::env::current_exe().unwrap())
        .name("own")
        .arguments(["--list"])
        .revision("0123456789".parse().unwrap())
        .created("2026-03-01T12:00:00Z".parse().unwrap())
        .build(output)
        .unwrap()
}

fn is_installed(program: &str, arguments: &[&str]) -> bool {
    let works =
        Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success());
    if !works {
        println!("skipped: `{program} {}` does not work on this machine", arguments.join(" "));
    }
    works
}

fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_built_image_runs_with_nothing_but_what_is_in_it() {
    if !is_installed("bwrap", &["--ro-bind", "/", "/", "--unshare-all", "true"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let image = own_image(&directory.path().join("layers"));
    let root = directory.path().join("root");
    unpack(&image, &root);
    let listed = output_of(
        "bwrap",
        &[
            "--unshare-all",
            "--clearenv",
            "--ro-bind",
            root.to_str().unwrap(),
            "/",
            "--proc",
            "/proc",
            "--dev",
            "/dev",
            "/app/own",
            "--list",
        ],
    );
    assert!(listed.contains("a_built_image_runs_with_nothing_but_what_is_in_it: test"), "{listed}");
}

#[test]
fn skopeo_reads_and_copies_the_layout() {
    if !is_installed("skopeo", &["--version"]) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let image = own_image(&directory.path().join("layers"));
    let layout = directory.path().join("layout");
    image.write_oci_layout(&layout, "one").unwrap();
    image.write_oci_layout(&layout, "two").unwrap();
    // Writing a name again replaces it.
    image.write_oci_layout(&layout, "one").unwrap();
    let index: Value =
        serde_json::from_slice(&std::fs::read(layout.join("index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2);

    let source = format!("oci:{}:one", layout.display());
    let inspected: Value =
        serde_json::from_str(&output_of("skopeo", &["inspect", &source])).unwrap();
    assert_eq!(inspected["Digest"], image.digest().as_str());
    assert_eq!(inspected["Labels"]["org.opencontainers.image.revision"], "0123456789");
    assert_eq!(inspected["Created"], "2026-03-01T12:00:00Z");
    // Copying checks each digest, and each diff id against the uncompressed layer.
    let copy = directory.path().join("copy");
    output_of(
        "skopeo",
        &["copy", "--insecure-policy", &source, &format!("oci:{}:x", copy.display())],
    );
    assert!(copy.join("blobs/sha256").join(image.digest().hex()).is_file());
    output_of(
        "skopeo",
        &[
            "copy",
            "--insecure-policy",
            &source,
            &format!("docker-archive:{}:x/y:z", directory.path().join("a.tar").display()),
        ],
    );
}
