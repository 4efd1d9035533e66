use super::world::{Behaviour, World, foreign, release, repository};
use crate::{
    decide::{Ask, Effect, Reason, WorkloadState},
    rollout::{Actor, Phase},
};

#[test]
fn what_a_person_replaced_is_held_and_what_they_set_runs() {
    let mut world = World::with_two();
    world.writers = vec!["kubectl-set".to_owned()];
    world.set_image(release(0).image());
    let (decision, _) = world.step();
    assert_eq!(decision.reason, Reason::PersonChanged);
    assert_eq!(
        decision.message,
        "somebody (kubectl-set) set the image to sha-0000000; sha-0000001, which was there before, is held: a newer \
         image, or `mercurious resume NAME`, changes that"
    );
    assert_eq!(decision.record.hold_on(&release(1).digest).unwrap().by, Actor::somebody());
    assert_eq!(world.running(), Some(0));
    assert_eq!(world.good(), Some(1), "until what they set has baked");
    assert_eq!(world.settle().reason, Reason::Held);
    assert_eq!((world.image_number(), world.good()), (Some(0), Some(0)));
    let written = world.written.len();
    world.push(Behaviour::Crashes);
    world.settle();
    assert_eq!(world.image_number(), Some(0), "back to what they set");
    assert_eq!(world.written.len(), written + 2);
}

#[test]
fn what_a_person_replaced_is_not_where_a_failure_goes_back_to() {
    let mut world = World::with_two();
    world.set_image(release(0).image());
    world.push(Behaviour::Crashes);
    world.settle();
    assert_eq!(world.image_number(), Some(0));
    assert!(world.holds(1) && world.holds(2));
}

#[test]
fn what_we_wrote_before_somebody_else_did_is_theirs_when_they_write_it() {
    let mut world = World::settled();
    world.automatic_rollback = false;
    world.push(Behaviour::Crashes);
    world.until(Reason::Failed);
    world.set_image(release(0).image());
    world.settle();
    world.set_image(release(1).image());
    world.settle();
    assert_eq!((world.running(), world.image_number()), (Some(1), Some(1)));
    assert!(world.holds(0) && !world.holds(1));
}

#[test]
fn what_failed_in_place_and_is_replaced_is_held_again_though_it_never_ran() {
    let mut world = World::with_two();
    world.automatic_rollback = false;
    world.push(Behaviour::Crashes);
    world.until(Reason::Failed);
    world.ask(Ask::Resume(None));
    world.suspended = true;
    world.steps();
    assert!(world.record.holds.is_empty());
    world.suspended = false;
    // The very release that is said to run, as well as another one.
    for number in [1, 0] {
        let mut world = world.clone();
        world.set_image(release(number).image());
        world.settle();
        assert_eq!((world.running(), world.image_number()), (Some(number), Some(number)));
        assert!(world.holds(2), "what they replaced");
    }
}

#[test]
fn a_workload_made_anew_is_seen_for_the_first_time() {
    let mut world = World::with_two();
    world.absent = Some(WorkloadState::Missing { target: "Deployment app/api-gateway".to_owned() });
    world.steps();
    world.absent = None;
    world.set_image(release(0).image());
    world.settle();
    assert_eq!(world.image_number(), Some(1), "its manifest was old");
    assert!(world.record.holds.is_empty());
}

#[test]
fn a_tag_whose_digest_comes_later_is_a_change_already() {
    let mut world = World::with_two();
    world.set_image(format!("{}:{}", repository(), release(0).tag.unwrap()));
    let (decision, _) = world.step();
    assert_eq!(decision.reason, Reason::PersonChanged);
    assert!(world.holds(1));
    assert_eq!(world.running(), None);
    world.settle();
    assert_eq!((world.running(), world.image_number()), (Some(0), Some(0)));
    assert!(!world.image.contains('@'), "never fought over");
}

#[test]
fn what_cannot_be_understood_is_left_as_it_is() {
    let mut world = World::with_two();
    world.set_image("$(IMAGE)");
    world.settle();
    assert_eq!(world.image, "$(IMAGE)");
    assert!(world.holds(1));
}

#[test]
fn a_person_may_put_back_what_was_held() {
    let mut world = World::settled();
    world.push(Behaviour::Crashes);
    world.settle();
    assert!(world.holds(1));
    world.set_image(release(1).image());
    world.settle();
    assert_eq!(world.image_number(), Some(1));
    assert!(world.holds(0) && !world.holds(1));
}

#[test]
fn undone_by_a_person_while_on_its_way() {
    for reason in [Reason::Progressing, Reason::Baking] {
        let mut world = World::settled();
        world.push(Behaviour::Good);
        world.until(reason);
        world.set_image(release(0).image());
        let (decision, _) = world.step();
        assert_eq!(decision.reason, Reason::PersonChanged);
        let attempt = &decision.record.history[0];
        assert_eq!(attempt.phase, Phase::Failed);
        assert!(attempt.message.starts_with("undone by a person"), "{}", attempt.message);
        assert_eq!(decision.record.hold_on(&release(1).digest).unwrap().by, Actor::somebody());
        world.settle();
        assert_eq!((world.running(), world.image_number()), (Some(0), Some(0)));
        assert_eq!(world.record.holds.len(), 1);
    }
}

