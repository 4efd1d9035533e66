//! What an ImageRepository's status says. No IO.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use mercurious_engine::{Listing, SAFETY_NET};
use serde::{Deserialize, Serialize};

use super::condition::{Conditions, Moment, whole_seconds};

/// `ImageRepository.status`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct RepositoryStatus {
    pub(crate) conditions: Conditions,
    pub(crate) observed_generation: Option<i64>,
    pub(crate) canonical_image_name: Option<String>,
    pub(crate) observed_exclusion_list: Option<Vec<String>>,
    pub(crate) last_handled_reconcile_at: Option<String>,
    pub(crate) last_scan_result: Option<ScanResult>,
}

/// `ImageRepository.status.lastScanResult`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ScanResult {
    pub(crate) revision: Option<String>,
    pub(crate) tag_count: usize,
    pub(crate) scan_time: Option<Timestamp>,
    pub(crate) latest_tags: Option<Vec<String>>,
}

/// All that a repository's status is made of.
#[derive(Clone, Debug)]
pub(crate) struct RepositoryFacts<'a> {
    /// `spec.image`, as it is written.
    pub(crate) image: &'a str,
    pub(crate) exclusions: &'a [String],
    pub(crate) suspended: bool,
    /// What `reconcile.fluxcd.io/requestedAt` says, once it was obeyed.
    pub(crate) answered: Option<&'a str>,
    pub(crate) looked: Looked,
}

/// How the looks at a repository stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    /// The first is on its way.
    NotYet,
    /// The object cannot be understood.
    Invalid(String),
    /// What a look needs is not there.
    Unprepared(String),
    /// The registry did not answer.
    Failed(String),
    /// It answered, and said what it said before.
    Unchanged,
    /// It told all its tags.
    Listed(ScanResult),
}

impl ScanResult {
    /// Of a listing.
    pub(crate) fn of(listing: &Listing) -> Self {
        let latest: Vec<String> = listing.largest.iter().map(ToString::to_string).collect();
        Self {
            revision: Some(listing.checksum.to_string()),
            tag_count: listing.count,
            scan_time: Some(whole_seconds(listing.at)),
            latest_tags: (!latest.is_empty()).then_some(latest),
        }
    }

    /// Whether the tags are the same.
    pub(crate) fn tells_the_same(&self, other: &Self) -> bool {
        (&self.revision, self.tag_count) == (&other.revision, other.tag_count)
    }
}

impl RepositoryStatus {
    /// The status that follows this one.
    pub(crate) fn next(&self, facts: &RepositoryFacts<'_>, at: Moment) -> Self {
        let mut next = self.clone();
        if let Some(answered) = facts.answered {
            next.last_handled_reconcile_at = Some(answered.to_owned());
        }
        if facts.suspended {
            if next.conditions.is_settled() {
                next.observed_generation = Some(at.generation);
            }
            return next;
        }
        match &facts.looked {
            Looked::NotYet => return next,
            Looked::Invalid(why) => next.conditions.stall(at, "ImageURLInvalid", why),
            Looked::Unprepared(why) => {
                let message = format!("failed to configure authentication options: {why}");
                next.conditions.fail(at, "AuthenticationFailed", &message);
            }
            Looked::Failed(why) => {
                next.conditions.fail(at, "ReadOperationFailed", &format!("scan failed: {why}"));
            }
            Looked::Unchanged | Looked::Listed(_) => {
                if let Looked::Listed(found) = &facts.looked {
                    next.last_scan_result = Some(found.clone());
                }
                next.conclude(facts, at);
            }
        }
        if next.conditions.is_settled() {
            next.observed_generation = Some(at.generation);
        }
        next
    }

    fn conclude(&mut self, facts: &RepositoryFacts<'_>, at: Moment) {
        let Some(found) = &self.last_scan_result else { return };
        if found.tag_count == 0 {
            let message = format!(
                "scan failed: the registry knows no tag of {}: push an image, or correct spec.image",
                facts.image
            );
            return self.conditions.fail(at, "ReadOperationFailed", &message);
        }
        let message = format!(
            "successful scan: found {} tags with checksum {}",
            found.tag_count,
            found.revision.as_deref().unwrap_or_default()
        );
        self.canonical_image_name = Some(canonical(facts.image));
        self.observed_exclusion_list = Some(facts.exclusions.to_vec());
        self.conditions.succeed(at, &message);
    }

