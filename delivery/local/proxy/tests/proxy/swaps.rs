use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use mercurious_proxy::Drained;
use tokio::sync::Notify;

use crate::stage::{BOUND, Stage, bounded, http2, id, post, read};

/// Each client keeps its one connection; a lost request panics in it, which the end of the join shows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_swaps_under_load_lose_no_request() {
    let stage = Stage::new();
    let mut current = stage.named("0").await;
    stage.pool.insert(id("0"), current.address);
    let done = Arc::new(AtomicBool::new(false));
    let (answers, progress) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));

    let loads = (0..8).map(|number| {
        let (done, answers) = (Arc::clone(&done), Arc::clone(&answers));
        let (stage, progress) = (&stage, Arc::clone(&progress));
        async move {
            let mut client = stage.client().await;
            let mut second = http2(stage.address, &stage.tasks).await;
            while !done.load(Ordering::SeqCst) {
                let (status, body) = match number % 4 {
                    0 | 1 => client.get("/").await,
                    2 => client.post("/", "sent").await,
                    _ => {
                        let mut request = post("http://shop.test/", "sent");
                        request.headers_mut().clear();
                        second.ready().await.unwrap();
                        read(second.send_request(request).await.unwrap()).await
                    }
                };
                assert_eq!(status, 200, "{body}");
                assert!(body.ends_with(if number % 4 < 2 { ":" } else { ":sent" }), "{body}");
                answers.fetch_add(1, Ordering::SeqCst);
                progress.notify_one();
            }
        }
    });
    let swaps = async {
        for number in 1..=20 {
            let before = answers.load(Ordering::SeqCst);
            while answers.load(Ordering::SeqCst) < before + 50 {
                bounded("progress", progress.notified()).await;
            }
            let next = stage.named("x").await;
            stage.pool.insert(id(&number.to_string()), next.address);
            let old = id(&(number - 1).to_string());
            assert_eq!(bounded("the drain", stage.pool.drain(&old, BOUND)).await, Drained::Quiet);
            // What a SIGTERM then finds: nothing that could be lost, and nothing that comes later.
            let served = current.requests();
            current.closed().await;
            current.kill();
            assert!(stage.pool.remove(&old));
            assert_eq!(current.requests(), served);
            current = next;
        }
        done.store(true, Ordering::SeqCst);
    };
    tokio::join!(join_all(loads), swaps);

    let snapshot = stage.pool.snapshot();
    assert_eq!(snapshot.counters.failures, mercurious_proxy::FailureCounts::default());
    assert_eq!(snapshot.counters.requests as usize, answers.load(Ordering::SeqCst));
    assert_eq!(snapshot.endpoints.len(), 1);
    current.kill();
    assert_eq!(stage.tasks.shut_down(Duration::from_secs(30)).await, 0, "nothing is left over");
}
