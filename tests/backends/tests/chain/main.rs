//! The whole chain on real servers: trips are asked for while gateways, workers and the broker are killed. Each accepted
//! job reaches exactly one end, and a stream that is cut anywhere and resumed equals the uncut one.
//!
//! `MERCURIOUS_CHAIN_TRIPS` says how many trips (30 unless told otherwise), `MERCURIOUS_CHAIN_SEED` who dies when.

#![expect(clippy::unwrap_used, reason = "tests, and what only they call")]

mod client;
mod platform;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use client::{Person, is_whole};
use mercurious_backends::{Kafka, Mongo, Redis, or_skip};
use mercurious_contracts::job::JobStatus;
use mercurious_runtime::Tasks;
use platform::Platform;

/// People who ask at the same time.
const PEOPLE: usize = 16;

#[expect(clippy::disallowed_methods, reason = "the switches of this test")]
fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[expect(clippy::print_stdout, reason = "what a test program says")]
fn main() {
    let programs = || match platform::missing().as_slice() {
        [] => Ok(()),
        missing => Err(anyhow::anyhow!("not built: {}", missing.join(", ")).into()),
    };
    let (Some(()), Some(kafka)) = (or_skip(programs), or_skip(Kafka::start)) else {
        println!("0 passed, 0 failed");
        return;
    };
    let (mongo, redis) = (or_skip(Mongo::start), or_skip(Redis::start));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(chain(kafka, mongo, redis));
    println!("1 passed, 0 failed");
}

fn person(platform: &Platform, client: &reqwest::Client, seed: u64) -> Person {
    Person {
        client: client.clone(),
        gateways: platform.gateways.clone(),
        random: fastrand::Rng::with_seed(seed),
    }
}

async fn chain(kafka: Kafka, mongo: Option<Mongo>, redis: Option<Redis>) {
    let trips = setting("MERCURIOUS_CHAIN_TRIPS", 30) as usize;
    let seed = setting("MERCURIOUS_CHAIN_SEED", 1);
    let client =
        reqwest::Client::builder().connect_timeout(Duration::from_secs(5)).build().unwrap();
    let platform = Platform::start(kafka, mongo, redis).await;
    let took = platform.ready(&client).await;
    println!("store: {}; two replicas of each ready after {took:.1?}", platform.store);
    quiet(&platform, &client).await;
    let stop = Arc::new(AtomicBool::new(false));
    let killer = {
        let (platform, stop) = (Arc::clone(&platform), Arc::clone(&stop));
        std::thread::spawn(move || kill(&platform, seed, &stop))
    };
    let began = Instant::now();
    let (tasks, next) = (Tasks::new(), Arc::new(AtomicUsize::new(0)));
    let results = Arc::new(std::sync::Mutex::new(BTreeMap::new()));
    for number in 0..PEOPLE {
        let mut person = person(&platform, &client, seed.wrapping_add(number as u64));
        let (next, results) = (Arc::clone(&next), Arc::clone(&results));
        tasks.spawn("person", async move {
            loop {
                let trip = next.fetch_add(1, Ordering::Relaxed);
                if trip >= trips {
                    return;
                }
                let accepted = person.ask(trip).await;
                let job = accepted.job_id.to_string();
                let cuts = person.random.u32(0..4);
                let told = person.listen(&job, cuts).await;
                results.lock().unwrap().insert(job, told);
            }
        });
    }
    while results.lock().unwrap().len() < trips {
        assert!(!tasks.stopping().is_cancelled(), "a person gave up");
        assert!(began.elapsed() < Duration::from_mins(40), "not done in time");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let killed = tokio::task::spawn_blocking(|| killer.join()).await.unwrap().unwrap();
    let took = began.elapsed();
    platform.ready(&client).await;
    let mut person = person(&platform, &client, seed);
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    let results = results.lock().unwrap().clone();
    for (id, told) in &results {
        let job = person.job(id).await;
        *ends.entry(job.status.as_str()).or_default() += 1;
        is_whole(id, told, job.status);
        let uncut = person.listen(id, 0).await;
        assert!(*told == uncut, "job {id}: cut and resumed, the stream is another one");
        assert_eq!(job.result.is_some(), job.status == JobStatus::Completed);
    }
    println!(
        "{trips} trips in {took:.1?} (seed {seed}), killed: {killed:?}; ends: {ends:?}; \
         each job has one end, each cut stream equals the uncut one"
    );
    assert_eq!(results.len(), trips, "two trips have one job");
    assert_eq!(
        ends.get("completed"),
        Some(&trips),
        "jobs failed; {}",
        platform.last_words("api-gateway-1")
    );
}

/// Without anybody killed: how long a trip takes, and how large the services are.
#[expect(clippy::print_stdout, reason = "figures")]
async fn quiet(platform: &Platform, client: &reqwest::Client) {
    for service in platform.services.lock().unwrap().iter() {
        println!("{}: {:.1} MiB resident, idle", service.name, service.memory().unwrap_or(0.0));
    }
    let mut person = person(platform, client, 0);
    let mut times = Vec::new();
    for trip in 0..20 {
        let began = Instant::now();
        let accepted = person.ask(trip).await;
        let told = person.listen(&accepted.job_id.to_string(), 0).await;
        times.push(began.elapsed());
        assert_eq!(told.last().unwrap().event, "completed", "{:?}", told.last());
    }
    times.sort();
    println!(
        "asked to completed, nobody killed: median {:.0?}, slowest {:.0?}",
        times[10], times[19]
    );
}

/// Ends one after the other at random and sees to it that they are started again; how often each.
fn kill(platform: &Platform, seed: u64, stop: &AtomicBool) -> BTreeMap<String, u32> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut killed = BTreeMap::new();
    let replicas = platform.services.lock().unwrap().len();
    while !stop.load(Ordering::Relaxed) {
        let until = Instant::now() + Duration::from_millis(random.u64(500..2500));
        while Instant::now() < until {
            platform.supervise();
            std::thread::sleep(Duration::from_millis(50));
        }
        let victim = random.usize(..=replicas);
        let name = if victim == replicas {
            let mut kafka = platform.kafka.lock().unwrap();
            kafka.kill();
            kafka.start_again().unwrap();
            "kafka".to_owned()
        } else {
            platform.end(victim, random.f64() < 0.7)
        };
        *killed.entry(name).or_default() += 1;
    }
    platform.supervise();
    killed
}
