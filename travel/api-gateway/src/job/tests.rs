use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mercurious_contracts::{
    job::{JobEvent, JobStatus},
    message::{JobError, JobErrorCode, Stage},
    topic,
};
use proptest::prelude::*;

use super::{Change, Ignored, Input, JobRecord, NewJob, Step, Verdict, accept, apply};
use crate::tests::fixtures::{day, facts, itinerary, job_id, request};

fn start() -> Timestamp {
    "2026-05-01T08:00:00Z".parse().unwrap()
}

fn new() -> Change {
    let deadline = start().checked_add(SignedDuration::from_mins(5)).unwrap();
    accept(NewJob { id: job_id(1), request: request(), now: start(), deadline, traceparent: None })
        .unwrap()
}

fn changed(job: &JobRecord, input: Input) -> Change {
    match apply(job, input, start()) {
        Verdict::Change(change) => *change,
        Verdict::Ignored(ignored) => panic!("ignored: {ignored:?}"),
    }
}

fn ignored(job: &JobRecord, input: Input) -> Ignored {
    match apply(job, input, start()) {
        Verdict::Change(change) => panic!("changed: {change:?}"),
        Verdict::Ignored(ignored) => ignored,
    }
}

fn progress(step: Step, percent: u8) -> Input {
    let message = "going on".to_owned();
    Input::Progress { step, percent, stage: Stage::Places, message, day: None, attempt: 1 }
}

fn told(number: u32) -> Input {
    let (message, day) = (format!("day {number}"), Some(Box::new(day(number))));
    let (step, stage) = (Step::Generation, Stage::Planning);
    Input::Progress { step, percent: 50, stage, message, day, attempt: 1 }
}

fn error() -> JobError {
    JobError::new(JobErrorCode::UnknownDestination, "no such place")
}

#[test]
fn a_job_goes_from_accepting_to_its_trip() {
    let accepted = new();
    assert_eq!(accepted.outbox[0].topic, topic::ENRICHMENT_REQUEST);
    assert_eq!(accepted.outbox[0].key, job_id(1).to_string());

    let going = changed(&accepted.job, progress(Step::Enrichment, 50));
    assert_eq!((going.job.status, going.job.progress), (JobStatus::Enriching, 20));
    let found = changed(&going.job, Input::Facts(facts()));
    assert_eq!((found.job.status, found.job.progress), (JobStatus::Generating, 40));
    assert_eq!(found.outbox[0].topic, topic::GENERATION_REQUEST);
    assert!(found.facts.is_some());
    let planned = changed(&found.job, told(1));
    assert!(matches!(planned.events[1].event, JobEvent::Day { .. }));

    let made = changed(&planned.job, Input::Itinerary(itinerary(2)));
    assert_eq!((made.job.status, made.job.progress), (JobStatus::Completed, 100));
    assert_eq!(made.trip.unwrap().itinerary.days.len(), 2);
    let names: Vec<_> = made.events.iter().map(|event| event.event.name()).collect();
    assert_eq!(names, ["day", "completed"], "the second day was not told before");
}

#[test]
fn an_answer_may_come_before_any_progress_and_progress_after_it_is_late() {
    let found = changed(&new().job, Input::Facts(facts()));
    assert_eq!(ignored(&found.job, progress(Step::Enrichment, 90)), Ignored::Late);
    assert_eq!(ignored(&found.job, Input::Facts(facts())), Ignored::Late);
}

#[test]
fn what_belongs_to_a_later_step_is_early() {
    let job = new().job;
    assert_eq!(ignored(&job, progress(Step::Generation, 10)), Ignored::Early);
    assert_eq!(ignored(&job, Input::Itinerary(itinerary(1))), Ignored::Early);
    assert_eq!(ignored(&job, Input::Failed(Step::Generation, error())), Ignored::Early);
}

#[test]
fn the_same_progress_twice_is_told_once_and_a_further_try_is_told_again() {
    let going = changed(&new().job, progress(Step::Enrichment, 50));
    assert_eq!(ignored(&going.job, progress(Step::Enrichment, 50)), Ignored::Duplicate);
    assert_eq!(ignored(&going.job, progress(Step::Enrichment, 10)), Ignored::Duplicate);
    let again = Input::Progress {
        step: Step::Enrichment,
        percent: 0,
        stage: Stage::Destination,
        message: "from the start".to_owned(),
        day: None,
        attempt: 2,
    };
    let again = changed(&going.job, again);
    assert_eq!((again.job.attempt, again.job.progress), (2, 20), "progress never falls");
}

#[test]
fn a_failed_step_fails_the_job_with_all_that_is_known() {
    let mut error = error();
    error.candidates = vec![
        serde_json::from_value(serde_json::json!({
            "place_id": "geonames:1", "name": "Paris", "country": "US", "region": "Texas"
        }))
        .unwrap(),
    ];
    let failed = changed(&new().job, Input::Failed(Step::Enrichment, error));
    assert_eq!(failed.job.status, JobStatus::Failed);
    let problem = failed.job.error.unwrap();
    assert_eq!((problem.status, problem.code.as_str()), (422, "unknown_destination"));
    assert_eq!(problem.candidates.len(), 1);
}

