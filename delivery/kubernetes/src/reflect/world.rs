//! What is known of the image objects. No IO.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mercurious_core::{
    policy::{Order, Policy, PolicyError},
    resources::{DigestReflectionPolicy, ImageRepository, ObjectName},
};
use mercurious_engine::{Admission, Place, RepositoryState, Wishes, chosen_from, shown};
use tokio::time::Instant;

use super::{
    condition::Moment,
    object::{PolicyObject, RepositoryFound},
    policy::{Answer, ImageRef},
    repository::{Looked, RepositoryFacts, RepositoryStatus, ScanResult, image_fault},
};
use crate::objects::Objects;

/// All image objects, with what we did about them.
#[derive(Default)]
pub(crate) struct World {
    repositories: BTreeMap<ObjectName, Repository>,
    policies: BTreeMap<ObjectName, PolicyEntry>,
    admission: Admission,
}

pub(super) struct Repository {
    /// Shared with who read it.
    pub(super) found: Arc<RepositoryFound>,
    /// Where it is looked at; nothing where that is not understood.
    pub(super) place: Option<Arc<Place>>,
    /// The request that was obeyed last.
    pub(super) answered: Option<String>,
}

pub(super) struct PolicyEntry {
    /// Shared with who read it.
    pub(super) found: Arc<PolicyObject>,
    /// When its digest was asked for last, and for which tag.
    pub(super) digest_asked: Option<(String, Instant)>,
}

/// A tag that was chosen, before its digest is known.
pub(super) struct Choice {
    pub(super) latest: ImageRef,
    pub(super) why: Option<String>,
    pub(super) reflection: DigestReflectionPolicy,
    pub(super) interval: Option<std::time::Duration>,
}

impl World {
    /// Takes note of everything as it is now; what was written since by us is newer than what was read.
    pub(crate) fn learn(&mut self, objects: &Objects, wishes: &Wishes, admission: &Admission) {
        self.admission = admission.clone();
        self.repositories.retain(|name, _| objects.image_repositories.contains_key(name));
        for (name, found) in &objects.image_repositories {
            let place = wishes.repositories.get(name).map(|wish| wish.place.clone());
            if let Some(known) = self.repositories.get_mut(name) {
                known.place = place;
                renew(&mut known.found, found);
            } else {
                // A request that was answered before this life began is not answered again.
                let told = found.status.last_handled_reconcile_at.clone();
                let answered = found.asked.clone().filter(|_| told == found.requested_at);
                let entry = Repository { found: found.clone(), place, answered };
                self.repositories.insert(name.clone(), entry);
            }
        }
        self.policies.retain(|name, _| objects.image_policies.contains_key(name));
        for (name, found) in &objects.image_policies {
            if let Some(known) = self.policies.get_mut(name) {
                renew(&mut known.found, found);
            } else {
                let entry = PolicyEntry { found: found.clone(), digest_asked: None };
                self.policies.insert(name.clone(), entry);
            }
        }
    }

    pub(super) fn repository(&mut self, name: &ObjectName) -> Option<&mut Repository> {
        self.repositories.get_mut(name)
    }

    pub(super) fn policy(&mut self, name: &ObjectName) -> Option<&mut PolicyEntry> {
        self.policies.get_mut(name)
    }

    /// Every repository that there is, or that a policy refers to.
    pub(crate) fn names(&self) -> BTreeSet<ObjectName> {
        let referred =
            self.policies.iter().filter_map(|(name, policy)| Some(chosen(name, policy)?.clone()));
        self.repositories.keys().cloned().chain(referred).collect()
    }

