use mercurious_core::image::Digest;
use mercurious_distribution::{Push, Reference, RequestKind};
use serde_json::{Value, json};

use crate::support::{INDEX, MANIFEST, Registry, descriptor, digest_of, image_manifest, index};

#[tokio::test]
async fn an_image_is_pulled_by_tag_and_by_digest_as_it_was_pushed() {
    let registry = Registry::new();
    let manifest = registry.push_image("team/sub/app", "1.0", "a").await;
    let digest = digest_of(&manifest);
    for reference in ["1.0", digest.as_str()] {
        let path = format!("/v2/team/sub/app/manifests/{reference}");
        for method in ["HEAD", "GET"] {
            let answer = registry.ask(method, &path).await.is(200);
            assert_eq!(answer.header("content-type"), MANIFEST);
            assert_eq!(answer.header("docker-content-digest"), digest.as_str());
            assert_eq!(answer.header("content-length"), manifest.to_string().len().to_string());
            let body = if method == "GET" { manifest.to_string() } else { String::new() };
            assert_eq!(answer.body, body.as_bytes());
        }
        for tag in [format!("\"{digest}\""), digest.to_string(), "*".to_owned()] {
            let answer = registry.ask_with("HEAD", &path, &[("if-none-match", &tag)], "").await;
            assert_eq!(answer.is(304).header("docker-content-digest"), digest.as_str());
        }
    }
    // Some engines fetch an index's children as blobs.
    registry.ask("GET", &format!("/v2/team/sub/app/blobs/{digest}")).await.is(200);
    let name = "team/sub/app".parse().unwrap();
    let tags = registry.distribution.tags(&name).unwrap();
    assert_eq!(tags.get(&"1.0".parse().unwrap()), Some(&digest));
    let found = registry.distribution.manifest(&name, &Reference::Digest(digest)).unwrap().unwrap();
    assert_eq!(std::fs::read(found.path).unwrap(), manifest.to_string().as_bytes());
    assert_eq!(found.media_type, MANIFEST);
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let registry = Registry::new();
    let manifest = registry.push_image("app", "latest", "a").await;
    let registry = registry.reopen();
    let answer = registry.ask("GET", "/v2/app/manifests/latest").await.is(200);
    assert_eq!(answer.body, manifest.to_string().as_bytes());
    let layer = manifest["layers"][0]["digest"].as_str().unwrap();
    registry.ask("GET", &format!("/v2/app/blobs/{layer}")).await.is(200);
}

#[tokio::test]
async fn pushes_are_announced_and_requests_counted() {
    let registry = Registry::new();
    let mut pushes = registry.distribution.pushes();
    let manifest = registry.push_image("app", "latest", "a").await;
    let digest = digest_of(&manifest);
    let push = Push {
        repository: "app".parse().unwrap(),
        reference: Reference::Tag("latest".parse().unwrap()),
        digest: digest.clone(),
        media_type: MANIFEST.to_owned(),
    };
    assert_eq!(pushes.try_recv().unwrap(), push);
    registry.put_manifest("app", "latest", &json!({"schemaVersion": 2})).await.is(400);
    assert!(pushes.try_recv().is_err(), "a refused manifest was announced");

    let before = registry.distribution.requests();
    registry.ask("HEAD", "/v2/app/manifests/latest").await.is(200);
    registry.ask("BREW", "/v2/app/manifests/latest").await.is(405);
    let after = registry.distribution.requests();
    let heads = |requests: &mercurious_distribution::Requests| {
        requests.count("HEAD", RequestKind::Manifest)
    };
    assert_eq!(heads(&after) - heads(&before), 1);
    assert_eq!(after.count("OTHER", RequestKind::Manifest), 1);
    assert_eq!(after.total() - before.total(), 2);
    assert_eq!(after.count("PUT", RequestKind::Manifest), 2);
    assert_eq!(after.iter().map(|(_, _, count)| count).sum::<u64>(), after.total());
}

