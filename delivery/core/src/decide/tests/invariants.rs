//! The ten invariants, each over random stories: releases that are good or bad in their own way, failed looks,
//! people who write the image field or ask for things, workloads that vanish, engines that die in the middle.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;

use super::{
    arbitrary::{
        Happening, Moment, any_world, end, play, quiet, step, story, story_without_people,
    },
    world::{BAKE, Behaviour, Look, World, foreign, release, repository},
};
use crate::{
    decide::{CheckOutcome, Effect, Reason, Workload, WorkloadState, auto_deploy_status, decide},
    image::{Digest, ImageReference},
    rollout::{Actor, Kind, Phase, Rollout, Trigger},
};

/// The rollout that this decision begins.
fn begun<'a>(moment: &Moment<'a>) -> Option<&'a Rollout> {
    let before = moment.observed.record.rollout.as_ref().map(|rollout| rollout.id);
    moment.decision.record.rollout.as_deref().filter(|rollout| Some(rollout.id) != before)
}

/// The rollout that this decision begins without being asked.
fn begun_by_itself<'a>(moment: &Moment<'a>) -> Option<&'a Rollout> {
    begun(moment).filter(|rollout| rollout.trigger != Trigger::Person)
}

fn image_written<'a>(moment: &Moment<'a>) -> Option<&'a ImageReference> {
    match &moment.decision.effect {
        Some(Effect::SetImage { image, .. }) => Some(image),
        Some(Effect::Restart { .. }) | None => None,
    }
}