    /// The policies that choose from this repository; with none, those that cannot be understood.
    pub(super) fn policies_of(&self, repository: Option<&ObjectName>) -> Vec<ObjectName> {
        self.policies
            .iter()
            .filter(|(name, policy)| chosen(name, policy).as_ref() == repository)
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// What was asked of a repository and not answered yet.
    pub(crate) fn asked(&self) -> Vec<(ObjectName, String)> {
        let open =
            self.repositories.iter().filter(|(_, known)| known.answered != known.found.asked);
        open.filter_map(|(name, known)| Some((name.clone(), known.found.asked.clone()?))).collect()
    }

    /// Repositories whose tags must be listed before their status can be told.
    pub(crate) fn unlisted(&self) -> Vec<ObjectName> {
        let unlisted = self.repositories.iter().filter(|(_, known)| {
            let Ok(object) = &known.found.meaning else { return false };
            let spec = &object.spec;
            known.place.is_some()
                && !spec.suspend
                && known.found.status.needs_listing(&spec.image, &spec.exclusion_list)
        });
        unlisted.map(|(name, _)| name.clone()).collect()
    }

    /// The status of a repository that follows the one it has.
    pub(super) fn repository_status(
        &self,
        name: &ObjectName,
        state: Option<&RepositoryState>,
        at: Moment,
    ) -> Option<RepositoryStatus> {
        let known = self.repositories.get(name)?;
        let found = &known.found;
        let object = match &found.meaning {
            Ok(object) => object,
            Err(fault) => {
                let facts = RepositoryFacts {
                    image: "",
                    exclusions: &[],
                    suspended: false,
                    answered: None,
                    looked: Looked::Invalid(fault.clone()),
                };
                return Some(found.status.next(&facts, at));
            }
        };
        let facts = RepositoryFacts {
            image: &object.spec.image,
            exclusions: &object.spec.exclusion_list,
            suspended: object.spec.suspend,
            answered: found.requested_at.as_deref().filter(|_| known.answered == found.asked),
            looked: looked(object, known, state),
        };
        Some(found.status.next(&facts, at))
    }

    /// What a policy comes to, all but its digest.
    pub(super) fn answer(
        &self,
        name: &ObjectName,
        state: Option<&RepositoryState>,
    ) -> Option<Result<Choice, Answer>> {
        let object = match &self.policies.get(name)?.found.meaning {
            Ok(object) => object,
            Err(fault) => return Some(Err(Answer::Invalid(format!("invalid policy: {fault}")))),
        };
        let spec = &object.spec;
        let reflection = spec.digest_reflection_policy.unwrap_or_default();
        if spec.suspend {
            return Some(Err(Answer::Suspended));
        }
        if reflection == DigestReflectionPolicy::Always && spec.interval.is_none() {
            return Some(Err(Answer::NoInterval));
        }
        let reference = chosen_from(name, object);
        let repository = match self.referred(&reference, name) {
            Ok(repository) => repository,
            Err(answer) => return Some(Err(answer)),
        };
        let policy = match Policy::from_resource(object) {
            Ok((policy, _)) => policy,
            Err(error) => {
                let about = match &error {
                    PolicyError::Filter(_) => "failed to filter tags",
                    _ => "invalid policy",
                };
                let why = mercurious_adapters::chain(&error);
                return Some(Err(Answer::Invalid(format!("{about}: {why}"))));
            }
        };
        Some(choose(&policy, &repository.spec.image, state).map(|latest| Choice {
            latest,
            why: by_time(&policy),
            reflection,
            interval: spec.interval.map(|span| span.0),
        }))
    }

    fn referred(&self, name: &ObjectName, policy: &ObjectName) -> Result<&ImageRepository, Answer> {
        if self.admission.own_namespace_only && name.namespace != policy.namespace {
            return Err(Answer::Denied(format!(
                "cannot access 'ImageRepository/{name}', cross-namespace references have been blocked"
            )));
        }
        let known =
            self.repositories.get(name).ok_or_else(|| Answer::NoRepository(name.clone()))?;
        let object =
            known.found.meaning.as_ref().map_err(|fault| Answer::BadImage(fault.clone()))?;
        if !self.admission.admits(name, object, &policy.namespace) {
            let why = if object.spec.access_from.is_none() {
                "missing ACL labels on 'accessFrom'".to_owned()
            } else {
                format!("ACL labels mismatch on namespace '{}'", policy.namespace)
            };
            return Err(Answer::Denied(format!(
                "access denied: '{name}' can't be accessed due to {why}"
            )));
        }
        match image_fault(&object.spec.image) {
            Some(fault) => Err(Answer::BadImage(fault)),
            None => Ok(object),
        }
    }
}

fn chosen(name: &ObjectName, policy: &PolicyEntry) -> Option<ObjectName> {
    policy.found.meaning.as_ref().ok().map(|object| chosen_from(name, object))
}

fn choose(
    policy: &Policy,
    image: &str,
    state: Option<&RepositoryState>,
) -> Result<ImageRef, Answer> {
    let state = state.ok_or(Answer::NoTags(None))?;
    if !state.seen.complete {
        return Err(match (&state.failure, state.looked_at) {
            (None, None) => Answer::NotYet,
            (failure, _) => Answer::NoTags(failure.clone()),
        });
    }
    match shown(policy, &state.seen) {
        Ok(choice) => {
            Ok(ImageRef { name: image.to_owned(), tag: choice.tag.to_string(), digest: None })
        }
        Err(why) if state.seen.count() == 0 => Err(Answer::NoTags(Some(why))),
        Err(why) => Err(Answer::Nothing(why)),
    }
}

/// Flux would choose another one: the reader is told why this one is right.
fn by_time(policy: &Policy) -> Option<String> {
    matches!(policy.order, Order::Newest).then(|| {
        if policy.is_by_default() {
            "the image that was built last, for the alphabet of commit hashes says nothing about time (the annotation \
             mercurious.dev/order: alphabetical insists on it)"
                .to_owned()
        } else {
            "the image that was built last, as mercurious.dev/order asks".to_owned()
        }
    })
}

fn looked(object: &ImageRepository, known: &Repository, state: Option<&RepositoryState>) -> Looked {
    if let Some(fault) = image_fault(&object.spec.image) {
        return Looked::Invalid(fault);
    }
    if known.place.is_none() {
        let provider = object.spec.provider.unwrap_or_default();
        return Looked::Unprepared(format!(
            "spec.provider {provider:?} is not supported; make a Secret of the registry's token and name it in \
             spec.secretRef"
        ));
    }
    let Some(state) = state else { return Looked::NotYet };
    match (&state.failure, state.looked_at) {
        (_, None) => Looked::NotYet,
        (Some(failure), _) if state.unprepared => Looked::Unprepared(failure.clone()),
        (Some(failure), _) => Looked::Failed(failure.clone()),
        (None, Some(_)) => match &state.listing {
            Some(listing) => Looked::Listed(ScanResult::of(listing)),
            None => Looked::Unchanged,
        },
    }
}

/// Takes what was read, unless what is known came later. Says whether it is another state of the object.
pub(super) fn renew<Meaning, Status>(
    known: &mut Arc<super::ImageObject<Meaning, Status>>,
    found: &Arc<super::ImageObject<Meaning, Status>>,
) -> bool {
    let (own, read) = (&known.identity, &found.identity);
    if own.uid == read.uid && !read.is_not_before(own) {
        return false;
    }
    let is_news = own.resource_version != read.resource_version;
    *known = Arc::clone(found);
    is_news
}
