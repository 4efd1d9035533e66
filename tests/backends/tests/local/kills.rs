//! Anything is killed at any moment: a replica, a worker, the broker, or `mercurious up` with all that it runs.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use mercurious_backends::{
    setting,
    travel::{Crowd, Local, Person, Programs, Respite, client},
};
use mercurious_runtime::CancellationToken;
use tokio::time::{Instant, sleep};

use crate::{ledger, must_be_right, variables};

const VICTIMS: [&str; 5] =
    ["mercurious", "api-gateway", "api-enrichment", "api-generation", "broker"];

pub(crate) async fn tell(programs: &Programs) -> anyhow::Result<()> {
    let trips = usize::try_from(setting("MERCURIOUS_LOCAL_TRIPS", 20))?;
    let people = usize::try_from(setting("MERCURIOUS_CHAIN_PEOPLE", 16))?;
    let seed = setting("MERCURIOUS_CHAIN_SEED", 1);
    let client = client()?;
    let mut local = Local::start(programs, &variables()).await?;
    let gateways = [local.gateway()];
    let began = Instant::now();
    let done = CancellationToken::new();
    let finished = AtomicUsize::new(0);
    let crowd = Crowd { people, trips, seed, limit: Duration::from_mins(40) };
    let asking = async {
        let answers = crowd.ask(&client, &gateways, &finished).await;
        done.cancel();
        answers
    };
    let (answers, killed) = tokio::join!(asking, kill(&mut local, seed, (&done, &finished)));
    let killed = killed?;
    let answers = answers.with_context(|| format!("killed: {killed:?}\n{}", local.last_words()))?;
    let took = began.elapsed();
    local.ready().await?;
    let (resumed, _) = answers.resumed;
    let asked = answers.accepted;
    let heard = answers.uncut(&mut Person::new(&client, &gateways, seed)).await?;
    let ledger = ledger(&local, asked, heard).await?;
    println!(
        "{trips} trips in {took:.1?} (seed {seed}, {people} people), killed with -9: {killed:?}; {resumed} streams cut on \
         purpose and resumed; {} messages came twice",
        ledger.repeated()
    );
    must_be_right(&ledger)?;
    if trips >= 100 {
        let spared: Vec<&&str> = VICTIMS.iter().filter(|it| !killed.contains_key(**it)).collect();
        ensure!(spared.is_empty() && resumed > 0, "never killed: {spared:?}: this proves little");
    }
    Ok(())
}

/// Kills one after the other until `done`; how often each.
async fn kill(
    local: &mut Local,
    seed: u64,
    (done, finished): (&CancellationToken, &AtomicUsize),
) -> anyhow::Result<BTreeMap<&'static str, u32>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut killed = BTreeMap::new();
    loop {
        let respite = Respite::random(&mut random, finished.load(Ordering::Relaxed));
        let wait = async {
            sleep(respite.pause).await;
            while finished.load(Ordering::Relaxed) < respite.trips {
                sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            () = done.cancelled() => return Ok(killed),
            () = wait => {}
        }
        let victim = VICTIMS[random.usize(..VICTIMS.len())];
        let died = if victim == "mercurious" {
            local.kill().await?;
            local.launch().await?;
            true
        } else {
            local.kill_replica(victim, &mut random)
        };
        *killed.entry(victim).or_default() += u32::from(died);
    }
}
