use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use mercurious_messaging::{Follower as _, Incoming, Producer as _, header, kafka::KafkaFollower};

use crate::stage::{Running, Seen, Stage, message, wait};

pub(crate) async fn a_message_comes_as_it_was_sent(stage: &mut Stage) {
    let route = stage.route().await;
    let seen = Arc::new(Seen::default());
    let running = Running::start(stage, &route, "as-sent", &seen);
    let sent = message(&route, 5, "fine: é ✓");
    stage.producer().publish(sent.clone()).await.unwrap();
    wait("the message comes", || seen.effects.lock().unwrap().len() == 1).await;
    let came = seen.effects.lock().unwrap()["message-5"].clone();
    assert_eq!(came.key_text(), Some("key-5"));
    assert_eq!(came.payload, sent.payload);
    assert_eq!(came.headers, sent.headers);
    assert_eq!(came.position.topic, route.topic);
    assert!(running.status.is_ready());
    running.stop().await;
}

pub(crate) async fn a_restart_loses_nothing_and_handles_nothing_twice(stage: &mut Stage) {
    let route = stage.route().await;
    let seen = Arc::new(Seen { work: Duration::from_millis(5), ..Seen::default() });
    let producer = stage.producer();
    let mut number = 0;
    for _ in 0..3 {
        let running = Running::start(stage, &route, "restarts", &seen);
        for _ in 0..50 {
            producer.publish(message(&route, number, "fine")).await.unwrap();
            number += 1;
        }
        running.stop().await;
    }
    let running = Running::start(stage, &route, "restarts", &seen);
    wait("all are handled", || seen.effects.lock().unwrap().len() == number).await;
    running.stop().await;
    assert!(seen.tries.lock().unwrap().values().all(|tries| *tries == 1), "handled twice");
}

pub(crate) async fn a_rebalance_while_handling_handles_nothing_twice(stage: &mut Stage) {
    let route = stage.route().await;
    let seen = Arc::new(Seen { work: Duration::from_millis(150), ..Seen::default() });
    let producer = stage.producer();
    let first = Running::start(stage, &route, "rebalances", &seen);
    wait("the first is assigned", || first.status.figures().assigned == 6).await;
    for number in 0..120 {
        producer.publish(message(&route, number, "fine")).await.unwrap();
    }
    let second = Running::start(stage, &route, "rebalances", &seen);
    wait("they share", || second.status.figures().assigned == 3).await;
    wait("all are handled", || seen.effects.lock().unwrap().len() == 120).await;
    first.stop().await;
    wait("the second has all", || second.status.figures().assigned == 6).await;
    second.stop().await;
    let tries = seen.tries.lock().unwrap().clone();
    let twice: Vec<_> = tries.iter().filter(|(_, tries)| **tries > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

/// The next `count` messages of `topic`.
async fn read(stage: &Stage, topic: &str, count: usize) -> Vec<Incoming> {
    let topics = [topic.to_owned()];
    let since = Timestamp::UNIX_EPOCH;
    let mut follower =
        KafkaFollower::follow(&stage.settings(), "readers", &topics, 3, since).unwrap();
    let mut messages = Vec::new();
    while messages.len() < count {
        messages.push(follower.next().await.unwrap());
    }
    messages
}

pub(crate) async fn poison_and_failing_messages_end_as_dead_letters(stage: &mut Stage) {
    let route = stage.route().await;
    let seen = Arc::new(Seen::default());
    let running = Running::start(stage, &route, "dead-letters", &seen);
    let producer = stage.producer();
    for number in 0..22 {
        let payload = match number {
            3 => "malformed",
            4 => "failing",
            _ => "fine",
        };
        producer.publish(message(&route, number, payload)).await.unwrap();
    }
    wait("all others are handled", || seen.effects.lock().unwrap().len() == 20).await;
    let mut dead = read(stage, &route.dead_letters, 2).await;
    dead.sort_by_key(|message| message.headers.number::<u32>("number"));
    let classes: Vec<_> =
        dead.iter().map(|message| message.headers.text(header::ERROR_CLASS).unwrap()).collect();
    assert_eq!(classes, ["malformed", "exhausted"]);
    for message in &dead {
        assert_eq!(message.headers.text(header::ORIGINAL_TOPIC), Some(route.topic.as_str()));
        assert!(message.headers.number::<i64>(header::ORIGINAL_OFFSET).is_some());
    }
    assert_eq!(seen.tries.lock().unwrap()["message-4"], 3);
    let figures = running.status.figures();
    assert_eq!((figures.dead, figures.retried), (2, 2));
    running.stop().await;
}

pub(crate) async fn every_follower_gets_every_message(stage: &mut Stage) {
    let route = stage.route().await;
    let producer = stage.producer();
    for number in 0..10 {
        producer.publish(message(&route, number, "fine")).await.unwrap();
    }
    for _ in 0..2 {
        assert_eq!(read(stage, &route.topic, 10).await.len(), 10);
    }
}
