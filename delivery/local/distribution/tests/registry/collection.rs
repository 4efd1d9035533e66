use std::{collections::BTreeSet, sync::Arc, time::Duration};

use mercurious_core::image::Digest;
use proptest::prelude::*;
use serde_json::Value;

use crate::support::{
    MANIFEST, Registry, descriptor, digest_of, image_blobs, image_manifest, index,
};

const HOUR: Duration = Duration::from_hours(1);

/// The digests of an image and all that it names.
fn whole(manifest: &Value) -> BTreeSet<Digest> {
    let named = [&manifest["config"], &manifest["layers"][0]]
        .map(|one| one["digest"].as_str().unwrap().parse().unwrap());
    named.into_iter().chain([digest_of(manifest)]).collect()
}

#[tokio::test]
async fn what_no_tag_reaches_goes_and_the_rest_stays() {
    let registry = Registry::new();
    let old = registry.push_image("app", "latest", "old").await;
    let new = registry.push_image("app", "latest", "new").await;
    let child = registry.push_image("team/multi", "child", "child").await;
    let top = index(&[&child]);
    registry.put_manifest("team/multi", "top", &top).await.is(201);
    registry.ask("DELETE", "/v2/team/multi/manifests/child").await.is(202);
    registry.clock.forward(HOUR);
    let collected = registry.collect(&[], HOUR).await;
    assert_eq!((collected.removed, collected.links), (3, 3));
    let mut expected = whole(&new);
    expected.extend(whole(&child));
    expected.insert(digest_of(&top));
    assert_eq!(registry.content(), expected);
    assert_eq!(collected.kept, expected.len());
    let path = format!("/v2/app/manifests/{}", digest_of(&old));
    registry.ask("GET", &path).await.refused(404, "MANIFEST_UNKNOWN");
    registry.ask("GET", "/v2/team/multi/manifests/top").await.is(200);
}

#[tokio::test]
async fn kept_digests_stay_with_all_that_they_name_even_if_their_manifest_was_deleted() {
    let registry = Registry::new();
    let first = registry.push_image("app", "latest", "first").await;
    registry.push_image("app", "latest", "second").await;
    let third = registry.push_image("app", "latest", "third").await;
    registry.ask("DELETE", &format!("/v2/app/manifests/{}", digest_of(&first))).await.is(202);
    registry.clock.forward(HOUR);
    assert_eq!(registry.collect(&[digest_of(&first)], Duration::ZERO).await.removed, 3);
    let expected = whole(&first).union(&whole(&third)).cloned().collect();
    assert_eq!(registry.content(), expected);
}

#[tokio::test]
async fn signatures_stay_with_what_they_sign_and_go_with_it() {
    let registry = Registry::new();
    let image = registry.push_image("app", "x", "image").await;
    let sign = async |of: &Value, seed: &str| {
        for blob in image_blobs(seed) {
            registry.push_blob("app", &blob).await;
        }
        let mut signature = image_manifest(seed);
        signature["subject"] = descriptor(MANIFEST, of.to_string().as_bytes());
        registry.put_manifest("app", digest_of(&signature).as_str(), &signature).await.is(201);
        signature
    };
    let signature = sign(&image, "signature").await;
    let countersignature = sign(&signature, "countersignature").await;
    registry.clock.forward(HOUR);
    assert_eq!(registry.collect(&[], Duration::ZERO).await.removed, 0);
    let path = format!("/v2/app/manifests/{}", digest_of(&countersignature));
    registry.ask("GET", &path).await.is(200);
    registry.ask("DELETE", "/v2/app/manifests/x").await.is(202);
    registry.clock.forward(HOUR);
    assert_eq!(registry.collect(&[], Duration::ZERO).await.removed, 9);
    assert!(registry.content().is_empty());
    let left = std::fs::read_dir(registry.directory.path().join("repositories")).unwrap().count();
    assert_eq!(left, 0, "empty directories are left");
}

#[tokio::test]
async fn a_blob_that_a_client_has_seen_waits_for_its_manifest() {
    let registry = Registry::new();
    let [config, layer] = image_blobs("a");
    for blob in [&config, &layer] {
        registry.push_blob("app", blob).await;
    }
    registry.clock.forward(HOUR);
    for blob in [&config, &layer] {
        let path = format!("/v2/app/blobs/{}", Digest::of(blob));
        registry.ask("HEAD", &path).await.is(200);
    }
    registry.clock.forward(HOUR / 2);
    assert_eq!(registry.collect(&[], HOUR).await.removed, 0);
    registry.put_manifest("app", "x", &image_manifest("a")).await.is(201);
}

