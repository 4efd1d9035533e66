//! A world to decide in: a registry in the order of its pushes, a home whose replicas do what their image makes
//! them do, a store, and people.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;

use crate::{
    decide::{
        Ask, Candidate, CheckOutcome, Comparison, Decision, Desired, Effect, Evidence, Observed,
        Reason, Request, Workload, WorkloadState, decide,
    },
    duration::Span,
    image::{Digest, ImageReference, Release, Repository},
    resources::RolloutSpec,
    rollout::{Actor, Record, RequestId},
};

pub(super) const TIMEOUT: u64 = 60;
pub(super) const BAKE: u64 = 10;

/// What an image does to the replicas that are made from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behaviour {
    Good,
    Crashes,
    NeverReady,
    FailsCheck,
    NeverAnswersCheck,
    RestartsLater,
    ComesAndGoes,
}

/// What a look at the registry gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Works,
    NotYet,
    Fails,
    MatchesNothing,
    SelectsForeign,
    SelectsUnusable,
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) releases: Vec<(Release, Behaviour)>,
    /// The policy selects this one; nothing: the newest.
    pub(super) selects: Option<usize>,
    pub(super) look: Look,
    pub(super) suspended: bool,
    pub(super) automatic_rollback: bool,
    pub(super) checks: Vec<String>,
    pub(super) history_limit: usize,
    pub(super) requests: Vec<Request>,
    pub(super) record: Record,
    pub(super) asked: bool,
    pub(super) image: String,
    pub(super) restart: Option<String>,
    /// Seconds since the spec changed.
    pub(super) age: u64,
    pub(super) replicas: u32,
    pub(super) paused: bool,
    pub(super) absent: Option<WorkloadState>,
    pub(super) writers: Vec<String>,
    /// Nothing new starts while this is set.
    pub(super) home_fault: Option<String>,
    /// Every image that was written by an effect.
    pub(super) written: Vec<ImageReference>,
}

pub(super) fn repository() -> Repository {
    "registry.test/team/api-gateway".parse().unwrap()
}

pub(super) fn seconds(count: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + count).unwrap()
}

/// The release number so and so, in the order of pushes; its digest tells nothing about that.
pub(super) fn release(number: usize) -> Release {
    Release {
        repository: repository(),
        digest: Digest::of(format!("release {number}").as_bytes()),
        tag: Some(format!("sha-{number:07}").parse().unwrap()),
        commit: Some(format!("{number:07}").parse().unwrap()),
        built_at: Some(seconds(number as i64 - 10_000)),
        platforms: std::sync::Arc::default(),
    }
}

pub(super) fn foreign() -> Release {
    Release { repository: "elsewhere.test/team/api-gateway".parse().unwrap(), ..release(9_999) }
}

impl World {
    /// Release 0 in the registry, and its tag in the image field.
    pub(super) fn new() -> Self {
        Self {
            now: seconds(0),
            releases: vec![(release(0), Behaviour::Good)],
            selects: None,
            look: Look::Works,
            suspended: false,
            home_fault: None,
            automatic_rollback: true,
            checks: vec!["endpoint".to_owned(), "logs".to_owned()],
            history_limit: 20,
            requests: Vec::new(),
            record: Record::default(),
            asked: false,
            image: format!("{}:{}", repository(), release(0).tag.unwrap()),
            restart: None,
            age: 1000,
            replicas: 3,
            paused: false,
            absent: None,
            writers: Vec::new(),
            written: Vec::new(),
        }
    }

    /// Release 0 runs, proven by a rollout of ours.
    pub(super) fn settled() -> Self {
        let mut world = Self::new();
        world.settle();
        assert_eq!(world.running(), Some(0), "{:#?}", world.record);
        assert_eq!(world.good(), Some(0));
        world
    }

    /// Releases 0 and 1 were deployed, one after the other.
    pub(super) fn with_two() -> Self {
        let mut world = Self::settled();
        world.push(Behaviour::Good);
        world.settle();
        assert_eq!((world.running(), world.good()), (Some(1), Some(1)));
        world
    }

    pub(super) fn push(&mut self, behaviour: Behaviour) -> usize {
        let number = self.releases.len();
        self.releases.push((release(number), behaviour));
        number
    }

    pub(super) fn ask(&mut self, ask: Ask) {
        let id = RequestId(format!("request-{}", self.requests.len()));
        self.requests.push(Request { id, ask, by: Actor("ada".to_owned()), at: self.now });
    }

