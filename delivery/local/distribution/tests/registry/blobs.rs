use mercurious_core::image::Digest;

use crate::support::Registry;

#[tokio::test]
async fn a_blob_comes_back_whole_with_the_headers_of_the_specification() {
    let registry = Registry::new();
    let digest = registry.push_blob("team/app", b"0123456789").await;
    let path = format!("/v2/team/app/blobs/{digest}");
    for method in ["HEAD", "GET"] {
        let answer = registry.ask(method, &path).await.is(200);
        assert_eq!(answer.header("content-length"), "10");
        assert_eq!(answer.header("docker-content-digest"), digest.as_str());
        assert_eq!(answer.header("etag"), format!("\"{digest}\""));
        assert_eq!(answer.header("accept-ranges"), "bytes");
        assert_eq!(answer.header("docker-distribution-api-version"), "registry/2.0");
        assert_eq!(answer.body, if method == "GET" { &b"0123456789"[..] } else { b"" });
    }
    let tag = format!("W/\"{digest}\"");
    registry.ask_with("GET", &path, &[("if-none-match", &tag)], "").await.is(304);
    registry.ask_with("GET", &path, &[("if-none-match", "\"sha256:0\"")], "").await.is(200);
}

#[tokio::test]
async fn parts_of_a_blob_can_be_asked_for() {
    let registry = Registry::new();
    let digest = registry.push_blob("app", b"0123456789").await;
    let path = format!("/v2/app/blobs/{digest}");
    for (range, body, stated) in [
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=-99", "0123456789", "bytes 0-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
    ] {
        let answer = registry.ask_with("GET", &path, &[("range", range)], "").await.is(206);
        assert_eq!(answer.body, body.as_bytes(), "{range}");
        assert_eq!(answer.header("content-range"), stated);
        assert_eq!(answer.header("content-length"), body.len().to_string());
    }
    for range in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
        let answer = registry.ask_with("GET", &path, &[("range", range)], "").await.is(416);
        assert_eq!(answer.header("content-range"), "bytes */10", "{range}");
    }
    // What cannot be understood is the whole: two ranges, another unit, a turned one.
    for range in ["bytes=0-1,3-4", "lines=1-2", "bytes=4-2", "bytes=x-", "bytes=-"] {
        let answer = registry.ask_with("GET", &path, &[("range", range)], "").await.is(200);
        assert_eq!(answer.body.len(), 10, "{range}");
    }
    let headers = [("range", "bytes=0-1"), ("if-range", "\"another\"")];
    registry.ask_with("GET", &path, &headers, "").await.is(200);
}

#[tokio::test]
async fn an_empty_blob_is_a_blob() {
    let registry = Registry::new();
    let digest = registry.push_blob("app", b"").await;
    let path = format!("/v2/app/blobs/{digest}");
    assert_eq!(registry.ask("GET", &path).await.is(200).header("content-length"), "0");
    registry.ask_with("GET", &path, &[("range", "bytes=0-")], "").await.is(416);
}

#[tokio::test]
async fn a_blob_belongs_to_the_repositories_that_have_it() {
    let registry = Registry::new();
    let digest = registry.push_blob("one", b"shared").await;
    registry.push_blob("two", b"shared").await;
    let missing = format!("/v2/three/blobs/{digest}");
    registry.ask("GET", &missing).await.refused(404, "BLOB_UNKNOWN");
    registry.ask("DELETE", &format!("/v2/one/blobs/{digest}")).await.is(202);
    registry.ask("DELETE", &format!("/v2/one/blobs/{digest}")).await.refused(404, "BLOB_UNKNOWN");
    registry.ask("GET", &format!("/v2/one/blobs/{digest}")).await.refused(404, "BLOB_UNKNOWN");
    registry.ask("GET", &format!("/v2/two/blobs/{digest}")).await.is(200);
    assert!(registry.distribution.blob_path(&digest).unwrap().is_file());
    assert!(registry.distribution.blob_path(&Digest::of(b"none")).is_none());
}

#[tokio::test]
async fn faulty_names_and_digests_are_refused_by_the_codes_of_the_specification() {
    let registry = Registry::new();
    let digest = Digest::of(b"x");
    for (path, status, code) in [
        (format!("/v2/UPPER/blobs/{digest}"), 400, "NAME_INVALID"),
        (format!("/v2/a__-b/blobs/{digest}"), 400, "NAME_INVALID"),
        (format!("/v2/{}/blobs/{digest}", "a/".repeat(200) + "a"), 400, "NAME_INVALID"),
        ("/v2/app/blobs/sha256:12".to_owned(), 400, "DIGEST_INVALID"),
        ("/v2/app/blobs/md5:12".to_owned(), 400, "DIGEST_INVALID"),
        ("/v2/app/manifests/.hidden".to_owned(), 400, "TAG_INVALID"),
        ("/v2/app/nothing/here".to_owned(), 404, "NAME_UNKNOWN"),
        ("/v2/app".to_owned(), 404, "NAME_UNKNOWN"),
        ("/v2/..%2f..%2fetc/blobs/uploads/".to_owned(), 400, "NAME_INVALID"),
    ] {
        let method = if path.ends_with("uploads/") { "POST" } else { "GET" };
        registry.ask(method, &path).await.refused(status, code);
    }
    let answer = registry.ask("POST", &format!("/v2/app/blobs/{digest}")).await;
    assert_eq!(answer.refused(405, "UNSUPPORTED").header("allow"), "GET, HEAD, DELETE");
    registry.ask("GET", "/v2/").await.is(200);
    registry.ask("GET", "/v2").await.is(200);
    registry.ask("DELETE", "/v2/").await.refused(405, "UNSUPPORTED");
}
