//! The rules that people rely on, kept by the program across restarts.

#![expect(clippy::unwrap_used, reason = "tests, and what only they call")]

use mercurious_api::{Change, Verb};
use mercurious_core::{
    decide::Reason,
    image::Digest,
    rollout::{Actor, Phase},
};
use mercurious_engine::AutoDeployView;
use mercurious_load::ask;
use mercurious_trials::{End, Home, Image, Kind, Moment, Trial, Wish, at_rest, ran, settled};

/// Pushes a good image and waits until it is proven.
async fn deploys(trial: &mut Trial) -> Digest {
    let image = trial.next(Kind::Good);
    let digest = trial.home.push_like(&image).await.unwrap();
    let proven = |view: &AutoDeployView| ran(view, &digest, Phase::Succeeded) && at_rest(view);
    trial.home.until(&image.version, proven).await.unwrap();
    (trial.good, trial.version) = (digest.clone(), image.version);
    digest
}

async fn asks(home: &Home, verb: Verb, release: Option<&Digest>) -> AutoDeployView {
    let change = Change {
        release: release.map(Digest::to_string),
        by: Some("ada".to_owned()),
        ..Change::default()
    };
    home.client().change(Home::NAME, verb, &change).await.unwrap()
}

/// Kills the engine, starts it again, looks at the registry three times.
async fn kills_and_looks(trial: &mut Trial) -> AutoDeployView {
    trial.end(End::Kill).await.unwrap();
    trial.home.resume().await.unwrap();
    trial.home.until("rest after a kill", at_rest).await.unwrap();
    for _ in 0..2 {
        asks(&trial.home, Verb::Scan, None).await;
    }
    asks(&trial.home, Verb::Scan, None).await
}

fn holder<'v>(view: &'v AutoDeployView, digest: &Digest) -> Option<&'v Actor> {
    let holds = view.object.status.iter().flat_map(|status| &status.holds);
    holds.into_iter().find(|hold| hold.digest == *digest).map(|hold| &hold.by)
}

fn runs(view: &AutoDeployView) -> Option<&Digest> {
    view.object.status.as_ref()?.running.as_ref().map(|running| &running.digest)
}

fn back_to(digest: &Digest) -> impl Fn(&AutoDeployView) -> bool {
    move |view| at_rest(view) && runs(view) == Some(digest)
}

#[tokio::test]
async fn r14_what_a_person_decided_is_respected_across_restarts_until_something_newer_comes() {
    let mut trial = Trial::new(Wish::default()).await.unwrap();
    let ada = Actor("ada".to_owned());
    let first = trial.good.clone();
    let second = deploys(&mut trial).await;

    asks(&trial.home, Verb::Rollback, None).await;
    trial.home.until("v1 again", back_to(&first)).await.unwrap();
    let view = kills_and_looks(&mut trial).await;
    assert_eq!((runs(&view), holder(&view, &second)), (Some(&first), Some(&ada)));
    assert_eq!(view.decision.reason, Reason::Held, "{}", view.decision.message);

    let third = deploys(&mut trial).await;
    asks(&trial.home, Verb::Deploy, Some(&first)).await;
    trial.home.until("v1, older, by a person", back_to(&first)).await.unwrap();
    let view = kills_and_looks(&mut trial).await;
    assert_eq!((runs(&view), holder(&view, &third)), (Some(&first), Some(&ada)));

    asks(&trial.home, Verb::Suspend, None).await;
    let image = trial.next(Kind::Good);
    let fourth = trial.home.push_like(&image).await.unwrap();
    let view = kills_and_looks(&mut trial).await;
    assert_eq!((runs(&view), view.decision.reason), (Some(&first), Reason::Suspended));
    assert!(view.suspended);
    asks(&trial.home, Verb::Resume, None).await;
    let proven = |view: &AutoDeployView| ran(view, &fourth, Phase::Succeeded) && at_rest(view);
    trial.home.until("v4, which waited", proven).await.unwrap();
}

