use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    api::{Api, ApiResource, DynamicObject, Patch, PatchParams},
    runtime::events::EventType,
};
use mercurious_core::resources::{DigestReflectionPolicy, ObjectName};
use mercurious_engine::{
    Admission, Place, Ports, RepositoryState, Wishes,
    ports::{ImageSource, LookError},
};
use mercurious_runtime::Clock;
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use super::{
    condition::{Conditions, Moment},
    object::{ImageObject, PolicyObject, RepositoryFound},
    policy::{Answer, DigestNeed},
    presence::{Flux, Presence},
    world::{Choice, World, renew},
};
use crate::{
    FluxVersion, Permit,
    api_error::{explain, is_conflict, is_not_found},
    objects::{Identity, Objects},
    reports::Reports,
    workloads::bounded,
};

/// Who Flux says that it is when it writes a status.
const FIELD_MANAGER: &str = "image-reflector-controller";
/// A write that finds the object changed is made anew so often.
const ATTEMPTS: usize = 5;
/// What could not be written is tried again after this.
const AGAIN: Duration = Duration::from_secs(30);

/// Shows what was seen of registries in the status of image objects. Clones share everything.
#[derive(Clone)]
pub(crate) struct Reflector {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    flux: FluxVersion,
    permit: Arc<dyn Permit>,
    source: Arc<dyn ImageSource>,
    clock: Arc<dyn Clock>,
    reports: Reports,
    presence: Presence,
    world: Mutex<World>,
    /// What went wrong, or is otherwise than in Flux: said once, until it is something else.
    said: Mutex<BTreeMap<(Kind, ObjectName), String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Repository,
    Policy,
}

/// Why a status was not written.
enum Unwritten {
    /// The object is another one now.
    Changed,
    /// It is gone.
    Gone,
    /// The API server refused, or another engine is at work.
    Failed(String),
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Repository => "ImageRepository",
            Self::Policy => "ImagePolicy",
        }
    }
}