    /// Whether the tags must be listed to say what the status has to say.
    pub(crate) fn needs_listing(&self, image: &str, exclusions: &[String]) -> bool {
        let as_set = |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>();
        let observed = self.observed_exclusion_list.as_deref().map(as_set);
        self.last_scan_result.as_ref().is_none_or(|found| found.scan_time.is_none())
            || self.canonical_image_name.as_deref() != Some(&canonical(image))
            || observed != Some(as_set(exclusions))
    }

    /// Whether this is worth a write after the other: that the same tags were listed again is not, unless long ago.
    pub(crate) fn is_news_after(&self, before: &Self) -> bool {
        let (Some(found), Some(known)) = (&self.last_scan_result, &before.last_scan_result) else {
            return self != before;
        };
        let age = match (found.scan_time, known.scan_time) {
            (Some(found), Some(known)) => found.duration_since(known).unsigned_abs(),
            _ => Duration::MAX,
        };
        let mut same = self.clone();
        if found.tells_the_same(known) && age < SAFETY_NET {
            same.last_scan_result.clone_from(&before.last_scan_result);
        }
        same != *before
    }
}

/// The name as go-containerregistry writes it out.
pub(crate) fn canonical(image: &str) -> String {
    match image.parse::<mercurious_core::image::Repository>() {
        Ok(repository) if repository.host() == "docker.io" => {
            format!("index.docker.io/{}", repository.path())
        }
        Ok(repository) => format!("{}/{}", repository.host(), repository.path()),
        Err(_) => image.to_owned(),
    }
}

