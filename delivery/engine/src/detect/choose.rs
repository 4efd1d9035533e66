use mercurious_core::{
    decide::{Candidate, Comparison},
    image::{Digest, Release, Tag},
    policy::{Order, Policy, newest},
    rollout::Record,
};
use serde::{Deserialize, Serialize};

use super::{Seen, look::selected_tag};

/// Turns what was seen into the policy's candidate, compared with what runs and with what is held.
///
/// `failure` is the last look's error, if it failed: then the answer stays what it was.
pub fn choose(
    policy: &Policy,
    seen: &Seen,
    failure: Option<&str>,
    running: Option<&Release>,
    record: &Record,
) -> Candidate {
    if let Some(message) = failure {
        return Candidate::Unknown { message: message.to_owned() };
    }
    if !seen.complete {
        return Candidate::Awaited {
            message: "waits for the first look at the registry".to_owned(),
        };
    }
    let (release, why) = match select(policy, seen) {
        Ok(selected) => selected,
        Err(candidate) => return candidate,
    };
    let versus_running =
        running.map_or(Comparison::Unknown, |running| policy.compare(&release, running));
    let versus_held = record
        .holds
        .iter()
        .map(|hold| (hold.digest.clone(), policy.compare(&release, &hold.release)))
        .collect();
    Candidate::Selected {
        release: Box::new(release),
        order: policy.order.name(),
        why,
        versus_running,
        versus_held,
    }
}

fn select(policy: &Policy, seen: &Seen) -> Result<(Release, String), Candidate> {
    match &policy.order {
        Order::Digest(tag) => {
            let release = release_of(seen, tag, policy)?;
            Ok((release, format!("follows the tag {tag}")))
        }
        Order::Newest => select_newest(policy, seen),
        _ => {
            let tags: Vec<String> = seen.tags.keys().map(Tag::to_string).collect();
            let selection = policy
                .select(&tags)
                .map_err(|error| Candidate::Empty { message: error.to_string() })?;
            let Some(tag) = selected_tag(policy, seen) else {
                return Err(Candidate::Empty { message: nothing_matches(policy, seen) });
            };
            let why = selection
                .tags
                .iter()
                .find(|verdict| verdict.tag == tag.as_str())
                .map_or_else(String::new, |verdict| verdict.reason.clone());
            Ok((release_of(seen, &tag, policy)?, why))
        }
    }
}

fn select_newest(policy: &Policy, seen: &Seen) -> Result<(Release, String), Candidate> {
    // An image that was pushed last and cannot be used must not be passed over in silence.
    if let Some((digest, message)) = seen
        .anchors
        .values()
        .find_map(|digest| seen.unusable.get(digest).map(|message| (digest, message)))
    {
        return Err(Candidate::Unusable {
            message: format!("the newest image {} cannot be used: {message}", digest.short()),
        });
    }
    let candidates = newest_candidates(policy, seen);
    let selection = newest(&candidates);
    match selection.chosen {
        Some(index) => Ok((candidates[index].clone(), selection.why)),
        None => match seen.unusable.values().next() {
            Some(message) => Err(Candidate::Unusable { message: message.clone() }),
            None => Err(Candidate::Empty { message: nothing_matches(policy, seen) }),
        },
    }
}

fn newest_candidates(policy: &Policy, seen: &Seen) -> Vec<Release> {
    seen.tags
        .iter()
        .filter(|(tag, _)| policy.takes_part(tag))
        .filter_map(|(tag, digest)| {
            seen.releases.get(digest.as_ref()?).map(|release| named(release, tag))
        })
        .collect()
}

fn release_of(seen: &Seen, tag: &Tag, policy: &Policy) -> Result<Release, Candidate> {
    let digest = seen.tags.get(tag).cloned().flatten().or_else(|| seen.anchors.get(tag).cloned());
    let Some(digest) = digest else {
        return Err(Candidate::Empty { message: nothing_matches(policy, seen) });
    };
    if let Some(message) = seen.unusable.get(&digest) {
        return Err(Candidate::Unusable { message: format!("{tag} cannot be used: {message}") });
    }
    match seen.releases.get(&digest) {
        Some(release) => Ok(named(release, tag)),
        None => Err(Candidate::Unknown { message: format!("{tag} has not been looked at yet") }),
    }
}

/// The release under this tag; a tag `sha-<hex>` names the commit where the image does not.
fn named(release: &Release, tag: &Tag) -> Release {
    let commit = release
        .commit
        .clone()
        .or_else(|| tag.as_str().strip_prefix("sha-").and_then(|hex| hex.parse().ok()));
    Release { tag: Some(tag.clone()), commit, ..release.clone() }
}

fn nothing_matches(policy: &Policy, seen: &Seen) -> String {
    match seen.count() {
        0 => format!("the repository has no tags; wanted: {}", policy.describe()),
        1 => format!("the repository's one tag does not match; wanted: {}", policy.describe()),
        count => format!("none of {count} tags matches; wanted: {}", policy.describe()),
    }
}

/// What a policy selects, as it is shown to people: whether it can be deployed is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownTag {
    /// The tag.
    pub tag: Tag,
    /// The digest behind it, where that is known.
    pub digest: Option<Digest>,
}

