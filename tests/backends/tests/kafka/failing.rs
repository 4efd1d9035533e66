use std::{sync::Arc, time::Duration};

use mercurious_messaging::Producer as _;
use mercurious_runtime::Tasks;

use crate::stage::{Running, Seen, Stage, message, wait};

pub(crate) async fn a_broker_killed_at_work_loses_nothing(stage: &mut Stage) {
    const COUNT: usize = 600;
    let route = stage.route().await;
    let seen = Arc::new(Seen { work: Duration::from_millis(2), ..Seen::default() });
    let running = Running::start(stage, &route, "killed", &seen);
    let producer = stage.producer();
    let tasks = Tasks::new();
    let published = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (counter, to) = (Arc::clone(&published), route.clone());
    tasks.spawn("publisher", async move {
        for number in 0..COUNT {
            while let Err(error) = producer.publish(message(&to, number, "fine")).await {
                assert!(error.is_retryable(), "{error}");
            }
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    });
    let at = |count: usize| {
        let published = Arc::clone(&published);
        move || published.load(std::sync::atomic::Ordering::Relaxed) >= count
    };
    for kill in [150, 350] {
        wait("it is at work", at(kill)).await;
        stage.kafka.kill();
        stage.kafka.start_again().unwrap();
    }
    wait("all are published", at(COUNT)).await;
    wait("all are handled", || seen.effects.lock().unwrap().len() == COUNT).await;
    running.stop().await;
    assert_eq!(tasks.shut_down(Duration::from_secs(10)).await, 0);
}
