//! What an ImagePolicy's status says. No IO.

use mercurious_core::resources::{DigestReflectionPolicy, ObjectName};
use serde::{Deserialize, Serialize};

use super::condition::{Conditions, Moment};

/// `ImagePolicy.status`, of every generation: what a cluster's kind does not know is dropped by its API server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PolicyStatus {
    pub(crate) conditions: Conditions,
    pub(crate) observed_generation: Option<i64>,
    pub(crate) last_handled_reconcile_at: Option<String>,
    pub(crate) latest_ref: Option<ImageRef>,
    pub(crate) observed_previous_ref: Option<ImageRef>,
    /// The same as one text, as it was before 1.0.
    pub(crate) latest_image: Option<String>,
    pub(crate) observed_previous_image: Option<String>,
}

/// An image as Flux refers to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImageRef {
    /// `spec.image`, as it is written.
    pub(crate) name: String,
    pub(crate) tag: String,
    /// Written as `null` where there is none: a merge would keep the one before.
    #[serde(default)]
    pub(crate) digest: Option<String>,
}

/// What a policy comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Its repository's first look is on its way.
    NotYet,
    /// Nothing is chosen for now.
    Suspended,
    /// It means nothing.
    Invalid(String),
    /// `Always` without an interval.
    NoInterval,
    /// Its repository is not there.
    NoRepository(ObjectName),
    /// Its repository does not let it in.
    Denied(String),
    /// Its repository names no image.
    BadImage(String),
    /// No tags are known.
    NoTags(Option<String>),
    /// No tag qualifies.
    Nothing(String),
    /// This one is it, but its digest could not be had.
    NoDigest(ImageRef, String),
    /// This one; what makes the choice another than Flux's, where something does.
    Chosen(ImageRef, Option<String>),
}

impl ImageRef {
    /// `name:tag[@digest]`
    fn full(&self) -> String {
        match &self.digest {
            Some(digest) => format!("{}:{}@{digest}", self.name, self.tag),
            None => format!("{}:{}", self.name, self.tag),
        }
    }

    /// `name:tag`
    fn image(&self) -> String {
        format!("{}:{}", self.name, self.tag)
    }

    fn read(image: &str) -> Option<Self> {
        let (name, tag) = image.rsplit_once(':')?;
        Some(Self { name: name.to_owned(), tag: tag.to_owned(), digest: None })
    }
}

/// Whether the digest of a choice must be asked for, and the one that is told where it need not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DigestNeed {
    /// None is told.
    None,
    /// This one is told already.
    Known(String),
    /// It must be asked for.
    Asked,
}

impl PolicyStatus {
    /// What it tells now, whichever generation wrote it.
    pub(crate) fn latest(&self) -> Option<ImageRef> {
        let older = || self.latest_image.as_deref().and_then(ImageRef::read);
        self.latest_ref.clone().or_else(older)
    }

    /// Whether the digest of this tag must be asked for; `due` says that the interval of `Always` is over.
    pub(crate) fn digest_need(
        &self,
        reflection: DigestReflectionPolicy,
        name: &str,
        tag: &str,
        due: bool,
    ) -> DigestNeed {
        let told = self.latest_ref.as_ref().filter(|told| told.name == name && told.tag == tag);
        let told = told.and_then(|told| told.digest.clone());
        match (reflection, told) {
            (DigestReflectionPolicy::Never, _) => DigestNeed::None,
            (DigestReflectionPolicy::IfNotPresent, Some(digest)) => DigestNeed::Known(digest),
            (DigestReflectionPolicy::Always, Some(digest)) if !due => DigestNeed::Known(digest),
            _ => DigestNeed::Asked,
        }
    }

    /// The status that follows this one.
    pub(crate) fn next(&self, answer: &Answer, answered: Option<&str>, at: Moment) -> Self {
        let mut next = self.clone();
        if let Some(answered) = answered {
            next.last_handled_reconcile_at = Some(answered.to_owned());
        }
        let conditions = &mut next.conditions;
        let referred = |why: &str| format!("failed to get the referred ImageRepository: {why}");
        match answer {
            Answer::NotYet => return next,
            Answer::Suspended => {}
            Answer::Invalid(why) => conditions.stall(at, "InvalidPolicy", why),
            Answer::NoInterval => conditions.stall(
                at,
                "IntervalNotConfigured",
                "spec.interval must be set when spec.digestReflectionPolicy is set to 'Always'",
            ),
            Answer::BadImage(why) => conditions.stall(at, "ImageURLInvalid", why),
            Answer::NoRepository(name) => {
                let message = referred(&format!(
                    "referenced ImageRepository does not exist: imagerepositories.image.toolkit.fluxcd.io \"{}\" not \
                     found in namespace {}",
                    name.name, name.namespace
                ));
                conditions.fail(at, "DependencyNotReady", &message);
            }
            Answer::Denied(why) => conditions.fail(at, "AccessDenied", &referred(why)),
            Answer::NoTags(why) => {
                let message = match why {
                    Some(why) => format!("no tags are known: {why}"),
                    None => "no tags are known".to_owned(),
                };
                conditions.fail(at, "DependencyNotReady", &message);
            }
            Answer::Nothing(why) => conditions.fail(at, "Failure", why),
            Answer::NoDigest(latest, why) => {
                let message = format!("failed fetching digest of {}: {why}", latest.image());
                conditions.fail(at, "Failed", &message);
            }
            Answer::Chosen(latest, why) => {
                next.choose(latest);
                let message = next.told(why.as_deref());
                next.conditions.succeed(at, &message);
            }
        }
        if next.conditions.is_settled() {
            next.observed_generation = Some(at.generation);
        }
        next
    }

