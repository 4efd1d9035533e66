//! The whole chain on real servers: trips are asked for while gateways, workers and the broker are killed. Each accepted
//! job reaches exactly one end, and a stream that is cut anywhere and resumed equals the uncut one.
//!
//! `MERCURIOUS_CHAIN_TRIPS` says how many trips (30 unless told otherwise), `MERCURIOUS_CHAIN_PEOPLE` how many ask at the
//! same time (16), `MERCURIOUS_CHAIN_SEED` who dies when.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test program, which says what it saw"
)]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use mercurious_backends::{
    Kafka, Mongo, Redis, or_skip, setting,
    travel::{
        Crowd, Heard, Ledger, Person, Programs, Respite, Services, Setting, client, read_topics,
    },
};

/// The claims of a gateway that was killed end within this: a minute, and what sending takes.
const CLAIMED: Duration = Duration::from_secs(90);

fn main() {
    let programs = or_skip(|| Ok(Services::programs()?));
    let (Some(programs), Some(kafka)) = (programs, or_skip(Kafka::start)) else {
        println!("0 passed, 0 failed");
        return;
    };
    let stores = if programs.take_mongo() {
        (or_skip(Mongo::start), or_skip(Redis::start))
    } else {
        (None, None)
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(chain(&programs, kafka, stores)).unwrap();
    println!("1 passed, 0 failed");
}

async fn chain(
    programs: &Programs,
    kafka: Kafka,
    stores: (Option<Mongo>, Option<Redis>),
) -> anyhow::Result<()> {
    let trips = usize::try_from(setting("MERCURIOUS_CHAIN_TRIPS", 30))?;
    let people = usize::try_from(setting("MERCURIOUS_CHAIN_PEOPLE", 16))?;
    let seed = setting("MERCURIOUS_CHAIN_SEED", 1);
    let client = client()?;
    let services = Services::start(programs, kafka, stores, &Setting::default()).await?;
    let took = services.ready(&client).await?;
    println!("store: {}; two replicas of each ready after {took:.1?}", services.store);

    let (stop, finished) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut killer = {
        let (services, stop) = (Arc::clone(&services), Arc::clone(&stop));
        let finished = Arc::clone(&finished);
        tokio::task::spawn_blocking(move || kill(&services, seed, &stop, &finished))
    };
    let began = Instant::now();
    let crowd = Crowd { people, trips, seed, limit: Duration::from_hours(1) };
    let answers = tokio::select! {
        answers = crowd.ask(&client, &services.gateways, &finished) => answers,
        killed = &mut killer => anyhow::bail!("nobody is killed or started any more: {killed:?}"),
    };
    stop.store(true, Ordering::Relaxed);
    let killed = killer.await??;
    let answers = answers
        .with_context(|| format!("killed: {killed:?}; {}", services.last_words("api-gateway-1")))?;
    let took = began.elapsed();

    services.ready(&client).await?;
    let (resumed, elsewhere) = answers.resumed;
    let asked = answers.accepted;
    let heard = answers.uncut(&mut Person::new(&client, &services.gateways, seed)).await?;
    let (events, jobs) =
        (heard.values().map(|heard| heard.uncut.len()).sum::<usize>(), heard.len());
    let ledger = ledger(&services, asked, heard).await?;
    println!(
        "{trips} trips in {took:.1?} (seed {seed}, {people} people), killed: {killed:?}; {jobs} jobs, {events} events; \
         {resumed} streams cut on purpose and resumed, {elsewhere} of them elsewhere; {} messages came twice",
        ledger.repeated()
    );
    let faults = ledger.faults();
    anyhow::ensure!(
        faults.is_empty(),
        "{} faults: {:#?}",
        faults.len(),
        &faults[..faults.len().min(20)]
    );
    anyhow::ensure!(elsewhere > 0, "no stream was cut and resumed elsewhere: this proves little");
    if trips >= 300 {
        let kinds = ["api-gateway", "api-enrichment", "api-generation", "kafka"];
        let spared: Vec<&str> = kinds
            .into_iter()
            .filter(|kind| {
                !killed.keys().any(|name| name.starts_with(kind) && name.ends_with("-9"))
            })
            .collect();
        anyhow::ensure!(spared.is_empty(), "never killed: {spared:?}: this proves little");
    }
    Ok(())
}

async fn ledger(
    services: &Arc<Services>,
    asked: usize,
    heard: BTreeMap<String, Heard>,
) -> anyhow::Result<Ledger> {
    let access = services.access().clone();
    let sent = tokio::task::spawn_blocking(move || read_topics(&access)).await??;
    let until = Instant::now() + CLAIMED;
    loop {
        let (stored, left) = services.kept().await?;
        // What was sent a moment ago may not be taken out yet, nor what a gateway claimed that was killed then.
        if left == 0 || Instant::now() > until {
            return Ok(Ledger { asked, heard, stored, left, sent });
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Ends one after the other at random and sees to it that they are started again; how often each, and how.
fn kill(
    services: &Services,
    seed: u64,
    stop: &AtomicBool,
    finished: &AtomicUsize,
) -> anyhow::Result<BTreeMap<String, u32>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut killed = BTreeMap::new();
    let replicas = services.all().len();
    while !stop.load(Ordering::Relaxed) {
        let Respite { pause, trips } =
            Respite::random(&mut random, finished.load(Ordering::Relaxed));
        let until = Instant::now() + pause;
        while !stop.load(Ordering::Relaxed)
            && (Instant::now() < until || finished.load(Ordering::Relaxed) < trips)
        {
            services.supervise()?;
            std::thread::sleep(Duration::from_millis(50));
        }
        let victim = random.usize(..=replicas);
        let name = if victim == replicas {
            let mut kafka = services.kafka();
            kafka.kill();
            kafka.start_again()?;
            "kafka -9".to_owned()
        } else {
            let hard = random.f64() < 0.7;
            let name = services.end(victim, hard);
            format!("{name} {}", if hard { "-9" } else { "-15" })
        };
        *killed.entry(name).or_default() += 1;
    }
    services.supervise()?;
    Ok(killed)
}