#[tokio::test]
async fn a_push_by_digest_must_be_what_it_is_called_and_may_be_tagged_at_once() {
    let registry = Registry::new();
    let manifest = registry.push_image("app", "first", "a").await;
    let digest = digest_of(&manifest);
    let wrong = Digest::of(b"wrong");
    let answer = registry.put_manifest("app", wrong.as_str(), &manifest).await;
    answer.refused(400, "DIGEST_INVALID");
    let mut pushes = registry.distribution.pushes();
    let answer = registry.put_manifest("app", digest.as_str(), &manifest).await.is(201);
    assert_eq!(answer.header("location"), format!("/v2/app/manifests/{digest}"));
    assert_eq!(answer.header("docker-content-digest"), digest.as_str());
    assert_eq!(pushes.try_recv().unwrap().reference, Reference::Digest(digest.clone()));

    let reference = format!("{digest}?tag=one&tag=two");
    let answer = registry.put_manifest("app", &reference, &manifest).await.is(201);
    assert_eq!(answer.headers.get_all("oci-tag").iter().count(), 2);
    registry.ask("GET", "/v2/app/manifests/two").await.is(200);
    let tag = |text: &str| Reference::Tag(text.parse().unwrap());
    assert_eq!(pushes.try_recv().unwrap().reference, tag("one"));
    assert_eq!(pushes.try_recv().unwrap().reference, tag("two"));
}

#[tokio::test]
async fn what_a_manifest_names_must_be_in_its_repository() {
    let registry = Registry::new();
    registry.push_image("other", "x", "a").await;
    let manifest = image_manifest("a");
    let answer = registry.put_manifest("app", "x", &manifest).await;
    let answer = answer.refused(400, "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 2);
    let missing = answer.json()["errors"][0]["detail"]["digest"].as_str().unwrap().to_owned();
    assert!(manifest.to_string().contains(&missing));
    registry.ask("GET", "/v2/app/manifests/x").await.refused(404, "MANIFEST_UNKNOWN");
    registry.ask("GET", "/v2/app/tags/list").await.refused(404, "NAME_UNKNOWN");

    let of_other = index(&[&manifest]);
    registry.put_manifest("app", "i", &of_other).await.refused(400, "MANIFEST_BLOB_UNKNOWN");
    let image = registry.push_image("app", "x", "b").await;
    let own = index(&[&image]);
    registry.put_manifest("app", "i", &own).await.is(201);
    let answer = registry.ask("GET", "/v2/app/manifests/i").await.is(200);
    assert_eq!(answer.header("content-type"), INDEX);
}

#[tokio::test]
async fn an_index_is_refused_if_a_layer_of_its_children_is_gone() {
    let registry = Registry::new();
    let image = registry.push_image("app", "x", "a").await;
    let layer = image["layers"][0]["digest"].as_str().unwrap();
    registry.ask("DELETE", &format!("/v2/app/blobs/{layer}")).await.is(202);
    let answer = registry.put_manifest("app", "i", &index(&[&image])).await;
    let answer = answer.refused(400, "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(answer.json()["errors"][0]["detail"]["digest"], layer);
}

#[tokio::test]
async fn faulty_manifests_are_refused() {
    let registry = Registry::new();
    let good = registry.push_image("app", "x", "a").await;
    let put = async |kind: &str, body: String| {
        registry.ask_with("PUT", "/v2/app/manifests/y", &[("content-type", kind)], body).await
    };
    put(MANIFEST, "no json".into()).await.refused(400, "MANIFEST_INVALID");
    put(INDEX, good.to_string()).await.refused(400, "MANIFEST_INVALID");
    put("text/plain", good.to_string()).await.refused(400, "MANIFEST_INVALID");
    put("application/vnd.docker.distribution.manifest.v1+json", "{\"schemaVersion\":1}".into())
        .await
        .refused(400, "MANIFEST_INVALID");
    let mut wrong = good.clone();
    wrong["layers"][0]["size"] = json!(1);
    put(MANIFEST, wrong.to_string()).await.refused(400, "SIZE_INVALID");
    let mut large = good.clone();
    large["annotations"] = json!({"padding": "x".repeat(4 * 1024 * 1024)});
    put(MANIFEST, large.to_string()).await.refused(413, "MANIFEST_INVALID");
    large["annotations"] = json!({"padding": "x".repeat(4 * 1024 * 1024 - 1024)});
    put(MANIFEST, large.to_string()).await.is(201);
    put("application/vnd.oci.image.manifest.v1+json; charset=utf-8", good.to_string())
        .await
        .is(201);
}

#[tokio::test]
async fn docker_types_keep_their_names() {
    let registry = Registry::new();
    let kind = "application/vnd.docker.distribution.manifest.v2+json";
    let mut manifest = registry.push_image("app", "x", "a").await;
    manifest["mediaType"] = json!(kind);
    registry.put_manifest("app", "docker", &manifest).await.is(201);
    let answer = registry.ask("GET", "/v2/app/manifests/docker").await.is(200);
    assert_eq!(answer.header("content-type"), kind);
    let list = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
        "manifests": [descriptor(kind, manifest.to_string().as_bytes())],
    });
    registry.put_manifest("app", "list", &list).await.is(201);
}

