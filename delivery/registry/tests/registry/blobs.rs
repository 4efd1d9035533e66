use mercurious_core::image::Digest;
use mercurious_registry::{BlobDescriptor, Keychain, RegistryError};

use crate::{
    liar::{Liar, Told},
    support::{client, impatient, repository},
};

fn descriptor(bytes: &[u8]) -> BlobDescriptor {
    BlobDescriptor {
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        media_type: "application/octet-stream".to_owned(),
    }
}

#[tokio::test]
async fn a_blob_is_read_from_where_the_registry_keeps_it_without_our_authorization() {
    let store = Liar::new(|_| Told::ok("content"));
    let location = format!("http://{}/bucket/x?signature=1", store.host);
    let liar = Liar::new(move |asked| match asked.header("authorization") {
        "" => Told::new(401).header("www-authenticate", "Basic realm=\"r\""),
        _ => Told::new(307).header("location", &location),
    });
    let auths = serde_json::json!({"auths": {liar.host.clone(): {"auth": "dTpw"}}}).to_string();
    let keychain = Keychain::anonymous().with_docker_config_json("s", auths.as_bytes()).unwrap();
    let bytes =
        client().blob_bytes(&repository(&liar), &descriptor(b"content"), &keychain).await.unwrap();
    assert_eq!(bytes, "content");
    assert_eq!(store.asked()[0].header("authorization"), "");
    assert!(liar.asked().iter().any(|asked| asked.header("authorization") == "Basic dTpw"));
}

#[tokio::test]
async fn a_file_appears_only_when_it_is_whole_and_right() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("blob");
    let get = async |told: Told, expected: &[u8]| {
        let liar = Liar::new(move |_| told.clone());
        client()
            .blob_to_file(&repository(&liar), &descriptor(expected), &path, &Keychain::anonymous())
            .await
    };
    let entries = || std::fs::read_dir(directory.path()).unwrap().count();
    for (told, category) in [
        (Told::ok("forged!"), "digest-mismatch"),
        (Told::ok("too long for it"), "bad-answer"),
        (Told::ok("short"), "connection"),
        (Told::ok("content").cut_after(3), "connection"),
        (Told::ok("too long for it").header("transfer-encoding", "identity"), "bad-answer"),
        (Told::new(206).body("content"), "bad-answer"),
        (Told::new(404), "not-found"),
    ] {
        let error = get(told, b"content").await.unwrap_err();
        assert_eq!(error.category(), category, "{error:?}");
        assert_eq!(entries(), 0, "nothing is left behind");
    }
    get(Told::ok("content"), b"content").await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"content");
    assert_eq!(entries(), 1);
}

#[tokio::test]
async fn a_stalling_blob_is_given_up() {
    let liar = Liar::new(|_| Told::ok("content").stall_after(2));
    let error = impatient()
        .blob_bytes(&repository(&liar), &descriptor(b"content"), &Keychain::anonymous())
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::Timeout { .. }), "{error:?}");
}

#[tokio::test]
async fn the_end_of_a_stream_is_reached_only_with_the_right_digest() {
    use futures::TryStreamExt as _;
    for (body, good) in [("content", true), ("forgery", false)] {
        let liar = Liar::new(move |_| Told::ok(body));
        let reader = client()
            .blob(&repository(&liar), &descriptor(b"content"), &Keychain::anonymous())
            .await
            .unwrap();
        let pieces: Result<Vec<_>, _> = reader.into_stream().try_collect().await;
        assert_eq!(pieces.is_ok(), good);
    }
}

#[tokio::test]
async fn a_transfer_is_tried_again_as_a_whole_and_not_more_often_than_told() {
    let liar = Liar::new(|_| Told::new(503));
    let error = client()
        .blob_bytes(&repository(&liar), &descriptor(b"content"), &Keychain::anonymous())
        .await
        .unwrap_err();
    assert_eq!(error.category(), "unavailable", "{error:?}");
    assert_eq!(liar.asked().len(), 3);
}
