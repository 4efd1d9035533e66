use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use k8s_openapi::{
    api::coordination::v1::{Lease as LeaseObject, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Client,
    api::{Api, ObjectMeta, PostParams},
};
use mercurious_core::resources::ObjectName;
use mercurious_runtime::Clock;
use tokio::time::Instant;

use crate::{
    Denied, Permit,
    api_error::{explain, is_conflict, is_not_found},
};

/// How a lease is held.
#[derive(Clone, Debug)]
pub struct LeaseSettings {
    /// Which Lease.
    pub name: ObjectName,
    /// Who we are: unique among all engines.
    pub holder: String,
    /// Who has not renewed for so long holds it no more.
    pub duration: Duration,
    /// Renewed this often.
    pub renew_every: Duration,
}

/// Why a lease could not be read or written.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the lease {lease} cannot be had: {message}")]
pub struct LeaseError {
    lease: ObjectName,
    message: String,
}

/// The right to write, held by one engine at a time.
///
/// # Flow
/// [`Lease::try_take`] takes the Lease where nobody holds it. A one-shot run does that when its first write is due
/// ([`Permit::confirm`]), so that a run with nothing to do writes nothing. [`Lease::renew`] keeps it.
///
/// # Guarantees
/// Each write of the Lease names the resourceVersion that was read: of two that take it at once, one fails. The
/// permit ends by our own clock before others may think that the lease has run out.
///
/// # Assumptions
/// The clocks of two engines differ by less than the lease's duration; where a holder was watched for that long
/// without a renewal, no clock but our own is asked.
#[derive(Clone)]
pub struct Lease {
    inner: Arc<Inner>,
}

struct Inner {
    api: Api<LeaseObject>,
    settings: LeaseSettings,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// One attempt at a time.
    attempt: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// We hold it until then, by our own clock.
    until: Option<Instant>,
    /// Whom we saw hold it, with which renewal, and since when by our own clock.
    watched: Option<(String, Option<MicroTime>, Instant)>,
    /// As we wrote it last: to renew it, nothing need be read.
    written: Option<LeaseObject>,
}

/// What an attempt found.
enum Attempt {
    Ours,
    Theirs(String),
}

impl Lease {
    /// A lease that is not held yet.
    pub fn new(client: Client, settings: LeaseSettings, clock: Arc<dyn Clock>) -> Self {
        let inner = Inner {
            api: Api::namespaced(client, &settings.name.namespace),
            settings,
            clock,
            state: Mutex::default(),
            attempt: tokio::sync::Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// How it is held.
    pub fn settings(&self) -> &LeaseSettings {
        &self.inner.settings
    }

    /// Whether we hold it now, with a margin for what is being written.
    pub fn is_held(&self) -> bool {
        let margin = self.inner.settings.renew_every;
        self.state(|state| state.until.is_some_and(|until| Instant::now() + margin < until))
    }

    /// Whether we took it and did not give it back; it may have run out since.
    pub fn was_taken(&self) -> bool {
        self.state(|state| state.until.is_some())
    }

    /// Another who holds it now, without trying to take it.
    pub async fn other_holder(&self) -> Result<Option<String>, LeaseError> {
        match self.read().await? {
            Some(lease) => Ok(self.holder_of(&lease)),
            None => Ok(None),
        }
    }

    /// Takes it, or renews it. `Some` names another who holds it.
    pub async fn try_take(&self) -> Result<Option<String>, LeaseError> {
        let _one = self.inner.attempt.lock().await;
        match self.attempt().await? {
            Attempt::Ours => Ok(None),
            Attempt::Theirs(holder) => Ok(Some(holder)),
        }
    }

    /// Gives it back, so that the next may take it at once.
    pub async fn release(&self) -> Result<(), LeaseError> {
        let _one = self.inner.attempt.lock().await;
        let held = self.state(|state| {
            state.written = None;
            state.until.take().is_some()
        });
        if !held {
            return Ok(());
        }
        let Some(mut lease) = self.read().await? else { return Ok(()) };
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() != Some(&self.inner.settings.holder) {
            return Ok(());
        }
        spec.holder_identity = None;
        spec.lease_duration_seconds = Some(1);
        let name = &self.inner.settings.name.name;
        match self.bounded(self.inner.api.replace(name, &PostParams::default(), &lease)).await {
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn attempt(&self) -> Result<Attempt, LeaseError> {
        let settings = &self.inner.settings;
        let asked_at = Instant::now();
        let now = MicroTime(self.inner.clock.now());
        let mut spec = LeaseSpec {
            holder_identity: Some(settings.holder.clone()),
            lease_duration_seconds: i32::try_from(settings.duration.as_secs()).ok(),
            renew_time: Some(now.clone()),
            ..LeaseSpec::default()
        };
        let known = self.state(|state| {
            let held = state.until.is_some_and(|until| asked_at < until);
            if held { state.written.take() } else { None }
        });
        let renewed = known.is_some();
        let found = match known {
            Some(known) => Some(known),
            None => self.read().await?,
        };
        let params = PostParams::default();
        let written = match found {
            None => {
                spec.acquire_time = Some(now);
                spec.lease_transitions = Some(0);
                let lease = LeaseObject {
                    metadata: ObjectMeta {
                        name: Some(settings.name.name.to_string()),
                        namespace: Some(settings.name.namespace.to_string()),
                        ..ObjectMeta::default()
                    },
                    spec: Some(spec),
                };
                self.write(self.inner.api.create(&params, &lease)).await?
            }
            Some(mut lease) => {
                if let Some(holder) = self.holder_of(&lease) {
                    self.state(|state| state.until = None);
                    return Ok(Attempt::Theirs(holder));
                }
                let before = lease.spec.take().unwrap_or_default();
                let ours = before.holder_identity.as_deref() == Some(&settings.holder);
                let transitions = before.lease_transitions.unwrap_or(0);
                spec.acquire_time = if ours { before.acquire_time } else { Some(now) };
                spec.lease_transitions = Some(if ours { transitions } else { transitions + 1 });
                lease.spec = Some(spec);
                self.write(self.inner.api.replace(&settings.name.name, &params, &lease)).await?
            }
        };
        let Some(written) = written else {
            if renewed {
                // Somebody wrote it since: what it says now counts.
                return Box::pin(self.attempt()).await;
            }
            // Somebody was quicker.
            self.state(|state| state.until = None);
            let holder = self.other_holder().await?.unwrap_or_else(|| "somebody".to_owned());
            return Ok(Attempt::Theirs(holder));
        };
        self.state(|state| {
            state.until = Some(asked_at + settings.duration);
            state.written = Some(written);
        });
        Ok(Attempt::Ours)
    }

    /// Who else holds it and has not let it run out.
    fn holder_of(&self, lease: &LeaseObject) -> Option<String> {
        let spec = lease.spec.as_ref()?;
        let holder = spec.holder_identity.clone().filter(|holder| !holder.is_empty())?;
        if holder == self.inner.settings.holder {
            return None;
        }
        let seconds = u64::try_from(spec.lease_duration_seconds.unwrap_or(0)).unwrap_or(0);
        let duration = Duration::from_secs(seconds);
        let seen = (holder.clone(), spec.renew_time.clone());
        let since = self.state(|state| match &state.watched {
            Some((known, renewed, since)) if (known, renewed) == (&seen.0, &seen.1) => *since,
            _ => {
                state.watched = Some((seen.0.clone(), seen.1.clone(), Instant::now()));
                Instant::now()
            }
        });
        let by_their_clock = spec.renew_time.as_ref().is_none_or(|renewed| {
            let age = self.inner.clock.now().duration_since(renewed.0);
            Duration::try_from(age).is_ok_and(|age| age > duration)
        });
        let run_out = by_their_clock || since.elapsed() > duration;
        (!run_out).then_some(holder)
    }

    async fn read(&self) -> Result<Option<LeaseObject>, LeaseError> {
        self.bounded(self.inner.api.get_opt(&self.inner.settings.name.name)).await
    }

    /// The Lease as it was written; nothing where somebody was quicker.
    async fn write(
        &self,
        answer: impl Future<Output = Result<LeaseObject, kube::Error>>,
    ) -> Result<Option<LeaseObject>, LeaseError> {
        let answer = async {
            match answer.await {
                Ok(written) => Ok(Some(written)),
                Err(error) if is_conflict(&error) || is_not_found(&error) => Ok(None),
                Err(error) => Err(error),
            }
        };
        self.bounded(answer).await
    }

    async fn bounded<T>(
        &self,
        answer: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, LeaseError> {
        let failed =
            |message: String| LeaseError { lease: self.inner.settings.name.clone(), message };
        match tokio::time::timeout(self.inner.settings.duration / 2, answer).await {
            Ok(answer) => answer.map_err(|error| failed(explain(&error))),
            Err(_) => Err(failed("the API server did not answer in time".to_owned())),
        }
    }

    fn state<T>(&self, read: impl FnOnce(&mut State) -> T) -> T {
        read(&mut self.inner.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl Permit for Lease {
    async fn confirm(&self) -> Result<(), Denied> {
        if self.is_held() {
            return Ok(());
        }
        let lease = || self.inner.settings.name.to_string();
        match self.try_take().await {
            Ok(None) => Ok(()),
            Ok(Some(holder)) => Err(Denied::Held { holder, lease: lease() }),
            Err(error) => Err(Denied::Unavailable { lease: lease(), message: error.message }),
        }
    }
}
