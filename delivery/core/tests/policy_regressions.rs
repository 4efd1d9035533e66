//! What went wrong with image policies once, and must not again.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use mercurious_core::{
    decide::Comparison,
    image::{Release, Tag},
    policy::{
        NothingMatches, Order, Policy, PolicyError, PolicyWarning, Range, Selection, TagFilter,
        newest,
    },
    resources::{ImagePolicy, SortOrder},
};
use serde_json::{Value, json};

const HASHES: &str = "^sha-[a-f0-9]+$";

fn resource(annotations: &Value, policy: &Value, filter: Option<Value>) -> ImagePolicy {
    let mut spec = json!({ "imageRepositoryRef": { "name": "api-gateway" }, "policy": policy });
    if let Some(filter) = filter {
        spec["filterTags"] = filter;
    }
    serde_json::from_value(json!({
        "apiVersion": "image.toolkit.fluxcd.io/v1",
        "kind": "ImagePolicy",
        "metadata": { "name": "api-gateway", "annotations": annotations },
        "spec": spec,
    }))
    .unwrap()
}

fn read(
    annotations: &Value,
    policy: &Value,
    pattern: Option<&str>,
) -> Result<(Policy, Vec<PolicyWarning>), PolicyError> {
    let filter = pattern.map(|pattern| json!({ "pattern": pattern }));
    Policy::from_resource(&resource(annotations, policy, filter))
}

fn order(annotation: &str) -> Value {
    json!({ "mercurious.dev/order": annotation })
}

fn codes(warnings: &[PolicyWarning]) -> Vec<&'static str> {
    warnings.iter().map(PolicyWarning::code).collect()
}

fn tags(tags: &[&str]) -> Vec<String> {
    tags.iter().map(ToString::to_string).collect()
}

fn release(tag: Option<&str>, digest: u8, built_at: Option<&str>) -> Release {
    Release {
        repository: "ghcr.io/team/api".parse().unwrap(),
        digest: format!("sha256:{}", format!("{digest:02x}").repeat(32)).parse().unwrap(),
        tag: tag.map(|tag| tag.parse().unwrap()),
        commit: None,
        built_at: built_at.map(|time| time.parse().unwrap()),
        platforms: std::sync::Arc::default(),
    }
}

fn reason<'s>(selection: &'s Selection, tag: &str) -> &'s str {
    &selection.tags.iter().find(|verdict| verdict.tag == tag).unwrap().reason
}

/// Numbers that look drawn at random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

#[test]
fn r04_hash_tags_are_ordered_by_time_not_alphabet() {
    let alphabet = json!({ "alphabetical": { "order": "desc" } });
    let (policy, warnings) = read(&json!({}), &alphabet, Some(HASHES)).unwrap();
    assert_eq!(policy.order, Order::Newest);
    assert_eq!(codes(&warnings), ["HashesByTime"]);

    let mut alphabet_was_right = 0;
    for seed in 1..=50 {
        let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        let mut pushed: Vec<Release> = (0..100)
            .map(|minute| {
                let commit = format!("{:016x}{:016x}{:08x}", numbers.next(), numbers.next(), seed);
                let time = format!("2025-08-19T{:02}:{:02}:00Z", 10 + minute / 60, minute % 60);
                let mut release = release(Some(&format!("sha-{commit}")), 0, Some(&time));
                release.digest = format!("sha256:{commit:0>64}").parse().unwrap();
                release
            })
            .collect();
        let last = pushed.last().unwrap().clone();
        let alphabetical: Vec<String> =
            pushed.iter().map(|release| release.tag.as_ref().unwrap().to_string()).collect();
        for index in (1..pushed.len()).rev() {
            pushed.swap(index, usize::try_from(numbers.next() % (index as u64 + 1)).unwrap());
        }
        assert!(pushed.iter().all(|release| policy.takes_part(release.tag.as_ref().unwrap())));
        let selection = newest(&pushed);
        assert_eq!(pushed[selection.chosen.unwrap()], last, "seed {seed}");
        assert!(selection.why.starts_with("built 1m after sha-"), "{}", selection.why);
        for other in pushed.iter().filter(|other| **other != last) {
            assert_eq!(policy.compare(&last, other), Comparison::Newer);
        }
        let lowest = Order::Alphabetical(SortOrder::Desc).latest(&alphabetical).unwrap().unwrap();
        alphabet_was_right += usize::from(lowest == alphabetical.len() - 1);
    }
    // What happened before: the alphabet chose another one, but for chance.
    assert!(alphabet_was_right < 5, "{alphabet_was_right} of 50");
}

