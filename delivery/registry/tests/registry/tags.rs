use std::fmt::Write as _;

use mercurious_registry::{Keychain, RegistryError};

use crate::{
    liar::{Asked, Liar, Told},
    support::{client, repository, unknown},
};

async fn list(liar: &Liar) -> Result<Vec<String>, RegistryError> {
    let tags = client().tags(&repository(liar), &Keychain::anonymous()).await?;
    Ok(tags.iter().map(ToString::to_string).collect())
}

fn page(tags: &[&str]) -> Told {
    Told::json(serde_json::json!({"name": "team/app", "tags": tags}))
}

fn number(asked: &Asked) -> usize {
    asked.target.rsplit_once("page=").map_or(0, |(_, number)| number.parse().unwrap())
}

#[tokio::test]
async fn all_pages_are_read_whatever_their_links_look_like() {
    let liar = Liar::new(|asked| match number(asked) {
        0 => page(&["b", "a"]).header("link", r#"</v2/team/app/tags/list?page=1>; rel="next""#),
        1 => page(&["c", "b"]).header("link", "<?page=2>;rel=next"),
        _ => page(&["not a tag", "d"]),
    });
    assert_eq!(list(&liar).await.unwrap(), ["a", "b", "c", "d"]);
    assert_eq!(liar.lines()[0], "GET /v2/team/app/tags/list?n=1000");
    assert_eq!(liar.asked().len(), 3);
}

#[tokio::test]
async fn no_tags_are_an_empty_list() {
    for body in [r#"{"name":"team/app","tags":null}"#, r#"{"tags":[]}"#] {
        let liar = Liar::new(move |_| Told::json(body));
        assert!(list(&liar).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_is_no_list_is_an_error_and_not_an_empty_list() {
    for (told, word) in [
        (Told::json("{}"), "not a list"),
        (Told::json("[]"), "not a list"),
        (Told::ok("<html>maintenance</html>"), "HTML"),
        (Told::json(r#"{"errors":[{"code":"UNKNOWN"}],"tags":[]}"#), "UNKNOWN"),
        (Told::json(r#"{"tags":[1]}"#), "not a list"),
        (Told::ok(""), "not a list"),
    ] {
        let liar = Liar::new(move |_| told.clone());
        let error = list(&liar).await.unwrap_err();
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
    let liar = Liar::new(|_| unknown("NAME_UNKNOWN"));
    assert!(list(&liar).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn half_a_list_is_an_error() {
    let liar = Liar::new(|asked| match number(asked) {
        0 => page(&["a"]).header("link", r#"</v2/team/app/tags/list?page=1>; rel="next""#),
        _ => Told::new(500),
    });
    let error = list(&liar).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unavailable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_page_that_breaks_off_is_not_taken_for_whole() {
    let liar = Liar::new(|_| page(&["a", "b"]).cut_after(30));
    let error = list(&liar).await.unwrap_err();
    assert_eq!(error.category(), "connection", "{error:?}");
}

#[tokio::test]
async fn pages_that_repeat_or_never_end_are_refused() {
    let circle = Liar::new(|asked| {
        let other = (number(asked) + 1) % 2;
        let tags = [format!("t{}", number(asked))];
        page(&[&tags[0]]).header("link", format!("</v2/team/app/tags/list?page={other}>; rel=next"))
    });
    let same = Liar::new(|asked| {
        page(&["a"]).header(
            "link",
            format!("</v2/team/app/tags/list?page={}>; rel=next", number(asked) + 1),
        )
    });
    let endless = Liar::new(|asked| {
        let number = number(asked) + 1;
        let tags = [format!("t{number}")];
        page(&[&tags[0]])
            .header("link", format!("</v2/team/app/tags/list?page={number}>; rel=next"))
    });
    for (liar, word) in
        [(circle, "nothing new"), (same, "nothing new"), (endless, "thousand pages")]
    {
        let error = list(&liar).await.unwrap_err();
        assert!(matches!(error, RegistryError::Paging { .. }), "{error:?}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[tokio::test]
async fn the_next_page_is_not_sought_elsewhere() {
    let elsewhere = Liar::new(|_| page(&["evil"]));
    let port = elsewhere.host.clone();
    for link in [
        format!("<http://{port}/v2/team/app/tags/list>; rel=next"),
        "<https://example.org/v2/team/app/tags/list>; rel=next".to_owned(),
        "<ftp://127.0.0.1/x>; rel=next".to_owned(),
        "<//example.org/x>; rel=next".to_owned(),
    ] {
        let liar = Liar::new(move |_| page(&["a"]).header("link", &link));
        let error = list(&liar).await.unwrap_err();
        assert!(matches!(error, RegistryError::Paging { .. }), "{error:?}");
    }
    assert!(elsewhere.asked().is_empty());
}

#[tokio::test]
async fn a_registry_that_dislikes_the_page_size_is_asked_without() {
    let liar = Liar::new(|asked| {
        if asked.target.contains("n=") {
            Told::new(405).body(r#"{"errors":[{"code":"UNSUPPORTED"}]}"#)
        } else {
            page(&["a"])
        }
    });
    assert_eq!(list(&liar).await.unwrap(), ["a"]);
}

#[tokio::test]
async fn a_page_without_end_is_cut_off() {
    let mut body = String::from(r#"{"tags":["#);
    for number in 0..3_500_000 {
        write!(body, "\"t{number}\",").unwrap();
    }
    let body = body.into_bytes();
    let liar = Liar::new(move |_| Told::ok(body.clone()).header("transfer-encoding", "identity"));
    let error = list(&liar).await.unwrap_err();
    assert_eq!(error.category(), "bad-answer", "{error:?}");
}
