use std::{collections::BTreeSet, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use mercurious_core::image::Digest;
use mercurious_distribution::Settings;

use crate::support::Registry;

async fn started(registry: &Registry) -> String {
    let answer = registry.ask("POST", "/v2/app/blobs/uploads/").await.is(202);
    assert_eq!(answer.header("range"), "0-0");
    let id = answer.header("docker-upload-uuid").to_owned();
    assert_eq!(answer.header("location"), format!("/v2/app/blobs/uploads/{id}"));
    answer.header("location").to_owned()
}

fn uploads(registry: &Registry) -> usize {
    std::fs::read_dir(registry.directory.path().join("uploads")).unwrap().count()
}

#[tokio::test]
async fn an_upload_arrives_in_chunks_with_and_without_ranges() {
    let registry = Registry::new();
    let at = started(&registry).await;
    let answer =
        registry.ask_with("PATCH", &at, &[("content-range", "0-4")], "01234").await.is(202);
    assert_eq!(answer.header("range"), "0-4");
    assert_eq!(registry.ask_with("PATCH", &at, &[], "567").await.is(202).header("range"), "0-7");
    let status = registry.ask("GET", &at).await.is(204);
    assert_eq!(status.header("range"), "0-7");
    assert_eq!(status.header("location"), at);
    let digest = Digest::of(b"0123456789");
    let end = format!("{at}?digest={digest}");
    let answer = registry.ask_with("PUT", &end, &[("content-range", "8-9")], "89").await.is(201);
    assert_eq!(answer.header("location"), format!("/v2/app/blobs/{digest}"));
    assert_eq!(answer.header("docker-content-digest"), digest.as_str());
    registry.ask("GET", &at).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    registry.ask("PUT", &end).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    let path = format!("/v2/app/blobs/{digest}");
    assert_eq!(registry.ask("GET", &path).await.is(200).body, b"0123456789");
    assert_eq!(uploads(&registry), 0);
}

#[tokio::test]
async fn a_chunk_out_of_order_is_refused_and_changes_nothing() {
    let registry = Registry::new();
    let at = started(&registry).await;
    registry.ask_with("PATCH", &at, &[("content-range", "0-2")], "012").await.is(202);
    for range in ["0-2", "2-3", "4-5", "5-4", "x", "3"] {
        let answer = registry.ask_with("PATCH", &at, &[("content-range", range)], "xx").await;
        let answer = answer.refused(416, "BLOB_UPLOAD_INVALID");
        assert_eq!(answer.header("range"), "0-2", "{range}");
        assert_eq!(answer.header("location"), at);
    }
    let wrong = [("content-range", "3-4"), ("content-length", "3")];
    registry.ask_with("PATCH", &at, &wrong, "345").await.refused(400, "SIZE_INVALID");
    let end = format!("{at}?digest={}", Digest::of(b"012"));
    registry.ask("PUT", &end).await.is(201);
}

#[tokio::test]
async fn content_that_is_not_what_it_is_called_is_refused_and_removed() {
    let registry = Registry::new();
    let wrong = Digest::of(b"something else");
    let at = started(&registry).await;
    registry.ask("PUT", &at).await.refused(400, "DIGEST_INVALID");
    registry.ask("PUT", &format!("{at}?digest=sha512:00")).await.refused(400, "DIGEST_INVALID");
    let answer = registry.ask_with("PUT", &format!("{at}?digest={wrong}"), &[], "text").await;
    let answer = answer.refused(400, "DIGEST_INVALID");
    assert_eq!(answer.json()["errors"][0]["detail"]["digest"], wrong.as_str());
    let path = format!("/v2/app/blobs/uploads/?digest={wrong}");
    registry.ask_with("POST", &path, &[], "text").await.refused(400, "DIGEST_INVALID");
    registry.ask("HEAD", &format!("/v2/app/blobs/{wrong}")).await.is(404);
    assert_eq!(uploads(&registry), 0);
    assert!(registry.content().is_empty());
}

#[tokio::test]
async fn an_upload_is_of_one_repository_and_can_be_cancelled() {
    let registry = Registry::new();
    let at = started(&registry).await;
    let other = at.replace("/app/", "/other/");
    registry.ask_with("PATCH", &other, &[], "x").await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    registry.ask("DELETE", &at).await.is(204);
    registry.ask("DELETE", &at).await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    registry.ask_with("PATCH", &at, &[], "x").await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    assert_eq!(uploads(&registry), 0);
}

#[tokio::test]
async fn an_upload_goes_on_after_a_restart() {
    let registry = Registry::new();
    let at = started(&registry).await;
    registry.ask_with("PATCH", &at, &[], "first ").await.is(202);
    let registry = registry.reopen();
    assert_eq!(registry.ask("GET", &at).await.is(204).header("range"), "0-5");
    registry.ask_with("PATCH", &at, &[("content-range", "6-11")], "second").await.is(202);
    let digest = Digest::of(b"first second");
    registry.ask("PUT", &format!("{at}?digest={digest}")).await.is(201);
    assert_eq!(registry.content(), BTreeSet::from([digest]));
}

#[tokio::test]
async fn what_arrived_before_a_body_broke_off_counts() {
    let registry = Registry::new();
    let at = started(&registry).await;
    let broken = || {
        let frames = [
            Ok(http_body::Frame::data(Bytes::from_static(b"0123"))),
            Err(std::io::Error::other("gone")),
        ];
        Body::new(StreamBody::new(tokio_stream::iter(frames)).boxed_unsync())
    };
    registry.ask_with("PATCH", &at, &[], broken()).await.refused(400, "BLOB_UPLOAD_INVALID");
    assert_eq!(registry.ask("GET", &at).await.is(204).header("range"), "0-3");
    // Nobody can go on with an upload of one request.
    let path = format!("/v2/app/blobs/uploads/?digest={}", Digest::of(b"0123"));
    registry.ask_with("POST", &path, &[], broken()).await.is(400);
    assert_eq!(uploads(&registry), 1);
    registry.ask("PUT", &format!("{at}?digest={}", Digest::of(b"0123"))).await.is(201);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_arriving_is_given_up() {
    let registry = Registry::new();
    let at = started(&registry).await;
    let stalled = Body::new(
        StreamBody::new(tokio_stream::pending::<Result<http_body::Frame<Bytes>, std::io::Error>>())
            .boxed_unsync(),
    );
    registry.ask_with("PATCH", &at, &[], stalled).await.refused(408, "BLOB_UPLOAD_INVALID");
    registry.ask("GET", &at).await.is(204);
}

#[tokio::test]
async fn blobs_are_mounted_instead_of_sent() {
    let registry = Registry::new();
    let digest = registry.push_blob("base/image", b"layer").await;
    let mount = |digest: &str, from: &str| format!("/v2/app/blobs/uploads/?mount={digest}{from}");
    let there = mount(digest.as_str(), "&from=base%2Fimage");
    let answer = registry.ask("POST", &there).await.is(201);
    assert_eq!(answer.header("location"), format!("/v2/app/blobs/{digest}"));
    registry.ask("HEAD", &format!("/v2/app/blobs/{digest}")).await.is(200);
    registry.ask("POST", &mount(digest.as_str(), "")).await.is(201);
    for (digest, from) in [
        (digest.as_str(), "&from=empty"),
        (digest.as_str(), "&from=../etc"),
        (Digest::of(b"unknown").as_str(), "&from=base/image"),
        ("nonsense", "&from=base/image"),
    ] {
        let answer = registry.ask("POST", &mount(digest, from)).await.is(202);
        assert!(!answer.header("docker-upload-uuid").is_empty(), "{digest} {from}");
    }
}

#[tokio::test]
async fn sizes_and_numbers_of_uploads_are_limited() {
    let settings = Settings { blob_limit: Some(8), open_uploads: 2, ..Settings::default() };
    let registry = Registry::with(settings);
    let at = started(&registry).await;
    registry.ask_with("PATCH", &at, &[], "012345").await.is(202);
    // Announced, the upload lives on; found out while receiving, it is over.
    let announced = [("content-length", "3")];
    registry.ask_with("PATCH", &at, &announced, "678").await.refused(413, "SIZE_INVALID");
    assert_eq!(registry.ask("GET", &at).await.is(204).header("range"), "0-5");
    registry.ask_with("PATCH", &at, &[], "678").await.refused(413, "SIZE_INVALID");
    registry.ask("GET", &at).await.is(404);
    assert_eq!(uploads(&registry), 0);

    started(&registry).await;
    let last = started(&registry).await;
    let answer = registry.ask("POST", "/v2/app/blobs/uploads/").await;
    assert!(!answer.refused(429, "TOOMANYREQUESTS").header("retry-after").is_empty());
    registry.ask("DELETE", &last).await.is(204);
    started(&registry).await;
}

#[tokio::test]
async fn uploads_that_nobody_goes_on_with_are_removed() {
    let registry = Registry::new();
    let old = started(&registry).await;
    registry.clock.forward(Duration::from_mins(40));
    let young = started(&registry).await;
    registry.clock.forward(Duration::from_mins(40));
    assert_eq!(registry.collect(&[], Duration::ZERO).await.uploads, 1);
    registry.ask("GET", &old).await.is(404);
    registry.ask("GET", &young).await.is(204);
    registry.clock.forward(Duration::from_mins(40));
    let registry = registry.reopen();
    registry.ask("GET", &young).await.is(404);
    assert_eq!(uploads(&registry), 0);
}

#[tokio::test]
async fn a_disk_that_fails_is_an_answer_and_not_a_panic() {
    let registry = Registry::new();
    let at = started(&registry).await;
    let directory = registry.directory.path().join("uploads");
    std::fs::remove_dir_all(&directory).unwrap();
    let answer = registry.ask_with("PATCH", &at, &[], "x").await.refused(500, "UNKNOWN");
    let message = answer.json()["errors"][0]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("storage failed"), "{message}");
    assert!(!message.contains(directory.to_str().unwrap()), "a path is told: {message}");
    registry.ask("POST", "/v2/app/blobs/uploads/").await.refused(500, "UNKNOWN");
}
