use std::sync::{Arc, Mutex};

use mercurious_core::image::Digest;
use mercurious_registry::{BlobSource, BlobToPush, Keychain, PushedBlob, RegistryError};

use crate::{
    liar::{Asked, Liar, Told},
    support::{client, repository},
};

/// A registry's uploads: new location each time, with a query that must be kept.
fn uploads(refuse_whole: bool) -> (Liar, Arc<Mutex<Vec<u8>>>) {
    let stored = Arc::new(Mutex::new(Vec::new()));
    let received = stored.clone();
    let liar = Liar::new(move |asked| {
        let mut received = received.lock().unwrap();
        let next = |length: usize| format!("/v2/team/app/blobs/uploads/id?state={length}");
        match asked.method.as_str() {
            "POST" => {
                received.clear();
                Told::new(202).header("location", next(0))
            }
            "PATCH" => {
                assert!(asked.body.len() <= 4 * 1024 * 1024);
                assert_eq!(asked.target, next(received.len()));
                let end = received.len() + asked.body.len();
                assert_eq!(
                    asked.header("content-range"),
                    format!("{}-{}", received.len(), end - 1)
                );
                received.extend_from_slice(&asked.body);
                Told::new(202).header("location", next(end))
            }
            "PUT" if refuse_whole && !asked.body.is_empty() => Told::new(416),
            "PUT" => {
                assert!(asked.target.starts_with(&next(received.len())), "{}", asked.target);
                assert!(asked.header("content-range").is_empty());
                received.extend_from_slice(&asked.body);
                assert!(
                    asked.target.contains(&Digest::of(&received).as_str().replace(':', "%3A")),
                    "{}",
                    asked.target
                );
                Told::new(201)
            }
            _ => Told::new(404),
        }
    });
    (liar, stored)
}

#[tokio::test]
async fn a_blob_goes_in_one_request_from_memory_or_file() {
    let content = vec![7_u8; 5 * 1024 * 1024 + 3];
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, &content).unwrap();
    let in_memory = BlobToPush::from_bytes(content.clone());
    let in_file =
        BlobToPush { source: BlobSource::File(file.path().to_owned()), ..in_memory.clone() };
    for blob in [in_memory, in_file, BlobToPush::from_bytes("")] {
        let (liar, stored) = uploads(false);
        let pushed =
            client().push_blob(&repository(&liar), &blob, None, &Keychain::anonymous()).await;
        assert_eq!(pushed.unwrap(), PushedBlob::Sent);
        assert_eq!(stored.lock().unwrap().len() as u64, blob.size);
        let methods: Vec<_> = liar.asked().into_iter().map(|asked| asked.method).collect();
        assert_eq!(methods, ["HEAD", "POST", "PUT"]);
    }
}

#[tokio::test]
async fn a_registry_that_refuses_the_whole_gets_chunks() {
    let content: Vec<u8> = (0..9_000_000_u32).map(|number| number as u8).collect();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, &content).unwrap();
    let in_memory = BlobToPush::from_bytes(content.clone());
    let in_file =
        BlobToPush { source: BlobSource::File(file.path().to_owned()), ..in_memory.clone() };
    for blob in [in_memory, in_file] {
        let (liar, stored) = uploads(true);
        let pushed =
            client().push_blob(&repository(&liar), &blob, None, &Keychain::anonymous()).await;
        assert_eq!(pushed.unwrap(), PushedBlob::SentInChunks);
        assert!(*stored.lock().unwrap() == content);
    }
}

#[tokio::test]
async fn what_is_there_is_not_sent_and_what_is_next_door_is_mounted() {
    let present = Liar::new(|_| Told::ok(""));
    let blob = BlobToPush::from_bytes("x");
    let pushed = client()
        .push_blob(&repository(&present), &blob, None, &Keychain::anonymous())
        .await
        .unwrap();
    assert_eq!((pushed, present.asked().len()), (PushedBlob::Present, 1));

    let mounts = Liar::new(|asked| match asked.method.as_str() {
        "POST"
            if asked.target.contains("mount=sha256%3A")
                && asked.target.contains("from=team%2Fbase") =>
        {
            Told::new(201)
        }
        _ => Told::new(404),
    });
    let base = format!("{}/team/base", mounts.host).parse().unwrap();
    let pushed = client()
        .push_blob(&repository(&mounts), &blob, Some(&base), &Keychain::anonymous())
        .await
        .unwrap();
    assert_eq!(pushed, PushedBlob::Mounted);
}