#[test]
fn r04_the_letter_of_the_alphabet_is_there_for_those_who_ask() {
    let alphabet = || json!({ "alphabetical": { "order": "asc" } });
    let (policy, warnings) = read(&order("alphabetical"), &alphabet(), Some(HASHES)).unwrap();
    assert_eq!(policy.order, Order::Alphabetical(SortOrder::Asc));
    assert_eq!(codes(&warnings), ["HashesByAlphabet"]);

    let (policy, warnings) = read(&order("newest"), &alphabet(), Some(HASHES)).unwrap();
    assert_eq!((policy.order, codes(&warnings)), (Order::Newest, vec![]));

    // A timestamp in the tag is what the alphabet is good for.
    let filter = json!({ "pattern": "^main-[a-f0-9]+-(?P<ts>[0-9]+)$", "extract": "$ts" });
    let (policy, warnings) =
        Policy::from_resource(&resource(&json!({}), &alphabet(), Some(filter))).unwrap();
    assert_eq!((policy.order, codes(&warnings)), (Order::Alphabetical(SortOrder::Asc), vec![]));
}

#[test]
fn r05_a_policy_that_matches_no_tag_is_an_error_that_says_so() {
    let semver = json!({ "semver": { "range": ">=0.0.0" } });
    let (policy, warnings) = read(&json!({}), &semver, Some(HASHES)).unwrap();
    assert_eq!(codes(&warnings), ["NeverVersions"]);

    let selection = policy.select(&tags(&["sha-1628d4e", "sha-5a0ab7c", "latest"])).unwrap();
    assert_eq!(selection.latest, None);
    assert_eq!(
        selection.chosen(),
        Err(NothingMatches {
            tags: 3,
            matching: 2,
            asked: "the highest version in the range `>=0.0.0` of the tags that match `^sha-[a-f0-9]+$`"
                .to_owned(),
        })
    );
    assert_eq!(
        selection.chosen().unwrap_err().to_string(),
        "none of 3 tags qualifies (2 pass the filter): the policy asks for the highest version in the range `>=0.0.0` of the tags that match `^sha-[a-f0-9]+$`"
    );
    assert_eq!(
        reason(&selection, "sha-1628d4e"),
        "`sha-1628d4e` cannot be read: not a version of three parts"
    );
    assert_eq!(newest(&[]).chosen, None);
    assert_eq!(policy.nothing_matches(&[]).tags, 0);
}

#[test]
fn r06_an_unknown_field_under_policy_is_refused() {
    for spec in [
        json!({ "policy": { "alphabetical": {}, "filterTags": { "pattern": HASHES } } }),
        json!({ "policy": { "alphabetical": { "ordre": "asc" } } }),
        json!({ "policy": { "alphabetical": {} }, "filtertags": { "pattern": HASHES } }),
        json!({ "policy": { "alphabetical": {} }, "filterTags": { "regex": HASHES } }),
    ] {
        let mut spec = spec;
        spec["imageRepositoryRef"] = json!({ "name": "api" });
        let text = json!({
            "apiVersion": "image.toolkit.fluxcd.io/v1",
            "kind": "ImagePolicy",
            "metadata": { "name": "api" },
            "spec": spec,
        });
        let error = serde_json::from_value::<ImagePolicy>(text.clone()).unwrap_err().to_string();
        assert!(error.contains("unknown field"), "{text}: {error}");
    }
}

