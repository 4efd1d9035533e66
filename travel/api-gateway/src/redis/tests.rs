use std::{sync::Arc, time::Duration};

use mercurious_runtime::{SystemClock, Tasks};

use super::{Redis, RedisError, RedisLimits, RedisNews};
use crate::{
    limits::{Limits as _, LocalLimits, Rate, Verdict},
    metrics::Metrics,
    service::{Hub, News as _},
    settings::SecretUrl,
    tests::{fixtures::job_id, servers},
};

fn url(port: u16, password: &str) -> SecretUrl {
    SecretUrl::new(&format!("redis://:{password}@127.0.0.1:{port}"))
}

fn limits(redis: Redis, rate: Rate) -> RedisLimits {
    let alone = LocalLimits::new(rate, Arc::new(SystemClock));
    RedisLimits::new(redis, rate, alone, Arc::new(Metrics::new()))
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn replicas_share_a_burst() {
    let server = servers::redis("s3cret");
    let url = url(server.port, "s3cret");
    let rate = Rate { per_second: 0.01, burst: 10 };
    let one = limits(Redis::connect(&url).await.unwrap(), rate);
    let other = limits(Redis::connect(&url).await.unwrap(), rate);
    for number in 0..10 {
        let replica = if number % 2 == 0 { &one } else { &other };
        assert_eq!(replica.take("a").await, Verdict::Allowed, "{number}");
    }
    for replica in [&one, &other] {
        let Verdict::Wait(time) = replica.take("a").await else { panic!("allowed") };
        assert!(time <= Duration::from_secs(100) && time > Duration::from_secs(50), "{time:?}");
        assert_eq!(replica.metrics.limits_alone.get(), 0, "judged by Redis");
    }
    assert_eq!(one.take("b").await, Verdict::Allowed);

    drop(server);
    assert_eq!(one.take("a").await, Verdict::Allowed, "without Redis each replica has its own");
    assert_eq!(one.metrics.limits_alone.get(), 1);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_replica_hears_what_another_one_announces() {
    let server = servers::redis("s3cret");
    let url = url(server.port, "s3cret");
    let one = RedisNews::new(Redis::connect(&url).await.unwrap());
    let other = RedisNews::new(Redis::connect(&url).await.unwrap());
    let (hub, tasks) = (Hub::default(), Tasks::new());
    let mut follow = hub.follow(job_id(1));
    let stop = tasks.stopping();
    tasks.spawn("one", async move {
        // Announced again until it is heard: the listener may begin later.
        let announce = async {
            loop {
                one.announce(job_id(1), 7);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = one.listen(&Hub::default(), stop.clone()) => {}
            () = announce => {}
        }
    });
    let (heard, stop) = (hub.clone(), tasks.stopping());
    tasks.spawn("other", async move { other.listen(&heard, stop).await });
    tokio::time::timeout(Duration::from_secs(30), follow.beyond(6)).await.unwrap();
    assert_eq!(tasks.shut_down(Duration::from_secs(10)).await, 0);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn r46_a_wrong_or_missing_password_has_a_name_and_is_not_shown() {
    let server = servers::redis("s3cret");
    for url in
        [url(server.port, "wr0ng"), SecretUrl::new(&format!("redis://127.0.0.1:{}", server.port))]
    {
        let error = Redis::connect(&url).await.unwrap_err();
        assert!(matches!(error, RedisError::Refused { .. }), "{error:?}");
        assert!(!error.to_string().contains("wr0ng"), "{error}");
    }
    let nobody = url(servers::free_port(), "s3cret");
    let error = Redis::connect(&nobody).await.unwrap_err();
    assert!(matches!(error, RedisError::Unavailable { .. }), "{error:?}");
}
