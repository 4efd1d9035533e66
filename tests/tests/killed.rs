//! The engine is ended at every step of a rollout: the next start goes on, and nothing is lost, doubled or left over.

use mercurious_core::rollout::Phase;
use mercurious_trials::{Chance, End, Home, Kind, Moment, Program, Seen, Trial, Wish};

const STEPS_OF_A_GOOD_ONE: [Moment; 11] = [
    Moment::Pushed,
    Moment::Phase(Phase::Pending),
    Moment::Pulling,
    Moment::Unpacking,
    Moment::Phase(Phase::Progressing),
    Moment::Launching,
    Moment::Replicas { started: 1, ready: 0 },
    Moment::Replicas { started: 2, ready: 1 },
    Moment::Draining,
    Moment::Phase(Phase::Baking),
    Moment::Phase(Phase::Succeeded),
];

const STEPS_OF_BAD_ONES: [(Kind, Moment); 8] = [
    (Kind::CrashOnStart, Moment::Launching),
    (Kind::CrashOnStart, Moment::Phase(Phase::RollingBack)),
    (Kind::CrashOnStart, Moment::Phase(Phase::RolledBack)),
    (Kind::FailingCheck, Moment::Phase(Phase::Baking)),
    (Kind::FailingCheck, Moment::Phase(Phase::RollingBack)),
    (Kind::CrashWhileBaking, Moment::Phase(Phase::Baking)),
    (Kind::CrashWhileBaking, Moment::Phase(Phase::RollingBack)),
    (Kind::OtherPlatform, Moment::Pushed),
];

async fn trial(wish: Wish) -> Trial {
    let home = Home::start(&Program::built().unwrap(), wish).await.unwrap();
    Trial::start(home).await.unwrap()
}

async fn good_ones(steps: &[Moment], end: End) {
    let mut trial = trial(Wish::default()).await;
    for moment in steps {
        let seen = trial.end_at(Kind::Good, *moment, end).await.unwrap();
        assert_eq!(seen, Seen::Now, "{moment:?}");
    }
}

async fn bad_ones(steps: &[(Kind, Moment)], wish: Wish) {
    let mut trial = trial(wish).await;
    for (kind, moment) in steps {
        let seen = trial.end_at(*kind, *moment, End::Kill).await.unwrap();
        // A program that ends by itself may do so before the bake.
        let sure = *kind != Kind::CrashWhileBaking || *moment != Moment::Phase(Phase::Baking);
        assert!(seen == Seen::Now || !sure, "{kind:?} {moment:?}");
    }
}

#[tokio::test]
async fn a_kill_at_each_step_of_a_rollout_ends_where_no_kill_would_have() {
    let impatient = Wish { timeout: "20s", ..Wish::default() };
    let never = [
        (Kind::NeverReady, Moment::Replicas { started: 1, ready: 0 }),
        (Kind::NeverReady, Moment::Phase(Phase::RollingBack)),
    ];
    tokio::join!(
        good_ones(&STEPS_OF_A_GOOD_ONE[..6], End::Kill),
        good_ones(&STEPS_OF_A_GOOD_ONE[6..], End::Kill),
        bad_ones(&STEPS_OF_BAD_ONES, Wish::default()),
        bad_ones(&never, impatient),
    );
}

#[tokio::test]
async fn sigterm_at_a_step_of_a_rollout_ends_it_politely_and_the_next_start_goes_on() {
    let steps = [
        Moment::Pushed,
        Moment::Pulling,
        Moment::Launching,
        Moment::Draining,
        Moment::Phase(Phase::Baking),
    ];
    good_ones(&steps, End::Terminate).await;
}

/// `MERCURIOUS_TRIALS_KILLS=200` makes it a long one; `MERCURIOUS_TRIALS_SEED` repeats one.
#[tokio::test]
async fn kills_at_random_moments_end_where_no_kill_would_have() {
    let mut chance = Chance::new();
    let kills = Chance::kills(6);
    let lanes = [kills / 3, kills / 3, kills - 2 * (kills / 3)];
    let lanes = lanes.map(|kills| (kills, chance.split()));
    let reports = futures::future::join_all(lanes.map(|(kills, mut chance)| async move {
        let mut trial = trial(Wish::default()).await;
        let mut made = 0;
        while made < kills {
            made += trial.kill_at_random(&mut chance).await.unwrap();
        }
        (chance.seed, made, trial.number - 1)
    }))
    .await;
    for (seed, kills, images) in reports {
        println!("lane {seed:016x}: {kills} kills, {images} images, all converged, no orphans");
    }
}
