use std::cmp::Ordering;

use mercurious_core::policy::{Order, Policy, Range, Version};

use crate::text::{assert_short, lines};

/// A range on the first line, tags below: matching is deterministic, keeps the order of versions, and agrees with the
/// `semver` crate where both grammars say the same.
pub fn semver_range(data: &[u8]) {
    let Some(mut lines) = lines(data) else { return };
    let text = lines.next().unwrap_or_default();
    let tags: Vec<&str> = lines.take(12).collect();
    let versions: Vec<(&str, Version)> = tags
        .iter()
        .filter_map(|tag| match Version::of_tag(tag) {
            Ok(version) => Some((*tag, version)),
            Err(error) => {
                assert_short(&error.to_string());
                None
            }
        })
        .collect();
    for (tag, version) in &versions {
        assert_eq!(version.to_string(), *tag);
        check_bounds(tag, version);
    }
    check_order(&versions);
    let range = match Range::parse(text) {
        Ok(range) => range,
        Err(error) => return assert_short(&error.to_string()),
    };
    for (tag, version) in &versions {
        check_range(&range, text, tag, version);
    }
    check_choice(&range, &tags);
}

fn check_range(range: &Range, text: &str, tag: &str, version: &Version) {
    let contained = range.contains(version);
    let again = Range::parse(&range.to_string()).expect("a range is printed as it was read");
    assert_eq!(again.contains(version), contained, "{range} {tag}");
    if version.is_prerelease() && !range.admits_prereleases() {
        assert!(!contained, "{range} admits the pre-release {tag}");
    }
    // Neither a `v` nor build metadata changes where a version lies.
    let others = [format!("v{tag}"), format!("{tag}+build")];
    for other in others.iter().filter_map(|other| Version::of_tag(other).ok()) {
        assert_eq!(range.contains(&other), contained, "{range} {tag} {other}");
    }
    // A range with alternatives is what its alternatives are together.
    if !text.contains(" - ") && text.contains("||") {
        let parts: Vec<Range> = text
            .split("||")
            .map(|part| Range::parse(part).expect("an alternative of a range is one"))
            .collect();
        assert_eq!(parts.iter().any(|part| part.contains(version)), contained, "{range} {tag}");
    }
    if let Some((requirement, other)) = in_both_grammars(text, tag) {
        assert_eq!(requirement.matches(&other), contained, "{range} {tag}");
    }
}

/// What a version is to ranges that it bounds itself.
fn check_bounds(tag: &str, version: &Version) {
    let bare = tag.split('+').next().unwrap_or_default();
    for (operator, contained) in
        [("=", true), (">=", true), ("<=", true), ("!=", false), (">", false), ("<", false)]
    {
        // A range may be too long, or write the version in a way that only a tag may.
        let Ok(range) = Range::parse(&format!("{operator}{bare}")) else { continue };
        assert_eq!(range.contains(version), contained, "{range} {tag}");
    }
}

fn check_order(versions: &[(&str, Version)]) {
    for (left_tag, left) in versions {
        for (right_tag, right) in versions {
            let order = left.precedence(right);
            assert_eq!(order, right.precedence(left).reverse(), "{left_tag} {right_tag}");
            for (third_tag, third) in versions {
                if order != Ordering::Greater && right.precedence(third) != Ordering::Greater {
                    let chain = left.precedence(third);
                    assert_ne!(chain, Ordering::Greater, "{left_tag} {right_tag} {third_tag}");
                }
            }
            if let (Some(left), Some(right)) = (strict(left_tag), strict(right_tag)) {
                assert_eq!(left.cmp_precedence(&right), order, "{left} {right}");
            }
        }
    }
}

/// The policy's choice is one that the range contains, and no tag that it contains is higher.
fn check_choice(range: &Range, tags: &[&str]) {
    let policy = Policy::new(Order::Semver(range.clone()), None);
    let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
    let selection = policy.select(&tags).expect("an order of versions takes any tag");
    for verdict in &selection.tags {
        let version = Version::of_tag(&verdict.tag);
        let contained = version.as_ref().is_ok_and(|version| range.contains(version));
        assert_eq!(verdict.matched, contained, "{range} {verdict:?}");
        if let (true, Some(latest)) = (contained, &selection.latest) {
            let latest = Version::of_tag(latest).expect("what is chosen is a version");
            assert!(
                version.is_ok_and(|version| version.precedence(&latest).is_le()),
                "{verdict:?}"
            );
        }
    }
    assert_eq!(selection.latest.is_some(), selection.tags.iter().any(|verdict| verdict.matched));
}

/// A version as both grammars write it, whose pre-release has no number beyond 64 bits: Go compares those as words.
fn strict(tag: &str) -> Option<semver::Version> {
    let version = semver::Version::parse(tag).ok()?;
    let fits =
        |word: &str| !word.bytes().all(|byte| byte.is_ascii_digit()) || word.parse::<u64>().is_ok();
    version.pre.split('.').all(fits).then_some(version)
}

/// Comparators of three numbers each, separated by commas, mean the same to Cargo; pre-releases do not, and Masterminds'
/// `~0.0.0` has no upper end.
fn in_both_grammars(text: &str, tag: &str) -> Option<(semver::VersionReq, semver::Version)> {
    let version = strict(tag).filter(|version| version.pre.is_empty())?;
    for part in text.split(',') {
        let part = part.trim_matches(' ');
        let bound = part.trim_start_matches(['<', '>', '=', '~', '^']);
        let operator = &part[..part.len() - bound.len()];
        let is_plain = ["=", "<", ">", "<=", ">=", "~", "^"].contains(&operator)
            && bound.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            && semver::Version::parse(bound).is_ok();
        if !is_plain || operator == "~" && bound == "0.0.0" {
            return None;
        }
    }
    Some((semver::VersionReq::parse(text).ok()?, version))
}
