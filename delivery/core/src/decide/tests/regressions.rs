use super::world::{Behaviour, Look, World, release, repository};
use crate::{
    decide::{Ask, Decision, Effect, Reason, WorkloadState, auto_deploy_status},
    image::{Digest, Release},
    resources::ConditionStatus,
    rollout::{Actor, Phase, Trigger},
};

#[test]
fn r03_only_complete_references_with_a_digest_are_written() {
    let mut world = World::with_two();
    world.push(Behaviour::Crashes);
    world.settle();
    world.ask(Ask::Rollback(None));
    world.settle();
    assert!(world.written.len() >= 4);
    for image in &world.written {
        let text = image.to_string();
        assert!(text.starts_with("registry.test/team/api-gateway:sha-"), "{text}");
        assert!(text.contains("@sha256:"), "{text}");
    }
}

#[test]
fn r08_a_mutable_tag_is_pinned_and_the_same_tag_with_a_new_digest_is_a_change() {
    let latest = |content: &str| Release {
        digest: Digest::of(content.as_bytes()),
        tag: Some("latest".parse().unwrap()),
        ..release(0)
    };
    let mut world = World::new();
    world.releases[0].0 = latest("one");
    world.set_image(format!("{}:latest", repository()));
    world.wait(10);
    let (decision, _) = world.step();
    let rollout = decision.record.rollout.as_ref().unwrap();
    assert_eq!(rollout.trigger, Trigger::Pin);
    assert!(decision.message.contains("can move"), "{}", decision.message);
    world.settle();
    assert_eq!(world.image, latest("one").image().to_string());
    world.releases.push((latest("two"), Behaviour::Good));
    let (decision, _) = world.step();
    assert_eq!(decision.reason, Reason::Starting);
    assert!(decision.message.contains("latest@"), "tells them apart: {}", decision.message);
    world.settle();
    assert_eq!(world.image, latest("two").image().to_string());
}

/// Something else writes the same field again and again: reported by name, never fought.
fn another_writer_reverts(image: &str) -> (World, Decision) {
    let mut world = World::with_two();
    let written = world.written.len();
    world.writers = vec!["kustomize-controller".to_owned()];
    let mut said = None;
    for _ in 0..10 {
        if world.image != image {
            world.set_image(image);
        }
        let decision = world.until(Reason::PersonChanged);
        said.get_or_insert(decision);
        world.settle();
        if world.written.len() == written {
            break;
        }
    }
    assert_eq!(world.written.len(), written, "not one write against the other one");
    (world, said.unwrap())
}

#[test]
fn r09_a_competing_writer_of_the_field_is_named() {
    let (_, decision) = another_writer_reverts("registry.test/team/api-gateway:latest");
    assert!(decision.message.contains("kustomize-controller"), "{}", decision.message);
    let hold = &decision.record.holds[0];
    assert!(hold.reason.contains("kustomize-controller"), "{}", hold.reason);
}

#[test]
fn r13_two_writers_do_not_take_turns() {
    let (mut world, _) = another_writer_reverts(&release(0).image().to_string());
    assert_eq!(world.image_number(), Some(0));
    assert_eq!(world.settle().reason, Reason::Held);
}

#[test]
fn r14_a_rollback_is_not_undone() {
    // By hand, by request, and by the engine itself.
    for how in 0..3 {
        let mut world = World::with_two();
        match how {
            0 => world.set_image(release(0).image()),
            1 => world.ask(Ask::Rollback(None)),
            _ => {
                world.set_image(release(0).image());
                world.settle();
                world.record.holds.clear();
                world.releases[1].1 = Behaviour::Crashes;
            }
        }
        assert_eq!(world.settle().reason, Reason::Held);
        for _ in 0..30 {
            world.wait(120);
            let (decision, moved) = world.step();
            assert!(!moved);
            assert_eq!(decision.reason, Reason::Held);
            assert!(decision.message.contains("a newer image, or `mercurious resume NAME`"));
        }
        assert_eq!(world.image_number(), Some(0));
        world.push(Behaviour::Good);
        world.settle();
        assert_eq!(world.image_number(), Some(2), "a newer one goes out");
    }
}

