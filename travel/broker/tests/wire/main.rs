//! The broker as a process, and what it answers on the wire. Under librdkafka it is tested in `tests/backends`.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod client;

use bytes::{Bytes, BytesMut};
use client::{Client, Process, batch};
use kafka_protocol::{
    ResponseError,
    messages::{
        ApiKey, ApiVersionsRequest, ApiVersionsResponse, FetchRequest, FetchResponse, GroupId,
        InitProducerIdRequest, InitProducerIdResponse, MetadataRequest, MetadataResponse,
        OffsetCommitRequest, OffsetCommitResponse, OffsetFetchRequest, OffsetFetchResponse,
        ProduceRequest, ProduceResponse, TopicName, TransactionalId,
        fetch_request::{FetchPartition, FetchTopic},
        fetch_response::PartitionData,
        metadata_request::MetadataRequestTopic,
        offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
        produce_request::{PartitionProduceData, TopicProduceData},
        produce_response::PartitionProduceResponse,
    },
    protocol::StrBytes,
};

fn topic(name: &'static str) -> TopicName {
    TopicName(StrBytes::from_static_str(name))
}

fn produce(client: &mut Client, partition: i32, records: Bytes) -> PartitionProduceResponse {
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(records));
    let request =
        ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![
            TopicProduceData::default().with_name(topic("work")).with_partition_data(vec![data]),
        ]);
    let answer: ProduceResponse = client.ask(ApiKey::Produce, 9, &request);
    answer.responses[0].partition_responses[0].clone()
}

fn fetch(client: &mut Client, offset: i64, max_wait_ms: i32, max_bytes: i32) -> PartitionData {
    let partition = FetchPartition::default()
        .with_partition(0)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(max_bytes);
    let request = FetchRequest::default()
        .with_max_wait_ms(max_wait_ms)
        .with_min_bytes(1)
        .with_max_bytes(max_bytes)
        .with_topics(vec![
            FetchTopic::default().with_topic(topic("work")).with_partitions(vec![partition]),
        ]);
    let answer: FetchResponse = client.ask(ApiKey::Fetch, 11, &request);
    answer.responses[0].partitions[0].clone()
}

fn commit(client: &mut Client, group: &'static str, offset: i64) -> i16 {
    let partition = OffsetCommitRequestPartition::default()
        .with_partition_index(0)
        .with_committed_offset(offset);
    let request = OffsetCommitRequest::default()
        .with_group_id(GroupId(StrBytes::from_static_str(group)))
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![
            OffsetCommitRequestTopic::default()
                .with_name(topic("work"))
                .with_partitions(vec![partition]),
        ]);
    let answer: OffsetCommitResponse = client.ask(ApiKey::OffsetCommit, 6, &request);
    answer.topics[0].partitions[0].error_code
}

fn committed(client: &mut Client, group: &'static str) -> Vec<i64> {
    let request = OffsetFetchRequest::default()
        .with_group_id(GroupId(StrBytes::from_static_str(group)))
        .with_topics(None);
    let answer: OffsetFetchResponse = client.ask(ApiKey::OffsetFetch, 7, &request);
    let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.map(|partition| partition.committed_offset).collect()
}

#[test]
fn what_was_acknowledged_is_there_after_a_kill_and_nothing_twice() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path(), &[]);
    let mut client = process.connect();
    let request = InitProducerIdRequest::default().with_transactional_id(None);
    let given: InitProducerIdResponse = client.ask(ApiKey::InitProducerId, 4, &request);
    let producer = given.producer_id.0;
    assert!(producer >= 0);
    for sequence in 0..5 {
        let answer = produce(&mut client, 0, batch(producer, sequence, b"record"));
        assert_eq!((answer.error_code, answer.base_offset), (0, i64::from(sequence)));
    }
    assert_eq!(commit(&mut client, "group", 3), 0);
    process.kill();

    let process = Process::start(data.path(), &[]);
    let mut client = process.connect();
    assert_eq!(committed(&mut client, "group"), [3]);
    assert_eq!(committed(&mut client, "another"), Vec::<i64>::new());
    // The answer to the last batch was lost, so it is sent again.
    let again = produce(&mut client, 0, batch(producer, 4, b"record"));
    assert_eq!((again.error_code, again.base_offset), (0, 4));
    let gap = produce(&mut client, 0, batch(producer, 6, b"record"));
    assert_eq!(gap.error_code, ResponseError::OutOfOrderSequenceNumber.code());
    let next = produce(&mut client, 0, batch(producer, 5, b"record"));
    assert_eq!((next.error_code, next.base_offset), (0, 5));
    let fetched = fetch(&mut client, 3, 0, 1_000_000);
    assert_eq!((fetched.high_watermark, fetched.log_start_offset), (6, 0));
    let one = batch(producer, 5, b"record").len();
    assert_eq!(fetched.records.unwrap().len(), 3 * one);
    // A new producer is not taken for an older one.
    let given: InitProducerIdResponse = client.ask(ApiKey::InitProducerId, 4, &request);
    assert_ne!(given.producer_id.0, producer);
}