#[tokio::test]
async fn a_refused_mount_is_an_upload() {
    let (liar, stored) = uploads(false);
    let base = format!("{}/team/base", liar.host).parse().unwrap();
    let blob = BlobToPush::from_bytes("content");
    let pushed = client()
        .push_blob(&repository(&liar), &blob, Some(&base), &Keychain::anonymous())
        .await
        .unwrap();
    assert_eq!(pushed, PushedBlob::Sent);
    assert_eq!(*stored.lock().unwrap(), b"content");
}

#[tokio::test]
async fn an_upload_that_broke_is_begun_anew() {
    let puts = Mutex::new(0);
    let liar = Liar::new(move |asked| match asked.method.as_str() {
        "POST" => Told::new(202).header("location", "/up?x=1"),
        "PUT" => {
            *puts.lock().unwrap() += 1;
            Told::new(if *puts.lock().unwrap() == 1 { 502 } else { 201 })
        }
        _ => Told::new(404),
    });
    let blob = BlobToPush::from_bytes("content");
    client().push_blob(&repository(&liar), &blob, None, &Keychain::anonymous()).await.unwrap();
    let methods: Vec<_> = liar.asked().into_iter().map(|asked| asked.method).collect();
    assert_eq!(methods, ["HEAD", "POST", "PUT", "POST", "PUT"]);
}

#[tokio::test]
async fn an_upload_elsewhere_does_not_see_our_authorization() {
    let store = Liar::new(|_| Told::new(201));
    // Another name of this machine: not the registry's own host.
    let port = store.host.rsplit_once(':').unwrap().1.to_owned();
    let location = format!("http://localhost:{port}/bucket?signature=1");
    let liar = Liar::new(move |asked: &Asked| {
        if asked.header("authorization").is_empty() {
            return Told::new(401).header("www-authenticate", "Basic realm=\"r\"");
        }
        match asked.method.as_str() {
            "POST" => Told::new(202).header("location", &location),
            _ => Told::new(404),
        }
    });
    let auths = serde_json::json!({"auths": {liar.host.clone(): {"auth": "dTpw"}}}).to_string();
    let keychain = Keychain::anonymous().with_docker_config_json("s", auths.as_bytes()).unwrap();
    let blob = BlobToPush::from_bytes("content");
    client().push_blob(&repository(&liar), &blob, None, &keychain).await.unwrap();
    assert_eq!(store.asked().len(), 1);
    assert_eq!(store.asked()[0].header("authorization"), "");
}

#[tokio::test]
async fn a_manifest_that_was_stored_as_another_is_told() {
    let liar = Liar::new(|_| Told::new(201).header("docker-content-digest", Digest::of(b"other")));
    let error = client()
        .push_manifest(
            &repository(&liar),
            "latest",
            "{}".into(),
            crate::images::MANIFEST,
            &Keychain::anonymous(),
        )
        .await
        .unwrap_err();
    assert!(matches!(error, RegistryError::DigestMismatch { .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_that_is_gone_is_named() {
    let (liar, _) = uploads(false);
    let blob = BlobToPush {
        source: BlobSource::File("/nowhere/layer".into()),
        ..BlobToPush::from_bytes("content")
    };
    let error = client()
        .push_blob(&repository(&liar), &blob, None, &Keychain::anonymous())
        .await
        .unwrap_err();
    assert!(error.with_causes().contains("/nowhere/layer"), "{error:?}");
}

#[tokio::test]
async fn an_upload_is_tried_again_as_a_whole_and_not_more_often_than_told() {
    let liar = Liar::new(|asked| match asked.method.as_str() {
        "HEAD" => Told::new(404),
        _ => Told::new(503),
    });
    let blob = BlobToPush::from_bytes("content");
    let error = client()
        .push_blob(&repository(&liar), &blob, None, &Keychain::anonymous())
        .await
        .unwrap_err();
    assert_eq!(error.category(), "unavailable", "{error:?}");
    assert_eq!(liar.asked().len(), 1 + 3);
}