#[test]
fn r07_a_pattern_without_anchors_is_warned_about() {
    let warned = |pattern: &str| {
        let (_, warnings) = read(&order("newest"), &json!({}), Some(pattern)).unwrap();
        warnings.first().map(ToString::to_string)
    };
    assert_eq!(
        warned("^sha-[a-f0-9]+").unwrap(),
        "filterTags.pattern `^sha-[a-f0-9]+` has no `$`: it also takes tags that only contain a match; anchor it"
    );
    assert!(warned("sha-[a-f0-9]+$").unwrap().contains("has no `^`:"));
    assert!(warned("sha-[a-f0-9]+").unwrap().contains("has no `^` and `$`:"));
    assert!(warned("^latest|edge$").unwrap().contains("has no `^` and `$`:"));
    for anchored in [HASHES, "^latest$|^edge$", "^(latest|edge)$", "^.*$", "^pr-.*"] {
        assert_eq!(warned(anchored), None, "{anchored}");
    }
}

#[test]
fn r08_the_same_tag_with_another_digest_is_a_change() {
    let policy = |order: Order| Policy::new(order, None);
    let latest: Tag = "latest".parse().unwrap();
    let [before, after] = [release(Some("latest"), 1, None), release(Some("latest"), 2, None)];
    let asc = SortOrder::Asc;
    for order in [Order::Alphabetical(asc), Order::Alphabetical(SortOrder::Desc)] {
        assert_eq!(policy(order).compare(&after, &before), Comparison::Newer);
    }
    let numbered = |digest| release(Some("7"), digest, None);
    assert_eq!(
        policy(Order::Numerical(asc)).compare(&numbered(1), &numbered(2)),
        Comparison::Newer
    );
    let range = Range::parse("1.x").unwrap();
    let versioned = |digest, time| release(Some("1.2.3"), digest, time);
    let semver = policy(Order::Semver(range));
    assert_eq!(semver.compare(&versioned(1, None), &versioned(2, None)), Comparison::Newer);
    assert_eq!(semver.compare(&versioned(1, None), &versioned(1, None)), Comparison::Same);

    // Where build times are known they say which of the two it is.
    let (early, late) = (Some("2025-08-15T10:00:00Z"), Some("2025-08-15T10:05:00Z"));
    assert_eq!(semver.compare(&versioned(1, late), &versioned(2, early)), Comparison::Newer);
    assert_eq!(semver.compare(&versioned(1, early), &versioned(2, late)), Comparison::Older);
    let followed = policy(Order::Digest(latest));
    let at = |digest, time| release(Some("latest"), digest, time);
    assert_eq!(followed.compare(&at(1, late), &at(2, early)), Comparison::Newer);
    assert_eq!(followed.compare(&after, &before), Comparison::Unknown);
}

#[test]
fn r10_a_tag_format_and_a_filter_are_checked_together() {
    let (policy, _) = read(&order("newest"), &json!({}), Some(HASHES)).unwrap();
    let tag = |text: &str| text.parse::<Tag>().unwrap();
    assert!(policy.takes_part(&tag("sha-1628d4ef00aa")));
    assert!(!policy.takes_part(&tag("main-abc1234")));
    assert_eq!(policy.matching(&tags(&["main-abc1234", "sha-1628d4e", "latest"])), ["sha-1628d4e"]);

    let (policy, _) = read(&order("alphabetical"), &json!({}), Some(HASHES)).unwrap();
    let selection = policy.select(&tags(&["main-abc1234"])).unwrap();
    assert_eq!(reason(&selection, "main-abc1234"), "does not match the filter `^sha-[a-f0-9]+$`");
    assert!(selection.chosen().is_err());
}