/// What is wrong with `spec.image`, in Flux's words where it has any.
pub(crate) fn image_fault(image: &str) -> Option<String> {
    if let Some((scheme, _)) = image.split_once("://") {
        return Some(format!(
            "image '{image}' should not include URL scheme; remove '{scheme}://'"
        ));
    }
    if image.contains('@') {
        return Some(format!("image '{image}' should not include a digest; remove it"));
    }
    let behind = image.split_once('/').map_or(image, |(_, path)| path);
    if let Some((_, tag)) = behind.split_once(':')
        && !tag.contains('/')
        && (image.contains('/') || tag.parse::<u16>().is_err())
    {
        return Some(format!("image '{image}' should not include a tag; remove ':{tag}'"));
    }
    image.parse::<mercurious_core::image::Repository>().err().map(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mercurious_core::image::Tag;

    fn at(second: i64) -> Moment {
        Moment { generation: 3, now: Timestamp::from_second(second).unwrap() }
    }

    fn tags(names: &[&str]) -> BTreeSet<Tag> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn listed(names: &[&str], second: i64) -> Looked {
        let tags = tags(names);
        let at = Timestamp::from_second(second).unwrap();
        Looked::Listed(ScanResult::of(&Listing::of(tags.iter(), at)))
    }

    fn facts(looked: Looked) -> RepositoryFacts<'static> {
        RepositoryFacts {
            image: "h.io/web",
            exclusions: &[],
            suspended: false,
            answered: None,
            looked,
        }
    }

    fn told(status: &RepositoryStatus) -> String {
        let ready = status.conditions.ready().unwrap();
        format!("{} {} {}", ready.status, ready.reason, ready.message)
    }

    #[test]
    fn a_scan_names_its_ten_largest_tags() {
        let names: Vec<String> = (0..12).map(|number| format!("v{number:02}")).collect();
        let tags: Vec<Tag> = names.iter().map(|name| name.parse().unwrap()).collect();
        let at = Timestamp::from_millisecond(1_999).unwrap();
        let found = ScanResult::of(&Listing::of(tags.iter(), at));
        assert_eq!(found.tag_count, 12);
        let latest = found.latest_tags.unwrap();
        assert_eq!((latest.len(), latest[0].as_str(), latest[9].as_str()), (10, "v11", "v02"));
        assert_eq!(found.scan_time, Some(Timestamp::from_second(1).unwrap()));
    }

    #[test]
    fn each_end_of_a_look_has_its_reason_and_message() {
        let cases = [
            (listed(&["b", "a"], 5), "True Succeeded successful scan: found 2 tags with checksum"),
            (
                Looked::Unprepared("no Secret".to_owned()),
                "False AuthenticationFailed failed to configure authentication options: no Secret",
            ),
            (Looked::Failed("429".to_owned()), "False ReadOperationFailed scan failed: 429"),
            (
                listed(&[], 5),
                "False ReadOperationFailed scan failed: the registry knows no tag of h.io/web",
            ),
            (Looked::Invalid("no".to_owned()), "False ImageURLInvalid no"),
        ];
        for (looked, expected) in cases {
            let status = RepositoryStatus::default().next(&facts(looked.clone()), at(5));
            assert!(told(&status).starts_with(expected), "{looked:?}: {}", told(&status));
            let settled = matches!(looked, Looked::Invalid(_)) || status.conditions.is_ready();
            assert_eq!(status.observed_generation.is_some(), settled, "{looked:?}");
        }
    }

    #[test]
    fn what_was_found_outlives_a_failure() {
        let good = RepositoryStatus::default().next(&facts(listed(&["a"], 5)), at(5));
        let bad = good.next(&facts(Looked::Failed("503".to_owned())), at(6));
        assert_eq!(bad.last_scan_result, good.last_scan_result);
        assert!(!bad.conditions.is_ready());
        let again = bad.next(&facts(Looked::Unchanged), at(7));
        assert!(again.conditions.is_ready());
    }

    #[test]
    fn a_suspended_repository_answers_requests_and_says_nothing_new() {
        let good = RepositoryStatus::default().next(&facts(listed(&["a"], 5)), at(5));
        let suspended = RepositoryFacts {
            suspended: true,
            answered: Some("token"),
            ..facts(Looked::Failed("x".to_owned()))
        };
        let later = Moment { generation: 4, ..at(9) };
        let next = good.next(&suspended, later);
        assert_eq!(next.conditions, good.conditions);
        assert_eq!(next.last_handled_reconcile_at.as_deref(), Some("token"));
        assert_eq!(next.observed_generation, Some(4));
    }

    #[test]
    fn the_same_tags_are_news_again_after_ten_minutes_only() {
        let good = RepositoryStatus::default().next(&facts(listed(&["a"], 0)), at(0));
        let soon = good.next(&facts(listed(&["a"], 60)), at(60));
        assert!(!soon.is_news_after(&good));
        let late = good.next(&facts(listed(&["a"], 700)), at(700));
        assert!(late.is_news_after(&good));
        let other = good.next(&facts(listed(&["a", "b"], 60)), at(60));
        assert!(other.is_news_after(&good));
    }

    #[test]
    fn a_listing_is_needed_for_what_was_never_or_otherwise_listed() {
        let signatures = vec![r"^.*\.sig$".to_owned(), "^x$".to_owned()];
        let own = RepositoryFacts { exclusions: &signatures, ..facts(listed(&["a"], 5)) };
        let status = RepositoryStatus::default().next(&own, at(5));
        let turned: Vec<String> = signatures.iter().rev().cloned().collect();
        assert!(!status.needs_listing("h.io/web", &turned));
        assert!(status.needs_listing("h.io/web", &[]));
        assert!(status.needs_listing("h.io/other", &signatures));
        assert!(RepositoryStatus::default().needs_listing("h.io/web", &signatures));
    }

    #[test]
    fn names_are_written_out_as_go_does() {
        for (image, expected) in [
            ("alpine", "index.docker.io/library/alpine"),
            ("team/web", "index.docker.io/team/web"),
            ("docker.io/team/web", "index.docker.io/team/web"),
            ("ghcr.io/team/web", "ghcr.io/team/web"),
            ("registry.lan:5000/web", "registry.lan:5000/web"),
        ] {
            assert_eq!(canonical(image), expected);
        }
    }

    #[test]
    fn a_bad_image_is_told_in_fluxs_words() {
        for (image, expected) in [
            (
                "https://h.io/web",
                "image 'https://h.io/web' should not include URL scheme; remove 'https://'",
            ),
            ("h.io/web:v1", "image 'h.io/web:v1' should not include a tag; remove ':v1'"),
            ("web:v1", "image 'web:v1' should not include a tag; remove ':v1'"),
            ("h.io:5000/web:v1", "image 'h.io:5000/web:v1' should not include a tag; remove ':v1'"),
        ] {
            assert_eq!(image_fault(image).as_deref(), Some(expected));
        }
        for fine in ["alpine", "h.io/web", "h.io:5000/team/web"] {
            assert_eq!(image_fault(fine), None, "{fine}");
        }
        assert!(image_fault("h.io/web@sha256:00").is_some());
        assert!(image_fault("H.io/We b").is_some());
    }
}
