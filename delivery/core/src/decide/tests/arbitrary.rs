//! Random stories, and random records that no story may lead to.

use proptest::prelude::*;

use super::world::{Behaviour, Look, World, foreign, release, repository, seconds};
use crate::{
    decide::{Ask, Decision, Desired, Observed, WorkloadState},
    rollout::{Actor, Deployed, Hold, Kind, Phase, Record, Rollout, RolloutId, Trigger},
};

/// Something that happens in the world, or a step of the engine.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    Wait(u64),
    Push(Behaviour),
    Heals(usize, Behaviour),
    Look(Look),
    Selects(Option<usize>),
    Suspends(bool),
    Pauses(bool),
    GoesBackByItself(bool),
    Scales(u32),
    Absent(u8),
    PersonPins(usize),
    PersonTags(usize),
    PersonWrites(&'static str),
    Asks(u8, usize),
    /// A whole step.
    Step,
    /// The engine dies between writing down and the effect.
    StepWithoutEffect,
    /// The engine dies after the effect, and the effect is done again.
    StepTwiceEffect,
}

fn behaviour() -> impl Strategy<Value = Behaviour> {
    prop_oneof![
        4 => Just(Behaviour::Good),
        2 => Just(Behaviour::Crashes),
        1 => Just(Behaviour::NeverReady),
        1 => Just(Behaviour::FailsCheck),
        1 => Just(Behaviour::NeverAnswersCheck),
        1 => Just(Behaviour::RestartsLater),
        1 => Just(Behaviour::ComesAndGoes),
    ]
}

/// What the engine itself meets without any person: pushes, failed looks, deaths.
fn without_people() -> BoxedStrategy<Happening> {
    prop_oneof![
        30 => Just(Happening::Step),
        4 => Just(Happening::StepWithoutEffect),
        4 => Just(Happening::StepTwiceEffect),
        20 => (1_u64..6).prop_map(Happening::Wait),
        3 => (30_u64..90).prop_map(Happening::Wait),
        5 => behaviour().prop_map(Happening::Push),
        3 => prop_oneof![
            4 => Just(Look::Works),
            1 => Just(Look::NotYet),
            2 => Just(Look::Fails),
            1 => Just(Look::MatchesNothing),
            1 => Just(Look::SelectsForeign),
            1 => Just(Look::SelectsUnusable),
        ]
        .prop_map(Happening::Look),
        1 => proptest::option::of(0_usize..6).prop_map(Happening::Selects),
        1 => (1_u32..6).prop_map(Happening::Scales),
    ]
    .boxed()
}

fn anything() -> BoxedStrategy<Happening> {
    prop_oneof![
        60 => without_people(),
        1 => (0_usize..6, behaviour()).prop_map(|(number, behaviour)| Happening::Heals(number, behaviour)),
        2 => any::<bool>().prop_map(Happening::Suspends),
        1 => any::<bool>().prop_map(Happening::Pauses),
        1 => any::<bool>().prop_map(Happening::GoesBackByItself),
        2 => (0_u8..6).prop_map(Happening::Absent),
        3 => (0_usize..6).prop_map(Happening::PersonPins),
        1 => (0_usize..6).prop_map(Happening::PersonTags),
        1 => prop_oneof![
            Just("nginx:1.29"),
            Just("$(IMAGE)"),
            Just("registry.test/team/api-gateway:nowhere")
        ]
        .prop_map(Happening::PersonWrites),
        6 => (0_u8..8, 0_usize..6).prop_map(|(kind, number)| Happening::Asks(kind, number)),
    ]
    .boxed()
}

pub(super) fn story() -> impl Strategy<Value = Vec<Happening>> {
    proptest::collection::vec(anything(), 0..80)
}

pub(super) fn story_without_people() -> impl Strategy<Value = Vec<Happening>> {
    proptest::collection::vec(without_people(), 0..80)
}

/// One decision, and the world that it was made in.
pub(super) struct Moment<'a> {
    pub(super) world: &'a World,
    pub(super) desired: &'a Desired,
    pub(super) observed: &'a Observed,
    pub(super) decision: &'a Decision,
}