fn present<'a>(moment: &Moment<'a>) -> Option<&'a Workload> {
    match &moment.observed.workload {
        WorkloadState::Present(workload) => Some(workload),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn invariant_01_only_pinned_images_of_the_policy_s_repository_are_written(
        mut world in prop_oneof![Just(World::new()), any_world()],
        story in story(),
    ) {
        let mut known = BTreeSet::new();
        let mut watch = |moment: &Moment<'_>| {
            known.extend(moment.world.releases.iter().map(|(release, _)| release.digest.clone()));
            if let Some(image) = image_written(moment) {
                assert_eq!(image.repository(), &repository());
                assert!(image.digest().is_some_and(|digest| known.contains(digest)), "{image}");
            }
        };
        play(&mut world, &story, &mut watch);
        end(&mut world, &mut watch);
    }

    #[test]
    fn invariant_02_only_the_named_container_of_a_workload_that_is_there_is_patched(story in story()) {
        let mut world = World::settled();
        let mut watch = |moment: &Moment<'_>| {
            let Some(effect) = &moment.decision.effect else { return };
            assert!(present(moment).is_some(), "{effect:?}");
            if let Effect::SetImage { container, .. } = effect {
                assert_eq!(container, &moment.desired.container);
            }
        };
        play(&mut world, &story, &mut watch);
        end(&mut world, &mut watch);
    }

    #[test]
    fn invariant_03_nothing_held_goes_out_by_itself_and_going_back_holds(story in story()) {
        let mut world = World::settled();
        let mut watch = |moment: &Moment<'_>| {
            if let Some(rollout) = begun_by_itself(moment) {
                let goal = moment.world.number(&rollout.release.digest);
                for hold in &moment.observed.record.holds {
                    let held = moment.world.number(&hold.digest);
                    let pinned_in_place = rollout.trigger == Trigger::Pin
                        && present(moment).and_then(Workload::digest).as_ref() == Some(&rollout.release.digest);
                    assert_ne!(goal, held, "{rollout:#?}");
                    // What is in place already is not older than anything: only its tag is pinned.
                    assert!(held.is_none() || goal > held || pinned_in_place, "{goal:?} {held:?}");
                }
            }
            let record = &moment.decision.record;
            if let Some(rollout) = record.rollout.as_ref().filter(|rollout| rollout.phase == Phase::RollingBack) {
                let was = moment.observed.record.rollout.as_ref().map(|rollout| rollout.phase);
                let turned = was != Some(Phase::RollingBack);
                assert!(!turned || record.hold_on(&rollout.release.digest).is_some());
            }
        };
        play(&mut world, &story, &mut watch);
        end(&mut world, &mut watch);
    }

    #[test]
    fn invariant_03_a_person_s_change_is_never_fought(
        story in story(), chosen in 0_usize..6, by_tag in any::<bool>(),
    ) {
        let mut world = World::settled();
        play(&mut world, &story, &mut |_| {});
        // A candidate elsewhere or none at all makes no difference; a workload that cannot be seen does.
        world.absent = None;
        end(&mut world, &mut |_| {});
        let release = release(chosen % world.releases.len());
        let (before, replaced) = (world.image_number(), world.running());
        let image = if by_tag {
            format!("{}:{}", repository(), release.tag.as_ref().unwrap())
        } else {
            release.image().to_string()
        };
        world.set_image(&image);
        end(&mut world, &mut |_| {});
        let chosen = world.number(&release.digest);
        if by_tag {
            // A tag may be pinned; the release stays what the person chose.
            prop_assert_eq!(world.image_number(), chosen);
        } else {
            prop_assert_eq!(&world.image, &image);
        }
        if let Some(replaced) = replaced.filter(|replaced| before == Some(*replaced) && chosen != before) {
            prop_assert!(world.holds(replaced), "{:#?}", world.record);
        }
    }

    #[test]
    fn invariant_04_no_look_no_start_and_never_backwards(story in story()) {
        let mut world = World::settled();
        let mut watch = |moment: &Moment<'_>| {
            let Some(rollout) = begun_by_itself(moment) else { return };
            assert_eq!(moment.world.look, Look::Works);
            let found = present(moment).and_then(Workload::digest);
            let found = found.and_then(|digest| moment.world.number(&digest));
            let goal = moment.world.number(&rollout.release.digest).unwrap();
            match rollout.trigger {
                Trigger::Pin => assert!(found.is_none_or(|found| found == goal)),
                _ => assert!(found.is_none_or(|found| found < goal), "{found:?} to {goal}"),
            }
        };
        play(&mut world, &story, &mut watch);
        // A look that fails from now on starts nothing new.
        world.look = Look::Fails;
        let (rollouts, open) = (world.record.rollouts, world.requests.len());
        end(&mut world, &mut watch);
        let asked = world.requests.len().min(open) as u64;
        prop_assert!(world.record.rollouts <= rollouts + asked);
    }

    #[test]
    fn invariant_05_one_rollout_at_a_time(story in story()) {
        let mut world = World::settled();
        world.history_limit = 1000;
        let mut watch = |moment: &Moment<'_>| {
            let (before, after) = (&moment.observed.record, &moment.decision.record);
            assert!(after.rollouts - before.rollouts <= 1);
            assert!(after.history.len() - before.history.len() <= 1);
            assert_eq!(after.rollouts, after.history.len() as u64 + u64::from(after.rollout.is_some()));
            if let Some(rollout) = begun(moment) {
                assert_eq!((rollout.id.0, rollout.phase), (after.rollouts, Phase::Pending));
                let ended = before.rollout.as_ref().map(|rollout| rollout.id);
                assert!(ended.is_none_or(|id| after.history[0].id == id));
            }
            // No effect that is not written down.
            match (&moment.decision.effect, &after.rollout) {
                (None, _) => {}
                (Some(Effect::SetImage { image, .. }), Some(rollout)) => {
                    let goal = match rollout.phase {
                        Phase::Pending => rollout.release.image(),
                        Phase::RollingBack => rollout.previous.as_ref().unwrap().image(),
                        phase => panic!("{phase} writes {image}"),
                    };
                    assert_eq!(image, &goal);
                }
                (Some(Effect::Restart { token }), Some(rollout)) => {
                    assert_eq!((rollout.phase, rollout.kind), (Phase::Pending, Kind::Restart));
                    assert_eq!(Some(token), rollout.token.as_ref());
                }
                (Some(effect), None) => panic!("{effect:?} without a rollout"),
            }
        };
        play(&mut world, &story, &mut watch);
        end(&mut world, &mut watch);
    }

    #[test]
    fn invariant_06_success_is_announced_only_after_complete_checks_and_bake(story in story()) {
        let mut world = World::settled();
        let mut healthy: BTreeMap<u64, Timestamp> = BTreeMap::new();
        let mut watch = |moment: &Moment<'_>| {
            let workload = present(moment);
            if let Some(rollout) = &moment.observed.record.rollout {
                let in_place = |workload: &&Workload| {
                    workload.is_complete()
                        && workload.evidence.is_empty()
                        && workload.digest().as_ref() == Some(&rollout.release.digest)
                };
                let proving = matches!(rollout.phase, Phase::Progressing | Phase::Baking);
                match workload.filter(in_place) {
                    Some(_) if proving => {
                        healthy.entry(rollout.id.0).or_insert(moment.world.now);
                    }
                    // What was not seen is not known to have been unhealthy.
                    None if workload.is_none() => {}
                    _ => {
                        healthy.remove(&rollout.id.0);
                    }
                }
            }
            let ended = &moment.decision.record.history;
            let succeeded = ended.len() != moment.observed.record.history.len()
                && ended[0].phase == Phase::Succeeded;
            assert_eq!(succeeded, moment.decision.reason == Reason::Succeeded);
            if succeeded {
                let attempt = &ended[0];
                assert!(workload.is_some_and(Workload::is_complete));
                let passed = |name| moment.observed.checks.get(name) == Some(&CheckOutcome::Passed);
                assert!(moment.desired.checks.iter().all(passed));
                let since = healthy.get(&attempt.id.0).expect("never seen healthy");
                let baked = moment.world.now.duration_since(*since).as_secs();
                assert!(baked >= BAKE as i64, "{baked} s");
                assert_eq!(workload.and_then(Workload::digest).as_ref(), Some(&attempt.release.digest));
            }
        };
        world.history_limit = 1000;
        play(&mut world, &story, &mut watch);
        end(&mut world, &mut watch);
    }

    #[test]
    fn invariant_06_no_bad_release_ever_succeeds(story in story_without_people()) {
        let mut world = World::settled();
        play(&mut world, &story, &mut |_| {});
        end(&mut world, &mut |_| {});
        for attempt in &*world.record.history {
            let number = world.number(&attempt.release.digest).unwrap();
            let behaviour = world.releases[number].1;
            // Restarts and gaps that nobody looked at cannot be seen.
            let can_pass = matches!(
                behaviour,
                Behaviour::Good | Behaviour::RestartsLater | Behaviour::ComesAndGoes
            );
            prop_assert!(can_pass || attempt.phase != Phase::Succeeded, "{attempt:#?}");
        }
    }

    #[test]
    fn invariant_07_going_back_applies_the_last_good_release_by_digest(story in story_without_people()) {
        let mut world = World::settled();
        let mut good = release(0).digest;
        let mut watch = |moment: &Moment<'_>| {
            if moment.decision.reason == Reason::Succeeded {
                good = moment.decision.record.history[0].release.digest.clone();
            }
            let rollout = moment.decision.record.rollout.as_ref();
            if let Some(image) = image_written(moment)
                && rollout.is_some_and(|rollout| rollout.phase == Phase::RollingBack)
            {
                assert_eq!(image.digest(), Some(&good));
            }
        };
        play(&mut world, &story, &mut watch);
        world.look = Look::Works;
        end(&mut world, &mut watch);
        prop_assert_eq!(world.image_number(), world.number(&good), "{:#?}", world.record);
        prop_assert_eq!(world.running(), world.number(&good));
    }

    #[test]
    fn invariant_08_suspended_or_paused_nothing_new_moves_and_the_decision_says_so(story in story()) {
        let mut world = World::settled();
        let mut watch = |moment: &Moment<'_>| {
            if moment.world.suspended {
                assert!(begun_by_itself(moment).is_none());
                let said = matches!(
                    moment.decision.reason,
                    Reason::PersonChanged | Reason::Obeyed | Reason::Refused | Reason::Succeeded
                        | Reason::RolledBack | Reason::Failed | Reason::RollingBack
                );
                assert!(
                    said || present(moment).is_none() || moment.decision.message.contains("suspended"),
                    "{:?}", moment.decision
                );
            }
            if moment.world.paused {
                assert!(begun(moment).is_none());
            }
        };
        play(&mut world, &story, &mut watch);
        world.suspended = true;
        let (before, asked) = (world.record.rollouts, world.requests.len() as u64);
        end(&mut world, &mut watch);
        prop_assert!(world.record.rollouts <= before + asked);
        if world.absent.is_none() {
            prop_assert_eq!(world.decide().reason, Reason::Suspended);
        }
    }

    #[test]
    fn invariant_09_it_is_deterministic_and_does_nothing_after_its_own_effects(story in story()) {
        let mut world = World::settled();
        let mut watch = |moment: &Moment<'_>| {
            let again = decide(moment.desired, moment.observed, moment.world.now);
            assert_eq!(&again, moment.decision);
            // The same effect until it is seen, whoever was killed in between: nothing else is decided.
            if moment.decision.effect.is_some() {
                let mut killed = moment.world.clone();
                killed.persist(moment.decision);
                let open = |request: &&crate::decide::Request| !killed.record.handled.contains(&request.id);
                if killed.requests.iter().find(open).is_none() {
                    let repeated = killed.decide();
                    // A person may ask for what is in place already: then it is seen at once.
                    let seen = image_written(moment).is_some_and(|image| killed.image == image.to_string());
                    if !seen {
                        assert_eq!(repeated.effect, moment.decision.effect);
                        assert_eq!(repeated.record, killed.record);
                    }
                }
            }
        };
        play(&mut world, &story, &mut watch);
        end(&mut world, &mut watch);
        let decision = world.decide();
        prop_assert_eq!(&decision.record, &world.record);
        prop_assert_eq!(decision.effect, None);
    }

    #[test]
    fn invariant_09_from_any_state_it_comes_to_an_end(mut world in any_world()) {
        let steps = quiet(&mut world, 200, 2000, &mut |_| {});
        prop_assert!(steps.is_some(), "{world:#?}");
    }

    #[test]
    fn invariant_10_nothing_to_do_is_silent(story in story(), hours in 1_u64..100) {
        let mut world = World::settled();
        play(&mut world, &story, &mut |_| {});
        end(&mut world, &mut |_| {});
        let decision = world.decide();
        let candidate = world.candidate();
        let status = auto_deploy_status(&decision.record, &decision, &candidate, None, world.now);
        // Replicas that come and go are not nothing.
        world.wait(7 * hours);
        let later = world.decide();
        prop_assert_eq!(&later.record, &world.record);
        prop_assert_eq!(&later.message, &decision.message);
        prop_assert_eq!((later.reason, &later.effect, later.ask_checks), (decision.reason, &None, false));
        let after = auto_deploy_status(&later.record, &later, &candidate, Some(&status), world.now);
        prop_assert_eq!(after, status);
    }
}

