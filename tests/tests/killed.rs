//! The engine is ended at every step of a rollout: the next start goes on, and nothing is lost, doubled or left over.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use mercurious_api::{Change, Verb};
use mercurious_core::rollout::{Kind as RolloutKind, Phase};
use mercurious_engine::AutoDeployView;
use mercurious_trials::{
    Chance, End, Home, Kind, Moment, Program, Seen, Trial, Wish, at_rest, ran,
};
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_mins(2);
const GLANCE: Duration = Duration::from_millis(2);

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
    (Kind::CrashOnStart, Moment::Replicas { started: 1, ready: 0 }),
    (Kind::CrashOnStart, Moment::Phase(Phase::RollingBack)),
    (Kind::CrashOnStart, Moment::Phase(Phase::RolledBack)),
    (Kind::FailingCheck, Moment::Phase(Phase::Baking)),
    (Kind::FailingCheck, Moment::Phase(Phase::RollingBack)),
    (Kind::CrashWhileBaking, Moment::Phase(Phase::Baking)),
    (Kind::CrashWhileBaking, Moment::Phase(Phase::RollingBack)),
    (Kind::OtherPlatform, Moment::Pushed),
];

async fn good_ones(steps: &[Moment], end: End) {
    let mut trial = Trial::new(Wish::default()).await.unwrap();
    for moment in steps {
        let seen = trial.end_at(Kind::Good, *moment, end).await.unwrap();
        assert_eq!(seen, Seen::Now, "{moment:?}");
    }
}

async fn bad_ones(steps: &[(Kind, Moment)], wish: Wish) {
    let mut trial = Trial::new(wish).await.unwrap();
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
        bad_ones(&STEPS_OF_BAD_ONES, Wish { bake: "4s", ..Wish::default() }),
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
        let mut trial = Trial::new(Wish::default()).await.unwrap();
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

/// What a person asked is written down before it is answered: a kill right after that changes nothing about it.
#[tokio::test]
async fn what_a_person_asked_is_obeyed_once_though_the_engine_is_killed_just_then() {
    let mut trial = Trial::new(Wish::default()).await.unwrap();
    let first = trial.good.clone();
    let image = trial.next(Kind::Good);
    let second = trial.home.push_like(&image).await.unwrap();
    let proven = |view: &AutoDeployView| ran(view, &second, Phase::Succeeded) && at_rest(view);
    trial.home.until("v2", proven).await.unwrap();
    let asked = [
        (Verb::Restart, None, RolloutKind::Restart, (&second, "v2")),
        (Verb::Rollback, None, RolloutKind::Rollback, (&first, "v1")),
        (Verb::Deploy, Some(&second), RolloutKind::Deploy, (&second, "v2")),
    ];
    for (verb, release, kind, (runs, version)) in asked {
        let view = trial.kill_at_request(verb, release).await.unwrap();
        let status = view.object.status.unwrap();
        assert_eq!(status.running.as_ref().unwrap().digest, *runs, "{verb:?}");
        let mine: Vec<_> = status.history.iter().filter(|attempt| attempt.kind == kind).collect();
        let by_ada: Vec<_> = mine.iter().filter(|attempt| attempt.by.0 == "ada").collect();
        assert_eq!(by_ada.len(), 1, "{verb:?}: {:#?}", status.history);
        assert_eq!(by_ada[0].phase, Phase::Succeeded, "{verb:?}");
        (trial.good, trial.version) = (runs.clone(), version.to_owned());
        trial.looks_right().await.unwrap();
    }
    let view = trial.kill_at_request(Verb::Hold, Some(&first)).await.unwrap();
    let holds = view.object.status.unwrap().holds.clone();
    assert_eq!(holds.iter().filter(|hold| hold.digest == first).count(), 1, "{holds:?}");
    trial.start_in_silence().await.unwrap();
}

/// Whoever pushes is told that it failed, or the image is there whole.
#[tokio::test]
async fn a_push_whose_registry_is_killed_fails_for_the_client_or_is_there_whole() {
    let mut trial = Trial::new(Wish::default()).await.unwrap();
    let image = trial.next(Kind::Good);
    let repository = trial.home.repository();
    // Not one of the layers is there yet.
    let mut publish = trial.home.publish(&repository, &image).unwrap();
    publish.args(["--arg", "--drain=9s"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut publish = tokio::process::Command::from(publish);
    let mut publishing = publish.kill_on_drop(true).spawn().unwrap();
    let uploads = trial.home.data().join("registry/uploads");
    let until = Instant::now() + PATIENCE;
    while std::fs::read_dir(&uploads).unwrap().count() == 0 {
        assert!(Instant::now() < until && publishing.try_wait().unwrap().is_none(), "no upload");
        tokio::time::sleep(GLANCE).await;
    }
    trial.end(End::Kill).await.unwrap();
    let output = publishing.wait_with_output().await.unwrap();
    trial.home.resume().await.unwrap();
    let whole = trial.home.whole_in_registry(&image).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.success(), whole.is_some(), "{said}");
    assert!(whole.is_some() || said.starts_with("error: cannot push to "), "{said}");
    let digest = trial.home.push_like(&image).await.unwrap();
    trial.end(End::Kill).await.unwrap();
    trial.start_again(&image, &digest, Kind::Good).await.unwrap();
}

/// A disk that is full is said, and nothing that was on it is lost.
#[tokio::test]
async fn a_full_disk_is_a_clear_error_and_loses_nothing() {
    let home = Home::new(&Program::built().unwrap(), Wish::default()).unwrap();
    let Some(disk) = SmallDisk::mount(&home.data(), "192m") else {
        println!("skipped: only root can mount the small disk that this fills");
        return;
    };
    let mut home = home;
    home.resume().await.unwrap();
    let mut trial = Trial::start(home).await.unwrap();
    let audit = trial.home.audit().await.unwrap();
    disk.fill();
    let image = trial.next(Kind::Good);
    let error = format!("{:#}", trial.home.push_like(&image).await.unwrap_err());
    assert!(error.to_lowercase().contains("no space left"), "{error}");
    let hold = trial.home.client().change(Home::NAME, Verb::Hold, &Change::default()).await;
    let error = format!("{:#}", anyhow::Error::new(hold.unwrap_err()));
    assert!(error.to_lowercase().contains("no space left"), "{error}");
    trial.looks_right().await.unwrap();

    trial.end(End::Kill).await.unwrap();
    if let Err(error) = trial.home.resume().await {
        let error = format!("{error:#}");
        assert!(error.to_lowercase().contains("no space left"), "{error}");
        disk.free();
        trial.home.resume().await.unwrap();
    }
    disk.free();
    trial.home.until("rest", at_rest).await.unwrap();
    assert_eq!(trial.home.audit().await.unwrap()[..audit.len()], audit);
    trial.looks_right().await.unwrap();
    let digest = trial.home.push_like(&image).await.unwrap();
    trial.end(End::Kill).await.unwrap();
    trial.start_again(&image, &digest, Kind::Good).await.unwrap();
}

/// A file system of its own, gone with this.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(place: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(place).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "mercurious-trial"]).arg(place);
        let mounted = mount.stderr(Stdio::null()).status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(place.to_owned()))
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    fn fill(&self) {
        let mut ballast = std::fs::File::create(self.ballast()).unwrap();
        for size in [1 << 20, 4096] {
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        // It may be free already.
        let _ = std::fs::remove_file(self.ballast());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