/// Plays a story, showing each decision.
pub(super) fn play(world: &mut World, story: &[Happening], watch: &mut dyn FnMut(&Moment<'_>)) {
    for happening in story {
        happen(world, happening, watch);
    }
}

/// One step, shown; whether it changed anything.
pub(super) fn step(world: &mut World, watch: &mut dyn FnMut(&Moment<'_>)) -> bool {
    let decision = show(world, watch);
    let moved = decision.record != world.record || decision.effect.is_some();
    world.persist(&decision);
    if let Some(effect) = &decision.effect {
        world.apply(effect);
    }
    moved
}

fn show(world: &World, watch: &mut dyn FnMut(&Moment<'_>)) -> Decision {
    let (desired, observed) = (world.desired(), world.observed());
    let decision = crate::decide::decide(&desired, &observed, world.now);
    watch(&Moment { world, desired: &desired, observed: &observed, decision: &decision });
    decision
}

fn happen(world: &mut World, happening: &Happening, watch: &mut dyn FnMut(&Moment<'_>)) {
    let known = |number: usize| number % world.releases.len();
    match *happening {
        Happening::Wait(time) => world.wait(time),
        Happening::Push(behaviour) => {
            world.push(behaviour);
        }
        Happening::Heals(number, behaviour) => {
            let number = known(number);
            world.releases[number].1 = behaviour;
        }
        Happening::Look(look) => world.look = look,
        Happening::Selects(number) => world.selects = number.map(known),
        Happening::Suspends(is) => world.suspended = is,
        Happening::Pauses(is) => world.paused = is,
        Happening::GoesBackByItself(is) => world.automatic_rollback = is,
        Happening::Scales(count) => world.replicas = count,
        Happening::Absent(how) => {
            let text = || "so it is".to_owned();
            world.absent = match how {
                0 => Some(WorkloadState::Missing { target: text() }),
                1 => Some(WorkloadState::NoContainer { message: text() }),
                2 => Some(WorkloadState::Unreadable { message: text() }),
                _ => None,
            };
        }
        Happening::PersonPins(number) => {
            let image = release(known(number)).image();
            if world.image != image.to_string() {
                world.set_image(image);
            }
        }
        Happening::PersonTags(number) => {
            let tag = release(known(number)).tag.unwrap();
            world.set_image(format!("{}:{tag}", repository()));
        }
        Happening::PersonWrites(image) => world.set_image(image),
        Happening::Asks(kind, number) => {
            let release = Box::new(release(known(number)));
            let reason = "a person's reason".to_owned();
            world.ask(match kind {
                0 => Ask::Deploy(release),
                1 => Ask::Rollback(None),
                2 => Ask::Rollback(Some(release)),
                3 => Ask::Restart,
                4 => Ask::Hold { release: None, reason },
                5 => Ask::Hold { release: Some(release), reason },
                6 => Ask::Resume(None),
                _ => Ask::Resume(Some(release.digest)),
            });
        }
        Happening::Step => {
            step(world, watch);
        }
        Happening::StepWithoutEffect => {
            let decision = show(world, watch);
            world.persist(&decision);
            world.asked = false;
        }
        Happening::StepTwiceEffect => {
            let decision = show(world, watch);
            world.persist(&decision);
            world.asked = false;
            if let Some(effect) = &decision.effect {
                world.apply(effect);
                world.wait(1);
                world.apply(effect);
            }
        }
    }
}

/// Nothing happens any more but the engine's own steps and time. How many steps changed something; nothing if
/// they did not come to an end within so many, or so many seconds.
pub(super) fn quiet(
    world: &mut World,
    most: usize,
    time: u64,
    watch: &mut dyn FnMut(&Moment<'_>),
) -> Option<usize> {
    if matches!(world.absent, Some(WorkloadState::Unreadable { .. })) {
        world.absent = None;
    }
    let (mut moves, mut calm) = (0, 0);
    for _ in 0..time {
        while step(world, watch) {
            moves += 1;
            calm = 0;
            if moves > most {
                return None;
            }
        }
        calm += 1;
        // Whatever waits without a rollout waits for the bake.
        if world.record.rollout.is_none() && calm > 2 * super::world::BAKE {
            return Some(moves);
        }
        world.wait(1);
    }
    None
}

/// Comes to an end after a story: within steps that are counted in requests.
pub(super) fn end(world: &mut World, watch: &mut dyn FnMut(&Moment<'_>)) {
    let open = world.requests.len() - world.record.handled.len().min(world.requests.len());
    let (most, time) = (40 * (open + 4), 300 * (open as u64 + 4));
    assert!(quiet(world, most, time, watch).is_some(), "no end: {world:#?}");
}

fn any_release() -> impl Strategy<Value = crate::image::Release> {
    prop_oneof![8 => (0_usize..4).prop_map(release), 1 => Just(foreign())]
}

fn any_rollout() -> impl Strategy<Value = Rollout> {
    let phase = proptest::sample::select(vec![
        Phase::Pending,
        Phase::Progressing,
        Phase::Baking,
        Phase::Succeeded,
        Phase::RollingBack,
        Phase::RolledBack,
        Phase::Failed,
    ]);
    let kind = proptest::sample::select(vec![Kind::Deploy, Kind::Rollback, Kind::Restart]);
    let trigger = proptest::sample::select(vec![Trigger::NewImage, Trigger::Person, Trigger::Pin]);
    let times = (-200_i64..200, -200_i64..200, proptest::option::of(-200_i64..200), any::<bool>());
    let words = (
        proptest::option::of(any_release().prop_map(|release| release.image().to_string())),
        proptest::option::of("[a-z]{1,3}"),
    );
    let goal = (any_release(), proptest::option::of(any_release()));
    (phase, kind, trigger, goal, times, words, 0_u32..3).prop_map(
        |(
            phase,
            kind,
            trigger,
            (release, previous),
            times,
            (replaces, token),
            restarts_at_bake,
        )| Rollout {
            id: RolloutId(7),
            kind,
            phase,
            release,
            previous,
            started_at: seconds(times.0),
            phase_since: seconds(times.1),
            replaces,
            token,
            applied_at: times.2.map(seconds),
            healthy_since: times.2.filter(|_| times.3).map(seconds),
            restarts_at_bake,
            trigger,
            by: Actor::engine(),
            failure: String::new(),
        },
    )
}

/// Any record at all over four releases and one elsewhere.
pub(super) fn any_record() -> impl Strategy<Value = Record> {
    let deployed = || {
        proptest::option::of(
            (any_release(), -200_i64..200)
                .prop_map(|(release, since)| Deployed { release, since: seconds(since) }),
        )
    };
    let hold = any_release().prop_map(|release| Hold {
        digest: release.digest.clone(),
        release,
        reason: "any".to_owned(),
        since: seconds(0),
        by: Actor::engine(),
    });
    (
        deployed(),
        deployed(),
        proptest::collection::vec(hold, 0..3),
        proptest::option::of(any_rollout()),
        proptest::option::of(any_release().prop_map(|release| release.digest)),
    )
        .prop_map(|(running, last_good, holds, rollout, written)| Record {
            running,
            last_good,
            holds,
            rollout: rollout.map(Box::new),
            rollouts: 7,
            written,
            ..Record::default()
        })
}

/// A world with four releases, any record and any of their images in place.
pub(super) fn any_world() -> impl Strategy<Value = World> {
    (
        any_record(),
        proptest::collection::vec(behaviour(), 4),
        0_usize..6,
        0_u64..30,
        any::<[bool; 4]>(),
    )
        .prop_map(
            |(record, behaviours, image, age, [suspended, automatic_rollback, paused, asks])| {
                let mut world = World::new();
                world.releases = behaviours
                    .into_iter()
                    .enumerate()
                    .map(|(number, behaviour)| (release(number), behaviour))
                    .collect();
                match image {
                    4 => world.set_image(foreign().image()),
                    5 => world.set_image("nginx:1.29"),
                    number => world.set_image(release(number).image()),
                }
                world.age = age;
                world.record = record;
                world.suspended = suspended;
                world.automatic_rollback = automatic_rollback;
                world.paused = paused;
                if asks {
                    world.ask(Ask::Rollback(None));
                }
                world
            },
        )
}
