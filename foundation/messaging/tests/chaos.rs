//! Consumers on a broker that misbehaves: every message takes effect once, whatever happens.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use mercurious_messaging::{
    Consumer, Dedup, Handler, Headers, Incoming, Outbox, OutboxRow, Outcome, Outgoing, Parts,
    Producer, Relay, RetryPolicy, Route, Settings, StoreError, header,
    memory::{Broker, Chaos},
};
use mercurious_runtime::{CancellationToken, Clock, Tasks};
use proptest::prelude::*;

const GROUP: &str = "workers";

/// The time of tokio, which tests move.
#[derive(Debug)]
struct TestClock(tokio::time::Instant);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.0.elapsed()).unwrap();
        Timestamp::UNIX_EPOCH.checked_add(passed).unwrap()
    }
}

/// What handlers do: an effect and its record are stored at once, as a transaction does.
#[derive(Default)]
struct Store {
    effects: Mutex<BTreeMap<String, u32>>,
    order: Mutex<HashMap<Bytes, Vec<u32>>>,
    tries: Mutex<BTreeMap<String, u32>>,
    given_up: Mutex<BTreeSet<String>>,
    random: Mutex<fastrand::Rng>,
    flaky: f64,
}

impl Store {
    fn happens(&self, probability: f64) -> bool {
        self.random.lock().unwrap().f64() < probability
    }
}

#[async_trait]
impl Dedup for Store {
    async fn seen(&self, _: &str, id: &str) -> Result<bool, StoreError> {
        if self.happens(self.flaky) {
            return Err(StoreError("busy".to_owned()));
        }
        Ok(self.effects.lock().unwrap().contains_key(id))
    }

    async fn record(&self, _: &str, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
}

struct Worker(Arc<Store>);

#[async_trait]
impl Handler for Worker {
    async fn handle(&self, message: &Incoming) -> Outcome {
        let store = &self.0;
        let id = message.headers.text(header::MESSAGE_ID).unwrap().to_owned();
        *store.tries.lock().unwrap().entry(id.clone()).or_default() += 1;
        let work = store.random.lock().unwrap().u64(0..20);
        tokio::time::sleep(Duration::from_millis(work)).await;
        match message.payload.as_ref() {
            b"poison" => panic!("poison"),
            b"malformed" => {
                return Outcome::Dead { class: "malformed", reason: "not readable".to_owned() };
            }
            b"failing" => return Outcome::Retry("never works".to_owned()),
            _ if store.happens(store.flaky) => return Outcome::Retry("this time".to_owned()),
            _ if store.happens(store.flaky) => return Outcome::Later("busy".to_owned()),
            _ => {}
        }
        let mut effects = store.effects.lock().unwrap();
        // Another delivery of the same message may have stored it meanwhile; the transaction finds out.
        if let std::collections::btree_map::Entry::Vacant(free) = effects.entry(id) {
            free.insert(1);
            let number = message.headers.number("number").unwrap();
            store.order.lock().unwrap().entry(message.key.clone()).or_default().push(number);
        }
        Outcome::Done
    }

    async fn given_up(&self, message: &Incoming, _: &str, _: &str) -> Result<(), StoreError> {
        let id = message.headers.text(header::MESSAGE_ID).unwrap().to_owned();
        self.0.given_up.lock().unwrap().insert(id);
        Ok(())
    }
}

fn routes() -> Vec<Route> {
    vec![Route {
        topic: "work".to_owned(),
        retry: "work-retry".to_owned(),
        dead_letters: "work-dlq".to_owned(),
    }]
}

fn topics() -> Vec<String> {
    ["work", "work-retry", "work-dlq"].map(str::to_owned).to_vec()
}

fn message(number: u32, payload: &str) -> Outgoing {
    Outgoing {
        topic: "work".to_owned(),
        key: format!("key-{}", number % 7),
        headers: Headers::new()
            .with(header::MESSAGE_ID, format!("message-{number}"))
            .with("number", number),
        payload: Bytes::from(payload.to_owned()),
    }
}

fn settings() -> Settings {
    let retry = RetryPolicy { first: Duration::from_millis(50), ..RetryPolicy::default() };
    let grace = Duration::from_millis(30);
    Settings { retry, partition_limit: 4, concurrency: 3, grace, ..Settings::new(GROUP, routes()) }
}

struct World {
    broker: Broker,
    store: Arc<Store>,
    tasks: Tasks,
    clock: Arc<TestClock>,
}

impl World {
    fn new(seed: u64, chaos: Chaos, flaky: f64) -> Self {
        fastrand::seed(seed);
        let store =
            Store { random: Mutex::new(fastrand::Rng::with_seed(seed)), flaky, ..Store::default() };
        Self {
            broker: Broker::new(seed, chaos, &topics(), 3),
            store: Arc::new(store),
            tasks: Tasks::new(),
            clock: Arc::new(TestClock(tokio::time::Instant::now())),
        }
    }

