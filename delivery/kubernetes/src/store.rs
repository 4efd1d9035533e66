use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use jiff::Timestamp;
use kube::{
    Client,
    api::{Api, DynamicObject, Patch, PatchParams, PostParams},
};
use mercurious_core::{
    decide::Request,
    resources::{AutoDeployStatus, Condition, ConditionStatus, ObjectName},
    rollout::Record,
};
use mercurious_engine::{
    AuditEntry, Seen,
    ports::{Commit, Store, StoreError},
};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::{
    Permit,
    api_error::{explain, is_conflict},
    names::{GROUP, REQUEST_PREFIX, VERSION},
    objects::{AutoDeployObject, Identity, auto_deploys},
    stored::StoredStatus,
    workloads::bounded,
};

/// Who owns what a person's command writes.
const PERSON_MANAGER: &str = "mercurious-cli";

/// All that the engine remembers, in `AutoDeploy.status`.
///
/// # Flow
/// Objects that were listed or watched are [learned](StatusStore::learn). A status is read from them once, when its
/// reconciler begins; from then on this is the one writer, and what it wrote last is the truth.
///
/// # Guarantees
/// A write names the resourceVersion. Where that has moved on, the object is read again: a changed spec or a new
/// request is no obstacle, another engine's state is ([`StoreError`]).
#[derive(Clone)]
pub struct StatusStore {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    permit: Arc<dyn Permit>,
    kept: Mutex<BTreeMap<ObjectName, Kept>>,
    /// Which auto-deploys follow a repository: its memory lies with them.
    followers: Mutex<BTreeMap<ObjectName, Vec<ObjectName>>>,
    /// One write at a time for each object.
    writing: Mutex<BTreeMap<ObjectName, Arc<tokio::sync::Mutex<()>>>>,
    /// So many writes at a time in all.
    slots: Semaphore,
}

#[derive(Clone)]
struct Kept {
    identity: Identity,
    requests: Vec<Request>,
    /// The workload that it steers.
    target: ObjectName,
    /// As written last, or as found at first; the error where it is damaged.
    stored: Result<StoredStatus, StoreError>,
    /// What was seen since the last write.
    seen: Option<Arc<Seen>>,
    looked_for: Option<String>,
}