/// The tag that a policy selects among those that were seen; the error says why there is none.
pub fn shown(policy: &Policy, seen: &Seen) -> Result<ShownTag, String> {
    let digest_of = |tag: &Tag| seen.tags.get(tag).cloned().flatten();
    let tag = match &policy.order {
        Order::Digest(tag) if seen.anchors.contains_key(tag) => Some(tag.clone()),
        Order::Digest(_) => None,
        Order::Newest => match select_newest(policy, seen) {
            Ok((release, _)) => release.tag,
            Err(
                Candidate::Unknown { message }
                | Candidate::Unusable { message }
                | Candidate::Empty { message }
                | Candidate::Awaited { message },
            ) => return Err(message),
            Err(Candidate::Selected { release, .. }) => release.tag,
        },
        _ => {
            let tags: Vec<String> = seen.tags.keys().map(Tag::to_string).collect();
            let selection = policy.select(&tags).map_err(|error| error.to_string())?;
            selection.latest.and_then(|tag| tag.parse().ok())
        }
    };
    let tag = tag.ok_or_else(|| nothing_matches(policy, seen))?;
    let digest = digest_of(&tag).or_else(|| seen.anchors.get(&tag).cloned());
    Ok(ShownTag { tag, digest })
}

/// What a person who pushed `latest` should know where the newest is chosen and it is not that: it is passed over for ever
/// if its build time is missing or cannot be true.
pub(crate) fn overlooked(policy: &Policy, seen: &Seen) -> Option<String> {
    let Order::Newest = policy.order else { return None };
    // Asked at each step: all tags are compared only where there is a reason to.
    let undated = |digest| seen.releases.get(digest).is_some_and(|it| it.built_at.is_none());
    if !seen.anchors.values().any(undated) {
        return None;
    }
    let (chosen, _) = select_newest(policy, seen).ok()?;
    let (tag, digest) = seen.anchors.iter().find(|(_, digest)| **digest != chosen.digest)?;
    let passed = seen.releases.get(digest)?;
    (passed.built_at.is_none() && chosen.built_at.is_some()).then(|| {
        format!(
            "{tag} is {}, which has no build time that can be true and is passed over for {}; let the build set \
             `created` (SOURCE_DATE_EPOCH)",
            passed.digest.short(),
            chosen.nickname()
        )
    })
}

/// One tag, and why it was chosen or not.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TagChoice {
    /// The tag.
    pub tag: String,
    /// Whether it was chosen.
    pub chosen: bool,
    /// Why, or why not.
    pub reason: String,
    /// The release behind it, where it was resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
}

/// Every tag that was seen, with the reason why it was chosen or not.
pub fn tag_choices(policy: &Policy, seen: &Seen) -> Vec<TagChoice> {
    let release = |tag: &Tag| {
        let digest = seen.tags.get(tag)?.as_ref()?;
        seen.releases.get(digest).map(|release| named(release, tag))
    };
    let unusable = |tag: &Tag| seen.unusable.get(seen.tags.get(tag)?.as_ref()?).cloned();
    if let Order::Newest = policy.order {
        let candidates = newest_candidates(policy, seen);
        let selection = newest(&candidates);
        return seen
            .tags
            .keys()
            .map(|tag| {
                let index = candidates.iter().position(|release| release.tag.as_ref() == Some(tag));
                let reason = match index {
                    Some(index) => selection.reasons[index].clone(),
                    None if !policy.takes_part(tag) => {
                        format!("does not take part; wanted: {}", policy.describe())
                    }
                    None => unusable(tag).unwrap_or_else(|| "has not been looked at".to_owned()),
                };
                let chosen = index.is_some() && index == selection.chosen;
                TagChoice { tag: tag.to_string(), chosen, reason, release: release(tag) }
            })
            .collect();
    }
    if let Order::Digest(followed) = &policy.order {
        return seen
            .tags
            .keys()
            .map(|tag| TagChoice {
                tag: tag.to_string(),
                chosen: tag == followed && unusable(tag).is_none(),
                reason: if tag == followed {
                    unusable(tag).unwrap_or_else(|| "the tag that is followed".to_owned())
                } else {
                    format!("only {followed} is followed")
                },
                release: release(tag),
            })
            .collect();
    }
    let tags: Vec<String> = seen.tags.keys().map(Tag::to_string).collect();
    match policy.select(&tags) {
        Ok(selection) => selection
            .tags
            .into_iter()
            .map(|verdict| {
                let tag: Option<Tag> = verdict.tag.parse().ok();
                TagChoice {
                    // What cannot be used is not chosen, and no other in its place.
                    chosen: selection.latest.as_deref() == Some(verdict.tag.as_str())
                        && tag.as_ref().and_then(unusable).is_none(),
                    reason: tag.as_ref().and_then(unusable).unwrap_or(verdict.reason),
                    release: tag.as_ref().and_then(release),
                    tag: verdict.tag,
                }
            })
            .collect(),
        Err(error) => tags
            .into_iter()
            .map(|tag| TagChoice { tag, chosen: false, reason: error.to_string(), release: None })
            .collect(),
    }
}
