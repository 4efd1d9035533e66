use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Request, Response};
use mercurious_proxy::ProxySettings;
use tokio::{io::AsyncWriteExt, net::TcpListener};

use crate::stage::{Stage, Upstream, bounded, full, id, nobody, read_head};

#[tokio::test]
async fn a_post_to_an_instance_that_refuses_goes_whole_to_another() {
    let stage = Stage::new();
    let upstream = stage.named("a").await;
    stage.pool.insert(id("dead"), nobody().await);
    stage.pool.insert(id("a"), upstream.address);
    let mut client = stage.client().await;
    for _ in 0..4 {
        assert_eq!(client.post("/", "all of it").await, (200, "a:all of it".to_owned()));
    }
    let snapshot = stage.pool.snapshot();
    assert!(snapshot.counters.retries >= 1);
    assert!(snapshot.endpoints[0].resting, "and is left alone for a while");
    assert_eq!(upstream.requests(), 4);
}

#[tokio::test]
async fn a_request_waits_for_an_instance_and_is_then_served() {
    // Longer than the test waits: it is the instance's arrival that ends the wait.
    let wait_for_endpoint = Duration::from_hours(1);
    let stage = Stage::with(ProxySettings { wait_for_endpoint, ..ProxySettings::default() });
    let upstream = stage.named("late").await;
    let mut client = stage.client().await;
    let arrival = async {
        while stage.pool.snapshot().waiting == 0 {
            tokio::task::yield_now().await;
        }
        stage.pool.insert(id("late"), upstream.address);
    };
    let (answer, ()) = tokio::join!(client.post("/", "x"), bounded("the wait", arrival));
    assert_eq!(answer, (200, "late:x".to_owned()));
    assert_eq!(stage.pool.snapshot().counters.waits, 1);
    assert_eq!(stage.pool.snapshot().waiting, 0);
}

#[tokio::test]
async fn an_instance_that_only_starts_to_listen_is_met_again() {
    let stage = Stage::new();
    let address = nobody().await;
    stage.pool.insert(id("starting"), address);
    let mut client = stage.client().await;
    let start = async {
        while !stage.pool.snapshot().endpoints[0].resting {
            tokio::task::yield_now().await;
        }
        let listener = TcpListener::bind(address).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nup").await.unwrap();
    };
    let (answer, ()) = tokio::join!(client.get("/"), bounded("the start", start));
    assert_eq!(answer, (200, "up".to_owned()));
}

#[tokio::test]
async fn after_the_wait_the_client_is_told_why_and_when_to_come_again() {
    let wait_for_endpoint = Duration::from_millis(50);
    let stage = Stage::with(ProxySettings { wait_for_endpoint, ..ProxySettings::default() });
    let mut client = stage.client().await;
    let response = client.send(crate::stage::get("/")).await;
    assert_eq!(response.headers()["retry-after"], "2");
    let (status, text) = crate::stage::read(response).await;
    assert_eq!((status, text.as_str()), (503, "shop/web:80: no instance is ready (waited 50ms)\n"));

    stage.pool.insert(id("dead"), nobody().await);
    let (status, text) = client.get("/").await;
    assert_eq!(status, 503);
    assert!(text.contains("no instance accepts connections"), "{text}");
    assert_eq!(stage.pool.snapshot().counters.failures.unavailable, 2);
}

#[tokio::test]
async fn more_than_may_wait_are_refused_at_once() {
    let stage = Stage::with(ProxySettings { waiting_requests: 1, ..ProxySettings::default() });
    let (mut first, mut second) = (stage.client().await, stage.client().await);
    let upstream = stage.named("a").await;
    let crowd = async {
        while stage.pool.snapshot().waiting == 0 {
            tokio::task::yield_now().await;
        }
        let refused = second.get("/").await;
        stage.pool.insert(id("a"), upstream.address);
        refused
    };
    let (served, refused) = tokio::join!(first.get("/"), bounded("the refusal", crowd));
    assert_eq!(served.0, 200);
    assert_eq!(refused.0, 503);
    assert!(refused.1.contains("1 requests wait for an instance already"), "{}", refused.1);
    assert_eq!(stage.pool.snapshot().counters.failures.crowded, 1);
}

