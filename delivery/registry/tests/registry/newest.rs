use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::{Timestamp, ToSpan as _};
use mercurious_core::image::{Digest, Tag};
use mercurious_registry::{
    Keychain, RegistryClient, RegistryError,
    newest::{Answer, NewestCache, Question},
};
use serde_json::json;

use crate::{
    images::image,
    liar::{Liar, Told},
    support::{Shelf, amd64, client, repository, tag},
};

/// Commits are hash output: their order says nothing about time.
fn commit(number: usize) -> String {
    Digest::of(&number.to_le_bytes()).hex()[..40].to_owned()
}

/// Pushes build `number` under its commit tag, and under `latest` if told. Later numbers are later builds.
fn push(shelf: &Shelf, number: usize, moves_latest: bool) -> Digest {
    let start: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
    let created = start + (number as i64).minutes();
    let labels = json!({
        "org.opencontainers.image.revision": commit(number),
        "org.opencontainers.image.source": "https://github.com/team/app",
    });
    let app = image("linux/amd64", &created.to_string(), &labels);
    shelf.put_image(&app);
    shelf.tag(&format!("sha-{}", commit(number)), &app.manifest.digest);
    if moves_latest {
        shelf.tag("latest", &app.manifest.digest);
    }
    app.manifest.digest
}

async fn ask(
    client: &RegistryClient,
    liar: &Liar,
    anchor: Option<&Tag>,
    thorough: bool,
    cache: &mut NewestCache,
) -> Result<Answer, RegistryError> {
    let (repository, platform, keychain) = (repository(liar), amd64(), Keychain::anonymous());
    let question = Question {
        repository: &repository,
        anchor,
        thorough,
        platform: &platform,
        keychain: &keychain,
    };
    client.newest(question, |tag| tag.as_str().starts_with("sha-"), cache).await
}

fn found(answer: &Answer) -> String {
    answer.newest.as_ref().unwrap().tag.as_ref().unwrap().to_string()
}

#[tokio::test]
async fn r04_hash_tags_are_ordered_by_time_not_alphabet() {
    let shelf = Shelf::default();
    let liar = shelf.serve();
    let (client, latest) = (client(), tag("latest"));
    let mut cache = NewestCache::default();
    for number in 0..30 {
        push(&shelf, number, true);
        let answer = ask(&client, &liar, Some(&latest), false, &mut cache).await.unwrap();
        assert_eq!(found(&answer), format!("sha-{}", commit(number)));
        assert!(answer.changed);
    }
}

#[tokio::test]
async fn a_thousand_tags_cost_one_look_each_once_and_one_request_afterwards() {
    let shelf = Shelf::default();
    for number in 0..1000 {
        push(&shelf, number, number == 999);
    }
    let liar = shelf.serve();
    let (client, latest) = (client(), tag("latest"));
    let mut cache = NewestCache::default();
    let answer = ask(&client, &liar, Some(&latest), false, &mut cache).await.unwrap();
    assert_eq!(found(&answer), format!("sha-{}", commit(999)));
    assert_eq!(answer.considered, 1000);
    let cold = client.spent();
    assert_eq!((cold.head, cold.get), (1001, 1 + 2 * 1000));
    // Over a restart: what the engine kept is text.
    let text = serde_json::to_string(&cache).unwrap();
    let mut cache: NewestCache = serde_json::from_str(&text).unwrap();
    let restarted = crate::support::client();
    let answer = ask(&restarted, &liar, Some(&latest), false, &mut cache).await.unwrap();
    assert!(!answer.changed);
    assert_eq!(found(&answer), format!("sha-{}", commit(999)));
    assert_eq!(restarted.spent().total(), 1);
    // The next build: the anchor, its manifest and configuration, its commit tag.
    push(&shelf, 1000, true);
    let answer = ask(&restarted, &liar, Some(&latest), false, &mut cache).await.unwrap();
    assert_eq!(found(&answer), format!("sha-{}", commit(1000)));
    assert_eq!(restarted.spent().total(), 1 + 4);
}

#[tokio::test]
async fn r12_an_older_build_that_finishes_later_does_not_win() {
    let shelf = Shelf::default();
    push(&shelf, 1, true);
    push(&shelf, 5, true);
    let liar = shelf.serve();
    let (client, latest) = (client(), tag("latest"));
    let mut cache = NewestCache::default();
    ask(&client, &liar, Some(&latest), false, &mut cache).await.unwrap();
    push(&shelf, 3, true);
    let answer = ask(&client, &liar, Some(&latest), false, &mut cache).await.unwrap();
    assert_eq!(found(&answer), format!("sha-{}", commit(5)));
}

