//! What every store must do, asked of each; also of MongoDB, in `tests/backends/tests/stores`.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use mercurious_contracts::job::JobStatus;

use crate::{
    job::{Change, Input, JobRecord, NewJob, Step, Verdict, accept, apply},
    store::{AcceptOutcome, Committed, IdempotencyKey, Store, StoredTrip},
    tests::fixtures::{facts, itinerary, job_id, request},
};

pub(super) const LEASE: Duration = Duration::from_mins(1);

pub(super) fn start() -> Timestamp {
    "2026-05-01T08:00:00Z".parse().unwrap()
}

pub(super) fn later(seconds: i64) -> Timestamp {
    start().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

fn new(number: u32) -> Change {
    let new = NewJob {
        id: job_id(number),
        request: request(),
        now: start(),
        deadline: later(300),
        traceparent: None,
    };
    accept(new).unwrap()
}

pub(super) fn next(job: &JobRecord, input: Input, now: Timestamp) -> Change {
    match apply(job, input, now) {
        Verdict::Change(change) => *change,
        Verdict::Ignored(ignored) => panic!("{ignored:?}"),
    }
}

fn key(key: &str, fingerprint: &str) -> IdempotencyKey {
    IdempotencyKey { key: key.to_owned(), fingerprint: fingerprint.to_owned() }
}

pub(super) async fn accepted(store: &dyn Store, number: u32) -> JobRecord {
    let change = new(number);
    let job = change.job.clone();
    assert_eq!(store.accept(change, None).await.unwrap(), AcceptOutcome::Stored);
    job
}

/// All that must hold of a store. `other` is another replica's connection to the same.
pub(crate) async fn contract(store: Arc<dyn Store>, other: Arc<dyn Store>) {
    store.check().await.unwrap();
    jobs_and_events(&*store, &*other).await;
    keys(&*store, &*other).await;
    races(&store, &other).await;
    outbox(&*store, &*other).await;
    trips(&*store, &*other).await;
    sweeping(&*store, &*other).await;
}

async fn jobs_and_events(store: &dyn Store, other: &dyn Store) {
    let job = accepted(store, 1).await;
    assert_eq!(other.job(job.id).await.unwrap(), Some(job.clone()));
    assert_eq!(other.job(job_id(999)).await.unwrap(), None);

    let change = next(&job, Input::Facts(facts()), later(1));
    assert_eq!(other.commit(change.clone()).await.unwrap(), Committed::Stored);
    assert_eq!(store.commit(change.clone()).await.unwrap(), Committed::Conflict, "an old version");
    assert_eq!(store.job(job.id).await.unwrap(), Some(change.job.clone()));
    assert_eq!(store.facts(job.id).await.unwrap(), Some(*facts()));

    let change = next(&change.job, Input::Itinerary(itinerary(2)), later(2));
    assert_eq!(store.commit(change.clone()).await.unwrap(), Committed::Stored);
    let events = other.events(job.id, 0, 100).await.unwrap();
    let sequences: Vec<u64> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5]);
    assert_eq!(other.events(job.id, 3, 1).await.unwrap(), events[3..4]);
    assert_eq!(other.events(job.id, u64::MAX, 1).await.unwrap(), []);
    assert_eq!(other.heads(&[job.id, job_id(999)]).await.unwrap(), [(job.id, 5)]);
    assert_eq!(change.job.status, JobStatus::Completed);
}

async fn keys(store: &dyn Store, other: &dyn Store) {
    assert_eq!(store.accept(new(10), Some(key("k", "a"))).await.unwrap(), AcceptOutcome::Stored);
    let again = other.accept(new(11), Some(key("k", "a"))).await.unwrap();
    assert_eq!(again, AcceptOutcome::Known(job_id(10)));
    let other_request = other.accept(new(12), Some(key("k", "b"))).await.unwrap();
    assert_eq!(other_request, AcceptOutcome::OtherRequest);
    for number in [11, 12] {
        assert_eq!(store.job(job_id(number)).await.unwrap(), None);
        assert_eq!(store.events(job_id(number), 0, 10).await.unwrap(), []);
    }
}

/// Many at once: one key makes one job, one version is changed once.
async fn races(store: &Arc<dyn Store>, other: &Arc<dyn Store>) {
    let stores = [store, other];
    let accepting = (0..16_u32).map(|number| {
        let store = Arc::clone(stores[number as usize % 2]);
        async move { store.accept(new(20 + number), Some(key("race", "a"))).await.unwrap() }
    });
    let outcomes = futures::future::join_all(accepting).await;
    let stored = outcomes.iter().filter(|outcome| **outcome == AcceptOutcome::Stored).count();
    assert_eq!(stored, 1, "{outcomes:?}");
    let known = outcomes.iter().filter(|outcome| matches!(outcome, AcceptOutcome::Known(_)));
    assert_eq!(known.count(), 15, "{outcomes:?}");

    let job = accepted(&**store, 50).await;
    let change = next(&job, Input::Facts(facts()), later(1));
    let committing = (0..16_usize).map(|number| {
        let (store, change) = (Arc::clone(stores[number % 2]), change.clone());
        async move { store.commit(change).await.unwrap() }
    });
    let outcomes = futures::future::join_all(committing).await;
    let stored = outcomes.iter().filter(|outcome| **outcome == Committed::Stored).count();
    assert_eq!(stored, 1, "{outcomes:?}");
    assert_eq!(store.events(job.id, 0, 10).await.unwrap().len(), 2);
}

