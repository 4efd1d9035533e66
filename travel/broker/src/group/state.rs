use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use kafka_protocol::{ResponseError, protocol::StrBytes};
use tokio::sync::oneshot;

use super::member::{JoinAnswer, JoinRequest, Joined, Member, Refusal, SyncAnswer};

/// Where a group stands between two generations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has no member.
    Empty,
    /// Members join; those that have not by this moment are given up.
    Joining(Instant),
    /// The leader assigns; members that have not asked for their part by this moment are given up.
    Assigning(Instant),
    /// Each member has its part.
    Stable,
}

/// One consumer group, as the protocol of Kafka has it.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) phase: Phase,
    pub(super) generation: i32,
    pub(super) protocol_type: StrBytes,
    pub(super) protocol: StrBytes,
    pub(super) leader: StrBytes,
    pub(super) members: BTreeMap<StrBytes, Member>,
    /// Ids that were given to clients that have not come again yet, and until when they may.
    announced: BTreeMap<StrBytes, Instant>,
}

/// How long the assignment of the leader is waited for at least.
const ASSIGNING: Duration = Duration::from_secs(5);

impl Group {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Empty,
            generation: 0,
            protocol_type: StrBytes::new(),
            protocol: StrBytes::new(),
            leader: StrBytes::new(),
            members: BTreeMap::new(),
            announced: BTreeMap::new(),
        }
    }

    /// Whether nothing would be lost with it.
    pub(super) fn is_nothing(&self) -> bool {
        self.members.is_empty() && self.announced.is_empty()
    }

    /// `fresh` is the id of a client that comes with none.
    pub(super) fn join(
        &mut self,
        now: Instant,
        request: JoinRequest,
        fresh: StrBytes,
        answer: oneshot::Sender<Joined>,
    ) {
        if let Err(error) = self.admits(&request) {
            let _ = answer.send(Err(Refusal::new(error, request.member_id)));
            return;
        }
        if request.member_id.is_empty() {
            if request.comes_again {
                self.announced.insert(fresh.clone(), now + request.session_timeout);
                let _ = answer.send(Err(Refusal::new(ResponseError::MemberIdRequired, fresh)));
            } else {
                self.add(now, fresh, request, answer);
            }
        } else if self.members.contains_key(&request.member_id) {
            self.join_again(now, request, answer);
        } else if self.announced.remove(&request.member_id).is_some() {
            self.add(now, request.member_id.clone(), request, answer);
        } else {
            let refusal = Refusal::new(ResponseError::UnknownMemberId, request.member_id);
            let _ = answer.send(Err(refusal));
        }
    }

    pub(super) fn sync(
        &mut self,
        now: Instant,
        member_id: &str,
        generation: i32,
        assignments: Vec<(StrBytes, Bytes)>,
        answer: oneshot::Sender<SyncAnswer>,
    ) {
        let known = self.known(member_id, generation);
        let refused = match (known, self.phase) {
            (Err(error), _) => Some(error),
            (Ok(()), Phase::Joining(_)) => Some(ResponseError::RebalanceInProgress),
            (Ok(()), Phase::Empty) => Some(ResponseError::UnknownMemberId),
            (Ok(()), Phase::Assigning(_) | Phase::Stable) => None,
        };
        let Some(member) = self.members.get_mut(member_id.as_bytes()) else {
            let _ = answer.send(Err(refused.unwrap_or(ResponseError::UnknownMemberId)));
            return;
        };
        if let Some(error) = refused {
            let _ = answer.send(Err(error));
            return;
        }
        member.heard(now);
        if self.phase == Phase::Stable {
            let _ = answer.send(Ok(member.assignment.clone()));
            return;
        }
        member.syncing = Some(answer);
        if *self.leader != *member_id {
            return;
        }
        for (id, assignment) in assignments {
            if let Some(member) = self.members.get_mut(&id) {
                member.assignment = assignment;
            }
        }
        self.phase = Phase::Stable;
        for member in self.members.values_mut() {
            member.heard(now);
            let part = member.assignment.clone();
            member.answer_sync(Ok(part));
        }
    }

    pub(super) fn heartbeat(
        &mut self,
        now: Instant,
        member_id: &str,
        generation: i32,
    ) -> Result<(), ResponseError> {
        self.known(member_id, generation)?;
        if let Some(member) = self.members.get_mut(member_id.as_bytes()) {
            member.heard(now);
        }
        match self.phase {
            Phase::Joining(_) => Err(ResponseError::RebalanceInProgress),
            Phase::Empty | Phase::Assigning(_) | Phase::Stable => Ok(()),
        }
    }

    pub(super) fn leave(&mut self, now: Instant, member_id: &str) -> Result<(), ResponseError> {
        if self.announced.remove(member_id.as_bytes()).is_some() {
            self.begin_if_all_joined(now);
            return Ok(());
        }
        if self.members.contains_key(member_id.as_bytes()) {
            self.remove(now, &[StrBytes::from_string(member_id.to_owned())]);
            return Ok(());
        }
        Err(ResponseError::UnknownMemberId)
    }

    /// Whether this member may commit in this generation. A negative one comes from a client outside of the group.
    pub(super) fn may_commit(
        &mut self,
        now: Instant,
        member_id: &str,
        generation: i32,
    ) -> Result<(), ResponseError> {
        if generation < 0 && self.members.is_empty() {
            return Ok(());
        }
        self.known(member_id, generation)?;
        if let Some(member) = self.members.get_mut(member_id.as_bytes()) {
            member.heard(now);
        }
        match self.phase {
            Phase::Assigning(_) => Err(ResponseError::RebalanceInProgress),
            Phase::Empty | Phase::Joining(_) | Phase::Stable => Ok(()),
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        self.announced.retain(|_, until| *until > now);
        let gone: Vec<StrBytes> = self
            .members
            .iter()
            .filter(|(_, member)| match self.phase {
                Phase::Joining(until) if until <= now => member.joining.is_none(),
                Phase::Assigning(until) if until <= now => member.syncing.is_none(),
                _ => !member.waits() && member.until <= now,
            })
            .map(|(id, _)| id.clone())
            .collect();
        if gone.is_empty() {
            match self.phase {
                Phase::Joining(until) if until <= now => self.begin(now),
                _ => self.begin_if_all_joined(now),
            }
        } else {
            tracing::info!(group.lost = gone.len(), "members were given up");
            self.remove(now, &gone);
        }
    }

    /// When something is due next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Joining(until) | Phase::Assigning(until) => Some(until),
            Phase::Empty | Phase::Stable => None,
        };
        let sessions =
            self.members.values().filter(|member| !member.waits()).map(|member| member.until);
        phase.into_iter().chain(sessions).chain(self.announced.values().copied()).min()
    }

    fn admits(&self, request: &JoinRequest) -> Result<(), ResponseError> {
        if !(1..=1800).contains(&request.session_timeout.as_secs()) {
            return Err(ResponseError::InvalidSessionTimeout);
        }
        let others = || self.members.iter().filter(|(id, _)| **id != request.member_id);
        let same_type = others().next().is_none() || self.protocol_type == request.protocol_type;
        let shared = request
            .protocols
            .iter()
            .any(|offered| others().all(|(_, member)| member.knows(&offered.name)));
        if same_type && shared && !request.protocol_type.is_empty() {
            Ok(())
        } else {
            Err(ResponseError::InconsistentGroupProtocol)
        }
    }

    fn known(&self, member_id: &str, generation: i32) -> Result<(), ResponseError> {
        if !self.members.contains_key(member_id.as_bytes()) {
            Err(ResponseError::UnknownMemberId)
        } else if generation != self.generation {
            Err(ResponseError::IllegalGeneration)
        } else {
            Ok(())
        }
    }

    fn add(
        &mut self,
        now: Instant,
        id: StrBytes,
        request: JoinRequest,
        answer: oneshot::Sender<Joined>,
    ) {
        if self.members.is_empty() {
            self.protocol_type = request.protocol_type;
        }
        self.members.insert(
            id,
            Member {
                client_id: request.client_id,
                client_host: request.client_host,
                session_timeout: request.session_timeout,
                rebalance_timeout: request.rebalance_timeout,
                protocols: request.protocols,
                assignment: Bytes::new(),
                until: now + request.session_timeout,
                joining: Some(answer),
                syncing: None,
            },
        );
        self.rebalance(now);
    }

    fn join_again(&mut self, now: Instant, request: JoinRequest, answer: oneshot::Sender<Joined>) {
        let leads = self.leader == request.member_id;
        let id = request.member_id;
        let Some(member) = self.members.get_mut(&id) else { return };
        let same = member.protocols == request.protocols;
        member.heard(now);
        member.session_timeout = request.session_timeout;
        member.rebalance_timeout = request.rebalance_timeout;
        member.protocols = request.protocols;
        // An older request of the same member is not waited for any more.
        member.answer_join(Err(Refusal::new(ResponseError::RebalanceInProgress, id.clone())));
        member.joining = Some(answer);
        // Nothing has changed, and the answer was lost: the same again.
        let again = match self.phase {
            Phase::Assigning(_) => same,
            Phase::Stable => same && !leads,
            Phase::Empty | Phase::Joining(_) => false,
        };
        if again {
            self.tell(&id);
        } else {
            self.rebalance(now);
        }
    }

    fn remove(&mut self, now: Instant, gone: &[StrBytes]) {
        for id in gone {
            if let Some(mut member) = self.members.remove(id) {
                let refusal = Refusal::new(ResponseError::UnknownMemberId, id.clone());
                member.answer_join(Err(refusal));
                member.answer_sync(Err(ResponseError::UnknownMemberId));
            }
        }
        match self.phase {
            Phase::Joining(until) if until <= now => self.begin(now),
            _ => self.rebalance(now),
        }
    }

    /// Asks every member to join again, unless that is so already.
    fn rebalance(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Joining(_)) {
            for member in self.members.values_mut() {
                member.answer_sync(Err(ResponseError::RebalanceInProgress));
                member.assignment = Bytes::new();
            }
            let patience = self
                .members
                .values()
                .map(|member| member.rebalance_timeout)
                .max()
                .unwrap_or_default();
            self.phase = Phase::Joining(now + patience);
        }
        self.begin_if_all_joined(now);
    }

    fn begin_if_all_joined(&mut self, now: Instant) {
        let all = self.members.values().all(|member| member.joining.is_some());
        if matches!(self.phase, Phase::Joining(_)) && all && self.announced.is_empty() {
            self.begin(now);
        }
    }

    /// Begins a generation with those that have joined.
    fn begin(&mut self, now: Instant) {
        self.generation += 1;
        if self.members.is_empty() {
            self.phase = Phase::Empty;
            self.protocol = StrBytes::new();
            self.leader = StrBytes::new();
            return;
        }
        self.protocol = self.choose_protocol();
        if !self.members.contains_key(&self.leader) {
            self.leader = self.members.keys().next().cloned().unwrap_or_default();
        }
        let patience =
            self.members.values().map(|member| member.rebalance_timeout).max().unwrap_or_default();
        self.phase = Phase::Assigning(now + patience.max(ASSIGNING));
        tracing::debug!(
            group.generation = self.generation,
            group.members = self.members.len(),
            "a generation begins"
        );
        let ids: Vec<StrBytes> = self.members.keys().cloned().collect();
        for id in ids {
            if let Some(member) = self.members.get_mut(&id) {
                member.heard(now);
            }
            self.tell(&id);
        }
    }

    /// Answers a member that joins.
    fn tell(&mut self, id: &StrBytes) {
        let members = if *id == self.leader {
            self.members
                .iter()
                .map(|(id, member)| (id.clone(), member.metadata(&self.protocol)))
                .collect()
        } else {
            Vec::new()
        };
        let answer = JoinAnswer {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            member_id: id.clone(),
            members,
        };
        if let Some(member) = self.members.get_mut(id) {
            member.answer_join(Ok(answer));
        }
    }

    /// What all members know, by the first choice of most of them.
    fn choose_protocol(&self) -> StrBytes {
        let known_to_all = |name: &StrBytes| self.members.values().all(|member| member.knows(name));
        let mut votes: BTreeMap<&StrBytes, usize> = BTreeMap::new();
        for member in self.members.values() {
            let choice = member.protocols.iter().map(|it| &it.name).find(|it| known_to_all(it));
            if let Some(choice) = choice {
                *votes.entry(choice).or_default() += 1;
            }
        }
        votes
            .into_iter()
            .max_by_key(|(_, count)| *count)
            .map(|(name, _)| name.clone())
            .unwrap_or_default()
    }
}