#[tokio::test]
async fn an_untagged_image_that_is_still_asked_for_keeps_its_layers() {
    let registry = Registry::new();
    let image = registry.push_image("app", "x", "a").await;
    let digest = digest_of(&image);
    registry.ask("DELETE", "/v2/app/manifests/x").await.is(202);
    for _ in 0..3 {
        registry.clock.forward(HOUR * 2 / 3);
        registry.ask("HEAD", &format!("/v2/app/manifests/{digest}")).await.is(200);
        registry.collect(&[], HOUR).await;
    }
    assert_eq!(registry.content(), whole(&image));
    registry.clock.forward(HOUR);
    registry.collect(&[], HOUR).await;
    assert!(registry.content().is_empty());
}

/// Pushes as clients do: asks for each blob, sends what is missing, then the manifest. Starts over if a blob went.
/// `before_manifest` runs between the two.
async fn push_as_a_client(
    registry: &Registry,
    repository: &str,
    tag: &str,
    seed: &str,
    before_manifest: impl Fn(),
) {
    let manifest = image_manifest(seed);
    for _ in 0..1000 {
        for blob in image_blobs(seed) {
            let path = format!("/v2/{repository}/blobs/{}", Digest::of(&blob));
            if registry.ask("HEAD", &path).await.status != 200 {
                registry.push_blob(repository, &blob).await;
            }
        }
        before_manifest();
        let answer = registry.put_manifest(repository, tag, &manifest).await;
        if answer.status == 201 {
            return;
        }
        answer.refused(400, "MANIFEST_BLOB_UNKNOWN");
    }
    panic!("no push of {seed} was ever taken");
}

async fn assert_whole(registry: &Registry, repository: &str, tag: &str) {
    let answer = registry.ask("GET", &format!("/v2/{repository}/manifests/{tag}")).await.is(200);
    for one in whole(&answer.json()) {
        registry.ask("GET", &format!("/v2/{repository}/blobs/{one}")).await.is(200);
    }
}

/// No grace at all, a standing clock: only the note of what is in use protects a push.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_manifest_that_was_accepted_stays_whole_while_garbage_is_collected() {
    let registry = Arc::new(Registry::new());
    // A collection starts as often as a manifest is about to be sent, so that the two meet and pushes get through.
    let (about_to_push, mut turns) = tokio::sync::mpsc::channel::<()>(1);
    let collector = {
        let registry = Arc::clone(&registry);
        async move {
            let mut removed = 0;
            while turns.recv().await.is_some() {
                removed += registry.collect(&[], Duration::ZERO).await.removed;
            }
            removed
        }
    };
    let shared = Arc::clone(&registry);
    let pushers = async move {
        let mut pushers = tokio::task::JoinSet::new();
        for pusher in 0..4 {
            let (registry, turn) = (Arc::clone(&shared), about_to_push.clone());
            pushers.spawn(async move {
                let sometimes = || {
                    if fastrand::u8(0..4) == 0 {
                        // A collection that waits already is enough.
                        let _ = turn.try_send(());
                    }
                };
                // Few contents and tags: what one tag lets go another takes up again.
                for round in 0..60_u32 {
                    let repository = if pusher % 2 == 0 { "one" } else { "team/two" };
                    let seed = format!("{}", (round * 7 + pusher) % 5);
                    let tag = format!("tag-{pusher}");
                    push_as_a_client(&registry, repository, &tag, &seed, sometimes).await;
                    assert_whole(&registry, repository, &tag).await;
                }
            });
        }
        while let Some(ended) = pushers.join_next().await {
            ended.unwrap();
        }
        drop(about_to_push);
    };
    let (removed, ()) = tokio::join!(collector, pushers);
    assert!(removed > 0, "nothing was ever garbage: the test shows nothing");
    for pusher in 0..4 {
        let repository = if pusher % 2 == 0 { "one" } else { "team/two" };
        assert_whole(&registry, repository, &format!("tag-{pusher}")).await;
    }
}

#[derive(Clone, Debug)]
enum Step {
    Blob(u8, usize),
    Look(u8, usize),
    Image(u8, u8),
    Index(u8, u8),
    Untag(u8),
    Delete(u8),
    Forward(u8),
    Collect(Option<u8>),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let seed = 0..4_u8;
    let tag = 0..3_u8;
    prop_oneof![
        1 => (seed.clone(), 0..2_usize).prop_map(|(s, b)| Step::Blob(s, b)),
        1 => (seed.clone(), 0..2_usize).prop_map(|(s, b)| Step::Look(s, b)),
        4 => (seed.clone(), tag.clone()).prop_map(|(s, t)| Step::Image(s, t)),
        2 => (seed.clone(), tag.clone()).prop_map(|(s, t)| Step::Index(s, t)),
        1 => tag.prop_map(Step::Untag),
        1 => seed.clone().prop_map(Step::Delete),
        2 => (1..90_u8).prop_map(Step::Forward),
        3 => prop::option::of(seed).prop_map(Step::Collect),
        1 => Just(Step::Restart),
    ]
}