    fn start(&self) -> CancellationToken {
        let parts = Parts {
            handler: Arc::new(Worker(Arc::clone(&self.store))),
            dedup: self.store.clone(),
            producer: Arc::new(self.broker.clone()),
            clock: self.clock.clone(),
        };
        let consumer = Consumer::new(settings(), parts);
        let member = Box::new(self.broker.join(GROUP, &settings().topics()));
        let stop = self.tasks.stopping().child_token();
        let stopping = stop.clone();
        self.tasks.spawn("consumer", async move {
            consumer.run(member, stopping).await.unwrap();
        });
        stop
    }

    /// A consumer that dies without a word after a while.
    fn start_and_kill(&self, after: Duration) {
        let parts = Parts {
            handler: Arc::new(Worker(Arc::clone(&self.store))),
            dedup: self.store.clone(),
            producer: Arc::new(self.broker.clone()),
            clock: self.clock.clone(),
        };
        let consumer = Consumer::new(settings(), parts);
        let member = Box::new(self.broker.join(GROUP, &settings().topics()));
        self.tasks.spawn("killed", async move {
            let _ =
                tokio::time::timeout(after, consumer.run(member, CancellationToken::new())).await;
        });
    }

    async fn publish(&self, message: Outgoing) {
        while self.broker.publish(message.clone()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn wait(&self, what: &str, mut until: impl FnMut() -> bool) {
        let deadline = tokio::time::Instant::now() + Duration::from_hours(1);
        while !until() {
            assert!(tokio::time::Instant::now() < deadline, "never: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn ended(&self) -> BTreeSet<String> {
        let mut ended: BTreeSet<_> = self.store.effects.lock().unwrap().keys().cloned().collect();
        ended.extend(self.dead().into_keys());
        ended
    }

    fn dead(&self) -> BTreeMap<String, String> {
        let text = |message: &Incoming, name| message.headers.text(name).unwrap().to_owned();
        (self.broker.messages("work-dlq").iter())
            .map(|message| (text(message, header::MESSAGE_ID), text(message, header::ERROR_CLASS)))
            .collect()
    }
}

fn run(test: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().unwrap().block_on(test);
}

fn quiet_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if panic.payload().downcast_ref::<&str>() != Some(&"poison") {
                usual(panic);
            }
        }));
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_message_has_exactly_one_effect_or_is_a_dead_letter(
        seed in any::<u64>(),
        count in 1_u32..60,
        bad in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..3), 0..4),
        kills in prop::collection::vec(1_u64..400, 0..4),
    ) {
        quiet_panics();
        run(async {
            let world = World::new(seed, Chaos::BAD, 0.1);
            let mut payloads = vec!["fine"; count as usize];
            for (index, kind) in &bad {
                payloads[index.index(count as usize)] = ["poison", "malformed", "failing"][*kind];
            }
            for after in kills {
                world.start_and_kill(Duration::from_millis(after));
            }
            world.start();
            world.start();
            for (number, payload) in payloads.iter().enumerate() {
                world.publish(message(number as u32, payload)).await;
            }
            world.wait("every message ends", || world.ended().len() == count as usize).await;
            let effects = world.store.effects.lock().unwrap().clone();
            let dead = world.dead();
            for (number, payload) in payloads.iter().enumerate() {
                let id = format!("message-{number}");
                let class = dead.get(&id).map(String::as_str);
                match *payload {
                    "fine" => assert!(effects.contains_key(&id) || class == Some("exhausted")),
                    "malformed" => assert_eq!(class, Some("malformed")),
                    _ => assert_eq!(class, Some("exhausted")),
                }
                if class.is_some() {
                    assert!(world.store.given_up.lock().unwrap().contains(&id), "{id} went in silence");
                }
            }
            for retry in world.broker.messages("work-retry") {
                let attempt: u32 = retry.headers.number(header::ATTEMPT).unwrap();
                assert!((2..=5).contains(&attempt), "attempt {attempt}");
                assert_eq!(retry.headers.text(header::ORIGINAL_TOPIC), Some("work"));
            }
            assert_eq!(world.tasks.shut_down(Duration::from_mins(1)).await, 0);
        });
    }
}

#[test]
fn messages_of_one_key_are_handled_in_their_order() {
    run(async {
        let world = World::new(3, Chaos { delay: 0.3, ..Chaos::NONE }, 0.0);
        world.start();
        for number in 0..200 {
            world.publish(message(number, "fine")).await;
        }
        world.wait("all are handled", || world.ended().len() == 200).await;
        for order in world.store.order.lock().unwrap().values() {
            assert!(order.is_sorted(), "{order:?}");
        }
        assert_eq!(world.broker.lag(GROUP), 0);
        assert_eq!(world.tasks.shut_down(Duration::from_mins(1)).await, 0);
    });
}

