use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use mercurious_proxy::Drained;
use tokio::sync::{Notify, mpsc};

use crate::stage::{BOUND, Body, Stage, bounded, full, get, id, read};

/// A body whose parts come when told.
pub(crate) fn told() -> (mpsc::UnboundedSender<&'static str>, Body) {
    let (send, receive) = mpsc::unbounded_channel();
    let parts = futures::stream::unfold(receive, |mut receive| async move {
        let part: &'static str = receive.recv().await?;
        Some((Ok(Frame::data(Bytes::from(part))), receive))
    });
    (send, BodyExt::boxed(SyncStream(std::sync::Mutex::new(StreamBody::new(parts).boxed_unsync()))))
}

struct SyncStream(
    std::sync::Mutex<http_body_util::combinators::UnsyncBoxBody<Bytes, std::convert::Infallible>>,
);

impl http_body::Body for SyncStream {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut inner = self.0.lock().unwrap();
        std::pin::Pin::new(&mut *inner).poll_frame(context)
    }
}

#[tokio::test]
async fn a_drain_lets_a_slow_request_of_two_phases_end() {
    let stage = Stage::new();
    let (at_head, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (part, body) = told();
    let body = Arc::new(std::sync::Mutex::new(Some(body)));
    let (reached, released) = (Arc::clone(&at_head), Arc::clone(&go_on));
    let slow = stage
        .upstream(move |_| {
            let (reached, released) = (Arc::clone(&reached), Arc::clone(&released));
            let body = body.lock().unwrap().take().unwrap();
            async move {
                reached.notify_one();
                released.notified().await;
                Response::new(body)
            }
        })
        .await;
    let quick = stage.named("quick").await;
    stage.pool.insert(id("slow"), slow.address);

    let mut client = stage.client().await;
    let drain = {
        let answer = client.send(get("/"));
        tokio::pin!(answer);
        tokio::select! {
            _ = answer.as_mut() => panic!("answered before it was told"),
            () = bounded("the request", at_head.notified()) => {}
        }
        stage.pool.insert(id("quick"), quick.address);
        let mut drain = Box::pin(stage.pool.drain(&id("slow"), BOUND));
        assert!(drain.as_mut().now_or_never().is_none(), "one is in flight");
        assert_eq!(stage.client().await.get("/").await.1, "quick:");
        go_on.notify_one();
        let response = answer.await;
        assert!(drain.as_mut().now_or_never().is_none(), "its body is still to come");
        part.send("first").unwrap();
        part.send("last").unwrap();
        drop(part);
        assert_eq!(read(response).await, (200, "firstlast".to_owned()));
        drain
    };
    assert_eq!(bounded("the drain", drain).await, Drained::Quiet);
    slow.closed().await;
    assert_eq!(slow.requests(), 1);
    assert_eq!(client.get("/").await.1, "quick:", "the client's connection lives on");
}

#[tokio::test]
async fn idle_connections_to_a_drained_instance_are_closed() {
    let stage = Stage::new();
    let upstream = stage.named("a").await;
    stage.pool.insert(id("a"), upstream.address);
    let mut client = stage.client().await;
    for _ in 0..5 {
        client.get("/").await;
    }
    assert_eq!(upstream.open(), 1, "one connection carried all, and is kept");
    assert_eq!(stage.pool.snapshot().endpoints[0].connections, 1);
    assert_eq!(bounded("the drain", stage.pool.drain(&id("a"), BOUND)).await, Drained::Quiet);
    assert_eq!(stage.pool.snapshot().endpoints[0].connections, 0);
    upstream.closed().await;
}

#[tokio::test]
async fn a_stream_ends_cleanly_when_the_drains_deadline_has_passed() {
    let stage = Stage::new();
    let (part, body) = told();
    let body = Arc::new(std::sync::Mutex::new(Some(body)));
    let events = stage
        .upstream(move |_| {
            let body = body.lock().unwrap().take().unwrap();
            async move { Response::new(body) }
        })
        .await;
    stage.pool.insert(id("events"), events.address);
    let mut wire = stage.wire().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    part.send("data: one\n\n").unwrap();
    wire.read_until("data: one\n\n\r\n").await;

    let next = stage.named("next").await;
    stage.pool.insert(id("next"), next.address);
    let drained = stage.pool.drain(&id("events"), Duration::ZERO);
    assert_eq!(bounded("the drain", drained).await, Drained::CutShort(1));
    assert_eq!(
        wire.read_until("0\r\n\r\n").await,
        "0\r\n\r\n",
        "the last chunk, as in a whole answer"
    );
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(wire.read_until("next:").await.ends_with("next:"), "and the connection lives on");
    events.closed().await;
}

#[tokio::test]
async fn an_answer_of_announced_length_cut_short_is_seen_to_be_incomplete() {
    let stage = Stage::new();
    let (part, body) = told();
    let body = Arc::new(std::sync::Mutex::new(Some(body)));
    let upstream = stage
        .upstream(move |_| {
            let body = body.lock().unwrap().take().unwrap();
            async move { Response::builder().header("content-length", 10).body(body).unwrap() }
        })
        .await;
    stage.pool.insert(id("a"), upstream.address);
    let mut client = stage.client().await;
    let mut response = client.send(get("/")).await;
    part.send("12345").unwrap();
    let first = bounded("a part", response.frame()).await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "12345");
    let drained = stage.pool.drain(&id("a"), Duration::ZERO);
    assert_eq!(bounded("the drain", drained).await, Drained::CutShort(1));
    assert!(bounded("the end", response.into_body().collect()).await.is_err());
    assert_eq!(stage.pool.snapshot().counters.failures.cut, 1);
}