#[tokio::test]
async fn r08_the_same_tag_with_a_new_digest_is_a_change() {
    let shelf = Shelf::default();
    push(&shelf, 1, true);
    let liar = shelf.serve();
    let (client, latest) = (client(), tag("latest"));
    let mut cache = NewestCache::default();
    ask(&client, &liar, Some(&latest), false, &mut cache).await.unwrap();
    let moved = push(&shelf, 2, true);
    let answer = ask(&client, &liar, Some(&latest), false, &mut cache).await.unwrap();
    assert!(answer.changed);
    assert_eq!(answer.newest.unwrap().digest, moved);
}

#[tokio::test]
async fn without_an_anchor_only_new_tags_are_looked_at() {
    let shelf = Shelf::default();
    for number in 0..10 {
        push(&shelf, number, false);
    }
    let liar = shelf.serve();
    let client = client();
    let mut cache = NewestCache::default();
    ask(&client, &liar, None, false, &mut cache).await.unwrap();
    push(&shelf, 10, false);
    let before = client.spent();
    let answer = ask(&client, &liar, None, false, &mut cache).await.unwrap();
    assert_eq!(found(&answer), format!("sha-{}", commit(10)));
    let spent = client.spent().since(&before);
    assert_eq!((spent.head, spent.get), (1, 1 + 2));
}

#[tokio::test]
async fn a_failed_look_loses_nothing_and_the_next_attempt_goes_on() {
    let shelf = Shelf::default();
    for number in 0..40 {
        // The anchor is not at the newest build: only the whole list shows that one.
        push(&shelf, number, number == 5);
    }
    let looks = AtomicUsize::new(0);
    let liar = Liar::new(move |asked| {
        let broken = asked.method == "HEAD" && looks.fetch_add(1, Ordering::SeqCst) == 30;
        if broken { Told::new(418) } else { shelf.answer(asked) }
    });
    let (client, latest) = (client(), tag("latest"));
    let mut cache = NewestCache::default();
    let error = ask(&client, &liar, Some(&latest), false, &mut cache).await.unwrap_err();
    assert!(matches!(error, RegistryError::Refused { status: 418, .. }), "{error:?}");
    assert!(cache.anchor.is_none(), "an unfinished cache is not taken for whole");
    let kept = cache.tags.len();
    assert!(kept >= 14, "what was learned is kept: {kept}");
    let spent = client.spent();
    let answer = ask(&client, &liar, Some(&latest), false, &mut cache).await.unwrap();
    assert_eq!(found(&answer), format!("sha-{}", commit(39)));
    assert!(client.spent().since(&spent).head as usize <= 1 + 41 - kept);
}

#[tokio::test]
async fn deleted_tags_are_forgotten_when_looked_at_thoroughly() {
    let shelf = Shelf::default();
    push(&shelf, 1, true);
    push(&shelf, 9, false);
    let liar = shelf.serve();
    let (client, latest) = (client(), tag("latest"));
    let mut cache = NewestCache::default();
    let answer = ask(&client, &liar, Some(&latest), false, &mut cache).await.unwrap();
    assert_eq!(found(&answer), format!("sha-{}", commit(9)));
    shelf.untag(&format!("sha-{}", commit(9)));
    let answer = ask(&client, &liar, Some(&latest), true, &mut cache).await.unwrap();
    assert_eq!(found(&answer), format!("sha-{}", commit(1)));
    assert_eq!(cache.digests.len(), 1);
}

#[tokio::test]
async fn what_cannot_run_here_or_has_no_time_is_told() {
    let shelf = Shelf::default();
    push(&shelf, 1, true);
    let foreign = image("linux/arm64", "2025-12-01T00:00:00Z", &json!({}));
    shelf.put_image(&foreign);
    shelf.tag("sha-aaaaaaa", &foreign.manifest.digest);
    let timeless = image("linux/amd64", "1970-01-01T00:00:00Z", &json!({}));
    shelf.put_image(&timeless);
    shelf.tag("sha-bbbbbbb", &timeless.manifest.digest);
    let signature = format!("sha256-{}.sig", Digest::of(b"x").hex());
    shelf.tag(&signature, &Digest::of(b"gone"));
    let liar = shelf.serve();
    let latest = tag("latest");
    let answer =
        ask(&client(), &liar, Some(&latest), false, &mut NewestCache::default()).await.unwrap();
    assert_eq!(found(&answer), format!("sha-{}", commit(1)));
    assert!(answer.unusable[&tag("sha-aaaaaaa")].contains("linux/arm64"));
    assert!(answer.undated.contains(&tag("sha-bbbbbbb")));
    assert!(!liar.lines().iter().any(|line| line.contains("sha256-")));
}