/// Closes kept connections in both nasty ways: right after an answer, and on the next request's arrival.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_closes_kept_connections_at_random_loses_no_get() {
    let stage = Stage::new();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let served = Arc::new(AtomicUsize::new(0));
    let answers = Arc::clone(&served);
    let upstream = Upstream::raw(&stage.tasks, served, move |mut stream| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let answers = Arc::clone(&answers);
        async move {
            for _ in 0..=number % 4 {
                if read_head(&mut stream).await.is_none() {
                    return;
                }
                answers.fetch_add(1, Ordering::SeqCst);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                if stream.write_all(answer).await.is_err() {
                    return;
                }
            }
            if number.is_multiple_of(2) {
                read_head(&mut stream).await;
            }
        }
    })
    .await;
    stage.pool.insert(id("a"), upstream.address);
    let loads = (0..4).map(|_| async {
        let mut client = stage.client().await;
        for _ in 0..200 {
            assert_eq!(client.get("/").await, (200, "ok".to_owned()));
        }
    });
    futures::future::join_all(loads).await;
    assert_eq!(upstream.requests(), 800);
    assert!(connections.load(Ordering::SeqCst) > 100, "connections were closed");
    assert!(stage.pool.snapshot().counters.retries > 0, "some while a request was on its way");
}

/// The server may close a connection that it kept at any moment, and a POST would not survive that.
#[tokio::test]
async fn a_post_takes_no_connection_that_was_idle_for_long() {
    let settings = ProxySettings { unrepeatable_idle: Duration::ZERO, ..ProxySettings::default() };
    let stage = Stage::with(settings);
    let upstream = stage.named("a").await;
    stage.pool.insert(id("a"), upstream.address);
    let mut client = stage.client().await;
    client.get("/").await;
    client.get("/").await;
    assert_eq!(upstream.open(), 1);
    assert_eq!(client.post("/", "x").await, (200, "a:x".to_owned()));
    assert_eq!(upstream.open(), 2);
    client.get("/").await;
    assert_eq!(upstream.open(), 2);
}

#[tokio::test]
async fn a_get_lost_with_its_instance_is_repeated_once_and_a_post_is_not() {
    let stage = Stage::new();
    let heads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heads);
    let crashing = Upstream::raw(&stage.tasks, Arc::default(), move |mut stream| {
        let count = Arc::clone(&count);
        async move {
            if read_head(&mut stream).await.is_some() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
    .await;
    stage.pool.insert(id("crashing"), crashing.address);
    let mut client = stage.client().await;
    let (status, text) = client.post("/", "").await;
    assert_eq!(status, 502);
    assert!(text.contains("broke off before it answered"), "{text}");
    assert_eq!(heads.load(Ordering::SeqCst), 1, "a POST is sent once");
    assert_eq!(client.get("/").await.0, 502);
    assert_eq!(heads.load(Ordering::SeqCst), 3, "a GET twice");

    let well = stage.named("well").await;
    stage.pool.insert(id("well"), well.address);
    for _ in 0..4 {
        assert_eq!(client.get("/").await, (200, "well:".to_owned()));
    }
    assert_eq!(stage.pool.snapshot().counters.failures.broken, 2);
}

#[tokio::test]
async fn an_instance_that_never_answers_is_given_up_on() {
    let response_header_timeout = Duration::from_millis(50);
    let stage = Stage::with(ProxySettings { response_header_timeout, ..ProxySettings::default() });
    let stuck = stage.upstream(|_: Request<_>| std::future::pending()).await;
    stage.pool.insert(id("stuck"), stuck.address);
    let (status, text) = stage.client().await.get("/").await;
    assert_eq!(status, 504);
    assert_eq!(text, "shop/web:80: the instance did not answer within 50ms\n");
    stuck.closed().await;
    assert_eq!(stuck.requests(), 1, "it may still work on it");
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_along() {
    struct Left(Option<tokio::sync::oneshot::Sender<()>>);
    impl Drop for Left {
        fn drop(&mut self) {
            let _ = self.0.take().map(|left| left.send(()));
        }
    }
    let stage = Stage::new();
    let (send, left) = tokio::sync::oneshot::channel();
    let guard = Arc::new(std::sync::Mutex::new(Some(Left(Some(send)))));
    let arrived = Arc::new(tokio::sync::Notify::new());
    let seen = Arc::clone(&arrived);
    let upstream = stage
        .upstream(move |_| {
            let guard = guard.lock().unwrap().take();
            seen.notify_one();
            async move {
                std::future::pending::<()>().await;
                drop(guard);
                Response::new(full(""))
            }
        })
        .await;
    stage.pool.insert(id("a"), upstream.address);
    let mut wire = stage.wire().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    bounded("the request", arrived.notified()).await;
    drop(wire);
    bounded("the server's request ending", left).await.unwrap();
    let drained = stage.pool.drain(&id("a"), crate::stage::BOUND);
    bounded("the drain", drained).await;
}