#[test]
fn an_order_must_be_named_once_and_make_sense() {
    let alphabet = || json!({ "alphabetical": {} });
    let semver = || json!({ "semver": { "range": "1.x" } });
    for (annotations, policy, pattern, expected) in [
        (json!({}), json!({}), None, "the policy names no order"),
        (
            json!({}),
            json!({ "semver": { "range": "1.x" }, "numerical": {} }),
            None,
            "semver and numerical",
        ),
        (json!({}), json!({ "semver": { "range": "1.x.p" } }), None, "spec.policy.semver.range"),
        (json!({}), alphabet(), Some("("), "filter"),
        (order("latest"), alphabet(), None, "says `latest`, which is no order"),
        (order("Newest"), alphabet(), None, "says `Newest`, which is no order"),
        (order("newest"), semver(), None, "says `newest`, but spec.policy says `semver`"),
        (
            order("digest"),
            semver(),
            Some("^latest$"),
            "says `digest`, but spec.policy says `semver`",
        ),
        (order("alphabetical"), json!({ "numerical": {} }), None, "remove one of them"),
        (order("semver"), json!({}), None, "no range is given"),
        (order("digest"), json!({}), None, "no single tag is named"),
        (order("digest"), json!({}), Some("^latest$|^edge$"), "no single tag is named"),
        (order("digest"), json!({}), Some("^la test$"), "`la test` cannot be followed"),
        (json!({ "mercurious.dev/tag": "latest" }), alphabet(), None, "is read only beside"),
        (
            json!({ "mercurious.dev/order": "digest", "mercurious.dev/tag": "latest" }),
            json!({}),
            Some("^edge$"),
            "does not match",
        ),
    ] {
        let what = format!("{annotations} {policy} {pattern:?}");
        let error = read(&annotations, &policy, pattern).unwrap_err().to_string();
        assert!(error.contains(expected), "{what}: {error}");
    }
}

#[test]
fn the_digest_order_follows_one_tag() {
    let latest = Order::Digest("latest".parse().unwrap());
    let both = json!({ "mercurious.dev/order": "digest", "mercurious.dev/tag": "latest" });
    let alphabet = || json!({ "alphabetical": {} });
    for (annotations, policy, pattern) in [
        (order("digest"), alphabet(), Some("^latest$")),
        (order("digest"), json!({}), Some("^(latest)$")),
        (both.clone(), json!({}), None),
        (both, alphabet(), Some("^(latest|edge)$")),
    ] {
        let (policy, warnings) = read(&annotations, &policy, pattern).unwrap();
        assert_eq!((&policy.order, warnings), (&latest, vec![]));
        assert_eq!(policy.only_tag().as_deref(), Some("latest"));
        assert_eq!(policy.describe(), "what the tag `latest` points at");
        let selection = policy.select(&tags(&["edge", "latest"])).unwrap();
        assert_eq!(selection.chosen(), Ok("latest"));
        assert_eq!(reason(&selection, "edge"), "is not the tag `latest` that is followed");
    }
    let (policy, _) = read(&json!({}), &alphabet(), Some("^latest$")).unwrap();
    assert_eq!(policy.only_tag().as_deref(), Some("latest"));
}

#[test]
fn every_tag_is_given_its_reason() {
    let semver = json!({ "semver": { "range": ">=1.0.0 <2.0.0" } });
    let filter = json!({ "pattern": "^v?(.*)-amd64$", "extract": "$1" });
    let (policy, _) = Policy::from_resource(&resource(&json!({}), &semver, Some(filter))).unwrap();
    let selection = policy
        .select(&tags(&[
            "latest",
            "v1.2.0-amd64",
            "1.2.0-amd64",
            "1.1.0-amd64",
            "01.2.0-amd64",
            "2.0.0-amd64",
            "1.3.0-rc.1-amd64",
            "1.3-amd64",
        ]))
        .unwrap();
    insta::assert_json_snapshot!(selection);
    assert_eq!(
        policy.describe(),
        "the highest version in the range `>=1.0.0 <2.0.0` of the tags that match `^v?(.*)-amd64$`, by the key `$1`"
    );
}

