use std::time::Duration;

use anyhow::ensure;
use mercurious_core::{image::Digest, rollout::Phase};
use mercurious_distribution::RequestKind;
use mercurious_trials::{Home, Image, Program, ToldHome, Wish};
use tokio::time::{Instant, sleep};

use mercurious_trials::report::{Figures, Section, say};

const ROUNDS: u32 = 50;
const PATIENCE: Duration = Duration::from_secs(30);

/// From a notification to the look, and to the rollout.
pub(crate) async fn measure(program: &Program) -> anyhow::Result<Section> {
    let wish =
        Wish { replicas: 1, bake: "100ms", grace_seconds: 1, checks: false, ..Wish::default() };
    let told = ToldHome::start(program, wish).await?;
    let home = &told.home;
    let (mut answered, mut looked, mut begun) =
        (Figures::default(), Figures::default(), Figures::default());
    // The first is found by whoever looks for a repository that is not there yet: it counts for nothing.
    for number in 0..=ROUNDS {
        let (digest, _) = home.push(&Image::good(number)).await?;
        let heads = || told.registry.requests().count("HEAD", RequestKind::Manifest);
        let before = heads();
        let sent = Instant::now();
        let head = async {
            while heads() == before {
                ensure!(sent.elapsed() < PATIENCE, "nobody looked\n{}", home.log());
                sleep(Duration::from_micros(500)).await;
            }
            anyhow::Ok(sent.elapsed())
        };
        let (answer, head, rollout) =
            tokio::try_join!(told.notify(), head, rollout(home, &digest, sent))?;
        if number == 0 {
            home.ended(&digest, Phase::Succeeded).await?;
            continue;
        }
        answered.add(answer.as_secs_f64() * 1000.0);
        looked.add(head.as_secs_f64() * 1000.0);
        begun.add(rollout.as_secs_f64() * 1000.0);
        home.ended(&digest, Phase::Succeeded).await?;
        say(&format!("notification {number} of {ROUNDS}: looked after {head:?}"));
    }
    let row = |what: &str, figures: &Figures| {
        let quantile = |share| figures.quantile(share).unwrap_or_default();
        (what.to_owned(), format!("{:.1}, {:.1}", quantile(0.5), quantile(0.95)))
    };
    Ok(Section {
        title: "Webhooks",
        what: format!(
            "{ROUNDS} pushes into another registry that is looked at each {}, each told by a notification: \
             milliseconds from sending it, p50 and p95.",
            ToldHome::INTERVAL
        ),
        rows: vec![
            row("answered", &answered),
            row("HEAD seen by the registry", &looked),
            row("rollout begun, as the API shows it", &begun),
        ],
    })
}

/// Waits until a rollout of this release has begun.
async fn rollout(home: &Home, digest: &Digest, sent: Instant) -> anyhow::Result<Duration> {
    let client = home.client();
    loop {
        let view = client.show(Home::NAME).await?;
        let status = view.object.status.unwrap_or_default();
        let at_work =
            status.rollout.as_ref().is_some_and(|rollout| rollout.release.digest == *digest);
        let over = status.history.iter().any(|attempt| attempt.release.digest == *digest);
        if at_work || over {
            return Ok(sent.elapsed());
        }
        ensure!(sent.elapsed() < PATIENCE, "no rollout began\n{}", home.log());
        sleep(Duration::from_millis(2)).await;
    }
}
