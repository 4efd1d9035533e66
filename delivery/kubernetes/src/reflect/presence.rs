use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{Client, api::Api};
use mercurious_runtime::Clock;
use tokio::time::Instant;

use crate::api_error::{explain, is_not_found};

/// The Lease that Flux's image-reflector-controller holds while it is at work.
const LEASE: &str = "image-reflector-controller-leader-election";
/// An answer of the API server holds for so long; Flux's own Lease lasts 35 seconds.
const HOLDS: Duration = Duration::from_secs(30);

/// Whether Flux's image-reflector-controller is at work.
#[derive(Clone)]
pub(crate) struct Presence {
    client: Client,
    namespaces: Vec<String>,
    clock: Arc<dyn Clock>,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    answer: Option<(Instant, Flux)>,
    /// By namespace: the holder with its last renewal, and since when that was seen by our own clock.
    watched: BTreeMap<String, (Option<String>, Option<MicroTime>, Instant)>,
}

/// What is known about Flux.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flux {
    /// It is not at work: image objects are ours.
    Absent,
    /// It is, or nobody knows: image objects are not ours.
    Present(String),
}

impl Presence {
    /// Looks in these namespaces.
    pub(crate) fn new(client: Client, namespaces: Vec<String>, clock: Arc<dyn Clock>) -> Self {
        Self { client, namespaces, clock, known: Arc::default() }
    }

    /// Whether it is at work, as far as was known a moment ago.
    pub(crate) async fn flux(&self) -> Flux {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).answer.clone();
        if let Some((at, flux)) = known
            && at.elapsed() < HOLDS
        {
            return flux;
        }
        let mut flux = Flux::Absent;
        for namespace in &self.namespaces {
            flux = self.ask(namespace).await;
            if flux != Flux::Absent {
                break;
            }
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.answer = Some((Instant::now(), flux.clone()));
        flux
    }

    async fn ask(&self, namespace: &str) -> Flux {
        let api: Api<Lease> = Api::namespaced(self.client.clone(), namespace);
        let answer = tokio::time::timeout(Duration::from_secs(10), api.get(LEASE)).await;
        let unknown =
            |why: String| Flux::Present(format!("whether Flux is at work is not known: {why}"));
        match answer {
            Ok(Ok(lease)) => self.judge(namespace, lease.spec.unwrap_or_default()),
            Ok(Err(error)) if is_not_found(&error) => Flux::Absent,
            Ok(Err(error)) => unknown(explain(&error)),
            Err(_) => unknown("the API server did not answer".to_owned()),
        }
    }

    fn judge(&self, namespace: &str, lease: LeaseSpec) -> Flux {
        let holder = lease.holder_identity.filter(|holder| !holder.is_empty());
        let seconds = u64::try_from(lease.lease_duration_seconds.unwrap_or(0)).unwrap_or(0);
        let duration = Duration::from_secs(seconds);
        let since = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            match known.watched.get(namespace) {
                Some((own, renewed, since)) if (own, renewed) == (&holder, &lease.renew_time) => {
                    *since
                }
                _ => {
                    let seen = (holder.clone(), lease.renew_time.clone(), Instant::now());
                    known.watched.insert(namespace.to_owned(), seen);
                    Instant::now()
                }
            }
        };
        let by_its_clock = lease.renew_time.is_none_or(|renewed| {
            let age = self.clock.now().duration_since(renewed.0);
            Duration::try_from(age).is_ok_and(|age| age > duration)
        });
        match holder {
            Some(holder) if !by_its_clock && since.elapsed() <= duration => Flux::Present(format!(
                "Flux's image-reflector-controller is at work ({holder} holds the lease {namespace}/{LEASE})"
            )),
            _ => Flux::Absent,
        }
    }
}
