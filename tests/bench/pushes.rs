use std::{io::Write as _, path::Path, process::Stdio};

use anyhow::ensure;
use mercurious_trials::{Home, Program, Wish};
use tokio::time::Instant;

use mercurious_trials::report::{Section, version};

const LAYER_MEGABYTES: usize = 200;

/// What a large push costs the process that takes it.
pub(crate) async fn measure(program: &Program) -> anyhow::Result<Section> {
    let home = Home::start(program, Wish::default()).await?;
    let file = home.place().join("large");
    noise(&file)?;
    let megabytes = |bytes: Option<u64>| bytes.unwrap_or_default() as f64 / 1e6;
    let before = megabytes(home.peak_resident());
    let layout = home.place().join("layout");
    let started = Instant::now();
    let output = tokio::process::Command::from(program.command())
        .args(["publish", "--binary"])
        .arg(program.path())
        .args(["--repository", &format!("{}/team/small", home.registry)])
        .output()
        .await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let published = started.elapsed();
    let mut rows = vec![(
        "seconds to make and push an image of the program itself".to_owned(),
        format!("{:.2}", published.as_secs_f64()),
    )];
    let skopeo = version("skopeo");
    if skopeo.ends_with("is not installed") {
        rows.push((format!("a layer of {LAYER_MEGABYTES} MB"), skopeo));
    } else {
        layout_with(&layout, &file)?;
        let started = Instant::now();
        let status = tokio::process::Command::new("skopeo")
            .args(["copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false"])
            .arg(format!("oci:{}", layout.display()))
            .arg(format!("docker://{}/team/large:v1", home.registry))
            .stdout(Stdio::null())
            .status()
            .await?;
        ensure!(status.success(), "skopeo failed");
        rows.push((
            format!("seconds to push a layer of {LAYER_MEGABYTES} MB with {skopeo}"),
            format!("{:.2}", started.elapsed().as_secs_f64()),
        ));
    }
    rows.push((
        "most memory of `mercurious up`, MB: before, after".to_owned(),
        format!("{before:.1}, {:.1}", megabytes(home.peak_resident())),
    ));
    Ok(Section {
        title: "Large pushes",
        what: "One process is engine, registry and proxy; its peak resident memory is read from the kernel.".to_owned(),
        rows,
    })
}

/// Bytes that cannot be compressed, always the same.
fn noise(path: &Path) -> anyhow::Result<()> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    let mut block = vec![0; 1 << 20];
    for _ in 0..LAYER_MEGABYTES {
        random.fill(&mut block);
        file.write_all(&block[..1_000_000])?;
    }
    Ok(file.flush()?)
}

/// An OCI image layout with this file as the content of its one, uncompressed layer.
fn layout_with(layout: &Path, file: &Path) -> anyhow::Result<()> {
    let staging = layout.with_extension("tar");
    let status = std::process::Command::new("tar")
        .arg("--create")
        .arg("--file")
        .arg(&staging)
        .arg("--directory")
        .arg(file.parent().unwrap_or(Path::new("/")))
        .arg(file.file_name().unwrap_or_default())
        .status()?;
    ensure!(status.success(), "tar failed");
    let blobs = layout.join("blobs/sha256");
    std::fs::create_dir_all(&blobs)?;
    let layer = std::fs::read(&staging)?;
    let put = |bytes: &[u8]| -> anyhow::Result<(String, usize)> {
        let digest = mercurious_core::image::Digest::of(bytes);
        std::fs::write(blobs.join(digest.hex()), bytes)?;
        Ok((digest.to_string(), bytes.len()))
    };
    let (layer, layer_size) = put(&layer)?;
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [layer] },
    });
    let (config, config_size) = put(config.to_string().as_bytes())?;
    let manifest_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": manifest_type,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": config, "size": config_size,
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": layer, "size": layer_size,
        }],
    });
    let (manifest, manifest_size) = put(manifest.to_string().as_bytes())?;
    let index = serde_json::json!({
        "schemaVersion": 2,
        "manifests": [{ "mediaType": manifest_type, "digest": manifest, "size": manifest_size }],
    });
    std::fs::write(layout.join("index.json"), index.to_string())?;
    std::fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    Ok(())
}