#[test]
fn a_wait_for_records_ends_with_the_first() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path(), &[]);
    let mut waiting = process.connect();
    let waiter = std::thread::spawn(move || fetch(&mut waiting, 0, 50_000, 1_000_000));
    let answer = produce(&mut process.connect(), 0, batch(-1, -1, b"record"));
    assert_eq!(answer.error_code, 0);
    let fetched = waiter.join().unwrap();
    assert_eq!(fetched.high_watermark, 1);
    assert!(!fetched.records.unwrap().is_empty());
    // Nothing comes: the wait ends all the same.
    let nothing = fetch(&mut process.connect(), 1, 1, 1_000_000);
    assert_eq!((nothing.error_code, nothing.records), (0, Some(Bytes::new())));
    let beyond = fetch(&mut process.connect(), 7, 50_000, 1_000_000);
    assert_eq!(beyond.error_code, ResponseError::OffsetOutOfRange.code());
}

#[test]
fn a_reader_with_little_room_still_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path(), &[]);
    let mut client = process.connect();
    let content = vec![7; 1_000_000];
    for _ in 0..3 {
        assert_eq!(produce(&mut client, 0, batch(-1, -1, &content)).error_code, 0);
    }
    let records = fetch(&mut client, 1, 0, 1000).records.unwrap();
    assert_eq!(records.len(), batch(-1, -1, &content).len());
    assert_eq!(records[..8], 1_i64.to_be_bytes());
}

#[test]
fn a_wrong_batch_is_refused_and_named() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path(), &[("BROKER_MESSAGE_MAX_BYTES", "2000")]);
    let mut client = process.connect();
    let mut damaged = BytesMut::from(&batch(-1, -1, b"record")[..]);
    *damaged.last_mut().unwrap() ^= 1;
    let code = |error: ResponseError| error.code();
    let answer = produce(&mut client, 0, damaged.freeze());
    assert_eq!(answer.error_code, code(ResponseError::CorruptMessage));
    let answer = produce(&mut client, 0, batch(-1, -1, &[1; 2000]));
    assert_eq!(answer.error_code, code(ResponseError::MessageTooLarge));
    let answer = produce(&mut client, 3, batch(-1, -1, b"record"));
    assert_eq!(answer.error_code, code(ResponseError::UnknownTopicOrPartition));
    let answer = produce(&mut client, 0, Bytes::new());
    assert_eq!(answer.error_code, code(ResponseError::CorruptMessage));
    // The connection and the log are unharmed.
    assert_eq!(produce(&mut client, 0, batch(-1, -1, b"record")).base_offset, 0);
}

#[test]
fn transactions_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path(), &[]);
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(StrBytes::from_static_str("t"))));
    let answer: InitProducerIdResponse = process.connect().ask(ApiKey::InitProducerId, 4, &request);
    assert_eq!(answer.error_code, ResponseError::InvalidRequest.code());
}

#[test]
fn a_topic_is_never_made_by_asking_for_it() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path(), &[("BROKER_ADVERTISED", "broker.app.svc:9092")]);
    let mut client = process.connect();
    let named = MetadataRequestTopic::default().with_name(Some(topic("invented")));
    let request = MetadataRequest::default()
        .with_topics(Some(vec![named]))
        .with_allow_auto_topic_creation(true);
    let answer: MetadataResponse = client.ask(ApiKey::Metadata, 9, &request);
    assert_eq!(answer.topics[0].error_code, ResponseError::UnknownTopicOrPartition.code());
    let all = MetadataRequest::default().with_topics(None);
    let answer: MetadataResponse = client.ask(ApiKey::Metadata, 9, &all);
    assert_eq!(answer.topics.len(), 1);
    assert_eq!(answer.topics[0].partitions.len(), 3);
    let broker = &answer.brokers[0];
    assert_eq!((broker.host.as_str(), broker.port), ("broker.app.svc", 9092));
}

