use std::{sync::Arc, time::Duration};

use mercurious_contracts::{
    access::{Access, access},
    topic,
};
use mercurious_messaging::{
    Consumer, Event, Headers, Outgoing, Parts, Producer as _, Settings, Source as _, header,
    kafka::{self, Expected, KafkaProducer, KafkaSource, Mechanism, check, create_topics},
};
use mercurious_runtime::{SystemClock, Tasks};

use crate::stage::{Seen, Stage, Worker, wait};

const LIMIT: Duration = Duration::from_secs(20);

fn user(stage: &Stage, service: &str) -> kafka::Settings {
    stage.settings_of(stage.kafka.user(service).unwrap(), Mechanism::ScramSha512)
}

fn message(topic: &str) -> Outgoing {
    Outgoing {
        topic: topic.to_owned(),
        key: "job".to_owned(),
        headers: Headers::new().with(header::MESSAGE_ID, format!("of-{topic}")),
        payload: "fine".into(),
    }
}

/// Reads `topics` as `service` until it has seen something of each.
async fn reads(stage: &Stage, access: &Access, topics: &[&str]) {
    let settings = user(stage, access.service);
    let seen = Arc::new(Seen::default());
    let routes: Vec<_> = topics.iter().map(|topic| topic::route(topic)).collect();
    let consumer = Settings::new(access.group, routes.clone());
    let parts = Parts {
        handler: Arc::new(Worker(Arc::clone(&seen))),
        dedup: seen.clone(),
        producer: Arc::new(KafkaProducer::new(&settings).unwrap()),
        clock: Arc::new(SystemClock),
    };
    let consumer = Consumer::new(consumer, parts);
    let source = Box::new(KafkaSource::apart(&settings, access.group, &routes).unwrap());
    let tasks = Tasks::new();
    let stop = tasks.stopping();
    let stopping = stop.clone();
    tasks.spawn("consumer", async move { consumer.run(source, stopping).await.unwrap() });
    wait("each topic is read", || {
        let seen = seen.effects.lock().unwrap();
        topics.iter().all(|topic| seen.contains_key(&format!("of-{topic}")))
    })
    .await;
    stop.cancel();
    assert_eq!(tasks.shut_down(Duration::from_secs(30)).await, 0, "it does not stop");
}

pub(crate) async fn r55_each_service_may_do_what_it_needs_and_nothing_else(stage: &mut Stage) {
    let all = Expected { topics: topic::all(), partitions: topic::PARTITIONS };
    create_topics(&stage.settings(), &all, 1, 24).await.unwrap();
    for Access { service, group, reads, writes, sees } in access() {
        let kafka = &stage.kafka;
        kafka.allow(service, "read", "--topic", &reads).unwrap();
        kafka.allow(service, "write", "--topic", &writes).unwrap();
        kafka.allow(service, "read", "--group", &[group.to_owned()]).unwrap();
        if !sees.is_empty() {
            kafka.allow(service, "describe", "--topic", &sees).unwrap();
        }
    }
    // What each looks at when it starts.
    for access in access() {
        let mut topics =
            [access.reads.clone(), access.writes.clone(), access.sees.clone()].concat();
        topics.sort();
        topics.dedup();
        let expected = Expected { topics, partitions: topic::PARTITIONS };
        let checked = check(&user(stage, access.service), expected, LIMIT).await;
        assert_eq!(checked, Ok(()), "{}", access.service);
    }
    // What each writes, and nothing else.
    for access in access() {
        let producer = KafkaProducer::new(&user(stage, access.service)).unwrap();
        let topics = topic::all();
        // At the same time: a refusal may take a while.
        let sent = topics.iter().map(|topic| producer.publish(message(topic)));
        for (topic, sent) in topics.iter().zip(futures::future::join_all(sent).await) {
            let may = access.writes.contains(topic);
            assert_eq!(sent.is_ok(), may, "{} to {topic}: {sent:?}", access.service);
        }
    }
    // What each reads, as its consumer does.
    let [gateway, enrichment, generation] = access();
    let answers = [
        topic::ENRICHMENT_PROGRESS,
        topic::ENRICHMENT_COMPLETED,
        topic::GENERATION_PROGRESS,
        topic::GENERATION_COMPLETED,
    ];
    reads(stage, &gateway, &answers).await;
    reads(stage, &enrichment, &[topic::ENRICHMENT_REQUEST]).await;
    reads(stage, &generation, &[topic::GENERATION_REQUEST]).await;
    // The gateway does not read what is meant for generation, whoever's group it says that it is.
    for (topic, group) in [
        (topic::GENERATION_REQUEST, gateway.group),
        (topic::GENERATION_COMPLETED, generation.group),
    ] {
        let settings = user(stage, gateway.service);
        let mut source = KafkaSource::join(&settings, group, &[topic.to_owned()]).unwrap();
        let refused = refusal(&mut source).await;
        assert!(
            refused.contains("uthorization") || refused.contains("not authorized"),
            "{refused}"
        );
        Box::new(source).leave().await;
    }
}

/// What the broker says to a consumer that must not be one.
async fn refusal(source: &mut KafkaSource) -> String {
    let refused = async {
        loop {
            match source.next().await {
                Err(error) => return error.to_string(),
                Ok(Event::Message(message)) => panic!("read: {:?}", message.position),
                Ok(_) => {}
            }
        }
    };
    tokio::time::timeout(LIMIT, refused).await.expect("it is not refused")
}
