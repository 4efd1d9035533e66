//! Policies are total, and their answers do not depend on the order in which a registry lists its tags.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::collections::BTreeSet;

use mercurious_core::{
    decide::Comparison,
    image::Release,
    policy::{Order, Pattern, Policy, Range, Selection, TagFilter, Version, newest},
    resources::SortOrder,
};
use proptest::{collection::vec, option, prelude::*, sample};

fn tag() -> impl Strategy<Value = String> {
    prop_oneof![
        "v?(0|1|01)\\.[0-2]\\.[0-2](-(rc|beta)\\.[0-2])?",
        "sha-[a-f0-9]{7}",
        "(0x)?[0-9]{1,3}(\\.[0-9])?",
        sample::select(vec!["latest", "nan", "inf", "1e3", "1000", "+5", "5", "1_000", ""])
            .prop_map(str::to_owned),
        "\\PC{0,8}",
    ]
}

fn filter() -> impl Strategy<Value = Option<TagFilter>> {
    let filters = vec![
        ("^sha-[a-f0-9]+$", ""),
        ("^v?(.*)$", "$1"),
        ("(?P<n>[0-9]+)", "$n"),
        (".", "$0"),
        ("", "x"),
    ];
    option::of(
        sample::select(filters)
            .prop_map(|(pattern, extract)| TagFilter::new(pattern, extract).unwrap()),
    )
}

fn policy() -> impl Strategy<Value = Policy> {
    let direction = prop_oneof![Just(SortOrder::Asc), Just(SortOrder::Desc)];
    let order = prop_oneof![
        Just(Order::Newest),
        sample::select(vec!["*", ">=0.1.0-0", "~1.1 || 0.x", "!=1.0.0"])
            .prop_map(|range| Order::Semver(Range::parse(range).unwrap())),
        direction.clone().prop_map(Order::Alphabetical),
        direction.prop_map(Order::Numerical),
        Just(Order::Digest("latest".parse().unwrap())),
    ];
    (order, filter()).prop_map(|(order, filter)| Policy::new(order, filter))
}

fn release() -> impl Strategy<Value = Release> {
    let tag = option::weighted(
        0.9,
        "v?0?[0-1]\\.[0-1]\\.[0-1](-rc\\.[0-1])?|v?0?[0-9]|1e[0-2]|latest|nan|sha-[ab]{7}",
    );
    (tag, 0_u8..6, option::of(0_i64..4)).prop_map(|(tag, digest, minute)| Release {
        repository: "ghcr.io/team/api".parse().unwrap(),
        digest: format!("sha256:{}", format!("{digest:02x}").repeat(32)).parse().unwrap(),
        tag: tag.map(|tag| tag.parse().unwrap()),
        commit: None,
        built_at: minute.map(|minute| format!("2025-08-19T10:{minute:02}:00Z").parse().unwrap()),
        platforms: std::sync::Arc::default(),
    })
}

fn verdicts(selection: &Selection) -> BTreeSet<(String, Option<String>, bool, String)> {
    let whole = |one: &mercurious_core::policy::TagVerdict| {
        (one.tag.clone(), one.key.clone(), one.matched, one.reason.clone())
    };
    selection.tags.iter().map(whole).collect()
}

fn reversed(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Newer => Comparison::Older,
        Comparison::Older => Comparison::Newer,
        other => other,
    }
}

