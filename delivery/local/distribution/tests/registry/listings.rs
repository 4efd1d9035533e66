use serde_json::json;

use crate::support::Registry;

#[tokio::test]
async fn tags_are_listed_in_ascii_order_a_page_at_a_time() {
    let registry = Registry::new();
    let manifest = registry.push_image("team/app", "b", "a").await;
    for tag in ["a", "C", "10", "9", "_x"] {
        registry.put_manifest("team/app", tag, &manifest).await.is(201);
    }
    let all = json!(["10", "9", "C", "_x", "a", "b"]);
    let answer = registry.ask("GET", "/v2/team/app/tags/list").await.is(200);
    assert_eq!(answer.json(), json!({"name": "team/app", "tags": all}));
    assert_eq!(answer.header("link"), "");

    let mut found = Vec::new();
    let mut next = "/v2/team/app/tags/list?n=4".to_owned();
    loop {
        let answer = registry.ask("GET", &next).await.is(200);
        found.extend(answer.json()["tags"].as_array().unwrap().clone());
        let link = answer.header("link");
        if link.is_empty() {
            break;
        }
        let (url, relation) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
        assert_eq!(relation, "; rel=\"next\"");
        url.clone_into(&mut next);
    }
    assert_eq!(json!(found), all);
    // A page that ends with the list is the last; a tag that is not there is a place all the same.
    let list =
        async |query: &str| registry.ask("GET", &format!("/v2/team/app/tags/list{query}")).await;
    assert_eq!(list("?n=6").await.is(200).header("link"), "");
    assert_eq!(list("?last=Z").await.is(200).json()["tags"], json!(["_x", "a", "b"]));
    assert_eq!(list("?n=0").await.is(200).json()["tags"], json!([]));
    list("?n=-1").await.refused(400, "PAGINATION_NUMBER_INVALID");
    registry.ask("GET", "/v2/none/tags/list").await.refused(404, "NAME_UNKNOWN");
}

#[tokio::test]
async fn the_catalog_names_repositories_with_images_at_any_depth() {
    let registry = Registry::new();
    for name in ["b", "a/b/c/d", "a"] {
        registry.push_image(name, "x", "a").await;
    }
    registry.push_blob("only-blobs", b"x").await;
    let answer = registry.ask("GET", "/v2/_catalog").await.is(200);
    assert_eq!(answer.json(), json!({"repositories": ["a", "a/b/c/d", "b"]}));
    let answer = registry.ask("GET", "/v2/_catalog?n=2").await.is(200);
    assert_eq!(answer.json()["repositories"], json!(["a", "a/b/c/d"]));
    assert_eq!(answer.header("link"), "</v2/_catalog?n=2&last=a%2Fb%2Fc%2Fd>; rel=\"next\"");
    let answer = registry.ask("GET", "/v2/_catalog?n=2&last=a%2Fb%2Fc%2Fd").await.is(200);
    assert_eq!(answer.json()["repositories"], json!(["b"]));
}
