use mercurious_core::image::Digest;
use mercurious_registry::{Keychain, RegistryError};
use serde_json::json;

use crate::{
    images::{MANIFEST, image},
    liar::{Liar, Told},
    support::{Shelf, client, impatient, repository},
};

fn anonymous() -> Keychain {
    Keychain::anonymous()
}

#[tokio::test]
async fn a_look_is_one_head_with_all_four_types() {
    let shelf = Shelf::default();
    let app = image("linux/amd64", "2025-01-01T00:00:00Z", &json!({}));
    shelf.put_image(&app);
    shelf.tag("latest", &app.manifest.digest);
    let liar = shelf.serve();
    let client = client();
    let head = client.head(&repository(&liar), "latest", &anonymous()).await.unwrap();
    assert_eq!(head.digest, app.manifest.digest);
    assert_eq!(head.media_type.as_deref(), Some(MANIFEST));
    assert_eq!(head.size, Some(app.manifest.bytes.len() as u64));
    for _ in 0..3 {
        client.head(&repository(&liar), "latest", &anonymous()).await.unwrap();
    }
    assert_eq!(liar.lines(), vec!["HEAD /v2/team/app/manifests/latest"; 4]);
    let accept = liar.asked()[0].header("accept").to_owned();
    for part in
        ["oci.image.index", "oci.image.manifest", "manifest.list.v2", "distribution.manifest.v2"]
    {
        assert!(accept.contains(part), "{accept}");
    }
    assert_eq!((client.spent().head, client.spent().total()), (4, 4));
}