async fn run(steps: Vec<Step>) {
    let mut registry = Registry::new();
    // What clients were told is there, and when.
    let mut seen: Vec<(Digest, u64)> = Vec::new();
    let mut minute = 0_u64;
    for step in steps {
        match step {
            Step::Blob(seed, which) => {
                let digest =
                    registry.push_blob("app", &image_blobs(&seed.to_string())[which]).await;
                seen.push((digest, minute));
            }
            Step::Look(seed, which) => {
                let digest = Digest::of(&image_blobs(&seed.to_string())[which]);
                let path = format!("/v2/app/blobs/{digest}");
                if registry.ask("HEAD", &path).await.status == 200 {
                    seen.push((digest, minute));
                }
            }
            Step::Image(seed, tag) => {
                push_as_a_client(&registry, "app", &format!("t{tag}"), &seed.to_string(), || ())
                    .await;
            }
            Step::Index(seed, tag) => {
                let image = image_manifest(&seed.to_string());
                let tag = format!("t{tag}");
                let answer = registry.put_manifest("app", &tag, &index(&[&image])).await;
                assert!(answer.status == 201 || answer.code() == "MANIFEST_BLOB_UNKNOWN");
            }
            Step::Untag(tag) => {
                registry.ask("DELETE", &format!("/v2/app/manifests/t{tag}")).await;
            }
            Step::Delete(seed) => {
                let digest = digest_of(&image_manifest(&seed.to_string()));
                registry.ask("DELETE", &format!("/v2/app/manifests/{digest}")).await;
            }
            Step::Forward(minutes) => {
                minute += u64::from(minutes);
                registry.clock.forward(Duration::from_mins(minutes.into()));
            }
            Step::Collect(keep) => {
                let keep = keep.map(|seed| digest_of(&image_manifest(&seed.to_string())));
                let before = registry.content();
                let keep: Vec<Digest> = keep.into_iter().collect();
                registry.collect(&keep, HOUR).await;
                let after = registry.content();
                for one in keep.iter().filter(|one| before.contains(one)) {
                    assert!(after.contains(one), "a kept digest went");
                }
                for (digest, at) in &seen {
                    assert!(minute - at >= 60 || after.contains(digest), "gone within its grace");
                }
            }
            Step::Restart => registry = registry.reopen(),
        }
        // Whatever a tag names is whole, unless its child was deleted on purpose.
        for (tag, digest) in registry.distribution.tags(&"app".parse().unwrap()).unwrap() {
            let path = format!("/v2/app/manifests/{tag}");
            let answer = registry.ask("GET", &path).await.is(200);
            assert_eq!(answer.header("docker-content-digest"), digest.as_str());
            let manifest = answer.json();
            if manifest["manifests"].is_null() {
                let content = registry.content();
                assert!(whole(&manifest).is_subset(&content), "{tag} lost a part");
            } else {
                let child: Digest =
                    manifest["manifests"][0]["digest"].as_str().unwrap().parse().unwrap();
                let path =
                    registry.distribution.blob_path(&child).expect("an index lost its child");
                let child: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
                assert!(whole(&child).is_subset(&registry.content()), "a child lost a part");
            }
        }
    }
    // In the end only what tags reach is left.
    registry.clock.forward(HOUR * 2);
    registry.collect(&[], HOUR).await;
    let mut reached = BTreeSet::new();
    for digest in registry.distribution.tags(&"app".parse().unwrap()).unwrap().into_values() {
        reached.insert(digest.clone());
        let body = std::fs::read(registry.distribution.blob_path(&digest).unwrap()).unwrap();
        let manifest: Value = serde_json::from_slice(&body).unwrap();
        if manifest["manifests"].is_null() {
            reached.extend(whole(&manifest));
        } else {
            let child: Digest =
                manifest["manifests"][0]["digest"].as_str().unwrap().parse().unwrap();
            let body = std::fs::read(registry.distribution.blob_path(&child).unwrap()).unwrap();
            reached.extend(whole(&serde_json::from_slice(&body).unwrap()));
        }
    }
    assert_eq!(registry.content(), reached);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn collection_takes_garbage_and_nothing_else(steps in prop::collection::vec(step(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
