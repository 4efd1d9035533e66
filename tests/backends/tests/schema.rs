//! The gateway's interface is what its OpenAPI document says: schemathesis asks it, with the store and the broker in memory.
//!
//! `MERCURIOUS_SCHEMA_EXAMPLES` says how many questions each operation gets (50), `MERCURIOUS_SCHEMA_SEEDS` which seeds are
//! used, separated by commas (1).

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../../../travel/api-gateway/src/tests/fixtures.rs"]
#[expect(dead_code, reason = "a part is used")]
mod fixtures;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use mercurious_api_gateway::{
    Foundation, consumer_settings,
    http::{HttpSettings, Serving},
    job::Input,
    limits::{LocalLimits, Rate},
    metrics::Metrics,
    run,
    service::{Jobs, Retention, Times},
    store::{SqliteStore, Store},
};
use mercurious_backends::{Schemathesis, or_skip};
use mercurious_contracts::{JobId, topic};
use mercurious_messaging::memory::{Broker, Chaos};
use mercurious_runtime::{Clock, SystemClock, Tasks};
use tokio::net::TcpListener;

#[expect(clippy::disallowed_methods, reason = "the switches of this test")]
fn setting(name: &str, usual: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| usual.to_owned())
}

fn times() -> Times {
    let week = Duration::from_hours(168);
    Times {
        deadline: Duration::from_mins(5),
        retention: Retention { jobs: week, keys: Duration::from_hours(24) },
    }
}

/// Every job gets its trip at once, so that there are trips to ask for.
async fn complete(jobs: Jobs) {
    let (facts, itinerary) = fixtures::planned(&fixtures::request());
    loop {
        for id in jobs.store.overdue(Timestamp::MAX, 100).await.unwrap() {
            // Somebody may cancel it meanwhile.
            jobs.apply(id, Input::Facts(facts.clone())).await.unwrap();
            jobs.apply(id, Input::Itinerary(itinerary.clone())).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Serves until the tasks end; where, and a trip that is there.
async fn gateway(tasks: &Tasks) -> (String, JobId) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let store: Arc<dyn Store> = Arc::new(SqliteStore::in_memory().unwrap());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let broker = Broker::new(1, Chaos::NONE, &topic::all(), topic::PARTITIONS);
    let rate = Rate { per_second: 0.0, burst: 1 };
    let foundation = Foundation {
        store: Arc::clone(&store),
        news: None,
        limits: Arc::new(LocalLimits::new(rate, Arc::clone(&clock))),
        metrics: Arc::new(Metrics::new()),
        clock: Arc::clone(&clock),
        producer: Arc::new(broker.clone()),
        http: HttpSettings {
            version: "api-gateway v1\n".to_owned(),
            origins: Vec::new(),
            proxies: 0,
            streams: 100,
            keep_alive: Duration::from_secs(15),
        },
        serving: Serving {
            connections: 100,
            head: Duration::from_secs(10),
            drain: Duration::from_millis(10),
        },
        times: times(),
    };
    let consumer = consumer_settings(topic::GATEWAY_GROUP);
    let source = Box::new(broker.join(&consumer.group, &consumer.topics()));
    let stop = tasks.stopping();
    tasks.spawn("gateway", async move {
        run(foundation, consumer, source, listener, stop).await.unwrap();
    });
    let (jobs, stop) = (Jobs::new(store, clock, Arc::default(), times(), None), tasks.stopping());
    let trip = jobs.accept(fixtures::request(), None, None).await.unwrap().job;
    tasks.spawn("completing", async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = complete(jobs) => {}
        }
    });
    (url, trip)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_one_of_those_that_the_document_names() {
    let Some(schemathesis) = or_skip(Schemathesis::fetched) else { return };
    let schemathesis = Arc::new(schemathesis);
    let examples: u32 = setting("MERCURIOUS_SCHEMA_EXAMPLES", "50").parse().unwrap();
    let seeds = setting("MERCURIOUS_SCHEMA_SEEDS", "1");
    let seeds = seeds.split(',').map(|seed| seed.trim().parse::<u64>().unwrap());
    // Once about whatever comes to its mind, once about a trip that is there.
    for (seed, there) in seeds.flat_map(|seed| [(seed, false), (seed, true)]) {
        let tasks = Tasks::new();
        let (url, trip) = gateway(&tasks).await;
        let program = Arc::clone(&schemathesis);
        let known = if there { vec![("path.id", trip.to_string())] } else { Vec::new() };
        let asked =
            tokio::task::spawn_blocking(move || program.run(&url, (seed, examples), &known));
        let said = asked.await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&said.stdout);
        assert!(
            said.status.success(),
            "seed {seed}: {text}{}",
            String::from_utf8_lossy(&said.stderr)
        );
        assert!(text.contains("Stateful"), "seed {seed}: {text}");
        assert_eq!(tasks.shut_down(Duration::from_secs(30)).await, 0);
    }
}
