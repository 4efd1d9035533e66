use std::time::Duration;

use mercurious_backends::User;
use mercurious_messaging::{
    Producer as _, PublishError,
    kafka::{CheckError, Expected, KafkaProducer, Mechanism, Partitions, Tls, check},
};

use crate::stage::{Stage, message};

const LIMIT: Duration = Duration::from_secs(20);

pub(crate) async fn what_is_right_passes_the_check(stage: &mut Stage) {
    let route = stage.route().await;
    let topics = vec![route.topic, route.retry, route.dead_letters];
    for mechanism in [Mechanism::ScramSha512, Mechanism::ScramSha256, Mechanism::Plain] {
        let settings = stage.settings_of(stage.kafka.app(), mechanism);
        let expected = Expected { topics: topics.clone(), partitions: 3 };
        assert_eq!(check(&settings, expected, LIMIT).await, Ok(()), "{mechanism:?}");
    }
}

pub(crate) async fn r46_a_wrong_password_is_named_as_such(stage: &mut Stage) {
    let wrong = User { password: "not-the-password".to_owned(), ..stage.kafka.app().clone() };
    for mechanism in [Mechanism::ScramSha512, Mechanism::ScramSha256, Mechanism::Plain] {
        let settings = stage.settings_of(&wrong, mechanism);
        let expected = Expected { topics: Vec::new(), partitions: 3 };
        let error = check(&settings, expected, LIMIT).await.unwrap_err();
        assert_eq!(error.name(), "kafka-wrong-credentials", "{error}");
        assert!(!error.to_string().contains("not-the-password"), "the password is shown");
    }
}

pub(crate) async fn nobody_listening_is_named_as_such(stage: &mut Stage) {
    let mut settings = stage.settings();
    settings.brokers = vec!["127.0.0.1:1".to_owned()];
    let expected = Expected { topics: Vec::new(), partitions: 3 };
    let error = check(&settings, expected, Duration::from_secs(3)).await.unwrap_err();
    assert_eq!(error.name(), "kafka-unreachable", "{error}");
    assert!(error.is_retryable());
}

pub(crate) async fn r44_missing_topics_are_named_and_not_created(stage: &mut Stage) {
    let mut route = stage.route().await;
    let there = route.topic.clone();
    "travel.with.dots".clone_into(&mut route.topic);
    let topics = vec![there, route.topic.clone()];
    for _ in 0..2 {
        let expected = Expected { topics: topics.clone(), partitions: 3 };
        let error = check(&stage.settings(), expected, LIMIT).await.unwrap_err();
        let missing =
            CheckError::MissingTopics { topics: vec![route.topic.clone()], partitions: 3 };
        assert_eq!(error, missing);
        let sent = stage.producer().publish(message(&route, 0, "fine")).await;
        assert!(matches!(sent, Err(PublishError::Refused { .. })), "{sent:?}");
    }
}

pub(crate) async fn r44_a_wrong_number_of_partitions_is_named(stage: &mut Stage) {
    let route = stage.route().await;
    let expected = Expected { topics: vec![route.topic.clone()], partitions: 5 };
    let error = check(&stage.settings(), expected, LIMIT).await.unwrap_err();
    let topics = vec![Partitions { topic: route.topic, found: 3 }];
    assert_eq!(error, CheckError::WrongPartitions { topics, expected: 5 });
}

pub(crate) async fn r55_a_user_without_rights_is_named(stage: &mut Stage) {
    let route = stage.route().await;
    let settings = stage.settings_of(stage.kafka.stranger(), Mechanism::ScramSha512);
    let expected = Expected { topics: vec![route.topic.clone()], partitions: 3 };
    let error = check(&settings, expected, LIMIT).await.unwrap_err();
    assert_eq!(error.name(), "kafka-not-allowed", "{error}");
}

pub(crate) async fn r54_tls_works_with_each_mechanism_and_a_stranger_is_not_trusted(
    stage: &mut Stage,
) {
    let route = stage.route().await;
    let expected = Expected { topics: vec![route.topic.clone()], partitions: 3 };
    for mechanism in [Mechanism::ScramSha512, Mechanism::ScramSha256, Mechanism::Plain] {
        let mut settings = stage.settings_of(stage.kafka.app(), mechanism);
        settings.brokers = vec![stage.kafka.tls_address()];
        settings.tls = Some(Tls { ca_file: Some(stage.kafka.ca_file()) });
        assert_eq!(check(&settings, expected.clone(), LIMIT).await, Ok(()), "{mechanism:?}");
        let producer = KafkaProducer::new(&settings).unwrap();
        producer.publish(message(&route, 0, "fine")).await.unwrap();
    }
    let mut settings = stage.settings();
    settings.brokers = vec![stage.kafka.tls_address()];
    settings.tls = Some(Tls { ca_file: None });
    let error = check(&settings, expected, LIMIT).await.unwrap_err();
    assert_eq!(error.name(), "kafka-tls", "{error}");
}
