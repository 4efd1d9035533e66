use std::{cmp::Reverse, collections::BTreeMap};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    duration::Span,
    image::{Digest, Release, Tag},
};

/// The release that was built last, and why the others are not it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewestSelection {
    /// The release chosen; none where there was no candidate.
    pub latest: Option<Release>,
    /// Every candidate, in the order given.
    pub candidates: Vec<ReleaseVerdict>,
}

/// What is made of one candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseVerdict {
    /// The tag under which it was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<Tag>,
    /// What it is.
    pub digest: Digest,
    /// When it was built, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub built_at: Option<Timestamp>,
    /// Whether it is the one.
    pub chosen: bool,
    /// In words.
    pub why: String,
}

impl NewestSelection {
    /// Why the one chosen was chosen.
    pub fn why(&self) -> Option<&str> {
        self.candidates.iter().find(|one| one.chosen).map(|one| one.why.as_str())
    }
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
    let best = ranked.first().copied();
    let second = ranked.get(1).map(|index| &candidates[*index]);

    let verdict = |(index, candidate): (usize, &Release)| {
        let stand_in = images.get(&candidate.digest).copied().unwrap_or(index);
        let why = match best.map(|best| &candidates[best]) {
            Some(_) if stand_in != index => {
                format!("the same image as {}", candidates[stand_in].nickname())
            }
            Some(_) if best == Some(index) => why_chosen(candidate, second),
            Some(best) => why_behind(candidate, best),
            None => String::new(),
        };
        ReleaseVerdict {
            tag: candidate.tag.clone(),
            digest: candidate.digest.clone(),
            built_at: candidate.built_at,
            chosen: best == Some(index),
            why,
        }
    };
    NewestSelection {
        latest: best.map(|best| candidates[best].clone()),
        candidates: candidates.iter().enumerate().map(verdict).collect(),
    }
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
        (None, Some(_)) => format!("no build time is known; {name} has one"),
        (_, None) => format!("no build time is known; {name} is later in the alphabet"),
    }
}

/// The time between two moments, to the second where it is longer than one.
fn between(earlier: Timestamp, later: Timestamp) -> Span {
    let span = later.duration_since(earlier).unsigned_abs();
    if span.as_secs() == 0 { Span(span) } else { Span::seconds(span.as_secs()) }
}
