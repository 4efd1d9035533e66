//! The platform of one machine, as `mercurious up` runs it: nothing is lost or doubled when anything of it is killed, `up`
//! itself included, nor while each service is rolled out under load; a version that does not consume is taken back.
//!
//! `MERCURIOUS_LOCAL_TRIPS` says how many trips there are while things die (20 unless told otherwise),
//! `MERCURIOUS_CHAIN_PEOPLE` how many ask at the same time (16), `MERCURIOUS_CHAIN_SEED` who dies when. An argument runs
//! only the stories whose names contain it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test program, which says what it saw"
)]

mod kills;
mod rollouts;
mod traffic;

use std::{collections::BTreeMap, time::Duration};

use mercurious_backends::{
    or_skip,
    travel::{Heard, Ledger, Local, read_topics},
};
use tokio::time::{Instant, sleep};

/// The claims of a gateway that was killed end within this: a minute, and what sending takes.
const CLAIMED: Duration = Duration::from_secs(90);

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let Some(programs) = or_skip(|| Ok(Local::programs()?)) else {
        println!("0 passed, 0 failed");
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut passed = 0;
    let mut tell = |name: &str, run: &dyn Fn() -> anyhow::Result<()>| {
        if wanted.is_empty() || wanted.iter().any(|it| name.contains(it.as_str())) {
            println!("{name} …");
            run().unwrap();
            passed += 1;
        }
    };
    tell("no_job_is_lost_or_doubled_whatever_is_killed", &|| {
        runtime.block_on(kills::tell(&programs))
    });
    tell("each_service_is_rolled_out_under_load_and_nothing_fails", &|| {
        runtime.block_on(rollouts::good(&programs))
    });
    tell("a_version_that_does_not_consume_is_taken_back_and_no_job_is_lost", &|| {
        runtime.block_on(rollouts::bad(&programs))
    });
    println!("{passed} passed, 0 failed");
}

/// What the services are told beside what `deploy/local` says.
fn variables() -> Vec<(&'static str, String)> {
    let mut variables =
        vec![("RATE_LIMIT_PER_SECOND", "0".to_owned()), ("JOB_DEADLINE", "15m".to_owned())];
    if cfg!(debug_assertions) {
        // Unoptimised, the planner takes seconds; how good its plans are does not matter here.
        variables.push(("PLANNER_EFFORT", "100000".to_owned()));
    }
    variables
}

/// Puts what was heard beside what was stored and sent.
async fn ledger(
    local: &Local,
    asked: usize,
    heard: BTreeMap<String, Heard>,
) -> anyhow::Result<Ledger> {
    let access = local.access();
    let sent = tokio::task::spawn_blocking(move || read_topics(&access)).await??;
    let until = Instant::now() + CLAIMED;
    loop {
        let (stored, left) = local.kept()?;
        // What was sent a moment ago may not be taken out yet, nor what a gateway claimed that was killed then.
        if left == 0 || Instant::now() > until {
            return Ok(Ledger { asked, heard, stored, left, sent });
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Fails with the faults.
fn must_be_right(ledger: &Ledger) -> anyhow::Result<()> {
    let faults = ledger.faults();
    anyhow::ensure!(
        faults.is_empty(),
        "{} faults: {:#?}",
        faults.len(),
        &faults[..faults.len().min(20)]
    );
    Ok(())
}