/// The stories reach what they are meant to reach: properties over nothing prove nothing.
#[test]
fn stories_reach_every_reason_and_every_end() {
    use proptest::{strategy::ValueTree, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let (mut reasons, mut ends) =
        (BTreeMap::<Reason, usize>::new(), BTreeMap::<Phase, usize>::new());
    for _ in 0..400 {
        let story: Vec<Happening> = story().new_tree(&mut runner).unwrap().current();
        let mut world = World::settled();
        let mut watch =
            |moment: &Moment<'_>| *reasons.entry(moment.decision.reason).or_default() += 1;
        play(&mut world, &story, &mut watch);
        end(&mut world, &mut watch);
        for attempt in &*world.record.history {
            *ends.entry(attempt.phase).or_default() += 1;
        }
    }
    assert_eq!(reasons.len(), 24, "{reasons:#?}");
    assert!(ends.values().all(|count| *count > 20) && ends.len() == 3, "{ends:#?}");
}

/// A digest that was never pushed is never made up.
#[test]
fn an_unknown_digest_in_place_is_adopted_as_it_is() {
    let mut world = World::settled();
    let digest = Digest::of(b"pushed by hand");
    world.set_image(ImageReference::pinned(repository(), None, digest.clone()));
    step(&mut world, &mut |_| {});
    let running = world.record.running.clone().unwrap().release;
    assert_eq!((running.digest, running.tag), (digest, None));
    assert_ne!(running.repository, foreign().repository);
    assert_eq!(world.record.holds[0].by, Actor::somebody());
}