impl Reflector {
    pub(crate) fn new(
        client: Client,
        flux: FluxVersion,
        permit: Arc<dyn Permit>,
        ports: &Ports,
        reports: &Reports,
        presence: Presence,
    ) -> Self {
        let inner = Inner {
            client,
            flux,
            permit,
            source: Arc::clone(&ports.source),
            clock: Arc::clone(&ports.clock),
            reports: reports.clone(),
            presence,
            world: Mutex::default(),
            said: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Takes note of everything as it is now.
    pub(crate) fn learn(&self, objects: &Objects, wishes: &Wishes, admission: &Admission) {
        self.world(|world| world.learn(objects, wishes, admission));
    }

    pub(crate) fn names(&self) -> BTreeSet<ObjectName> {
        self.world(|world| world.names())
    }

    /// What was asked of repositories and not answered yet.
    pub(crate) fn asked(&self) -> Vec<(ObjectName, String)> {
        self.world(|world| world.asked())
    }

    /// Repositories whose tags must be listed before their status can be told.
    pub(crate) fn unlisted(&self) -> Vec<ObjectName> {
        self.world(|world| world.unlisted())
    }

    /// Whether a repository was looked at, and its tags must be listed all the same.
    pub(crate) fn lacks_listing(&self, name: &ObjectName, state: &RepositoryState) -> bool {
        let looked =
            state.looked_at.is_some() && state.failure.is_none() && state.listing.is_none();
        looked && self.unlisted().contains(name)
    }

    /// A request was obeyed.
    pub(crate) fn answered(&self, name: &ObjectName, asked: &str) {
        self.world(|world| {
            if let Some(known) = world.repository(name) {
                known.answered = Some(asked.to_owned());
            }
        });
    }

    /// Whether Flux is at work.
    pub(crate) async fn flux(&self) -> Flux {
        self.inner.presence.flux().await
    }

    /// Makes the status of a repository and of the policies that choose from it say what was seen. Says after which
    /// time to do so again, whatever happens.
    pub(crate) async fn reflect(
        &self,
        name: &ObjectName,
        state: Option<&RepositoryState>,
    ) -> Option<Duration> {
        let mut again = None;
        self.write_repository(name, state, &mut again).await;
        for policy in self.world(|world| world.policies_of(Some(name))) {
            self.write_policy(&policy, state, &mut again).await;
        }
        again
    }

    /// The same for policies that name no repository.
    pub(crate) async fn reflect_strays(&self) {
        for policy in self.world(|world| world.policies_of(None)) {
            self.write_policy(&policy, None, &mut None).await;
        }
    }

    async fn write_repository(
        &self,
        name: &ObjectName,
        state: Option<&RepositoryState>,
        again: &mut Option<Duration>,
    ) {
        for _ in 0..ATTEMPTS {
            let found = self.world(|world| world.repository(name).map(|known| known.found.clone()));
            let Some(found) = found else { return };
            if self.release(Kind::Repository, name, &found).await {
                return;
            }
            let at = self.moment(&found.identity);
            let next = self.world(|world| world.repository_status(name, state, at));
            let Some(next) = next.filter(|next| next.is_news_after(&found.status)) else { return };
            if let Flux::Present(_) = self.flux().await {
                return sooner(again, AGAIN);
            }
            let before = found.status.conditions.clone();
            let written = self.write(Kind::Repository, name, &found, &next).await;
            let keep = |world: &mut World, object: &DynamicObject| {
                if let Some(known) = world.repository(name) {
                    known.found = Arc::new(known.found.again(object));
                }
            };
            match self.keep(Kind::Repository, name, written, keep).await {
                Some(true) => {
                    let conditions = (&before, &next.conditions);
                    return self.tell(Kind::Repository, name, &found.identity, conditions).await;
                }
                Some(false) => {}
                None => return sooner(again, AGAIN),
            }
        }
        sooner(again, AGAIN);
    }

    async fn write_policy(
        &self,
        name: &ObjectName,
        state: Option<&RepositoryState>,
        again: &mut Option<Duration>,
    ) {
        for _ in 0..ATTEMPTS {
            let found = self.world(|world| world.policy(name).map(|known| known.found.clone()));
            let Some(found) = found else { return };
            if self.release(Kind::Policy, name, &found).await {
                return;
            }
            let choice = self.world(|world| world.answer(name, state));
            let answer = match choice {
                None => return,
                Some(Err(answer)) => answer,
                Some(Ok(choice)) => self.with_digest(name, &found, choice, again).await,
            };
            if matches!(answer, Answer::Denied(_) | Answer::NoDigest(..)) {
                sooner(again, AGAIN);
            }
            let at = self.moment(&found.identity);
            let next = found.status.next(&answer, found.requested_at.as_deref(), at);
            if !next.is_news_after(&found.status) {
                return;
            }
            if let Flux::Present(_) = self.flux().await {
                self.tell_divergence(name, &found, &answer).await;
                return sooner(again, AGAIN);
            }
            let before = found.status.conditions.clone();
            let written = self.write(Kind::Policy, name, &found, &next).await;
            let keep = |world: &mut World, object: &DynamicObject| {
                if let Some(known) = world.policy(name) {
                    known.found = Arc::new(known.found.again(object));
                }
            };
            match self.keep(Kind::Policy, name, written, keep).await {
                Some(true) => {
                    let conditions = (&before, &next.conditions);
                    return self.tell(Kind::Policy, name, &found.identity, conditions).await;
                }
                Some(false) => {}
                None => return sooner(again, AGAIN),
            }
        }
        sooner(again, AGAIN);
    }

    /// The choice with its digest, where the policy tells one.
    async fn with_digest(
        &self,
        name: &ObjectName,
        found: &PolicyObject,
        choice: Choice,
        again: &mut Option<Duration>,
    ) -> Answer {
        let Choice { mut latest, why, reflection, interval } = choice;
        let always = reflection == DigestReflectionPolicy::Always;
        let (due, place) = self.world(|world| {
            let asked = world.policy(name).and_then(|known| known.digest_asked.clone());
            let left = asked.filter(|(tag, _)| *tag == latest.tag).and_then(|(_, at)| {
                interval
                    .unwrap_or_default()
                    .checked_sub(at.elapsed())
                    .filter(|left| !left.is_zero())
            });
            let object = found.meaning.as_ref().ok();
            let repository = object.map(|object| mercurious_engine::chosen_from(name, object));
            let known = repository.and_then(|repository| world.repository(&repository));
            (left, known.and_then(|known| known.place.clone()))
        });
        if always && let Some(left) = due {
            sooner(again, left);
        }
        let need = found.status.digest_need(reflection, &latest.name, &latest.tag, due.is_none());
        let digest = match (need, place) {
            (DigestNeed::None, _) => Ok(None),
            (DigestNeed::Known(digest), _) => Ok(Some(digest)),
            (DigestNeed::Asked, None) => Err("its repository is not looked at".to_owned()),
            (DigestNeed::Asked, Some(place)) => {
                self.ask_digest(&place, &latest.tag).await.map(Some)
            }
        };
        match digest {
            Ok(digest) => {
                if always && due.is_none() {
                    self.world(|world| {
                        if let Some(known) = world.policy(name) {
                            known.digest_asked = Some((latest.tag.clone(), Instant::now()));
                        }
                    });
                    sooner(again, interval.unwrap_or(AGAIN));
                }
                latest.digest = digest;
                Answer::Chosen(latest, why)
            }
            Err(message) => Answer::NoDigest(latest, message),
        }
    }

    async fn ask_digest(&self, place: &Place, tag: &str) -> Result<String, String> {
        let answer = tokio::time::timeout(place.timeout, self.inner.source.head(place, tag)).await;
        let answer = answer.unwrap_or_else(|_| {
            let message = format!("no answer within {:?}", place.timeout);
            Err(LookError::Failed { message, retryable: true })
        });
        match answer {
            Ok(Some(digest)) => Ok(digest.to_string()),
            Ok(None) => Err("the registry does not know it".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Lets an object go that only Flux's finalizer keeps. Says whether it is going.
    async fn release<Meaning: Clone, Status: serde::de::DeserializeOwned + Default>(
        &self,
        kind: Kind,
        name: &ObjectName,
        found: &ImageObject<Meaning, Status>,
    ) -> bool {
        let Some(finalizers) = found.released() else { return found.is_going };
        if let Flux::Present(_) = self.flux().await {
            return true;
        }
        let patch = json!({"metadata": {
            "resourceVersion": found.identity.resource_version, "finalizers": finalizers,
        }});
        let params = params();
        let released = match self.inner.permit.confirm().await {
            Ok(()) => {
                let (api, patch) = (self.api(kind, name), Patch::Merge(&patch));
                bounded(api.patch(&name.name, &params, &patch)).await.map(drop)
            }
            Err(denied) => Err(denied.to_string()),
        };
        if let Err(message) = released {
            self.complain(kind, name, &format!("cannot be let go: {message}"));
        }
        true
    }

    async fn write(
        &self,
        kind: Kind,
        name: &ObjectName,
        found: &ImageObject<impl Clone, impl Serialize>,
        status: &impl Serialize,
    ) -> Result<DynamicObject, Unwritten> {
        let confirmed = self.inner.permit.confirm().await;
        confirmed.map_err(|denied| Unwritten::Failed(denied.to_string()))?;
        let patch = json!({
            "metadata": {"resourceVersion": found.identity.resource_version},
            "status": status,
        });
        let params = params();
        let (api, patch) = (self.api(kind, name), Patch::Merge(&patch));
        let answer = api.patch_status(&name.name, &params, &patch);
        match tokio::time::timeout(AGAIN, answer).await {
            Ok(Ok(object)) => Ok(object),
            Ok(Err(error)) if is_conflict(&error) => Err(Unwritten::Changed),
            Ok(Err(error)) if is_not_found(&error) => Err(Unwritten::Gone),
            Ok(Err(error)) => Err(Unwritten::Failed(explain(&error))),
            Err(_) => Err(Unwritten::Failed("the API server did not answer".to_owned())),
        }
    }

    /// Takes note of what a write came to: `Some(false)` asks for another attempt, with the object as it is now.
    async fn keep(
        &self,
        kind: Kind,
        name: &ObjectName,
        written: Result<DynamicObject, Unwritten>,
        keep: impl FnOnce(&mut World, &DynamicObject),
    ) -> Option<bool> {
        match written {
            Ok(object) => {
                self.world(|world| keep(world, &object));
                self.inner.said().remove(&(kind, name.clone()));
                Some(true)
            }
            Err(Unwritten::Changed) => {
                let object = bounded(self.api(kind, name).get(&name.name)).await.ok()?;
                self.world(|world| keep(world, &object));
                Some(false)
            }
            Err(Unwritten::Gone) => None,
            Err(Unwritten::Failed(message)) => {
                self.complain(kind, name, &format!("its status cannot be written: {message}"));
                None
            }
        }
    }

    /// Tells a change of `Ready` as Flux does: another message of what is ready, and every failure.
    async fn tell(
        &self,
        kind: Kind,
        name: &ObjectName,
        identity: &Identity,
        (before, after): (&Conditions, &Conditions),
    ) {
        let Some(ready) = after.ready() else { return };
        let said = |conditions: &Conditions| {
            conditions.ready().map(|it| (it.status.clone(), it.reason.clone(), it.message.clone()))
        };
        if said(before) == said(after) {
            return;
        }
        let kind_of = if after.is_ready() { EventType::Normal } else { EventType::Warning };
        self.publish(kind, name, identity, (kind_of, &ready.reason, &ready.message)).await;
    }

    /// Flux is at work and says something else than would be said here.
    async fn tell_divergence(&self, name: &ObjectName, found: &PolicyObject, answer: &Answer) {
        let (Answer::Chosen(own, _), Some(flux)) = (answer, found.status.latest()) else { return };
        if own.tag == flux.tag {
            return;
        }
        let message = format!(
            "Flux resolves the latest tag of {} to {}; mercurious deploys {}, which was built last",
            own.name, flux.tag, own.tag
        );
        if self.is_new(Kind::Policy, name, &message) {
            tracing::info!(policy.name = %name, message, "diverges from flux");
            let report = (EventType::Normal, "Diverges", message.as_str());
            self.publish(Kind::Policy, name, &found.identity, report).await;
        }
    }

    async fn publish(
        &self,
        kind: Kind,
        name: &ObjectName,
        identity: &Identity,
        said: (EventType, &str, &str),
    ) {
        let resource = self.resource(kind);
        let object = ObjectReference {
            api_version: Some(resource.api_version),
            kind: Some(resource.kind),
            name: Some(name.name.to_string()),
            namespace: Some(name.namespace.to_string()),
            uid: Some(identity.uid.clone()),
            ..ObjectReference::default()
        };
        self.inner.reports.publish(&object, said).await;
    }

    fn complain(&self, kind: Kind, name: &ObjectName, message: &str) {
        if self.is_new(kind, name, message) {
            tracing::warn!(object.kind = kind.name(), object.name = %name, error = message, "object is not kept");
        }
    }

    fn is_new(&self, kind: Kind, name: &ObjectName, message: &str) -> bool {
        let before = self.inner.said().insert((kind, name.clone()), message.to_owned());
        before.as_deref() != Some(message)
    }

    fn moment(&self, identity: &Identity) -> Moment {
        Moment { generation: identity.generation, now: self.inner.clock.now() }
    }

    fn resource(&self, kind: Kind) -> ApiResource {
        match kind {
            Kind::Repository => self.inner.flux.image_repositories(),
            Kind::Policy => self.inner.flux.image_policies(),
        }
    }

    fn api(&self, kind: Kind, name: &ObjectName) -> Api<DynamicObject> {
        let resource = self.resource(kind);
        Api::namespaced_with(self.inner.client.clone(), &name.namespace, &resource)
    }

    /// Takes note of objects as a watch shows them. Says whether that is news.
    pub(crate) fn hear_repository(&self, name: &ObjectName, found: &Arc<RepositoryFound>) -> bool {
        self.world(|world| {
            world.repository(name).is_some_and(|known| renew(&mut known.found, found))
        })
    }

    /// The same for policies; names the repository that it chooses from.
    pub(crate) fn hear_policy(
        &self,
        name: &ObjectName,
        found: &Arc<PolicyObject>,
    ) -> Option<ObjectName> {
        let is_news =
            self.world(|world| world.policy(name).map(|known| renew(&mut known.found, found)))?;
        let object = found.meaning.as_ref().ok().filter(|_| is_news)?;
        Some(mercurious_engine::chosen_from(name, object))
    }

    fn world<T>(&self, read: impl FnOnce(&mut World) -> T) -> T {
        read(&mut self.inner.world.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    fn said(&self) -> std::sync::MutexGuard<'_, BTreeMap<(Kind, ObjectName), String>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn params() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

fn sooner(again: &mut Option<Duration>, after: Duration) {
    *again = Some(again.map_or(after, |known| known.min(after)));
}