#[test]
fn who_does_not_say_who_it_is_learns_nothing() {
    let data = tempfile::tempdir().unwrap();
    let password = data.path().join("password");
    std::fs::write(&password, "of a test\n").unwrap();
    let file = password.to_str().unwrap();
    let variables = [("BROKER_USERNAME", "travel"), ("BROKER_PASSWORD_FILE", file)];
    let process = Process::start(data.path(), &variables);
    let mut client = process.connect();
    let request = ApiVersionsRequest::default();
    let versions: ApiVersionsResponse = client.ask(ApiKey::ApiVersions, 3, &request);
    assert_eq!(versions.error_code, 0);
    let all = MetadataRequest::default().with_topics(None);
    assert_eq!(client.try_ask::<_, MetadataResponse>(ApiKey::Metadata, 9, &all), None);
}

#[test]
fn nonsense_ends_the_connection_and_nothing_else() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path(), &[]);
    let nonsense: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\n\r\n",
        &[0, 0, 0, 0],
        &[0, 0, 0, 3, 1, 2, 3],
        &[0, 0, 0, 10, 0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff],
        &[0, 0, 0, 10, 0x7f, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff],
    ];
    for bytes in nonsense {
        let mut client = process.connect();
        client.send(bytes);
        assert_eq!(client.receive(), None, "{bytes:?}");
    }
    assert!(process.get("/health").starts_with("HTTP/1.1 200"));
}

#[test]
fn an_unknown_version_of_the_first_request_is_answered_in_the_oldest() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path(), &[]);
    let mut client = process.connect();
    client.send(&[0, 0, 0, 12, 0, 18, 0, 99, 0, 0, 0, 1, 0xff, 0xff, 0, 0]);
    let answer = client.receive().unwrap();
    assert_eq!(answer[..4], [0, 0, 0, 1]);
    assert_eq!(answer[4..6], ResponseError::UnsupportedVersion.code().to_be_bytes());
}

#[test]
fn a_directory_is_for_one_broker() {
    let data = tempfile::tempdir().unwrap();
    let first = Process::start(data.path(), &[]);
    let said = Process::try_start(data.path(), &[]).err().expect("a second one serves");
    assert!(said.contains("is in use by another broker"), "{said}");
    first.kill();
    Process::start(data.path(), &[]);
}

#[test]
fn topics_grow_and_do_not_shrink() {
    let data = tempfile::tempdir().unwrap();
    Process::start(data.path(), &[]).kill();
    let said = Process::try_start(data.path(), &[("BROKER_TOPICS", "work:2")]).err().unwrap();
    assert!(said.contains("topic work has 3 partitions and is to have 2"), "{said}");
    let process = Process::start(data.path(), &[("BROKER_TOPICS", "work:4,more:1")]);
    let all = MetadataRequest::default().with_topics(None);
    let answer: MetadataResponse = process.connect().ask(ApiKey::Metadata, 9, &all);
    let counts: Vec<usize> = answer.topics.iter().map(|topic| topic.partitions.len()).collect();
    assert_eq!(counts, [1, 4]);
}

#[test]
fn wrong_settings_are_named() {
    let data = tempfile::tempdir().unwrap();
    let said = |variables: &[(&str, &str)]| {
        Process::try_start(data.path(), variables).err().expect("it serves")
    };
    let named = said(&[("BROKER_PASSWORD", "a secret")]);
    assert!(named.contains("no user") && !named.contains("a secret"), "{named}");
    assert!(said(&[("BROKER_USERNAME", "travel")]).contains("no password"));
    assert!(said(&[("BROKER_TOPICS", "work:3,work:1")]).contains("named twice"));
    assert!(said(&[("BROKER_TOPICS", "work")]).contains("name:partitions"));
    assert!(said(&[("BROKER_ADVERTISED", "broker")]).contains("host:port"));
    assert!(said(&[("BROKER_ADMIN_PORT", "9644"), ("PORT_9644", "much")]).contains("not a port"));
}

#[test]
fn the_admin_port_tells_of_health_and_lag() {
    let data = tempfile::tempdir().unwrap();
    let process = Process::start(data.path(), &[]);
    let mut client = process.connect();
    for _ in 0..3 {
        assert_eq!(produce(&mut client, 0, batch(-1, -1, b"record")).error_code, 0);
    }
    assert_eq!(commit(&mut client, "group", 1), 0);
    for path in ["/health", "/ready"] {
        assert!(process.get(path).starts_with("HTTP/1.1 200"), "{path}");
    }
    let metrics = process.get("/metrics");
    for line in [
        "broker_records_appended_total 3",
        "broker_partition_end_offset{topic=\"work\",partition=\"0\"} 3",
        "broker_group_lag{group=\"group\",topic=\"work\"} 2",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
}