    /// A person writes the image field with the home's own tools.
    pub(super) fn set_image(&mut self, image: impl std::fmt::Display) {
        self.image = image.to_string();
        self.age = 0;
    }

    pub(super) fn number(&self, digest: &Digest) -> Option<usize> {
        self.releases.iter().position(|(release, _)| release.digest == *digest)
    }

    pub(super) fn running(&self) -> Option<usize> {
        self.number(&self.record.running.as_ref()?.release.digest)
    }

    pub(super) fn good(&self) -> Option<usize> {
        self.number(&self.record.last_good.as_ref()?.release.digest)
    }

    /// The number of the release that the image field names.
    pub(super) fn image_number(&self) -> Option<usize> {
        self.number(&self.image_digest(true)?)
    }

    pub(super) fn holds(&self, number: usize) -> bool {
        self.record.hold_on(&release(number).digest).is_some()
    }

    /// The digest behind the image field; that of a tag is known only once a replica came up.
    fn image_digest(&self, resolve_tags: bool) -> Option<Digest> {
        let field: ImageReference = self.image.parse().ok()?;
        if let Some(digest) = field.digest() {
            return Some(digest.clone());
        }
        if !resolve_tags || *field.repository() != repository() {
            return None;
        }
        let named =
            self.releases.iter().find(|(release, _)| release.tag.as_ref() == field.tag())?;
        Some(named.0.digest.clone())
    }

    pub(super) fn behaviour(&self) -> Behaviour {
        let digest = self.image_digest(true);
        digest
            .and_then(|digest| self.number(&digest))
            .map_or(Behaviour::Good, |number| self.releases[number].1)
    }

    pub(super) fn candidate(&self) -> Candidate {
        let number = match self.look {
            Look::NotYet => {
                return Candidate::Awaited { message: "waits for the first look".to_owned() };
            }
            Look::Fails => {
                return Candidate::Unknown { message: "503 from registry.test".to_owned() };
            }
            Look::MatchesNothing => {
                return Candidate::Empty { message: "none of 4 tags matches ^v".to_owned() };
            }
            Look::SelectsUnusable => {
                return Candidate::Unusable {
                    message: "v9 has no image for this platform".to_owned(),
                };
            }
            Look::SelectsForeign => {
                return Candidate::Selected {
                    release: Box::new(foreign()),
                    order: "newest",
                    why: "built last".to_owned(),
                    versus_running: Comparison::Newer,
                    versus_held: BTreeMap::new(),
                };
            }
            Look::Works => self.selects.unwrap_or(self.releases.len() - 1),
        };
        let release = self.releases[number].0.clone();
        let versus = |digest: &Digest| match self.number(digest) {
            None => Comparison::Unknown,
            Some(other) if other == number => Comparison::Same,
            Some(other) if other < number => Comparison::Newer,
            Some(_) => Comparison::Older,
        };
        let found = self.image_digest(self.age >= 2);
        let running =
            found.or(self.record.running.as_ref().map(|known| known.release.digest.clone()));
        Candidate::Selected {
            release: Box::new(release),
            order: "newest",
            why: "built last".to_owned(),
            versus_running: running.as_ref().map_or(Comparison::Unknown, &versus),
            versus_held: self
                .record
                .holds
                .iter()
                .map(|hold| (hold.digest.clone(), versus(&hold.digest)))
                .collect(),
        }
    }

    pub(super) fn desired(&self) -> Desired {
        Desired {
            repository: repository(),
            container: Some("app".to_owned()),
            suspended: self.suspended,
            rollout: RolloutSpec { timeout: Span::seconds(TIMEOUT), bake: Span::seconds(BAKE) },
            automatic_rollback: self.automatic_rollback,
            checks: self.checks.clone(),
            history_limit: self.history_limit,
            candidate: self.candidate(),
            requests: self.requests.clone(),
        }
    }

