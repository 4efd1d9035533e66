use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, Message as _, Offset, TopicPartitionList,
    config::FromClientConfigAndContext as _,
    consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, Headers as _, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};

use crate::{
    child,
    place::{Place, SESSION, TOPIC, wait},
};

const PATIENCE: Duration = Duration::from_mins(2);

/// Sends one message and waits until it is acknowledged.
fn send(producer: &FutureProducer, key: &str, payload: &str) -> (i32, i64) {
    let headers = OwnedHeaders::new()
        .insert(Header { key: "message-id", value: Some("7") })
        .insert(Header { key: "empty", value: None::<&str> });
    let record = FutureRecord::to(TOPIC).key(key).payload(payload).headers(headers);
    let delivery = block_on(producer.send(record, PATIENCE)).unwrap();
    (delivery.partition, delivery.offset)
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

/// The next message, at most half a minute from now.
fn next(consumer: &BaseConsumer) -> rdkafka::message::OwnedMessage {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            return message.detach();
        }
        assert!(Instant::now() < deadline, "no message");
    }
}

pub(crate) fn a_message_comes_as_it_was_sent(program: &Path) {
    let place = Place::new(program);
    let producer = place.producer();
    let large = "é".repeat(450_000);
    for payload in ["small", &large] {
        let (partition, offset) = send(&producer, "a key", payload);
        let consumer = place.consumer("as-sent");
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(TOPIC, partition, Offset::Offset(offset)).unwrap();
        consumer.assign(&from).unwrap();
        let message = next(&consumer);
        assert_eq!(message.payload(), Some(payload.as_bytes()));
        assert_eq!(message.key(), Some(b"a key".as_slice()));
        let headers = message.headers().unwrap();
        assert_eq!(headers.get(0).value, Some(b"7".as_slice()));
        assert_eq!((headers.get(1).key, headers.get(1).value), ("empty", None));
    }
}

pub(crate) fn a_topic_that_is_not_configured_is_never_made(program: &Path) {
    let place = Place::new(program);
    let mut config = place.client();
    config.set("allow.auto.create.topics", "true").set("message.timeout.ms", "3000");
    let producer: FutureProducer = config.create().unwrap();
    let record = FutureRecord::to("invented").key("a").payload("b");
    let (error, _) = block_on(producer.send(record, PATIENCE)).unwrap_err();
    let code = error.rdkafka_error_code();
    assert!(
        matches!(
            code,
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic)
        ),
        "{error}"
    );
    let client: BaseConsumer = place.client().create().unwrap();
    let metadata = client.fetch_metadata(None, Duration::from_secs(30)).unwrap();
    let names: BTreeSet<&str> =
        metadata.topics().iter().map(rdkafka::metadata::MetadataTopic::name).collect();
    assert_eq!(names, BTreeSet::from(["other", TOPIC]));
}

/// Keeps what librdkafka says went wrong.
#[derive(Default)]
struct Faults(Mutex<Vec<KafkaError>>);

impl ClientContext for Faults {
    fn error(&self, error: KafkaError, _: &str) {
        self.0.lock().unwrap().push(error);
    }
}

impl ConsumerContext for Faults {}

pub(crate) fn a_wrong_password_is_named_as_such(program: &Path) {
    let place = Place::new(program);
    let config = place.client_with("wrong");
    let client = BaseConsumer::from_config_and_context(&config, Faults::default()).unwrap();
    assert!(client.fetch_metadata(None, Duration::from_secs(2)).is_err());
    wait("the client says why", || {
        let _ = client.poll(Duration::ZERO);
        let faults = client.context().0.lock().unwrap();
        faults.iter().any(|it| it.rdkafka_error_code() == Some(RDKafkaErrorCode::Authentication))
    });
    let client: BaseConsumer = place.client().create().unwrap();
    client.fetch_metadata(None, Duration::from_secs(30)).unwrap();
}

pub(crate) fn what_is_acknowledged_and_committed_survives_a_kill(program: &Path) {
    let mut place = Place::new(program);
    let producer = place.producer();
    let mut sent = BTreeMap::new();
    for number in 0..30 {
        let at = send(&producer, &format!("key-{}", number % 7), &format!("{number}"));
        sent.insert(at, format!("{number}"));
    }
    let consumer = place.consumer("survives");
    consumer.subscribe(&[TOPIC]).unwrap();
    for _ in 0..20 {
        let message = next(&consumer);
        let mut position = TopicPartitionList::new();
        let after = Offset::Offset(message.offset() + 1);
        position.add_partition_offset(TOPIC, message.partition(), after).unwrap();
        consumer.commit(&position, CommitMode::Sync).unwrap();
    }
    let committed = place.committed("survives");
    assert_eq!(committed.iter().sum::<i64>(), 20);
    place.kill();
    place.start();
    assert_eq!(place.committed("survives"), committed);
    assert_eq!(place.committed("another"), [0, 0, 0]);
    assert_eq!(place.ends().iter().sum::<i64>(), 30);
    // The same producer goes on, and another group gets everything, with nothing twice.
    sent.insert(send(&producer, "key-0", "last"), "last".to_owned());
    let other = place.consumer("another");
    other.subscribe(&[TOPIC]).unwrap();
    let mut came = BTreeMap::new();
    while came.len() < sent.len() {
        let message = next(&other);
        let payload = String::from_utf8(message.payload().unwrap().to_vec()).unwrap();
        let known = came.insert((message.partition(), message.offset()), payload);
        assert_eq!(known, None);
    }
    assert_eq!(came, sent);
}

