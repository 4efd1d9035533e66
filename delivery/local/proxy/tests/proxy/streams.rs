use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use mercurious_proxy::Drained;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    drains::told,
    stage::{BOUND, Body, Stage, bounded, full, get, http2, id},
};

/// The next event is sent only when the one before has been seen, so buffering anywhere would stop it.
#[tokio::test]
async fn events_arrive_one_by_one_over_both_protocols() {
    let stage = Stage::new();
    let (part, body) = told();
    let (second_part, second_body) = told();
    let bodies = Arc::new(Mutex::new(vec![second_body, body]));
    let upstream = stage
        .upstream(move |_| {
            let body = bodies.lock().unwrap().pop().unwrap();
            async move {
                Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
            }
        })
        .await;
    stage.pool.insert(id("a"), upstream.address);
    let mut client = stage.client().await;
    let first = client.send(get("/")).await;
    let mut second = http2(stage.address, &stage.tasks).await;
    let request = Request::get("http://a/").body(full("")).unwrap();
    let other = bounded("the head", second.send_request(request)).await.unwrap();
    for (part, mut response) in [(part, first), (second_part, other)] {
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        for event in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
            part.send(event).unwrap();
            let frame = bounded("the event", response.frame()).await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), event);
        }
        drop(part);
        let rest = bounded("the end", response.into_body().collect()).await.unwrap();
        assert_eq!(rest.to_bytes(), "");
    }
}

#[tokio::test]
async fn a_request_body_streams_while_its_answer_does() {
    let stage = Stage::new();
    let echo = stage
        .upstream(|request: Request<Incoming>| async move {
            let body = request.into_body().map_err(|_| unreachable!("clients here end well"));
            Response::new(BodyExt::boxed(body))
        })
        .await;
    stage.pool.insert(id("echo"), echo.address);
    let (part, body) = told();
    let request = Request::post("/").header("host", "a").body(body).unwrap();
    let mut client = stage.client().await;
    let mut response = client.send(request).await;
    for text in ["one", "two"] {
        part.send(text).unwrap();
        let frame = bounded("the echo", response.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), text);
    }
    drop(part);
    assert!(bounded("the end", response.frame()).await.is_none());
}

#[tokio::test]
async fn a_server_is_held_back_by_a_client_that_does_not_read() {
    const PARTS: usize = 4096;
    static PART: [u8; 64 * 1024] = [b'x'; 64 * 1024];
    let stage = Stage::new();
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let upstream = stage
        .upstream(move |_| {
            let count = Arc::clone(&count);
            async move {
                let parts = futures::stream::iter(0..PARTS).map(move |_| {
                    count.fetch_add(1, Ordering::SeqCst);
                    Ok::<_, Infallible>(Frame::data(Bytes::from_static(&PART)))
                });
                Response::new(BodyExt::boxed(StreamBody::new(parts)))
            }
        })
        .await;
    stage.pool.insert(id("a"), upstream.address);
    let mut response = stage.client().await.send(get("/")).await;
    let mut read = 0;
    while let Some(frame) = bounded("a part", response.frame()).await {
        read += frame.unwrap().into_data().unwrap().len();
        // Between them: what the system's and the servers' buffers hold, less than the whole of 256 MiB.
        let ahead = made.load(Ordering::SeqCst) * PART.len() - read;
        assert!(ahead < 128 * 1024 * 1024, "{ahead} bytes ahead of {read}");
    }
    assert_eq!(read, PARTS * PART.len());
}