    pub(super) fn workload(&self) -> Workload {
        let behaviour = self.behaviour();
        let want = self.replicas;
        let starts = if self.home_fault.is_some() { 0 } else { self.age / 2 };
        let made = starts.min(u64::from(want)) as u32;
        let stuck = matches!(behaviour, Behaviour::Crashes | Behaviour::NeverReady);
        let updated = if stuck || self.paused { made.min(1) } else { made };
        let gone = behaviour == Behaviour::ComesAndGoes && self.age % 7 > 4;
        let available = if stuck || gone { 0 } else { updated };
        let reference: Option<ImageReference> = self.image.parse().ok();
        let reference = match (reference, self.image_digest(self.age >= 2)) {
            (Some(field), Some(digest)) => Some(ImageReference::pinned(
                field.repository().clone(),
                field.tag().cloned(),
                digest,
            )),
            (field, _) => field,
        };
        let crashed = behaviour == Behaviour::Crashes && self.age >= 4 && !self.paused;
        Workload {
            image: self.image.clone(),
            reference,
            restart: self.restart.clone(),
            current: self.age >= 1,
            paused: self.paused,
            desired: want,
            updated,
            available,
            ready: available,
            home_fault: self.home_fault.clone(),
            total: if updated < want { want + 1 } else { want },
            restarts: u32::from(behaviour == Behaviour::RestartsLater && self.age >= 12),
            deadline_exceeded: false,
            evidence: if crashed {
                vec![Evidence {
                    reason: "CrashLoopBackOff".to_owned(),
                    message: "exit code 1".to_owned(),
                }]
            } else {
                Vec::new()
            },
            foreign_writers: self.writers.clone(),
        }
    }

    pub(super) fn observed(&self) -> Observed {
        let mut checks = BTreeMap::new();
        if self.asked && self.record.rollout.is_some() {
            for name in &self.checks {
                let outcome = match self.behaviour() {
                    Behaviour::FailsCheck => {
                        CheckOutcome::Failed { message: "500 from /".to_owned() }
                    }
                    Behaviour::NeverAnswersCheck => {
                        CheckOutcome::Pending { message: "no answer yet".to_owned() }
                    }
                    _ => CheckOutcome::Passed,
                };
                checks.insert(name.clone(), outcome);
            }
        }
        let workload =
            self.absent.clone().unwrap_or_else(|| WorkloadState::Present(self.workload()));
        Observed { workload, checks, record: self.record.clone() }
    }

    pub(super) fn decide(&self) -> Decision {
        decide(&self.desired(), &self.observed(), self.now)
    }

    /// Writes down as a store does: what is written is what can be read back.
    pub(super) fn persist(&mut self, decision: &Decision) {
        if decision.record != self.record {
            let text = serde_json::to_string(&decision.record).unwrap();
            let read: Record = serde_json::from_str(&text).unwrap();
            assert_eq!(read, decision.record);
            self.record = read;
        }
        self.asked = decision.ask_checks;
    }

    pub(super) fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::SetImage { image, .. } => {
                self.written.push(image.clone());
                if self.image != image.to_string() {
                    self.set_image(image);
                }
            }
            Effect::Restart { token } => {
                if self.restart.as_ref() != Some(token) {
                    self.restart = Some(token.clone());
                    self.age = 0;
                }
            }
        }
    }

    /// One step of the engine; whether it changed anything.
    pub(super) fn step(&mut self) -> (Decision, bool) {
        let decision = self.decide();
        let moved = decision.record != self.record || decision.effect.is_some();
        self.persist(&decision);
        if let Some(effect) = &decision.effect {
            self.apply(effect);
        }
        (decision, moved)
    }

    pub(super) fn wait(&mut self, time: u64) {
        self.now += Duration::from_secs(time);
        self.age += time;
    }

    /// Steps until a step changes nothing; how many there were.
    pub(super) fn steps(&mut self) -> (Decision, usize) {
        for count in 1..100 {
            let (decision, moved) = self.step();
            if !moved {
                return (decision, count);
            }
        }
        panic!("it never stops: {:#?}", self.record);
    }

    /// Lets time pass second by second until no rollout is at work and nothing changes for a long time.
    pub(super) fn settle(&mut self) -> Decision {
        let mut quiet = 0;
        for _ in 0..3000 {
            let (decision, count) = self.steps();
            if count == 1 && self.record.rollout.is_none() {
                quiet += 1;
            } else {
                quiet = 0;
            }
            if quiet > 2 * BAKE {
                return decision;
            }
            self.wait(1);
        }
        panic!("it never settles: {:#?}", self.record);
    }

    /// Steps and lets time pass until a decision has this reason.
    pub(super) fn until(&mut self, reason: Reason) -> Decision {
        for _ in 0..500 {
            let (decision, moved) = self.step();
            if decision.reason == reason {
                return decision;
            }
            if !moved {
                self.wait(1);
            }
        }
        panic!("never {reason}: {:#?}", self.decide());
    }
}