pub(crate) fn a_group_goes_on_within_the_session_of_a_member_that_dies(program: &Path) {
    let place = Place::new(program);
    let producer = place.producer();
    let mut first = child::start(&place, "dies", "first");
    for number in 0..10 {
        send(&producer, &format!("key-{number}"), &format!("{number:<10}"));
    }
    let directory = place.path("");
    let done = |count: usize| {
        move || {
            let lines = child::handled(&directory, "dies");
            lines.iter().map(|line| line.number).collect::<BTreeSet<_>>().len() == count
        }
    };
    wait("the first handles all", done.clone()(10));
    let _second = child::start(&place, "dies", "second");
    first.kill();
    let killed = Instant::now();
    for number in 10..20 {
        send(&producer, &format!("key-{number}"), &format!("{number:<10}"));
    }
    wait("the second handles the rest", done(20));
    // The session ends after its timeout; what is beyond is the machine's.
    assert!(killed.elapsed() < SESSION * 5, "{:?}", killed.elapsed());
}

pub(crate) fn two_thousand_messages_survive_kills_of_broker_and_consumers(program: &Path) {
    const MESSAGES: u32 = 2000;
    let mut place = Place::new(program);
    let mut consumers: Vec<_> = ["A", "B"]
        .iter()
        .flat_map(|group| ["0", "1"].map(|name| (*group, child::start(&place, group, name))))
        .collect();
    let producer = place.producer();
    let mut random = fastrand::Rng::with_seed(7);
    let acknowledged = AtomicU32::new(0);
    let mut positions = BTreeMap::new();
    for part in 0..MESSAGES / 100 {
        let sends: Vec<_> = (part * 100..(part + 1) * 100)
            .map(|number| {
                let size = if number % 500 == 7 { 900_000 } else { random.usize(10..1000) };
                let payload = format!("{number:<10}{}", "x".repeat(size));
                let key = format!("key-{}", number % 20);
                let record = FutureRecord::to(TOPIC).key(&key).payload(&payload);
                producer.send_result(record).map_err(|(error, _)| error).unwrap()
            })
            .collect();
        // While they are on their way.
        if part % 4 == 1 {
            place.kill();
            place.start();
        }
        if part % 5 == 2 {
            let at = random.usize(..consumers.len());
            let (group, mut consumer) = consumers.swap_remove(at);
            consumer.kill();
            consumers.push((group, child::start(&place, group, &format!("again-{part}"))));
        }
        for (index, sent) in sends.into_iter().enumerate() {
            let delivery = block_on(sent).unwrap().map_err(|(error, _)| error).unwrap();
            acknowledged.fetch_add(1, Ordering::Relaxed);
            positions.insert(part * 100 + index as u32, (delivery.partition, delivery.offset));
        }
    }
    assert_eq!(acknowledged.load(Ordering::Relaxed), MESSAGES);
    assert_eq!(place.ends().iter().sum::<i64>(), i64::from(MESSAGES), "something is there twice");
    for group in ["A", "B"] {
        let directory = place.path("");
        wait("all are handled", || {
            let lines = child::handled(&directory, group);
            lines.iter().map(|line| line.number).collect::<BTreeSet<_>>().len() == MESSAGES as usize
        });
        // Committed too: nothing would come again.
        wait("all are committed", || place.committed(group) == place.ends());
        let lines = child::handled(&directory, group);
        let mut newest: BTreeMap<String, u32> = BTreeMap::new();
        let mut first_times = BTreeSet::new();
        for line in &lines {
            // An acknowledgement that got lost with the broker leaves no offset behind.
            let (partition, offset) = positions[&line.number];
            assert_eq!(partition, line.partition);
            assert!(offset < 0 || offset == line.offset, "{line:?} was acknowledged at {offset}");
            if first_times.insert(line.number) {
                let before = newest.insert(line.key.clone(), line.number);
                assert!(before.is_none_or(|before| before < line.number), "order: {line:?}");
            }
        }
    }
}

pub(crate) fn sigterm_ends_it_while_clients_wait(program: &Path) {
    let mut place = Place::new(program);
    let producer = place.producer();
    send(&producer, "a", "b");
    let consumer = place.consumer("waits");
    consumer.subscribe(&[TOPIC]).unwrap();
    next(&consumer);
    assert!(place.terminate(Duration::from_secs(10)), "it does not end");
}