async fn outbox(store: &dyn Store, other: &dyn Store) {
    let now = later(10);
    let drained = store.claim(now, 1000, LEASE).await.unwrap();
    let ids: Vec<String> = drained.iter().map(|row| row.id.clone()).collect();
    store.sent(&ids).await.unwrap();
    assert_eq!(store.waiting().await.unwrap(), 0);

    let job = accepted(store, 60).await;
    let message = new(60).outbox.remove(0);
    let claimed = store.claim(now, 10, LEASE).await.unwrap();
    assert_eq!(claimed.iter().map(|row| &row.message).collect::<Vec<_>>(), [&message]);
    // Another message of the job waits until the first one is sent or its claim is over.
    let change = next(&job, Input::Facts(facts()), later(1));
    store.commit(change.clone()).await.unwrap();
    accepted(store, 61).await;
    let others = other.claim(now, 10, LEASE).await.unwrap();
    let keys: Vec<_> = others.iter().map(|row| row.message.key.clone()).collect();
    assert_eq!(keys, [job_id(61).to_string()]);
    store.sent(&[claimed[0].id.clone()]).await.unwrap();
    let after = other.claim(now, 10, LEASE).await.unwrap();
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].message, change.outbox[0]);
    // What was not published may be claimed again at once.
    store.release(&[after[0].id.clone()]).await.unwrap();
    assert_eq!(store.claim(now, 10, LEASE).await.unwrap(), after);
    // Who claimed both has died.
    let late = later(10 + 61);
    let taken_over = store.claim(late, 10, LEASE).await.unwrap();
    assert_eq!(taken_over.len(), 2);
    assert_eq!(store.set_aside(&taken_over[0].id, "no").await.unwrap(), Some(job_id(60)));
    assert_eq!(store.set_aside("1", "no").await.unwrap(), None);
    store.sent(&[taken_over[1].id.clone()]).await.unwrap();
    assert_eq!(other.waiting().await.unwrap(), 0);
}

async fn trips(store: &dyn Store, other: &dyn Store) {
    let stored = store.trip(job_id(1)).await.unwrap().unwrap();
    assert_eq!((stored.version, stored.trip.itinerary.days.len()), (1, 2));
    assert_eq!(store.trip(job_id(10)).await.unwrap(), None);
    let mut changed = StoredTrip { version: 2, ..stored };
    "Другое".clone_into(&mut changed.trip.itinerary.title);
    assert_eq!(other.save_trip(changed.clone()).await.unwrap(), Committed::Stored);
    assert_eq!(store.save_trip(changed.clone()).await.unwrap(), Committed::Conflict);
    assert_eq!(store.trip(job_id(1)).await.unwrap(), Some(changed));

    store.share(job_id(1), "digest", start()).await.unwrap();
    assert_eq!(other.shared("digest").await.unwrap(), Some(job_id(1)));
    assert!(!other.unshare(job_id(10), "digest").await.unwrap(), "another trip's link");
    assert!(other.unshare(job_id(1), "digest").await.unwrap());
    assert_eq!(store.shared("digest").await.unwrap(), None);
}

async fn sweeping(store: &dyn Store, other: &dyn Store) {
    let late = later(300);
    assert_eq!(store.overdue(later(299), 100).await.unwrap(), []);
    let overdue = other.overdue(late, 100).await.unwrap();
    assert!(overdue.contains(&job_id(50)) && !overdue.contains(&job_id(1)), "{overdue:?}");
    assert_eq!(other.overdue(late, 1).await.unwrap().len(), 1);

    let job = store.job(job_id(50)).await.unwrap().unwrap();
    let error = mercurious_contracts::message::JobError::new(
        mercurious_contracts::message::JobErrorCode::NoPlan,
        "none",
    );
    store.commit(next(&job, Input::Failed(Step::Generation, error), late)).await.unwrap();
    assert!(!store.overdue(late, 100).await.unwrap().contains(&job_id(50)));

    // The first job ended at 2 s, the fiftieth at 300 s.
    assert_eq!(store.prune(later(2), later(-1), 100).await.unwrap(), 1);
    assert_eq!(store.job(job_id(1)).await.unwrap(), None);
    assert_eq!(store.trip(job_id(1)).await.unwrap(), None);
    assert_eq!(store.facts(job_id(1)).await.unwrap(), None);
    assert_eq!(store.events(job_id(1), 0, 10).await.unwrap(), []);
    assert!(store.job(job_id(50)).await.unwrap().is_some());
    // A key that is not kept any more may be used again.
    assert_eq!(
        store.accept(new(90), Some(key("k", "b"))).await.unwrap(),
        AcceptOutcome::OtherRequest
    );
    store.prune(later(2), later(0), 100).await.unwrap();
    assert_eq!(store.accept(new(90), Some(key("k", "b"))).await.unwrap(), AcceptOutcome::Stored);
}
