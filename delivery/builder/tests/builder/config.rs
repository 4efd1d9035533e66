use serde_json::json;

use crate::{
    elf_file::{ElfFile, debian},
    image_content::{builder, config, manifest},
};

#[test]
fn the_configuration_says_how_to_start_and_what_it_is() {
    let root = debian();
    ElfFile::static_program().write(&root.path().join("server"));
    let output = tempfile::tempdir().unwrap();
    let image = builder()
        .system_root(root.path())
        .binary(root.path().join("server"))
        .arguments(["--port", "8080"])
        .expose(8080)
        .env("MODE", "x")
        .version("1.2")
        .created("2026-03-01T12:00:00Z".parse().unwrap())
        .revision("0A1B2C3D".parse().unwrap())
        .source("https://example.org/x")
        .label("team", "a")
        .annotation("note", "b")
        .build(output.path())
        .unwrap();
    let facts = json!({
        "org.opencontainers.image.created": "2026-03-01T12:00:00Z",
        "org.opencontainers.image.revision": "0a1b2c3d",
        "org.opencontainers.image.source": "https://example.org/x",
        "org.opencontainers.image.title": "server",
        "org.opencontainers.image.version": "1.2",
    });
    let with = |name: &str, value: &str| {
        let mut all = facts.clone();
        all[name] = value.into();
        all
    };
    let history = |comment| {
        json!({
            "created": "2026-03-01T12:00:00Z", "created_by": "mercurious publish", "comment": comment,
        })
    };
    assert_eq!(
        config(&image),
        json!({
            "created": "2026-03-01T12:00:00Z",
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "User": "65532:65532",
                "ExposedPorts": { "8080/tcp": {} },
                "Env": [
                    "PATH=/app:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
                    "MODE=x",
                ],
                "Entrypoint": ["/app/server"],
                "Cmd": ["--port", "8080"],
                "WorkingDir": "/",
                "Labels": with("team", "a"),
            },
            "rootfs": { "type": "layers", "diff_ids": [image.layers[0].diff_id, image.layers[1].diff_id] },
            "history": [history("shared libraries, certificates, accounts"), history("the program")],
        })
    );
    assert_eq!(
        manifest(&image),
        json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": image.config.digest,
                "size": image.config.bytes.len(),
            },
            "layers": [image.layers[0].descriptor, image.layers[1].descriptor],
            "annotations": with("note", "b"),
        })
    );
}

#[test]
fn the_user_has_the_last_word() {
    let root = debian();
    ElfFile::static_program().write(&root.path().join("server"));
    let output = tempfile::tempdir().unwrap();
    let image = builder()
        .system_root(root.path())
        .binary(root.path().join("server"))
        .entrypoint(["/app/server", "serve"])
        .user("1000")
        .env("PATH", "/app")
        .name("other")
        .label("org.opencontainers.image.title", "Own")
        .build(output.path())
        .unwrap();
    let config = config(&image);
    let run = &config["config"];
    assert_eq!(run["Entrypoint"], json!(["/app/server", "serve"]));
    assert_eq!(run["User"], "1000");
    assert_eq!(run["Env"][0], "PATH=/app");
    assert_eq!(run["Labels"]["org.opencontainers.image.title"], "Own");
    assert_eq!(manifest(&image)["annotations"]["org.opencontainers.image.title"], "other");
    assert!(config.get("created").is_none());
}