#[tokio::test]
async fn r17_a_held_release_stays_out_after_a_restart_and_the_next_good_one_goes_out_by_itself() {
    let mut trial = Trial::new(Wish::default()).await.unwrap();
    let first = trial.good.clone();
    let image = trial.next(Kind::CrashOnStart);
    let bad = trial.home.push_like(&image).await.unwrap();
    let back = |view: &AutoDeployView| ran(view, &bad, Phase::RolledBack) && at_rest(view);
    trial.home.until("v2 taken back", back).await.unwrap();
    let attempts = |view: &AutoDeployView| {
        view.object.status.as_ref().map(|status| status.history.len()).unwrap_or_default()
    };
    let before = attempts(&trial.home.client().show(Home::NAME).await.unwrap());
    let view = kills_and_looks(&mut trial).await;
    assert_eq!((runs(&view), holder(&view, &bad)), (Some(&first), Some(&Actor::engine())));
    assert_eq!((view.decision.reason, attempts(&view)), (Reason::Held, before));
    deploys(&mut trial).await;
    trial.looks_right().await.unwrap();
}

#[tokio::test]
async fn an_image_that_comes_during_a_rollout_waits_for_its_end_and_then_goes_out() {
    let mut trial = Trial::new(Wish::default()).await.unwrap();
    for kind in [Kind::Good, Kind::CrashOnStart] {
        let (image, next) = (trial.next(kind), trial.next(Kind::Good));
        let mut follow = trial.home.follow().await.unwrap();
        let earlier = trial.home.push_like(&image).await.unwrap();
        trial.home.reach(Moment::Phase(Phase::Progressing), &mut follow).await.unwrap();
        let later = trial.home.push_like(&next).await.unwrap();
        let proven = |view: &AutoDeployView| ran(view, &later, Phase::Succeeded) && at_rest(view);
        let view = trial.home.until(&next.version, proven).await.unwrap();
        let history = view.object.status.unwrap().history.clone();
        let ends: Vec<_> =
            history[..2].iter().map(|it| (&it.release.digest, it.phase, it.id.0)).collect();
        let end = if kind == Kind::Good { Phase::Succeeded } else { Phase::RolledBack };
        let id = history[1].id.0;
        assert_eq!(ends, [(&later, Phase::Succeeded, id + 1), (&earlier, end, id)], "{kind:?}");
    }
}

#[tokio::test]
async fn r17_a_release_that_is_never_ready_is_taken_back_at_its_timeout() {
    let mut trial = Trial::new(Wish::default()).await.unwrap();
    // Only now: the first release was given its time.
    trial.end(End::Terminate).await.unwrap();
    trial.home.wish = Wish { timeout: "3s", ..Wish::default() };
    trial.home.resume().await.unwrap();
    trial.home.until("rest", at_rest).await.unwrap();
    let image = trial.next(Kind::NeverReady);
    let bad = trial.home.push_like(&image).await.unwrap();
    let ended = |view: &AutoDeployView| {
        [Phase::RolledBack, Phase::Failed].iter().any(|phase| ran(view, &bad, *phase))
            && settled(view)
    };
    let view = trial.home.until("v2 taken back", ended).await.unwrap();
    let status = view.object.status.unwrap();
    let message = &status.history[0].message;
    assert!(message.contains("not complete after 3s"), "{message}");
    assert!(status.holds.iter().any(|hold| hold.digest == bad), "{status:?}");
    trial.looks_right().await.unwrap();
}

#[tokio::test]
async fn without_automatic_rollback_a_failure_stays_where_it_is_until_a_person_moves_it() {
    let mut trial =
        Trial::new(Wish { automatic_rollback: false, ..Wish::default() }).await.unwrap();
    let first = trial.good.clone();
    let image: Image = trial.next(Kind::CrashOnStart);
    let mut follow = trial.home.follow().await.unwrap();
    let bad = trial.home.push_like(&image).await.unwrap();
    trial.home.reach(Moment::Phase(Phase::Failed), &mut follow).await.unwrap();
    // Old replicas that serve are not removed before new ones are ready.
    let answer = ask(&trial.home.url("/"), std::time::Duration::from_mins(1)).await.unwrap();
    assert!(answer.starts_with("v1 "), "{answer}");

    // Killed just when that was written down.
    trial.end(End::Kill).await.unwrap();
    trial.home.resume().await.unwrap();
    let view = asks(&trial.home, Verb::Scan, None).await;
    let status = view.object.status.as_ref().unwrap();
    assert_eq!(status.rollout.as_ref().map(|rollout| rollout.phase), None, "{status:?}");
    assert!(ran(&view, &bad, Phase::Failed));
    assert_eq!(holder(&view, &bad), Some(&Actor::engine()));
    assert_eq!(view.decision.reason, Reason::Held, "{}", view.decision.message);
    asks(&trial.home, Verb::Rollback, Some(&first)).await;
    trial.home.until("v1 again", back_to(&first)).await.unwrap();
    trial.looks_right().await.unwrap();
}
