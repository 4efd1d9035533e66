use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use kafka_protocol::{ResponseError, protocol::StrBytes};
use tokio::sync::{Notify, oneshot};

use super::{
    member::{JoinAnswer, JoinRequest, Refusal, SyncAnswer},
    state::{Group, Phase},
};

/// How many groups there may be.
const GROUPS: usize = 1000;

/// All consumer groups. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coordinator {
    groups: Arc<Mutex<BTreeMap<StrBytes, Group>>>,
    changed: Arc<Notify>,
}

/// A group as people see it.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) state: &'static str,
    pub(crate) protocol_type: StrBytes,
    pub(crate) protocol: StrBytes,
    pub(crate) members: Vec<DescribedMember>,
}

/// A member as people see it.
#[derive(Clone, Debug)]
pub(crate) struct DescribedMember {
    pub(crate) id: StrBytes,
    pub(crate) client_id: StrBytes,
    pub(crate) client_host: StrBytes,
    pub(crate) metadata: Bytes,
    pub(crate) assignment: Bytes,
}

impl Coordinator {
    /// Joins; done when the generation begins.
    pub(crate) async fn join(
        &self,
        group: &StrBytes,
        request: JoinRequest,
    ) -> Result<JoinAnswer, Refusal> {
        let unavailable =
            |member_id| Refusal { error: ResponseError::CoordinatorNotAvailable, member_id };
        let member_id = request.member_id.clone();
        let (answer, answered) = oneshot::channel();
        {
            let mut groups = self.lock();
            if !groups.contains_key(group) && groups.len() >= GROUPS {
                return Err(unavailable(member_id));
            }
            let fresh = format!("{}-{:032x}", request.client_id, fastrand::u128(..));
            groups.entry(group.clone()).or_insert_with(Group::new).join(
                Instant::now(),
                request,
                StrBytes::from_string(fresh),
                answer,
            );
        }
        self.changed.notify_one();
        answered.await.unwrap_or_else(|_| Err(unavailable(member_id)))
    }

    /// Asks for the member's part, and brings everybody's where the member leads; done when it is there.
    pub(crate) async fn sync(
        &self,
        group: &str,
        member_id: &str,
        generation: i32,
        assignments: Vec<(StrBytes, Bytes)>,
    ) -> SyncAnswer {
        let (answer, answered) = oneshot::channel();
        self.with(group, |now, group| {
            group.sync(now, member_id, generation, assignments, answer);
            Ok(())
        })?;
        answered.await.unwrap_or(Err(ResponseError::CoordinatorNotAvailable))
    }

    pub(crate) fn heartbeat(
        &self,
        group: &str,
        member_id: &str,
        generation: i32,
    ) -> Result<(), ResponseError> {
        self.with(group, |now, group| group.heartbeat(now, member_id, generation))
    }

    pub(crate) fn leave(&self, group: &str, member_id: &str) -> Result<(), ResponseError> {
        let left = self.with(group, |now, group| group.leave(now, member_id));
        self.lock().retain(|_, group| !group.is_nothing());
        left
    }

    /// Whether a commit may be taken.
    pub(crate) fn may_commit(
        &self,
        group: &str,
        member_id: &str,
        generation: i32,
    ) -> Result<(), ResponseError> {
        match self.lock().get_mut(group.as_bytes()) {
            Some(group) => group.may_commit(Instant::now(), member_id, generation),
            None if generation < 0 => Ok(()),
            None => Err(ResponseError::UnknownMemberId),
        }
    }

    /// The groups that have members, with their state.
    pub(crate) fn list(&self) -> Vec<(StrBytes, Described)> {
        self.lock().iter().map(|(name, group)| (name.clone(), describe(group))).collect()
    }

    pub(crate) fn describe(&self, group: &str) -> Option<Described> {
        self.lock().get(group.as_bytes()).map(describe)
    }

    /// Does what is due when it is due; never ends.
    pub(crate) async fn keep_time(&self) {
        loop {
            let due = {
                let mut groups = self.lock();
                let now = Instant::now();
                for group in groups.values_mut() {
                    if group.next_due().is_some_and(|due| due <= now) {
                        group.tick(now);
                    }
                }
                groups.retain(|_, group| !group.is_nothing());
                groups.values().filter_map(Group::next_due).min()
            };
            let changed = self.changed.notified();
            match due {
                Some(due) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(due.into()) => {}
                        () = changed => {}
                    }
                }
                None => changed.await,
            }
        }
    }

    fn with<T>(
        &self,
        group: &str,
        act: impl FnOnce(Instant, &mut Group) -> Result<T, ResponseError>,
    ) -> Result<T, ResponseError> {
        let done = match self.lock().get_mut(group.as_bytes()) {
            Some(group) => act(Instant::now(), group),
            None => Err(ResponseError::UnknownMemberId),
        };
        self.changed.notify_one();
        done
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<StrBytes, Group>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn describe(group: &Group) -> Described {
    Described {
        state: match group.phase {
            Phase::Empty => "Empty",
            Phase::Joining(_) => "PreparingRebalance",
            Phase::Assigning(_) => "CompletingRebalance",
            Phase::Stable => "Stable",
        },
        protocol_type: group.protocol_type.clone(),
        protocol: group.protocol.clone(),
        members: group
            .members
            .iter()
            .map(|(id, member)| DescribedMember {
                id: id.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                metadata: member.metadata(&group.protocol),
                assignment: member.assignment.clone(),
            })
            .collect(),
    }
}