#[test]
fn taken_over_by_a_person_while_on_its_way() {
    for (reason, behaviour) in [
        (Reason::Progressing, Behaviour::Good),
        (Reason::Baking, Behaviour::Good),
        (Reason::RollingBack, Behaviour::Crashes),
    ] {
        for theirs in [release(1).image(), foreign().image()] {
            let mut world = World::with_two();
            world.push(behaviour);
            world.selects = Some(2);
            world.until(reason);
            if reason == Reason::RollingBack && theirs == release(1).image() {
                continue;
            }
            let theirs = if theirs == release(1).image() { release(0).image() } else { theirs };
            world.writers = vec!["kubectl-edit".to_owned()];
            world.set_image(&theirs);
            let (decision, _) = world.step();
            assert_eq!(decision.reason, Reason::PersonChanged, "{reason} {theirs}");
            assert!(decision.message.contains("kubectl-edit"), "{}", decision.message);
            assert!(world.holds(2) && world.record.rollout.is_none());
            world.settle();
            assert_eq!(world.image, theirs.to_string());
        }
    }
}

#[test]
fn changed_by_a_person_between_writing_down_and_applying() {
    let mut world = World::with_two();
    world.push(Behaviour::Good);
    let decision = world.decide();
    world.persist(&decision);
    // Killed here; before the next one looks, somebody sets another image.
    world.set_image(release(0).image());
    let (decision, _) = world.step();
    assert_eq!(decision.reason, Reason::PersonChanged);
    assert_eq!(decision.effect, None);
    assert!(decision.record.history[0].message.contains("before the rollout was applied"));
    assert!(world.holds(1) && !world.holds(2), "what they replaced, not what they never saw");
}

#[test]
fn what_was_in_place_is_what_they_replaced_even_if_another_was_written_down() {
    // 2 failed in place and is no longer held; 3 is written down; then somebody sets what is said to run.
    let mut world = World::with_two();
    world.automatic_rollback = false;
    world.push(Behaviour::Crashes);
    world.until(Reason::Failed);
    world.ask(Ask::Resume(None));
    world.step();
    world.push(Behaviour::Good);
    let decision = world.decide();
    assert_eq!(decision.reason, Reason::Starting);
    world.persist(&decision);
    world.set_image(release(1).image());
    assert_eq!(world.step().0.reason, Reason::PersonChanged);
    assert!(world.holds(2) && !world.holds(1) && !world.holds(3));
}

#[test]
fn our_own_words_are_not_a_person_s() {
    // Killed between the two, at each of the two effects: it goes on, nothing is held for it.
    for behaviour in [Behaviour::Good, Behaviour::Crashes] {
        let mut world = World::settled();
        world.push(behaviour);
        let mut effects = 0;
        for _ in 0..200 {
            let decision = world.decide();
            world.persist(&decision);
            if let Some(effect) = &decision.effect {
                let again = world.decide();
                assert_eq!(again.effect.as_ref(), Some(effect), "{again:#?}");
                assert_eq!(again.record, decision.record);
                world.apply(effect);
                effects += 1;
            }
            world.wait(1);
        }
        assert_eq!(effects, if behaviour == Behaviour::Good { 1 } else { 2 });
        assert_eq!(world.record.holds.len(), usize::from(behaviour == Behaviour::Crashes));
    }
}

#[test]
fn a_failed_release_that_comes_up_after_all_is_what_runs() {
    let mut world = World::settled();
    world.automatic_rollback = false;
    world.push(Behaviour::NeverReady);
    world.until(Reason::Failed);
    assert_eq!(world.running(), Some(0));
    world.releases[1].1 = Behaviour::Good;
    world.settle();
    assert_eq!((world.running(), world.good()), (Some(1), Some(0)), "but it is still held");
    assert!(world.holds(1) && !world.holds(0));
}

#[test]
fn an_undone_pin_is_not_pinned_again() {
    let mut world = World::settled();
    assert!(world.image.contains('@'));
    world.set_image(format!("{}:{}", repository(), release(0).tag.unwrap()));
    let decision = world.settle();
    assert!(!world.image.contains('@'));
    assert_eq!(decision.reason, Reason::UpToDate);
    assert!(decision.message.contains("not written again"), "{}", decision.message);
    let (decision, _) = world.step();
    assert!(!matches!(decision.effect, Some(Effect::SetImage { .. })));
}

#[test]
fn a_tag_in_place_is_pinned_only_where_that_breaks_nothing() {
    // Sick: left alone. Failing a check while it is pinned: held, but nothing else is put in its place.
    for (behaviour, pinned) in [(Behaviour::Crashes, false), (Behaviour::FailsCheck, true)] {
        let mut world = World::settled();
        world.suspended = true;
        world.push(behaviour);
        world.set_image(format!("{}:{}", repository(), release(1).tag.unwrap()));
        world.settle();
        world.suspended = false;
        world.settle();
        assert_eq!(world.image_number(), Some(1), "{behaviour:?}");
        assert_eq!(world.image.contains('@'), pinned, "{behaviour:?} {:#?}", world.record.history);
        assert_eq!(world.holds(1), pinned, "{behaviour:?}");
    }
    // Not even where there is a good one that nobody holds.
    let mut world = World::settled();
    world.suspended = true;
    world.push(Behaviour::FailsCheck);
    world.set_image(format!("{}:{}", repository(), release(1).tag.unwrap()));
    world.steps();
    world.wait(8);
    world.steps();
    assert_eq!((world.running(), world.good()), (Some(1), Some(0)));
    world.record.holds.clear();
    world.suspended = false;
    world.until(Reason::Failed);
    assert_eq!(world.image_number(), Some(1));
}