proptest! {
    #[test]
    fn the_choice_does_not_depend_on_the_order_of_the_list(
        policy in policy(),
        (tags, shuffled) in vec(tag(), 0..12).prop_flat_map(|tags| (Just(tags.clone()), Just(tags).prop_shuffle())),
    ) {
        match (policy.select(&tags), policy.select(&shuffled)) {
            (Ok(one), Ok(other)) => {
                prop_assert_eq!(&one.latest, &other.latest);
                prop_assert_eq!(verdicts(&one), verdicts(&other));
            }
            (Err(_), Err(_)) => {}
            (one, other) => prop_assert!(false, "{one:?} {other:?}"),
        }
    }

    #[test]
    fn every_tag_has_a_verdict_and_the_choice_is_one_that_qualifies(
        policy in policy(),
        tags in vec(tag(), 0..12),
    ) {
        let Ok(selection) = policy.select(&tags) else { return Ok(()) };
        let listed: Vec<&String> = selection.tags.iter().map(|verdict| &verdict.tag).collect();
        prop_assert_eq!(listed, tags.iter().collect::<Vec<_>>());
        for verdict in &selection.tags {
            let chosen = selection.latest.as_ref() == Some(&verdict.tag);
            prop_assert_eq!(chosen, verdict.reason.starts_with("chosen: "));
            prop_assert!(!chosen || verdict.matched);
            prop_assert!(verdict.key.is_some() || !verdict.matched);
        }
        prop_assert_eq!(selection.latest.is_some(), selection.chosen().is_ok());
        prop_assert_eq!(selection.latest.is_some(), selection.tags.iter().any(|one| one.matched));
    }

    #[test]
    fn nothing_that_is_read_panics(text in "\\PC{0,60}", tags in vec(any::<String>(), 0..4)) {
        let _ = Version::of_tag(&text);
        let _ = Pattern::parse(&text).map(|pattern| pattern.is_match(&text));
        for order in [Order::Numerical(SortOrder::Asc), Order::Alphabetical(SortOrder::Desc)] {
            let filter = TagFilter::new("(.)(.)?", &text).ok();
            let _ = Policy::new(order, filter).select(&tags);
        }
        if let Ok(range) = Range::parse(&text) {
            let _ = Policy::new(Order::Semver(range), None).select(&tags);
        }
    }

    #[test]
    fn a_text_close_to_a_range_or_a_pattern_never_panics(
        range in "[v0-2xX*|. ,<>=!~^a+-]{0,40}",
        pattern in "[ab0(){}\\[\\]^$.|*+?,:\\\\QEpPxLisU<>-]{0,40}",
        tag in tag(),
    ) {
        if let (Ok(range), Ok(version)) = (Range::parse(&range), Version::of_tag(&tag)) {
            let _ = range.contains(&version);
        }
        let _ = Pattern::parse(&pattern).map(|pattern| pattern.is_match(&tag));
    }

    #[test]
    fn comparison_is_antisymmetric(policy in policy(), one in release(), other in release()) {
        let forth = policy.compare(&one, &other);
        let back = policy.compare(&other, &one);
        prop_assert_eq!(forth == Comparison::Same, one.digest == other.digest);
        // A tag that moved, with no build times to tell which image is the later: each is a change to the other.
        let times_tell = one.built_at.zip(other.built_at).is_some_and(|(one, other)| one != other);
        let moved = one.tag == other.tag && !times_tell;
        if moved && forth == Comparison::Newer {
            prop_assert_eq!(back, Comparison::Newer);
        } else {
            prop_assert_eq!(back, reversed(forth));
        }
    }

    #[test]
    fn the_choice_is_never_older_than_what_it_was_chosen_over(
        policy in policy(),
        releases in vec(release(), 1..8),
    ) {
        // One image per tag, without times: the order of tags alone decides.
        let mut seen = BTreeSet::new();
        let releases: Vec<Release> = releases
            .into_iter()
            .filter(|release| release.tag.is_some() && seen.insert(release.tag.clone()))
            .map(|release| Release { built_at: None, ..release })
            .collect();
        let tags: Vec<String> =
            releases.iter().filter_map(|release| Some(release.tag.as_ref()?.to_string())).collect();
        let Ok(selection) = policy.select(&tags) else { return Ok(()) };
        let Some(latest) = selection.latest else { return Ok(()) };
        let chosen = &releases[tags.iter().position(|tag| *tag == latest).unwrap()];
        for (release, verdict) in releases.iter().zip(&selection.tags) {
            if verdict.matched {
                prop_assert_ne!(policy.compare(chosen, release), Comparison::Older);
            }
        }
    }

    #[test]
    fn the_newest_is_the_same_however_the_releases_are_listed(
        (releases, shuffled) in vec(release(), 0..8).prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        let (one, other) = (newest(&releases), newest(&shuffled));
        let chosen = one.chosen.map(|index| &releases[index]);
        prop_assert_eq!(chosen, other.chosen.map(|index| &shuffled[index]));
        prop_assert_eq!(one.why, other.why);
        prop_assert_eq!(one.reasons.len(), releases.len());
        prop_assert_eq!(chosen.is_none(), releases.is_empty());
        for release in &releases {
            prop_assert!(chosen.is_none_or(|chosen| release.built_at <= chosen.built_at));
        }
    }
}