#[test]
fn r15_a_container_that_is_not_there_is_an_error_and_none_is_added() {
    let mut world = World::settled();
    world.push(Behaviour::Good);
    world.absent = Some(WorkloadState::NoContainer {
        message: "no container `app` in Deployment app/api-gateway; there is: api-gateway"
            .to_owned(),
    });
    let (decision, steps) = world.steps();
    assert_eq!((decision.reason, steps), (Reason::ContainerMissing, 1));
    assert!(decision.message.contains("there is: api-gateway"));
    world.absent = None;
    let (decision, _) = world.step();
    let Some(Effect::SetImage { container, .. }) = decision.effect else { panic!("{decision:#?}") };
    assert_eq!(container.as_deref(), Some("app"));
}

#[test]
fn r16_a_missing_workload_is_an_error() {
    let mut world = World::settled();
    world.absent = Some(WorkloadState::Missing { target: "Deployment app/api-gateway".to_owned() });
    let (decision, _) = world.steps();
    assert_eq!(decision.reason, Reason::WorkloadMissing);
    assert!(decision.message.contains("Deployment app/api-gateway does not exist"));
    let status =
        auto_deploy_status(&decision.record, &decision, &world.candidate(), None, world.now);
    assert_eq!(status.conditions[0].status, ConditionStatus::False);
    assert_eq!(status.conditions[3].status, ConditionStatus::True);
}

#[test]
fn r17_success_is_said_only_of_what_is_ready_and_failure_goes_back() {
    let mut world = World::settled();
    world.push(Behaviour::NeverReady);
    let mut said = Vec::new();
    for _ in 0..300 {
        let (decision, moved) = world.step();
        said.push(decision.reason);
        if !moved {
            world.wait(1);
        }
    }
    assert!(!said.contains(&Reason::Succeeded));
    assert!(said.contains(&Reason::RolledBack));
    assert_eq!(world.image_number(), Some(0));
}

#[test]
fn r20_a_policy_that_matches_nothing_is_said_not_skipped() {
    let mut world = World::settled();
    world.look = Look::MatchesNothing;
    let (decision, _) = world.steps();
    assert_eq!(decision.reason, Reason::PolicyEmpty);
    assert!(decision.message.contains("none of 4 tags matches"));
}

#[test]
fn r21_history_keeps_old_new_who_why_and_how_it_ended() {
    let mut world = World::settled();
    world.push(Behaviour::Good);
    world.settle();
    world.push(Behaviour::Crashes);
    world.settle();
    world.ask(Ask::Rollback(None));
    world.settle();
    let told: Vec<_> = world
        .record
        .history
        .iter()
        .map(|attempt| {
            let previous =
                attempt.previous.as_ref().and_then(|release| world.number(&release.digest));
            let new = world.number(&attempt.release.digest).unwrap();
            (attempt.id.0, previous, new, attempt.by.clone(), attempt.trigger, attempt.phase)
        })
        .collect();
    let (engine, ada) = (Actor::engine(), Actor("ada".to_owned()));
    assert_eq!(
        told,
        [
            (4, Some(1), 0, ada, Trigger::Person, Phase::Succeeded),
            (3, Some(1), 2, engine.clone(), Trigger::NewImage, Phase::RolledBack),
            (2, Some(0), 1, engine.clone(), Trigger::NewImage, Phase::Succeeded),
            (1, None, 0, engine, Trigger::Pin, Phase::Succeeded),
        ]
    );
    assert!(world.record.history.iter().all(|attempt| !attempt.message.is_empty()));
    assert!(world.record.history.iter().all(|attempt| attempt.ended_at >= attempt.started_at));
    world.history_limit = 2;
    world.push(Behaviour::Good);
    world.settle();
    let ids: Vec<u64> = world.record.history.iter().map(|attempt| attempt.id.0).collect();
    assert_eq!(ids, [5, 4], "the newest are kept");
}
