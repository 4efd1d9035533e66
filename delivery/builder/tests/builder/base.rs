use mercurious_builder::{
    Base, BaseError, BuildError, Descriptor, LAYER_MEDIA_TYPE, LayoutError, Libraries, Warning,
};
use mercurious_core::image::Digest;
use serde_json::{Value, json};

use crate::{
    elf_file::{ElfFile, debian},
    image_content::{builder, config, entries, manifest},
};

fn layer(media_type: &str) -> Descriptor {
    Descriptor { media_type: media_type.to_owned(), digest: Digest::of(b"base layer"), size: 10 }
}

fn base_config() -> Value {
    json!({
        "architecture": "amd64", "os": "linux", "docker_version": "20", "created": "2020-01-01T00:00:00Z",
        "config": {
            "User": "", "Env": ["PATH=/bin", "LANG=C"], "Cmd": ["sh"], "Entrypoint": null, "WorkingDir": "/root",
            "Labels": {
                "org.opencontainers.image.revision": "base", "org.opencontainers.image.version": "base",
                "maintainer": "base",
            },
            "StopSignal": "SIGINT", "Volumes": { "/data": {} },
        },
        "rootfs": { "type": "layers", "diff_ids": [Digest::of(b"diff")] },
        "history": [
            { "created": "2020-01-01T00:00:00Z", "created_by": "ADD rootfs" },
            { "created_by": "CMD sh", "empty_layer": true },
        ],
    })
}

fn base(config: &Value, layers: Vec<Descriptor>) -> Result<Base, BaseError> {
    Base::new(config.to_string().as_bytes(), layers)
}

const DOCKER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

#[test]
fn layers_are_named_and_the_configuration_inherited() {
    let root = debian();
    ElfFile::program().needs("libc.so.6").write(&root.path().join("server"));
    let output = tempfile::tempdir().unwrap();
    let image = builder()
        .system_root(root.path())
        .binary(root.path().join("server"))
        .base(base(&base_config(), vec![layer(DOCKER)]).unwrap())
        .revision("0a1b2c3d".parse().unwrap())
        .env("LANG", "fr")
        .build(output.path())
        .unwrap();
    assert_eq!(image.base_layers, [layer(LAYER_MEDIA_TYPE)]);
    assert_eq!(
        manifest(&image)["layers"],
        json!([layer(LAYER_MEDIA_TYPE), image.layers[0].descriptor])
    );
    let config = config(&image);
    assert_eq!(
        config["config"],
        json!({
            "User": "65532:65532",
            "Env": ["PATH=/bin", "LANG=fr"],
            "Entrypoint": ["/app/server"],
            "WorkingDir": "/",
            "Labels": {
                "maintainer": "base",
                "org.opencontainers.image.revision": "0a1b2c3d",
                "org.opencontainers.image.title": "server",
            },
            "StopSignal": "SIGINT", "Volumes": { "/data": {} },
        })
    );
    assert_eq!(config["rootfs"]["diff_ids"], json!([Digest::of(b"diff"), image.layers[0].diff_id]));
    assert_eq!(config["history"].as_array().unwrap().len(), 3);
    assert_eq!(config["history"][1], json!({ "created_by": "CMD sh", "empty_layer": true }));
    assert!(config.get("docker_version").is_none() && config.get("created").is_none());
    // The base's libraries are used; nothing of this system is laid over them.
    assert_eq!(image.warnings, [Warning::LibrariesFromBase(vec!["libc.so.6".to_owned()])]);
    let paths: Vec<String> = entries(&image.layers[0]).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["app/", "app/server"]);
}

#[test]
fn libraries_over_a_base_do_not_replace_its_links_by_directories() {
    let root = debian();
    ElfFile::program().needs("libc.so.6").write(&root.path().join("server"));
    let output = tempfile::tempdir().unwrap();
    let image = builder()
        .system_root(root.path())
        .binary(root.path().join("server"))
        .libraries(Libraries::Bundled)
        .base(base(&base_config(), vec![layer(DOCKER)]).unwrap())
        .build(output.path())
        .unwrap();
    let paths: Vec<String> = entries(&image.layers[0]).into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["lib/x86_64-linux-gnu/libc.so.6", "lib64/ld-linux-x86-64.so.2"]);
}

#[test]
fn an_unusable_base_is_refused() {
    let mut other = base_config();
    other["architecture"] = "arm64".into();
    let root = debian();
    ElfFile::static_program().write(&root.path().join("server"));
    let output = tempfile::tempdir().unwrap();
    let error = builder()
        .system_root(root.path())
        .binary(root.path().join("server"))
        .base(base(&other, vec![layer(DOCKER)]).unwrap())
        .build(output.path())
        .unwrap_err();
    assert!(matches!(error, BuildError::Base(BaseError::OtherPlatform { .. })), "{error}");
    assert!(matches!(
        base(&base_config(), vec![]),
        Err(BaseError::LayerCount { layers: 0, diff_ids: 1 })
    ));
    let foreign = layer("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip");
    assert!(matches!(base(&base_config(), vec![foreign]), Err(BaseError::LayerType { .. })));
    assert!(matches!(base(&json!([]), vec![]), Err(BaseError::Config(_))));
}

#[test]
fn a_history_that_does_not_account_for_the_layers_is_replaced() {
    let mut config = base_config();
    config["history"] = Value::Null;
    let root = debian();
    ElfFile::static_program().write(&root.path().join("server"));
    let output = tempfile::tempdir().unwrap();
    let image = builder()
        .system_root(root.path())
        .binary(root.path().join("server"))
        .base(base(&config, vec![layer(DOCKER)]).unwrap())
        .build(output.path())
        .unwrap();
    assert_eq!(crate::image_content::config(&image)["history"].as_array().unwrap().len(), 2);
    // A layout would lack the base's layer.
    let error = image.write_oci_layout(&output.path().join("layout"), "x").unwrap_err();
    assert!(matches!(error, LayoutError::NoBaseLayer { .. }), "{error}");
}