impl StatusStore {
    /// A store that knows no object yet.
    pub fn new(client: Client, permit: Arc<dyn Permit>) -> Self {
        let inner = Inner {
            client,
            permit,
            kept: Mutex::default(),
            followers: Mutex::default(),
            writing: Mutex::default(),
            slots: Semaphore::new(WRITES),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Takes note of an object as it is in the cluster. Says whether people ask something new.
    pub(crate) fn learn(&self, name: &ObjectName, object: &AutoDeployObject) -> bool {
        self.kept(|kept| match kept.get_mut(name) {
            // Deleted and made anew: nothing of the old one is remembered.
            Some(known) if known.identity.uid == object.identity.uid => {
                if object.identity.is_not_before(&known.identity) {
                    known.identity = object.identity.clone();
                }
                known.target = target(name, object);
                let asked = object.requests != known.requests;
                known.requests.clone_from(&object.requests);
                asked
            }
            _ => {
                kept.insert(name.clone(), Kept::found(name, object));
                true
            }
        })
    }

    /// Forgets the objects that are gone.
    pub(crate) fn retain(&self, mut is_there: impl FnMut(&ObjectName) -> bool) {
        self.kept(|kept| kept.retain(|name, _| is_there(name)));
        let mut writing = self.inner.writing.lock().unwrap_or_else(PoisonError::into_inner);
        writing.retain(|name, _| is_there(name));
    }

    /// Says which auto-deploys follow which repository.
    pub(crate) fn follow(&self, followers: BTreeMap<ObjectName, Vec<ObjectName>>) {
        *self.inner.followers.lock().unwrap_or_else(PoisonError::into_inner) = followers;
    }

    /// The request to look again that was answered last.
    pub(crate) fn looked_for(&self, name: &ObjectName) -> Option<String> {
        self.kept(|kept| kept.get(name)?.looked_for.clone())
    }

    /// Remembers, with the next write or by one of its own, which request to look again was answered.
    pub(crate) async fn save_looked_for(
        &self,
        name: &ObjectName,
        asked: &str,
    ) -> Result<(), StoreError> {
        let known = self.kept(|kept| {
            let Some(kept) = kept.get_mut(name) else { return true };
            let known = kept.looked_for.as_deref() == Some(asked);
            kept.looked_for = Some(asked.to_owned());
            known
        });
        if known {
            return Ok(());
        }
        self.write(name, |_| {}).await
    }

    /// Shows why an auto-deploy cannot be understood; what is remembered of it stays.
    pub(crate) async fn show_fault(
        &self,
        name: &ObjectName,
        fault: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(name, |stored| {
            let shown = Arc::make_mut(stored.shown.get_or_insert_default());
            shown.conditions = faulty(&shown.conditions, fault, now);
        })
        .await
    }

    /// Whether the status is about an older spec.
    pub(crate) fn is_behind(&self, name: &ObjectName) -> bool {
        self.kept(|kept| kept.get(name).is_some_and(Kept::is_behind))
    }

    /// Says that the spec as it is now was taken into account, where no decision said so.
    pub(crate) async fn acknowledge(&self, name: &ObjectName) -> Result<(), StoreError> {
        if self.is_behind(name) { self.write(name, |_| {}).await } else { Ok(()) }
    }

    /// Writes what was seen since the last write, where a later process would have to find it out again.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let due: Vec<ObjectName> = self.kept(|kept| {
            let due = kept.iter().filter(|(_, kept)| match (&kept.stored, &kept.seen) {
                (Ok(stored), _) if stored.shown.is_some() && kept.is_behind() => true,
                (Ok(stored), Some(seen)) => stored.memory.seen.as_ref().is_none_or(|before| {
                    // Where every look lists the tags, when that was last is no news.
                    seen.differs_from(before)
                        || (!seen.no_latest && seen.listed_at != before.listed_at)
                }),
                _ => false,
            });
            due.map(|(name, _)| name.clone()).collect()
        });
        for name in due {
            self.write(&name, |_| {}).await?;
        }
        Ok(())
    }

    /// The object's identity, for who reports about it.
    pub(crate) fn identity(&self, name: &ObjectName) -> Option<Identity> {
        self.kept(|kept| kept.get(name).map(|kept| kept.identity.clone()))
    }

    /// The workload that an auto-deploy steers.
    pub(crate) fn target(&self, name: &ObjectName) -> Option<ObjectName> {
        self.kept(|kept| kept.get(name).map(|kept| kept.target.clone()))
    }

    fn kept<T>(&self, read: impl FnOnce(&mut BTreeMap<ObjectName, Kept>) -> T) -> T {
        read(&mut self.inner.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn stored(&self, name: &ObjectName) -> Result<StoredStatus, StoreError> {
        self.kept(|kept| match kept.get(name) {
            Some(kept) => kept.stored.clone(),
            None => Err(gone(name)),
        })
    }

    fn api(&self, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.inner.client.clone(), namespace, &auto_deploys())
    }

    /// Writes the status after a change, whatever else changed about the object meanwhile.
    async fn write(
        &self,
        name: &ObjectName,
        change: impl FnOnce(&mut StoredStatus),
    ) -> Result<(), StoreError> {
        let turn = {
            let mut writing = self.inner.writing.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(writing.entry(name.clone()).or_default())
        };
        let _turn = turn.lock().await;
        // It is never closed.
        let _slot = self.inner.slots.acquire().await;
        let before = self.stored(name)?;
        let mut after = before.clone();
        change(&mut after);
        let identity = self.kept(|kept| {
            let kept = kept.get(name)?;
            if let Some(seen) = &kept.seen {
                after.memory.seen = Some(seen.clone());
            }
            after.memory.looked_for.clone_from(&kept.looked_for);
            after.generation = kept.identity.generation;
            Some(kept.identity.clone())
        });
        let mut identity = identity.ok_or_else(|| gone(name))?;
        if after == before {
            return Ok(());
        }
        let failed = |message: String| StoreError {
            message: format!("the status of AutoDeploy {name} cannot be written: {message}"),
        };
        self.inner.permit.confirm().await.map_err(|denied| failed(denied.to_string()))?;
        for _ in 0..ATTEMPTS {
            match self.replace(name, &identity, &after).await {
                Ok(written) => {
                    self.wrote(name, written, after);
                    return Ok(());
                }
                Err(error) if is_conflict(&error) => {
                    let found =
                        bounded(self.api(&name.namespace).get(&name.name)).await.map_err(failed)?;
                    let found = AutoDeployObject::read(found).map_err(failed)?;
                    if found.identity.uid != identity.uid {
                        return Err(failed("it was deleted and made anew".to_owned()));
                    }
                    let stored = found.stored().map_err(|error| failed(error.to_string()))?;
                    self.learn(name, &found);
                    if stored == after {
                        // Our own write, whose answer was lost.
                        self.wrote(name, found.identity, after);
                        return Ok(());
                    }
                    if stored.memory != before.memory {
                        return Err(failed("another engine has written it".to_owned()));
                    }
                    identity = found.identity;
                }
                Err(error) => return Err(failed(explain(&error))),
            }
        }
        Err(failed("it changes faster than it can be written".to_owned()))
    }

    async fn replace(
        &self,
        name: &ObjectName,
        identity: &Identity,
        status: &StoredStatus,
    ) -> Result<Identity, kube::Error> {
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "AutoDeploy",
            "metadata": {
                "name": name.name,
                "namespace": name.namespace,
                "uid": identity.uid,
                "resourceVersion": identity.resource_version,
            },
            "status": status.write(),
        }))
        .map_err(kube::Error::SerdeError)?;
        let written = self
            .api(&name.namespace)
            .replace_status(&name.name, &PostParams::default(), &object)
            .await?;
        Ok(Identity {
            uid: written.metadata.uid.unwrap_or_default(),
            resource_version: written.metadata.resource_version.unwrap_or_default(),
            generation: written.metadata.generation.unwrap_or_default(),
        })
    }

    fn wrote(&self, name: &ObjectName, identity: Identity, stored: StoredStatus) {
        self.kept(|kept| {
            if let Some(kept) = kept.get_mut(name) {
                if identity.is_not_before(&kept.identity) {
                    kept.identity = identity;
                }
                kept.seen = None;
                kept.stored = Ok(stored);
            }
        });
    }

    async fn annotate(
        &self,
        name: &ObjectName,
        key: &str,
        value: Option<&str>,
    ) -> Result<(), StoreError> {
        self.patch(name, &json!({"metadata": {"annotations": {key: value}}})).await
    }

    async fn patch(&self, name: &ObjectName, patch: &serde_json::Value) -> Result<(), StoreError> {
        let params =
            PatchParams { field_manager: Some(PERSON_MANAGER.into()), ..Default::default() };
        let (api, patch) = (self.api(&name.namespace), Patch::Merge(patch));
        let answer = api.patch(&name.name, &params, &patch);
        let changed = bounded(answer).await.map_err(|message| StoreError {
            message: format!("AutoDeploy {name} cannot be changed: {message}"),
        })?;
        if let Ok(changed) = AutoDeployObject::read(changed) {
            self.learn(name, &changed);
        }
        Ok(())
    }
}

