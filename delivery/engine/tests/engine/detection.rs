//! What a look costs and what it finds.

use std::{collections::BTreeSet, sync::Arc};

use crate::world::{FakeRegistry, place, policy};
use jiff::{Timestamp, ToSpan as _};
use mercurious_core::{decide::Candidate, rollout::Record};
use mercurious_engine::{LookDepth, Seen, choose, look};

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

async fn poll(registry: &FakeRegistry, seen: &Seen) -> Seen {
    look(registry, &place(), &[policy()], seen, LookDepth::Poll, now()).await.unwrap().seen
}

fn chosen(seen: &Seen) -> String {
    match choose(&policy(), seen, None, None, &Record::default()) {
        Candidate::Selected { release, .. } => release.tag.unwrap().to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_unchanged_poll_is_one_head_and_nothing_else() {
    let registry = FakeRegistry::default();
    registry.push(&["latest", "sha-0a1b2c3"], 1);
    let seen = poll(&registry, &Seen::default()).await;
    registry.spent();
    let again =
        look(&registry, &place(), &[policy()], &seen, LookDepth::Poll, now()).await.unwrap();
    assert_eq!(registry.spent(), (1, 0, 0));
    assert!(!again.changed);
}

#[tokio::test]
async fn a_latest_that_comes_later_makes_polls_one_head_again() {
    let registry = FakeRegistry::default();
    registry.push(&["sha-0a1b2c3"], 1);
    let seen = poll(&registry, &Seen::default()).await;
    registry.push(&["latest", "sha-0a1b2c4"], 2);
    let seen = poll(&registry, &poll(&registry, &seen).await).await;
    assert_eq!(chosen(&seen), "sha-0a1b2c4");
    registry.spent();
    poll(&registry, &seen).await;
    assert_eq!(registry.spent(), (1, 0, 0));
}

#[tokio::test]
async fn a_new_image_costs_its_resolution_and_one_head_on_its_commit_tag() {
    let registry = FakeRegistry::default();
    registry.push(&["latest", "sha-ffffff1"], 1);
    let seen = poll(&registry, &Seen::default()).await;
    registry.spent();
    registry.push(&["sha-0a1b2c3", "latest"], 2);
    let seen = poll(&registry, &seen).await;
    assert_eq!(registry.spent(), (2, 1, 0));
    assert_eq!(chosen(&seen), "sha-0a1b2c3");
}

#[tokio::test]
async fn a_thousand_tags_cost_one_head_each_once() {
    let registry = FakeRegistry::default();
    for number in 0..1000_i64 {
        registry.push(&[&format!("sha-{:07x}", number * 7919 % 0x0fff_ffff)], number);
    }
    let newest = registry.push(&["sha-0000000", "latest"], 5000);
    let seen = poll(&registry, &Seen::default()).await;
    let (heads, resolves, lists) = registry.spent();
    assert!(heads <= 1002, "{heads}");
    assert!(resolves <= 1001, "{resolves}");
    assert_eq!(lists, 1);
    assert_eq!(seen.releases.get(&newest.digest).unwrap().built_at, newest.built_at);
    poll(&registry, &seen).await;
    assert_eq!(registry.spent(), (1, 0, 0));
}

#[tokio::test]
async fn r04_hash_tags_are_ordered_by_time_not_alphabet() {
    for seed in 0..50 {
        let mut random = fastrand::Rng::with_seed(seed);
        let registry = FakeRegistry::default();
        let mut last = String::new();
        for number in 0..100 {
            last = format!("sha-{:07x}", random.u32(..0x0fff_ffff));
            registry.push(&[&last], number);
        }
        let seen = poll(&registry, &Seen::default()).await;
        assert_eq!(chosen(&seen), last, "seed {seed}");
    }
}

#[tokio::test]
async fn r08_the_same_tag_with_a_new_digest_is_a_change() {
    let registry = FakeRegistry::default();
    let first = registry.push(&["latest", "sha-0a1b2c3"], 1);
    let seen = poll(&registry, &Seen::default()).await;
    let second = registry.push(&["latest", "sha-0a1b2c3"], 2);
    let seen = poll(&registry, &seen).await;
    let Candidate::Selected { release, .. } =
        choose(&policy(), &seen, None, Some(&first), &Record::default())
    else {
        panic!("nothing selected");
    };
    assert_eq!(release.digest, second.digest);
}

#[tokio::test]
async fn a_failed_look_changes_nothing() {
    let registry = FakeRegistry::default();
    registry.push(&["latest", "sha-0a1b2c3"], 1);
    let seen = poll(&registry, &Seen::default()).await;
    registry.push(&["latest", "sha-0a1b2c4"], 2);
    registry.failing.store(true, std::sync::atomic::Ordering::SeqCst);
    let error =
        look(&registry, &place(), &[policy()], &seen, LookDepth::Poll, now()).await.unwrap_err();
    assert!(matches!(
        choose(&policy(), &seen, Some(&error.to_string()), None, &Record::default()),
        Candidate::Unknown { message } if message.contains("503")
    ));
}

#[tokio::test]
async fn a_hint_finds_a_tag_that_moved_without_latest() {
    let registry = FakeRegistry::default();
    registry.push(&["latest", "sha-0a1b2c3"], 1);
    let seen = poll(&registry, &Seen::default()).await;
    let moved = registry.push(&["sha-0a1b2c3"], 9);
    let depth = LookDepth::Full { moved: BTreeSet::from(["sha-0a1b2c3".parse().unwrap()]) };
    let seen = look(&registry, &place(), &[policy()], &seen, depth, now()).await.unwrap().seen;
    let Candidate::Selected { release, .. } =
        choose(&policy(), &seen, None, None, &Record::default())
    else {
        panic!("nothing selected");
    };
    assert_eq!(release.digest, moved.digest);
}

#[tokio::test]
async fn tags_are_listed_again_after_a_while_whatever_the_anchor_says() {
    let registry = FakeRegistry::default();
    registry.push(&["latest", "sha-0a1b2c3"], 1);
    let seen = poll(&registry, &Seen::default()).await;
    registry.push(&["sha-0a1b2c4"], 2);
    let seen = poll(&registry, &seen).await;
    assert_eq!(chosen(&seen), "sha-0a1b2c3");
    let later = now().checked_add(10.minutes()).unwrap();
    let seen =
        look(&registry, &place(), &[policy()], &seen, LookDepth::Poll, later).await.unwrap().seen;
    assert_eq!(chosen(&seen), "sha-0a1b2c4");
}

#[tokio::test]
async fn an_unusable_newest_image_is_said_and_not_passed_over() {
    let registry = FakeRegistry::default();
    registry.push(&["latest", "sha-0a1b2c3"], 1);
    let seen = poll(&registry, &Seen::default()).await;
    let foreign = registry.push(&["latest", "sha-0a1b2c4"], 2);
    registry.unusable.lock().unwrap().insert(foreign.digest, "only for linux/s390x".into());
    let seen = poll(&registry, &seen).await;
    assert!(matches!(
        choose(&policy(), &seen, None, None, &Record::default()),
        Candidate::Unusable { message } if message.contains("linux/s390x")
    ));
}

#[tokio::test]
async fn r12_an_older_build_that_finishes_later_does_not_win() {
    let registry = FakeRegistry::default();
    registry.push(&["sha-0a1b2c4", "latest"], 2);
    let seen = poll(&registry, &Seen::default()).await;
    // It takes `latest` with it.
    registry.push(&["sha-0a1b2c3", "latest"], 1);
    assert_eq!(chosen(&poll(&registry, &seen).await), "sha-0a1b2c4");
}

#[tokio::test]
async fn r66_other_words_about_an_unusable_image_are_nothing_new() {
    let registry = FakeRegistry::default();
    let foreign = registry.push(&["latest", "sha-0a1b2c4"], 2);
    let says = |words: &str| {
        registry.unusable.lock().unwrap().insert(foreign.digest.clone(), words.into());
    };
    says("app@sha256 is only for linux/s390x");
    let seen = poll(&registry, &Seen::default()).await;
    says("app:sha-0a1b2c4@sha256 is only for linux/s390x");
    let depth = LookDepth::Full { moved: BTreeSet::new() };
    let again = look(&registry, &place(), &[policy()], &seen, depth, now()).await.unwrap();
    assert!(!again.changed);
    registry.unusable.lock().unwrap().clear();
    let depth = LookDepth::Full { moved: BTreeSet::new() };
    let usable = look(&registry, &place(), &[policy()], &again.seen, depth, now()).await.unwrap();
    assert!(usable.changed);
}

#[tokio::test]
async fn r05_a_policy_that_matches_nothing_is_an_error_that_says_so() {
    let registry = FakeRegistry::default();
    registry.push(&["main-0a1b2c3", "latest"], 1);
    let seen = poll(&registry, &Seen::default()).await;
    assert!(matches!(
        choose(&policy(), &seen, None, None, &Record::default()),
        Candidate::Empty { message } if message.contains("none of 2 tags")
    ));
}

#[tokio::test]
async fn what_fits_is_the_same_when_it_is_cut_and_read_again() {
    let registry = FakeRegistry::default();
    registry.push(&["sha-0000001", "latest"], 1);
    let cut = poll(&registry, &Seen::default()).await.cut(10, &policy().describe());
    let read: Seen = serde_json::from_str(&serde_json::to_string(&cut).unwrap()).unwrap();
    assert_eq!(read, cut);
    assert!(!poll(&registry, &read).await.differs_from(&read));
}

#[tokio::test]
async fn what_is_cut_short_chooses_the_same_and_asks_no_tag_again() {
    let registry = FakeRegistry::default();
    for number in 0..300 {
        registry.push(&[&format!("sha-{number:07x}")], number);
    }
    let newest = registry.push(&["sha-abcdef0", "latest"], 300);
    let seen = poll(&registry, &Seen::default()).await;
    let described = policy().describe();
    let cut = seen.cut(10, &described);
    let text = serde_json::to_string(&cut).unwrap();
    assert!(text.len() < 10_000, "{} bytes", text.len());
    let cut: Seen = serde_json::from_str(&text).unwrap();
    assert_eq!(chosen(&cut), chosen(&seen));
    assert_eq!(cut.releases.len(), 10);
    assert!(cut.releases.contains_key(&newest.digest));
    registry.spent();
    assert!(!poll(&registry, &cut).await.differs_from(&cut));
    assert_eq!(registry.spent(), (1, 0, 0));

    // The safety net lists the tags again: only a new one is asked for its digest.
    registry.push(&["sha-1111111"], 301);
    let later = now() + 2.hours();
    let again = look(&registry, &place(), &[policy()], &cut, LookDepth::Poll, later).await.unwrap();
    assert_eq!(registry.spent(), (2, 1, 1));
    assert_eq!(chosen(&again.seen), "sha-1111111");

    // Another policy may choose among what this one passed over.
    let mut other = policy();
    Arc::make_mut(&mut other).order =
        mercurious_core::policy::Order::Digest("sha-0000001".parse().unwrap());
    let both = [policy(), other];
    look(&registry, &place(), &both, &again.seen, LookDepth::Poll, later).await.unwrap();
    let (heads, _, _) = registry.spent();
    assert!(heads > 200, "{heads}");
}

#[tokio::test]
async fn what_is_cut_short_stays_so_when_tags_are_listed_and_forgets_those_that_are_gone() {
    let registry = FakeRegistry::default();
    for number in 0..50 {
        registry.push(&[&format!("sha-{number:07x}")], number);
    }
    registry.push(&["sha-abcdef0", "latest"], 300);
    let described = policy().describe();
    let cut = poll(&registry, &Seen::default()).await.cut(10, &described);
    assert_eq!((cut.count(), cut.tags.len()), (52, 11));
    let list = async |seen: &Seen| {
        let later = seen.listed_at.unwrap() + 2.hours();
        let look = look(&registry, &place(), &[policy()], seen, LookDepth::Poll, later).await;
        look.unwrap().seen
    };
    let listed = list(&cut).await;
    assert_eq!((listed.count(), listed.tags.len()), (52, 52));
    let again = listed.cut(10, &described);
    assert!(!again.differs_from(&cut), "a listing with nothing new is no news");

    registry.tags.lock().unwrap().remove(&"sha-0000001".parse().unwrap());
    let fewer = list(&again).await.cut(10, &described);
    assert_eq!((fewer.count(), fewer.tags.len()), (51, 11));
}