/// Without an answer yet, a GET moves to the next instance and a POST cannot.
#[tokio::test]
async fn past_the_deadline_a_get_moves_on_and_a_post_fails() {
    let stage = Stage::new();
    let arrived = Arc::new(tokio::sync::Semaphore::new(0));
    let seen = Arc::clone(&arrived);
    let stuck = stage
        .upstream(move |_| {
            seen.add_permits(1);
            std::future::pending()
        })
        .await;
    stage.pool.insert(id("stuck"), stuck.address);
    let (mut reader, mut writer) = (stage.client().await, stage.client().await);
    let next = stage.named("next").await;
    let swap = async {
        arrived.acquire_many(2).await.unwrap().forget();
        stage.pool.insert(id("next"), next.address);
        stage.pool.drain(&id("stuck"), Duration::ZERO).await
    };
    let (got, posted, drained) = tokio::join!(reader.get("/"), writer.post("/", "x"), swap);
    assert_eq!(got, (200, "next:".to_owned()));
    assert_eq!(posted.0, 502);
    assert!(posted.1.contains("was stopped before it answered"), "{}", posted.1);
    assert_eq!(drained, Drained::CutShort(2));
    assert_eq!(next.requests(), 1);
}

#[tokio::test]
async fn draining_what_is_not_there_says_so_and_a_name_may_come_back() {
    let stage = Stage::new();
    assert_eq!(stage.pool.drain(&id("a"), BOUND).await, Drained::Unknown);
    assert!(!stage.pool.remove(&id("a")));
    let (first, second) = (stage.named("first").await, stage.named("second").await);
    stage.pool.insert(id("a"), first.address);
    assert_eq!(stage.client().await.get("/").await.1, "first:");
    let drained = stage.pool.drain(&id("a"), BOUND);
    stage.pool.insert(id("a"), second.address);
    assert_eq!(bounded("the drain", drained).await, Drained::Quiet);
    assert_eq!(stage.client().await.get("/").await.1, "second:");
}

#[tokio::test]
async fn the_least_busy_is_chosen_and_equals_take_turns() {
    let stage = Stage::new();
    let (held, body) = told();
    let body = Arc::new(std::sync::Mutex::new(Some(body)));
    let answer = move |name: &'static str| {
        let body = Arc::clone(&body);
        move |request: Request<hyper::body::Incoming>| {
            let held = (request.uri().path() == "/hold").then(|| body.lock().unwrap().take());
            async move { Response::new(held.flatten().unwrap_or_else(|| full(name))) }
        }
    };
    let (a, b) = (stage.upstream(answer("a")).await, stage.upstream(answer("b")).await);
    stage.pool.insert(id("a"), a.address);
    stage.pool.insert(id("b"), b.address);
    let mut client = stage.client().await;
    let turns =
        futures::stream::iter(0..4).fold((client, String::new()), |(mut c, all), _| async {
            let (_, name) = c.get("/").await;
            (c, all + &name)
        });
    let turns = turns.await;
    client = turns.0;
    assert_eq!(turns.1, "abab");
    let mut holding = stage.client().await;
    let response = holding.send(get("/hold")).await;
    for _ in 0..4 {
        assert_eq!(client.get("/").await.1, "b", "a is busy");
    }
    drop(held);
    read(response).await;
}