#[test]
fn cancelling_tells_the_workers_and_ends_the_job() {
    let cancelled = changed(&new().job, Input::Cancel { reason: "why not".to_owned() });
    assert_eq!(cancelled.job.status, JobStatus::Cancelled);
    assert_eq!(cancelled.outbox[0].topic, topic::JOB_CANCELLED);
    assert_eq!(ignored(&cancelled.job, Input::Itinerary(itinerary(1))), Ignored::Late);
}

#[test]
fn a_job_fails_at_its_deadline_and_not_before() {
    let job = new().job;
    assert_eq!(ignored(&job, Input::Overdue), Ignored::Early);
    let Verdict::Change(failed) = apply(&job, Input::Overdue, job.deadline) else {
        panic!("not failed")
    };
    assert_eq!(failed.job.error.unwrap().code, "deadline_exceeded");
    assert_eq!(failed.outbox[0].topic, topic::JOB_CANCELLED);
}

#[test]
fn facts_that_are_too_large_for_a_message_fail_the_job() {
    let mut facts = facts();
    facts.attributions = vec!["x".repeat(1_000_000)];
    let failed = changed(&new().job, Input::Facts(facts));
    assert_eq!(failed.job.error.unwrap().code, "internal");
    assert!(failed.outbox.is_empty());
}

fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let step = || prop_oneof![Just(Step::Enrichment), Just(Step::Generation)];
    let input = prop_oneof![
        4 => (step(), any::<u8>()).prop_map(|(step, percent)| progress(step, percent)),
        3 => (0_u32..5).prop_map(told_any),
        2 => Just(Input::Facts(facts())),
        1 => (0_u32..4).prop_map(|days| Input::Itinerary(itinerary(days))),
        1 => step().prop_map(|step| Input::Failed(step, error())),
        1 => Just(Input::Cancel { reason: "no".to_owned() }),
        1 => Just(Input::Overdue),
    ];
    proptest::collection::vec(input, 0..40)
}

fn told_any(number: u32) -> Input {
    let mut input = told(number.max(1));
    if let Input::Progress { day: Some(day), .. } = &mut input {
        day.number = number;
    }
    input
}

proptest! {
    /// Whatever comes in whatever order: never back, one end, and everything is told in order and once.
    #[test]
    fn a_job_never_goes_back_and_ends_once(inputs in inputs(), late in 0_usize..60) {
        let mut now = start();
        let mut change = new();
        let mut sequences: Vec<u64> = change.events.iter().map(|event| event.sequence).collect();
        let mut events: Vec<JobEvent> = change.events.iter().map(|event| event.event.clone()).collect();
        let mut sent: BTreeMap<String, u32> = BTreeMap::new();
        for (number, input) in inputs.into_iter().enumerate() {
            if number == late {
                now = change.job.deadline;
            }
            let before = change.job.clone();
            let Verdict::Change(next) = apply(&before, input.clone(), now) else { continue };
            change = *next;
            let job = &change.job;
            prop_assert!(!before.status.is_terminal(), "an ended job changed");
            prop_assert!(job.status >= before.status);
            prop_assert!(job.progress >= before.progress && job.progress <= 100);
            prop_assert!(job.updated_at >= before.updated_at);
            prop_assert_eq!(job.version, before.version + 1);
            prop_assert!(!change.events.is_empty());
            sequences.extend(change.events.iter().map(|event| event.sequence));
            events.extend(change.events.iter().map(|event| event.event.clone()));
            for message in &change.outbox {
                *sent.entry(message.topic.clone()).or_default() += 1;
            }
            // The same again changes nothing.
            let again = apply(job, input, now);
            prop_assert!(matches!(again, Verdict::Ignored(_)), "taken twice: {:?}", again);
        }
        let counted: Vec<u64> = (1..=sequences.len() as u64).collect();
        prop_assert_eq!(sequences, counted);
        prop_assert_eq!(change.job.last_event, events.len() as u64);
        let ends: Vec<_> = events.iter().filter(|event| event.is_terminal()).collect();
        prop_assert_eq!(ends.len(), usize::from(change.job.status.is_terminal()));
        if let Some(end) = ends.first() {
            prop_assert_eq!(*end, events.last().unwrap());
        }
        let mut days: Vec<u32> = events
            .iter()
            .filter_map(|event| match event { JobEvent::Day { day } => Some(day.number), _ => None })
            .collect();
        days.sort_unstable();
        let count = days.len();
        days.dedup();
        prop_assert_eq!(days.len(), count, "a day was told twice");
        prop_assert!(sent.values().all(|count| *count == 1), "sent twice: {:?}", sent);
    }
}
