use std::{cmp::Reverse, collections::BTreeMap};

use jiff::Timestamp;

use crate::{
    duration::Span,
    image::{Digest, Release, Tag},
};

/// The release that was built last, and why the others are not it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewestSelection {
    /// The position of the release chosen; none where there was no candidate.
    pub chosen: Option<usize>,
    /// Why that one; empty where there was no candidate.
    pub why: String,
    /// For every candidate, in the order given, why it is or is not the one.
    pub reasons: Vec<String>,
}

/// Chooses the release that was built last, whatever the order in which they are given.
///
/// A release whose build time is unknown counts as older than one whose time is known; of equals the bytewise larger
/// tag wins, then the larger digest. The same image under several tags counts once, under the larger tag.
pub fn newest(candidates: &[Release]) -> NewestSelection {
    // The place of the candidate that stands for each image.
    let mut images: BTreeMap<&Digest, usize> = BTreeMap::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let place = images.entry(&candidate.digest).or_insert(index);
        if rank(candidate) > rank(&candidates[*place]) {
            *place = index;
        }
    }
    let mut ranked: Vec<usize> = images.values().copied().collect();
    ranked.sort_by_key(|index| Reverse(rank(&candidates[*index])));
    let Some(best) = ranked.first().copied() else { return NewestSelection::default() };
    let second = ranked.get(1).map(|index| &candidates[*index]);

    let why = why_chosen(&candidates[best], second);
    let reason = |(index, candidate): (usize, &Release)| match images.get(&candidate.digest) {
        Some(stand_in) if *stand_in != index => {
            format!("the same image as {}", candidates[*stand_in].nickname())
        }
        _ if index == best => why.clone(),
        _ => why_behind(candidate, &candidates[best]),
    };
    let reasons = candidates.iter().enumerate().map(reason).collect();
    NewestSelection { chosen: Some(best), why, reasons }
}

fn rank(release: &Release) -> (Option<Timestamp>, Option<&Tag>, &Digest) {
    (release.built_at, release.tag.as_ref(), &release.digest)
}

fn why_chosen(chosen: &Release, second: Option<&Release>) -> String {
    let Some(second) = second else { return "the only image".to_owned() };
    match (chosen.built_at, second.built_at) {
        (Some(time), Some(before)) if time > before => {
            format!("built {} after {}", between(before, time), second.nickname())
        }
        (Some(_), Some(_)) => {
            format!(
                "built at the same moment as {}; of the two its name is the later in the alphabet",
                second.nickname()
            )
        }
        (Some(time), None) => format!("built at {time}; of the others no build time is known"),
        (None, _) => "no build time is known of any; the last in the alphabet is taken".to_owned(),
    }
}

fn why_behind(candidate: &Release, best: &Release) -> String {
    let name = best.nickname();
    match (candidate.built_at, best.built_at) {
        (Some(time), Some(latest)) if time < latest => {
            format!("built {} before {name}", between(time, latest))
        }
        (Some(_), Some(_)) => format!("built at the same moment as {name}, which is taken"),
        (None, Some(_)) => format!("no build time that can be true is known; {name} has one"),
        (_, None) => format!("no build time is known; {name} is later in the alphabet"),
    }
}

/// The time between two moments, to the second where it is longer than one.
fn between(earlier: Timestamp, later: Timestamp) -> Span {
    let span = later.duration_since(earlier).unsigned_abs();
    if span.as_secs() == 0 { Span(span) } else { Span::seconds(span.as_secs()) }
}