#[test]
fn a_poison_message_never_stops_its_partition() {
    quiet_panics();
    run(async {
        let world = World::new(4, Chaos::NONE, 0.0);
        world.start();
        world.publish(message(0, "poison")).await;
        // The same key, so the same partition.
        for number in 1..20 {
            world.publish(message(number * 7, "fine")).await;
        }
        let handled = || world.store.effects.lock().unwrap().len() == 19;
        world.wait("all others are handled", handled).await;
        world.wait("the poison is dead", || world.dead().contains_key("message-0")).await;
        assert_eq!(world.store.tries.lock().unwrap()["message-0"], 5);
        world.wait("nothing is left", || world.broker.lag(GROUP) == 0).await;
    });
}

#[test]
fn r43_a_rolling_restart_handles_nothing_twice_and_loses_nothing() {
    run(async {
        let world = World::new(5, Chaos::NONE, 0.0);
        let mut stop = world.start();
        for number in 0..300 {
            world.publish(message(number, "fine")).await;
            if number % 60 == 59 {
                let next = world.start();
                stop.cancel();
                stop = next;
            }
        }
        world.wait("all are handled", || world.ended().len() == 300).await;
        let tries = world.store.tries.lock().unwrap().clone();
        let twice: Vec<_> = tries.iter().filter(|(_, tries)| **tries > 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
        assert_eq!(world.tasks.shut_down(Duration::from_mins(1)).await, 0);
        assert_eq!(world.broker.lag(GROUP), 0);
    });
}

#[test]
fn while_the_broker_is_down_nothing_is_lost_and_nothing_is_given_up() {
    run(async {
        let world = World::new(6, Chaos::NONE, 0.0);
        world.start();
        for number in 0..20 {
            world.publish(message(number, "fine")).await;
        }
        world.publish(message(20, "malformed")).await;
        world.broker.set_down(true);
        tokio::time::sleep(Duration::from_mins(2)).await;
        world.broker.set_down(false);
        world.wait("all end", || world.ended().len() == 21).await;
        assert_eq!(world.dead().len(), 1);
    });
}

/// Rows with claims, as a table has them.
struct Rows {
    rows: Mutex<Vec<(OutboxRow, Option<tokio::time::Instant>)>>,
}

#[async_trait]
impl Outbox for Rows {
    async fn claim(&self, limit: usize, lease: Duration) -> Result<Vec<OutboxRow>, StoreError> {
        let now = tokio::time::Instant::now();
        let mut rows = self.rows.lock().unwrap();
        let mut held = BTreeSet::new();
        let mut claimed = Vec::new();
        for (row, until) in rows.iter_mut() {
            if until.is_some_and(|until| until > now) {
                held.insert(row.message.key.clone());
            } else if claimed.len() < limit && !held.contains(&row.message.key) {
                *until = Some(now + lease);
                claimed.push(row.clone());
            }
        }
        Ok(claimed)
    }

    async fn sent(&self, ids: &[String]) -> Result<(), StoreError> {
        self.rows.lock().unwrap().retain(|(row, _)| !ids.contains(&row.id));
        Ok(())
    }

    async fn refused(&self, id: &str, _: &str) -> Result<(), StoreError> {
        self.sent(&[id.to_owned()]).await
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn an_outbox_is_published_completely_and_each_key_in_its_order(
        seed in any::<u64>(), count in 1_u32..80, relays in 1_usize..4,
    ) {
        run(async {
            let chaos = Chaos { duplicate: 0.1, drop_ack: 0.2, drop_message: 0.2, ..Chaos::NONE };
            let broker = Broker::new(seed, chaos, &topics(), 3);
            let rows = (0..count)
                .map(|number| OutboxRow { id: number.to_string(), message: message(number, "fine") })
                .map(|row| (row, None))
                .collect();
            let rows = Arc::new(Rows { rows: Mutex::new(rows) });
            let tasks = Tasks::new();
            for _ in 0..relays {
                let mut relay = Relay::new(rows.clone(), Arc::new(broker.clone()));
                relay.batch = 10;
                tasks.spawn("relay", relay.run(tasks.stopping()));
            }
            let deadline = tokio::time::Instant::now() + Duration::from_hours(10);
            while !rows.rows.lock().unwrap().is_empty() {
                assert!(tokio::time::Instant::now() < deadline, "rows are left");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            let mut firsts: HashMap<Bytes, Vec<u32>> = HashMap::new();
            for message in broker.messages("work") {
                let numbers = firsts.entry(message.key.clone()).or_default();
                let number = message.headers.number("number").unwrap();
                if !numbers.contains(&number) {
                    numbers.push(number);
                }
            }
            assert_eq!(firsts.values().map(Vec::len).sum::<usize>(), count as usize);
            for numbers in firsts.values() {
                assert!(numbers.is_sorted(), "{numbers:?}");
            }
            assert_eq!(tasks.shut_down(Duration::from_mins(1)).await, 0);
        });
    }
}