/// So many statuses are written at a time: one that waits to be sent takes tens of kilobytes.
const WRITES: usize = 4;

/// So often a write is tried again because the object changed meanwhile.
const ATTEMPTS: usize = 5;

impl Kept {
    /// Whether the status is about an older spec.
    fn is_behind(&self) -> bool {
        self.stored.as_ref().is_ok_and(|stored| stored.generation != self.identity.generation)
    }

    fn found(name: &ObjectName, object: &AutoDeployObject) -> Self {
        let stored = object
            .stored()
            .map_err(|error| StoreError { message: format!("AutoDeploy {name}: {error}") });
        Self {
            identity: object.identity.clone(),
            requests: object.requests.clone(),
            target: target(name, object),
            seen: None,
            looked_for: stored.as_ref().ok().and_then(|stored| stored.memory.looked_for.clone()),
            stored,
        }
    }
}

#[async_trait]
impl Store for StatusStore {
    async fn record(&self, name: &ObjectName) -> Result<Option<Arc<Record>>, StoreError> {
        Ok(self.stored(name)?.memory.record)
    }

    async fn status(&self, name: &ObjectName) -> Result<Option<Arc<AutoDeployStatus>>, StoreError> {
        Ok(self.stored(name)?.shown)
    }

    async fn commit(&self, name: &ObjectName, commit: Commit<'_>) -> Result<(), StoreError> {
        self.write(name, |stored| {
            stored.shown = Some(Arc::clone(commit.status));
            stored.memory.record = Some(Arc::clone(commit.record));
            stored.memory.remember(commit.entry);
        })
        .await
    }