#[test]
fn every_release_is_given_its_reason() {
    let releases = [
        release(Some("sha-aaaaaaa"), 1, Some("2025-08-19T10:00:00Z")),
        release(Some("sha-bbbbbbb"), 2, Some("2025-08-19T10:02:00Z")),
        release(Some("main"), 2, Some("2025-08-19T10:02:00Z")),
        release(Some("sha-ccccccc"), 3, None),
        release(None, 4, Some("2025-08-19T10:02:00Z")),
    ];
    let selection = newest(&releases);
    assert_eq!(selection.chosen, Some(1));
    assert_eq!(
        selection.reasons,
        [
            "built 2m before sha-bbbbbbb",
            "built at the same moment as 040404040404; of the two its name is the later in the alphabet",
            "the same image as sha-bbbbbbb",
            "no build time that can be true is known; sha-bbbbbbb has one",
            "built at the same moment as sha-bbbbbbb, which is taken",
        ]
    );
    assert_eq!(newest(&releases[..1]).why, "the only image");
    assert_eq!(newest(&releases[..2]).why, "built 2m after sha-aaaaaaa");
    assert_eq!(
        newest(&releases[2..4]).why,
        "built at 2025-08-19T10:02:00Z; of the others no build time is known"
    );
}

#[test]
fn one_key_that_is_no_number_fails_the_policy_and_is_named() {
    let (policy, _) = read(&json!({}), &json!({ "numerical": {} }), Some("^build-.*$")).unwrap();
    let error = policy.select(&tags(&["build-7", "latest"])).unwrap_err().to_string();
    assert!(error.starts_with("`build-7` is not a number"), "{error}");
    let newest = Policy::new(Order::Newest, None);
    assert!(newest.select(&tags(&["a"])).unwrap_err().to_string().contains("by time"));
}

#[test]
fn a_template_that_says_nothing_is_warned_about() {
    let warned = |pattern: &str, extract: &str| {
        let filter = json!({ "pattern": pattern, "extract": extract });
        let resource = resource(&json!({}), &json!({ "numerical": {} }), Some(filter));
        codes(&Policy::from_resource(&resource).unwrap().1)
    };
    assert_eq!(warned("^build-([0-9]+)$", "$1"), Vec::<&str>::new());
    assert_eq!(warned("^build-([0-9]+)$", "$1x"), ["UnknownGroup", "ConstantKey"]);
    assert_eq!(warned("^build-([0-9]+)$", "1"), ["ConstantKey"]);
    assert_eq!(warned("^sha-([a-f0-9]+)$", "$1"), ["NeverNumbers"]);
}

#[test]
fn of_tags_that_rank_the_same_one_is_chosen_and_is_newer_than_the_others() {
    let semver = Order::Semver(Range::parse("*").unwrap());
    let number = Order::Numerical(SortOrder::Asc);
    let cases: [(&Order, &str, &str, &[&str], &str); 6] = [
        (&semver, "^v?(.*)$", "$1", &["v1.0.0", "1.0.0"], "1.0.0"),
        // The key decides between equal versions, and then the tag that stands for it.
        (&semver, "^v?(.*)$", "$1", &["1.0.0", "v01.0.0", "v1.0.0"], "1.0.0"),
        (&semver, "", "", &["v1.0.0", "1.0.0"], "v1.0.0"),
        (&number, "^v?([0-9]+)$", "$1", &["v7", "7", "07"], "07"),
        (&number, "^([0-9]+)-.*$", "$1", &["7-b", "7-a"], "7-a"),
        (&number, "", "", &["7", "007"], "007"),
    ];
    for (order, pattern, extract, listed, expected) in cases {
        let policy = Policy::new(order.clone(), Some(TagFilter::new(pattern, extract).unwrap()));
        let (forth, mut back) = (tags(listed), tags(listed));
        back.reverse();
        for listed in [&forth, &back] {
            assert_eq!(policy.select(listed).unwrap().chosen().unwrap(), expected, "{listed:?}");
        }
        let chosen = release(Some(expected), 0, None);
        for other in listed.iter().filter(|tag| **tag != expected) {
            let other = release(Some(other), 1, None);
            assert_eq!(policy.compare(&chosen, &other), Comparison::Newer, "{other:?}");
            assert_eq!(policy.compare(&other, &chosen), Comparison::Older, "{other:?}");
        }
    }
}
