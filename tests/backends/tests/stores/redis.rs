use std::{sync::Arc, time::Duration};

use mercurious_api_gateway::{
    limits::{Limits as _, LocalLimits, Rate, Verdict},
    metrics::Metrics,
    redis::{Redis, RedisError, RedisLimits, RedisNews},
    service::{Hub, News as _},
    settings::SecretUrl,
};
use mercurious_backends::or_skip;
use mercurious_runtime::{SystemClock, Tasks};

use crate::tests::fixtures::job_id;

fn server() -> Option<mercurious_backends::Redis> {
    or_skip(mercurious_backends::Redis::start)
}

async fn limits(server: &mercurious_backends::Redis, rate: Rate) -> (RedisLimits, Arc<Metrics>) {
    let redis = Redis::connect(&SecretUrl::new(&server.url())).await.unwrap();
    let metrics = Arc::new(Metrics::new());
    let alone = LocalLimits::new(rate, Arc::new(SystemClock));
    (RedisLimits::new(redis, rate, alone, Arc::clone(&metrics)), metrics)
}

#[tokio::test]
async fn replicas_share_a_burst() {
    let Some(mut server) = server() else { return };
    let rate = Rate { per_second: 0.01, burst: 10 };
    let (one, of_one) = limits(&server, rate).await;
    let (other, of_other) = limits(&server, rate).await;
    for number in 0..10 {
        let replica = if number % 2 == 0 { &one } else { &other };
        assert_eq!(replica.take("a").await, Verdict::Allowed, "{number}");
    }
    for (replica, metrics) in [(&one, &of_one), (&other, &of_other)] {
        let Verdict::Wait(time) = replica.take("a").await else { panic!("allowed") };
        assert!(time <= Duration::from_secs(100) && time > Duration::from_secs(50), "{time:?}");
        assert_eq!(metrics.limits_alone.get(), 0, "judged by Redis");
    }
    assert_eq!(one.take("b").await, Verdict::Allowed);

    server.kill();
    assert_eq!(one.take("a").await, Verdict::Allowed, "without Redis each replica has its own");
    assert_eq!(of_one.limits_alone.get(), 1);
}

#[tokio::test]
async fn a_replica_hears_what_another_one_announces() {
    let Some(server) = server() else { return };
    let url = SecretUrl::new(&server.url());
    let one = RedisNews::new(Redis::connect(&url).await.unwrap());
    let other = RedisNews::new(Redis::connect(&url).await.unwrap());
    let (hub, tasks) = (Hub::default(), Tasks::new());
    let mut follow = hub.follow(job_id(1));
    let stop = tasks.stopping();
    tasks.spawn("one", async move {
        let nobody = Hub::default();
        // Announced again until it is heard: the listener may begin later.
        let announce = async {
            loop {
                one.announce(job_id(1), 7);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = one.listen(&nobody, stop.clone()) => {}
            () = announce => {}
        }
    });
    let (heard, stop) = (hub.clone(), tasks.stopping());
    tasks.spawn("other", async move { other.listen(&heard, stop).await });
    tokio::time::timeout(Duration::from_secs(30), follow.beyond(6)).await.unwrap();
    assert_eq!(tasks.shut_down(Duration::from_secs(10)).await, 0);
}

#[tokio::test]
async fn r46_a_wrong_or_missing_password_has_a_name_and_is_not_shown() {
    let Some(mut server) = server() else { return };
    let password = server.url().split_once('@').unwrap().0.to_owned();
    let without = server.url().replace(&format!("{password}@"), "redis://");
    for url in [server.url_with("wr0ng"), without] {
        let error = Redis::connect(&SecretUrl::new(&url)).await.unwrap_err();
        assert!(matches!(error, RedisError::Refused { .. }), "{error:?}");
        assert!(!error.to_string().contains("wr0ng"), "{error}");
    }
    server.kill();
    let error = Redis::connect(&SecretUrl::new(&server.url())).await.unwrap_err();
    assert!(matches!(error, RedisError::Unavailable { .. }), "{error:?}");
}