    async fn save_status(
        &self,
        name: &ObjectName,
        status: &Arc<AutoDeployStatus>,
    ) -> Result<(), StoreError> {
        self.write(name, |stored| stored.shown = Some(Arc::clone(status))).await
    }

    fn room(&self) -> Option<usize> {
        Some(SEEN)
    }

    async fn seen(&self, name: &ObjectName) -> Result<Option<Arc<Seen>>, StoreError> {
        let followers = self.inner.followers.lock().unwrap_or_else(PoisonError::into_inner);
        let followers = followers.get(name).cloned().unwrap_or_default();
        self.kept(|kept| {
            let mut seen = followers.iter().filter_map(|follower| {
                kept.get(follower)?.stored.as_ref().ok()?.memory.seen.clone()
            });
            Ok(seen.next())
        })
    }

    async fn save_seen(&self, name: &ObjectName, seen: &Arc<Seen>) -> Result<(), StoreError> {
        let followers = {
            let followers = self.inner.followers.lock().unwrap_or_else(PoisonError::into_inner);
            followers.get(name).cloned().unwrap_or_default()
        };
        self.kept(|kept| {
            for follower in &followers {
                if let Some(kept) = kept.get_mut(follower) {
                    kept.seen = Some(Arc::clone(seen));
                }
            }
        });
        Ok(())
    }

    async fn requests(&self, name: &ObjectName) -> Result<Vec<Request>, StoreError> {
        self.kept(|kept| kept.get(name).map(|kept| kept.requests.clone())).ok_or_else(|| gone(name))
    }

    async fn add_request(&self, name: &ObjectName, request: &Request) -> Result<(), StoreError> {
        let value = serde_json::to_string(request).map_err(|error| StoreError {
            message: format!("the request cannot be written: {error}"),
        })?;
        self.annotate(name, &format!("{REQUEST_PREFIX}{}", request.id.0), Some(&value)).await
    }

    async fn remove_request(&self, name: &ObjectName, request: &Request) -> Result<(), StoreError> {
        self.annotate(name, &format!("{REQUEST_PREFIX}{}", request.id.0), None).await
    }

    async fn suspended(&self, _: &ObjectName) -> Result<Option<bool>, StoreError> {
        // The spec says it: what a person asks is written there.
        Ok(None)
    }

    async fn set_suspended(&self, name: &ObjectName, suspended: bool) -> Result<(), StoreError> {
        self.patch(name, &json!({"spec": {"suspend": suspended}})).await
    }

    async fn audit(
        &self,
        name: Option<&ObjectName>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let mut entries: Vec<AuditEntry> = self.kept(|kept| {
            kept.iter()
                .filter(|(own, _)| name.is_none_or(|name| name == *own))
                .filter_map(|(_, kept)| kept.stored.as_ref().ok())
                .flat_map(|stored| stored.memory.decisions.iter().cloned())
                .collect()
        });
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.at));
        entries.truncate(limit);
        Ok(entries)
    }
}

/// The reason of the conditions of a wish that means nothing.
const INVALID: &str = "InvalidWish";

/// So many releases are remembered from one pass to the next.
const SEEN: usize = 4;

/// The conditions of a wish that means nothing.
fn faulty(before: &[Condition], fault: &str, now: Timestamp) -> Vec<Condition> {
    [("Ready", ConditionStatus::False), ("Stalled", ConditionStatus::True)]
        .into_iter()
        .map(|(kind, status)| {
            let same = before.iter().find(|known| known.kind == kind && known.status == status);
            Condition {
                kind: kind.to_owned(),
                status,
                reason: INVALID.to_owned(),
                message: fault.to_owned(),
                last_transition_time: same.map_or(now, |known| known.last_transition_time),
            }
        })
        .collect()
}

fn target(name: &ObjectName, object: &AutoDeployObject) -> ObjectName {
    name.beside(&object.auto_deploy.spec.target.name)
}

fn gone(name: &ObjectName) -> StoreError {
    StoreError { message: format!("AutoDeploy {name} is gone") }
}