#[tokio::test]
async fn deleting_a_tag_leaves_the_image_and_deleting_the_image_takes_its_tags() {
    let registry = Registry::new();
    let manifest = registry.push_image("app", "one", "a").await;
    registry.put_manifest("app", "two", &manifest).await.is(201);
    registry.push_image("app", "three", "b").await;
    let digest = digest_of(&manifest);
    let path = |reference: &str| format!("/v2/app/manifests/{reference}");
    registry.ask("DELETE", &path("one")).await.is(202);
    registry.ask("DELETE", &path("one")).await.refused(404, "MANIFEST_UNKNOWN");
    registry.ask("GET", &path(digest.as_str())).await.is(200);
    registry.ask("GET", &path("two")).await.is(200);
    registry.ask("DELETE", &path(digest.as_str())).await.is(202);
    registry.ask("DELETE", &path(digest.as_str())).await.refused(404, "MANIFEST_UNKNOWN");
    registry.ask("GET", &path("two")).await.refused(404, "MANIFEST_UNKNOWN");
    registry.ask("GET", &path("three")).await.is(200);
}

#[tokio::test]
async fn referrers_are_listed_and_filtered() {
    let registry = Registry::new();
    let image = registry.push_image("app", "x", "a").await;
    let subject = descriptor(MANIFEST, image.to_string().as_bytes());
    let attach = async |seed: &str, kind: Option<&str>| {
        registry.push_image("app", seed, seed).await;
        let mut artifact = image_manifest(seed);
        artifact["subject"] = subject.clone();
        artifact["annotations"] = json!({"seed": seed});
        if let Some(kind) = kind {
            artifact["artifactType"] = json!(kind);
        }
        let digest = digest_of(&artifact);
        let answer = registry.put_manifest("app", digest.as_str(), &artifact).await.is(201);
        assert_eq!(answer.header("oci-subject"), subject["digest"].as_str().unwrap());
        digest
    };
    let signature = attach("signature", Some("application/vnd.example.signature+json")).await;
    let config = attach("bill", None).await;
    let path = format!("/v2/app/referrers/{}", digest_of(&image));
    let answer = registry.ask("GET", &path).await.is(200);
    assert_eq!(answer.header("content-type"), INDEX);
    let listed = |answer: &Value| -> Vec<String> {
        let entries = answer["manifests"].as_array().unwrap().iter();
        entries.map(|one| one["digest"].as_str().unwrap().to_owned()).collect()
    };
    let mut both = vec![signature.to_string(), config.to_string()];
    both.sort();
    assert_eq!(listed(&answer.json()), both);

    for kind in
        ["application/vnd.example.signature%2Bjson", "application/vnd.example.signature+json"]
    {
        let answer = registry.ask("GET", &format!("{path}?artifactType={kind}")).await.is(200);
        assert_eq!(answer.header("oci-filters-applied"), "artifactType");
        assert_eq!(listed(&answer.json()), [signature.to_string()]);
        let entry = &answer.json()["manifests"][0];
        assert_eq!(entry["annotations"]["seed"], "signature");
        assert_eq!(entry["artifactType"], "application/vnd.example.signature+json");
        assert_eq!(entry["mediaType"], MANIFEST);
    }
    // Without a type of its own an artifact has its config's.
    let kind = "?artifactType=application/vnd.oci.image.config.v1%2Bjson";
    let answer = registry.ask("GET", &format!("{path}{kind}")).await.is(200);
    assert_eq!(listed(&answer.json()), [config.to_string()]);

    registry.ask("DELETE", &format!("/v2/app/manifests/{signature}")).await.is(202);
    assert_eq!(listed(&registry.ask("GET", &path).await.json()), [config.to_string()]);
    let unknown = format!("/v2/none/referrers/{}", Digest::of(b"none"));
    assert!(listed(&registry.ask("GET", &unknown).await.is(200).json()).is_empty());
    registry.ask("GET", "/v2/app/referrers/sha256:1").await.refused(400, "DIGEST_INVALID");
}