#[tokio::test]
async fn a_missing_digest_header_is_made_up_for_by_hashing() {
    let liar = Liar::new(|_| Told::ok(r#"{"schemaVersion":2}"#).header("content-type", MANIFEST));
    let head = client().head(&repository(&liar), "latest", &anonymous()).await.unwrap();
    assert_eq!(head.digest, Digest::of(br#"{"schemaVersion":2}"#));
    assert_eq!(
        liar.lines(),
        ["HEAD /v2/team/app/manifests/latest", "GET /v2/team/app/manifests/latest"]
    );
}

#[tokio::test]
async fn a_registry_without_head_is_asked_with_get() {
    let liar = Liar::new(|asked| match asked.method.as_str() {
        "HEAD" => Told::new(405),
        _ => Told::ok(r#"{"schemaVersion":2}"#).header("content-type", MANIFEST),
    });
    assert!(client().head(&repository(&liar), "latest", &anonymous()).await.is_ok());
}

#[tokio::test]
async fn absence_is_not_failure() {
    let liar = Shelf::default().serve();
    let error = client().head(&repository(&liar), "none", &anonymous()).await.unwrap_err();
    assert!(error.is_not_found() && !error.is_retryable(), "{error}");
    assert!(error.to_string().contains("team/app:none"), "{error}");
}

#[tokio::test]
async fn what_is_no_manifest_is_refused() {
    for (told, word) in [
        (
            Told::ok("<!DOCTYPE html><html>Sign in</html>").header("content-type", "text/html"),
            "HTML",
        ),
        (Told::ok("<html>").header("content-type", MANIFEST), "HTML"),
        (Told::json(r#"{"errors":[{"code":"DENIED","message":"no"}]}"#), "DENIED: no"),
        (Told::ok("not json").header("content-type", MANIFEST), "JSON"),
        (Told::ok([0xff, 0xfe]).header("content-type", MANIFEST), "text"),
        (Told::ok(r#"{"schemaVersion":2}"#), "nothing says"),
        (
            Told::ok(r#"{"mediaType":"application/vnd.oci.image.index.v1+json"}"#)
                .header("content-type", MANIFEST),
            "says that it is",
        ),
        (
            Told::ok("{}").header("content-type", MANIFEST).header("content-length", 5_000_000),
            "longer",
        ),
        (Told::new(204), "204"),
    ] {
        let liar = Liar::new(move |_| told.clone());
        let error =
            client().manifest(&repository(&liar), "latest", &anonymous()).await.unwrap_err();
        assert!(matches!(error, RegistryError::BadAnswer { .. }), "{error:?}");
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
}

#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let liar = Liar::new(|_| {
        Told::ok(vec![b' '; 6 * 1024 * 1024])
            .header("content-type", MANIFEST)
            .header("transfer-encoding", "identity")
    });
    let error = client().manifest(&repository(&liar), "latest", &anonymous()).await.unwrap_err();
    assert_eq!(error.category(), "bad-answer", "{error}");
}

#[tokio::test]
async fn bytes_of_another_digest_are_never_used() {
    let liar = Liar::new(|_| Told::ok(r#"{"schemaVersion":2}"#).header("content-type", MANIFEST));
    let asked_for = Digest::of(b"something else");
    let (client, repository) = (client(), repository(&liar));
    let error = client.manifest(&repository, asked_for.as_str(), &anonymous()).await.unwrap_err();
    assert!(matches!(error, RegistryError::DigestMismatch { .. }), "{error:?}");
    let error = client.head(&repository, asked_for.as_str(), &anonymous()).await.unwrap_err();
    assert!(matches!(error, RegistryError::DigestMismatch { .. }), "{error:?}");
}

#[tokio::test]
async fn a_digest_header_about_another_image_is_refused() {
    let other = Digest::of(b"other");
    let liar = Liar::new(move |_| Told::ok("").header("docker-content-digest", &other));
    let asked_for = Digest::of(b"mine");
    let error =
        client().head(&repository(&liar), asked_for.as_str(), &anonymous()).await.unwrap_err();
    assert!(matches!(error, RegistryError::DigestMismatch { .. }), "{error:?}");
}

#[tokio::test]
async fn manifests_are_not_fetched_from_another_host() {
    let elsewhere = Liar::new(|_| Told::ok("{}"));
    let target = format!("http://{}/v2/team/app/manifests/latest?signature=s3cret", elsewhere.host);
    let liar = Liar::new(move |_| Told::new(303).header("location", &target));
    let error = client().head(&repository(&liar), "latest", &anonymous()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Redirect { .. }), "{error:?}");
    assert!(!error.to_string().contains("s3cret"), "{error}");
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn redirects_inside_the_registry_are_followed_and_end() {
    let digest = Digest::of(b"x");
    let liar = Liar::new(move |asked| match asked.path() {
        "/v2/team/app/manifests/latest" => Told::new(307).header("location", "/elsewhere"),
        "/elsewhere" => Told::ok("").header("docker-content-digest", &digest),
        _ => Told::new(302).header("location", &asked.target),
    });
    let (client, repository) = (client(), repository(&liar));
    assert!(client.head(&repository, "latest", &anonymous()).await.is_ok());
    let error = client.head(&repository, "loop", &anonymous()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Redirect { .. }), "{error:?}");
}

#[tokio::test]
async fn a_silent_or_dribbling_registry_is_given_up() {
    for told in [
        Told::silent(),
        Told::ok("{\"schemaVersion\":2}").header("content-type", MANIFEST).stall_after(3),
    ] {
        let liar = Liar::new(move |_| told.clone());
        let error =
            impatient().manifest(&repository(&liar), "latest", &anonymous()).await.unwrap_err();
        assert_eq!(error.category(), "timeout", "{error:?}");
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_a_connection_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let repository = format!("{host}/team/app").parse().unwrap();
    let error = client().head(&repository, "latest", &anonymous()).await.unwrap_err();
    assert_eq!(error.category(), "connection", "{error:?}");
    assert!(error.to_string().contains(&host), "{error}");
}

#[tokio::test]
async fn a_registry_that_speaks_no_tls_is_a_failed_connection_and_not_asked_in_the_clear() {
    let liar = Liar::new(|_| Told::ok("{}"));
    let client = crate::support::builder().tls(liar.host.clone()).build().unwrap();
    let error = client.head(&repository(&liar), "latest", &anonymous()).await.unwrap_err();
    assert_eq!(error.category(), "tls", "{error:?}");
    assert!(liar.lines().iter().all(|line| !line.starts_with("HEAD")), "{:?}", liar.lines());
}

#[tokio::test]
async fn r03_only_tags_and_digests_are_looked_at() {
    let liar = Liar::new(|_| Told::ok("{}"));
    for reference in ["", "../x", "a b", "sha256:12", "a/b", "x?y", "ü"] {
        let error = client().head(&repository(&liar), reference, &anonymous()).await.unwrap_err();
        assert!(matches!(error, RegistryError::Reference { .. }), "{error:?}");
    }
    assert!(liar.asked().is_empty());
}

#[tokio::test]
async fn a_mirror_is_asked_in_the_registrys_name() {
    let shelf = Shelf::default();
    let app = image("linux/amd64", "2025-01-01T00:00:00Z", &json!({}));
    shelf.put_image(&app);
    shelf.tag("latest", &app.manifest.digest);
    let liar = shelf.serve();
    let client = crate::support::builder().mirror("ghcr.io", liar.host.clone()).build().unwrap();
    let repository = "ghcr.io/team/app".parse().unwrap();
    let head = client.head(&repository, "latest", &anonymous()).await.unwrap();
    assert_eq!(head.digest, app.manifest.digest);
}

#[tokio::test]
async fn a_commit_is_named_only_by_an_equal_digest() {
    let shelf = Shelf::default();
    let app = image("linux/amd64", "2025-01-01T00:00:00Z", &json!({}));
    shelf.put_image(&app);
    shelf.tag("sha-0123456", &app.manifest.digest);
    let liar = shelf.serve();
    let (client, repository) = (client(), repository(&liar));
    let name = async |digest: &Digest, commit: &str| {
        client
            .name_commit(&repository, digest, &commit.parse().unwrap(), &anonymous())
            .await
            .unwrap()
            .map(|tag| tag.to_string())
    };
    assert_eq!(name(&app.manifest.digest, "0123456").await.as_deref(), Some("sha-0123456"));
    assert_eq!(name(&Digest::of(b"other"), "0123456").await, None);
    assert_eq!(name(&app.manifest.digest, "fffffff").await, None);
    assert_eq!(client.spent().head, 3);
}
