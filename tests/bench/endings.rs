use mercurious_api::{Change, Verb};
use mercurious_core::rollout::Phase;
use mercurious_load::{Load, LoadSettings};
use mercurious_trials::{Home, Image, Program, Wish};

use mercurious_trials::report::{Figures, Section};

const RUNS: u32 = 5;

/// Bad releases: how soon they are known, and taken back.
pub(crate) async fn measure(program: &Program) -> anyhow::Result<Section> {
    let wish = Wish { timeout: "5s", ..Wish::default() };
    let mut home = Home::start(program, wish).await?;
    let (good, _) = home.push(&Image::good(0)).await?;
    home.ended(&good, Phase::Succeeded).await?;
    let load = Load::start(&home.url("/"), LoadSettings::default())?;
    let faults = [
        ("crashes at its start", "EXAMPLE_CRASH_ON_START", "true"),
        ("crashes 200 ms after its start", "EXAMPLE_CRASH_AFTER", "200ms"),
        ("fails its check", "EXAMPLE_FAILING_CHECK", "true"),
        ("is never ready (timeout 5 s)", "EXAMPLE_NEVER_READY", "true"),
    ];
    let mut rows = Vec::new();
    let mut bad = Vec::new();
    let mut number = 0;
    for (what, knob, value) in faults {
        let mut seconds = Figures::default();
        for _ in 0..RUNS {
            number += 1;
            let (digest, pushed) = home.push(&Image::good(number).with(knob, value)).await?;
            home.ended(&digest, Phase::RolledBack).await?;
            seconds.add_seconds(pushed.elapsed());
            bad.push(digest);
        }
        rows.push((format!("seconds from push to taken back: {what}"), seconds.to_string()));
    }
    let report = load.stop().await;
    anyhow::ensure!(report.failed == 0, "requests failed: {:?}", report.failures);
    rows.push(("requests meanwhile, of them failed".to_owned(), format!("{}, 0", report.sent)));
    home.kill()?;
    home.gone().await?;
    home.resume().await?;
    let view = home.client().change(Home::NAME, Verb::Scan, &Change::default()).await?;
    let status = view.object.status.unwrap_or_default();
    let held = bad.iter().filter(|digest| status.holds.iter().any(|hold| hold.digest == **digest));
    let (held, all) = (held.count(), bad.len());
    anyhow::ensure!(
        status.running.as_ref().is_some_and(|running| running.digest == good)
            && status.rollout.is_none(),
        "a bad release is tried again"
    );
    rows.push((
        "after `kill -9` and a new start: held, of all that were taken back".to_owned(),
        format!("{held} of {all}"),
    ));
    Ok(Section {
        title: "Bad releases",
        what: format!(
            "{RUNS} bad images of each kind pushed over a good one that serves under load."
        ),
        rows,
    })
}