    fn choose(&mut self, latest: &ImageRef) {
        let before = self.latest();
        if before.as_ref() == Some(latest) {
            self.latest_ref = Some(latest.clone());
        } else {
            self.observed_previous_ref = before;
            self.latest_ref = Some(latest.clone());
        }
        self.latest_image = Some(latest.image());
        self.observed_previous_image = self.observed_previous_ref.as_ref().map(ImageRef::image);
    }

    /// Flux's message, and what is not Flux's about the choice.
    fn told(&self, why: Option<&str>) -> String {
        let Some(latest) = &self.latest_ref else { return String::new() };
        let mut message =
            format!("Latest image tag for {} resolved to {}", latest.name, latest.tag);
        if let Some(digest) = &latest.digest {
            message += &format!(" with digest {digest}");
        }
        if let Some(previous) = self.observed_previous_ref.as_ref().filter(|it| *it != latest) {
            message += &format!(" (previously {})", previous.full());
        }
        if let Some(why) = why {
            message += &format!("; {why}");
        }
        message
    }

    /// Whether this is worth a write after the other. What the kind may not know makes no difference.
    pub(crate) fn is_news_after(&self, before: &Self) -> bool {
        let comparable = |status: &Self| Self {
            latest_ref: status.latest(),
            latest_image: None,
            observed_previous_image: None,
            // Kinds without a place for it drop it.
            observed_previous_ref: None,
            ..status.clone()
        };
        comparable(self) != comparable(before)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const AT: Moment = Moment { generation: 2, now: Timestamp::UNIX_EPOCH };

    fn image(name: &str, tag: &str, digest: &str) -> ImageRef {
        let digest = (!digest.is_empty()).then(|| digest.to_owned());
        ImageRef { name: name.to_owned(), tag: tag.to_owned(), digest }
    }

    fn ready(status: &PolicyStatus) -> String {
        let ready = status.conditions.ready().unwrap();
        format!("{} {} {}", ready.status, ready.reason, ready.message)
    }

    #[test]
    fn the_message_of_a_choice_is_fluxs() {
        // TestComposeImagePolicyReadyMessage of the image-reflector-controller.
        let cases = [
            (image("foo/bar", "1.0.0", ""), None, "Latest image tag for foo/bar resolved to 1.0.0"),
            (
                image("foo/bar", "1.1.0", ""),
                Some(image("foo/bar", "1.0.0", "")),
                "Latest image tag for foo/bar resolved to 1.1.0 (previously foo/bar:1.0.0)",
            ),
            (
                image("foo/bar", "1.0.0", ""),
                Some(image("foo/bar", "1.0.0", "")),
                "Latest image tag for foo/bar resolved to 1.0.0",
            ),
            (
                image("foo/bar", "1.0.0", "sha256:1234567890abcdef"),
                Some(image("baz/qux", "1.0.0", "")),
                "Latest image tag for foo/bar resolved to 1.0.0 with digest sha256:1234567890abcdef (previously \
                 baz/qux:1.0.0)",
            ),
            (
                image("foo/bar", "1.0.0", "sha256:1234567890abcdef"),
                Some(image("foo/bar", "1.0.0", "sha256:abcdef1234567890")),
                "Latest image tag for foo/bar resolved to 1.0.0 with digest sha256:1234567890abcdef (previously \
                 foo/bar:1.0.0@sha256:abcdef1234567890)",
            ),
        ];
        for (latest, previous, expected) in cases {
            let status = PolicyStatus {
                latest_ref: Some(latest),
                observed_previous_ref: previous,
                ..PolicyStatus::default()
            };
            assert_eq!(status.told(None), expected);
        }
    }

    #[test]
    fn each_answer_has_its_reason() {
        let chosen = image("h.io/web", "v1", "");
        let cases = [
            (
                Answer::Invalid("invalid policy: x".to_owned()),
                "False InvalidPolicy invalid policy: x",
                true,
            ),
            (Answer::NoInterval, "False IntervalNotConfigured spec.interval must be set", true),
            (Answer::BadImage("image".to_owned()), "False ImageURLInvalid image", true),
            (
                Answer::NoRepository(ObjectName::new("a", "web")),
                "False DependencyNotReady failed to get the referred ImageRepository: referenced ImageRepository does \
                 not exist: imagerepositories.image.toolkit.fluxcd.io \"web\" not found",
                false,
            ),
            (
                Answer::Denied("access denied: no".to_owned()),
                "False AccessDenied failed to get the referred ImageRepository: access denied: no",
                false,
            ),
            (Answer::NoTags(None), "False DependencyNotReady no tags are known", false),
            (Answer::Nothing("nothing".to_owned()), "False Failure nothing", false),
            (
                Answer::NoDigest(chosen.clone(), "401".to_owned()),
                "False Failed failed fetching digest of h.io/web:v1: 401",
                false,
            ),
            (Answer::Chosen(chosen, None), "True Succeeded Latest image tag for h.io/web", true),
        ];
        for (answer, expected, settled) in cases {
            let status = PolicyStatus::default().next(&answer, Some("token"), AT);
            assert!(ready(&status).starts_with(expected), "{answer:?}: {}", ready(&status));
            assert_eq!(status.observed_generation.is_some(), settled, "{answer:?}");
            assert_eq!(status.last_handled_reconcile_at.as_deref(), Some("token"));
        }
    }

    #[test]
    fn what_was_chosen_outlives_a_failure_and_the_one_before_is_told() {
        let (first, second) = (image("h.io/web", "v1", ""), image("h.io/web", "v2", ""));
        let one = PolicyStatus::default().next(&Answer::Chosen(first.clone(), None), None, AT);
        assert_eq!(one.observed_previous_ref, None);
        let failed = one.next(&Answer::Nothing("none".to_owned()), None, AT);
        assert_eq!(failed.latest(), Some(first.clone()));
        let two = failed.next(&Answer::Chosen(second.clone(), None), None, AT);
        assert_eq!(two.observed_previous_ref, Some(first));
        assert_eq!(two.latest_image.as_deref(), Some("h.io/web:v2"));
        assert_eq!(two.observed_previous_image.as_deref(), Some("h.io/web:v1"));
        let same = two.next(&Answer::Chosen(second, None), None, AT);
        assert!(!same.is_news_after(&two));
        assert_eq!(ready(&same), ready(&two));
    }

    #[test]
    fn a_kind_that_drops_what_it_does_not_know_is_written_to_once() {
        let chosen = Answer::Chosen(image("h.io/web", "v1", ""), None);
        let written = PolicyStatus::default().next(&chosen, None, AT);
        let oldest =
            PolicyStatus { latest_ref: None, observed_previous_ref: None, ..written.clone() };
        let newest =
            PolicyStatus { latest_image: None, observed_previous_image: None, ..written.clone() };
        for found in [oldest, newest, written] {
            assert!(!found.next(&chosen, None, AT).is_news_after(&found), "{found:?}");
        }
    }

    #[test]
    fn digests_are_asked_for_as_flux_does() {
        // TestImagePolicyReconciler_digestReflection: reflection before and after, whether the tag is another one, and
        // what is to be done about the digest in the second pass.
        use DigestReflectionPolicy::{Always, IfNotPresent, Never};
        let known = || DigestNeed::Known("sha256:1".to_owned());
        let cases = [
            (Never, Never, false, DigestNeed::None),
            (Always, Always, false, DigestNeed::Asked),
            (IfNotPresent, IfNotPresent, true, DigestNeed::Asked),
            (IfNotPresent, IfNotPresent, false, known()),
            (Never, IfNotPresent, false, DigestNeed::Asked),
            (Always, Never, false, DigestNeed::None),
            (IfNotPresent, Never, false, DigestNeed::None),
            (IfNotPresent, Always, false, DigestNeed::Asked),
            (Always, IfNotPresent, false, known()),
        ];
        for (first, second, moved, expected) in cases {
            let digest = if first == Never { "" } else { "sha256:1" };
            let status = PolicyStatus {
                latest_ref: Some(image("h.io/web", "v1", digest)),
                ..PolicyStatus::default()
            };
            let tag = if moved { "v2" } else { "v1" };
            let need = status.digest_need(second, "h.io/web", tag, true);
            assert_eq!(need, expected, "{first:?} then {second:?}");
        }
        let told = PolicyStatus {
            latest_ref: Some(image("h.io/web", "v1", "sha256:1")),
            ..PolicyStatus::default()
        };
        assert_eq!(told.digest_need(Always, "h.io/web", "v1", false), known());
    }

    #[test]
    fn a_suspended_policy_says_nothing_new() {
        let chosen = Answer::Chosen(image("h.io/web", "v1", ""), None);
        let status = PolicyStatus::default().next(&chosen, None, AT);
        let suspended = status.next(&Answer::Suspended, Some("t"), Moment { generation: 5, ..AT });
        assert_eq!(suspended.conditions, status.conditions);
        assert_eq!(suspended.observed_generation, Some(5));
        assert_eq!(suspended.last_handled_reconcile_at.as_deref(), Some("t"));
    }
}