#[tokio::test]
async fn trailers_pass() {
    let stage = Stage::new();
    let upstream = stage
        .upstream(|request: Request<Incoming>| async move {
            let sent = request.into_body().collect().await.unwrap();
            let mut trailers = sent.trailers().cloned().unwrap_or_default();
            trailers.insert("x-own", HeaderValue::from_static("o"));
            let frames = [Ok(Frame::data(sent.to_bytes())), Ok(Frame::trailers(trailers))];
            let body: Body = BodyExt::boxed(StreamBody::new(futures::stream::iter(frames)));
            Response::builder().header("trailer", "x-sent, x-own").body(body).unwrap()
        })
        .await;
    stage.pool.insert(id("a"), upstream.address);
    let sent = HeaderMap::from_iter([("x-sent".parse().unwrap(), HeaderValue::from_static("s"))]);
    let frames = [Ok(Frame::data(Bytes::from("body"))), Ok(Frame::trailers(sent))];
    let body: Body = BodyExt::boxed(StreamBody::new(futures::stream::iter(frames)));
    let request = Request::post("/")
        .header("host", "a")
        .header("te", "trailers")
        .header("trailer", "x-sent")
        .body(body)
        .unwrap();
    let answer = stage.client().await.send(request).await;
    let answer = bounded("the body", answer.into_body().collect()).await.unwrap();
    let trailers = answer.trailers().expect("trailers").clone();
    assert_eq!(
        (&trailers["x-sent"], &trailers["x-own"]),
        (&"s".parse().unwrap(), &"o".parse().unwrap())
    );
    assert_eq!(answer.to_bytes(), "body");
}

async fn echo_tunnel(stage: &Stage) -> crate::stage::Upstream {
    let tasks = stage.tasks.clone();
    stage
        .upstream(move |mut request: Request<Incoming>| {
            let tasks = tasks.clone();
            async move {
                assert_eq!(request.headers()["upgrade"], "echo");
                assert_eq!(request.headers()["connection"], "upgrade");
                let upgrade = hyper::upgrade::on(&mut request);
                tasks.spawn("echo", async move {
                    let mut stream = TokioIo::new(upgrade.await.unwrap());
                    let mut buffer = [0; 1024];
                    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                        stream.write_all(&buffer[..count]).await.unwrap();
                    }
                    let _ = stream.shutdown().await;
                });
                Response::builder()
                    .status(StatusCode::SWITCHING_PROTOCOLS)
                    .header("connection", "upgrade")
                    .header("upgrade", "echo")
                    .body(full(""))
                    .unwrap()
            }
        })
        .await
}

const UPGRADE: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: echo\r\n\r\n";

#[tokio::test]
async fn an_upgraded_connection_passes_both_ways_and_a_drain_waits_for_it() {
    let stage = Stage::new();
    let upstream = echo_tunnel(&stage).await;
    stage.pool.insert(id("a"), upstream.address);
    let mut wire = stage.wire().await;
    wire.send(UPGRADE).await;
    let head = wire.read_until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("upgrade: echo\r\n"), "{head}");
    for text in ["one", "two"] {
        wire.send(text).await;
        wire.read_until(text).await;
    }
    assert_eq!(stage.pool.snapshot().endpoints[0].in_flight, 1);
    let drained = stage.pool.drain(&id("a"), BOUND);
    wire.send("three").await;
    wire.read_until("three").await;
    wire.0.shutdown().await.unwrap();
    assert_eq!(wire.read_to_end().await, "");
    assert_eq!(bounded("the drain", drained).await, Drained::Quiet);
}

#[tokio::test]
async fn a_drains_deadline_ends_an_upgraded_connection() {
    let stage = Stage::new();
    let upstream = echo_tunnel(&stage).await;
    stage.pool.insert(id("a"), upstream.address);
    let mut wire = stage.wire().await;
    wire.send(UPGRADE).await;
    wire.read_until("\r\n\r\n").await;
    wire.send("x").await;
    wire.read_until("x").await;
    let drained = stage.pool.drain(&id("a"), Duration::ZERO);
    assert_eq!(bounded("the drain", drained).await, Drained::CutShort(1));
    assert_eq!(wire.read_to_end().await, "");
}

#[tokio::test]
async fn an_instance_that_does_not_upgrade_answers_plainly() {
    let stage = Stage::new();
    let upstream = stage.named("plain").await;
    stage.pool.insert(id("a"), upstream.address);
    let mut wire = stage.wire().await;
    wire.send(UPGRADE).await;
    let text = wire.read_until("plain:").await;
    assert!(text.starts_with("HTTP/1.1 200 ") && !text.contains("upgrade"), "{text}");
}
