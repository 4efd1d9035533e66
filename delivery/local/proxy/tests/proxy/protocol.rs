use std::{sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::body::Incoming;
use mercurious_proxy::ProxySettings;
use tokio::{io::AsyncWriteExt, sync::mpsc};

use crate::stage::{Stage, Upstream, bounded, full, http2, id, read, read_head};

/// A server that tells the heads that it reads, and the bytes behind them.
async fn reporting(stage: &Stage) -> (Upstream, mpsc::UnboundedReceiver<String>) {
    let (send, receive) = mpsc::unbounded_channel();
    let upstream = Upstream::raw(&stage.tasks, Arc::default(), move |mut stream| {
        let send = send.clone();
        async move {
            while let Some(mut head) = read_head(&mut stream).await {
                head.make_ascii_lowercase();
                if head.contains("transfer-encoding: chunked") {
                    let mut wire = crate::stage::Wire(stream);
                    head += &wire.read_until("0\r\n\r\n").await;
                    stream = wire.0;
                }
                send.send(head).unwrap();
                let answer = b"HTTP/1.1 200 OK\r\nconnection: x-hop\r\nx-hop: 1\r\n\
                    keep-alive: timeout=5\r\nx-end: 2\r\ncontent-length: 2\r\n\r\nok";
                stream.write_all(answer).await.unwrap();
            }
        }
    })
    .await;
    stage.pool.insert(id("reporting"), upstream.address);
    (upstream, receive)
}

#[tokio::test]
async fn fields_of_one_connection_stay_and_who_asks_is_said_by_the_proxy() {
    let stage = Stage::new();
    let (_upstream, mut heads) = reporting(&stage).await;
    let mut wire = stage.wire().await;
    wire.send(
        "GET http://Shop.test:81/a?b=c HTTP/1.1\r\nHost: other\r\nConnection: X-Mine, keep-alive\r\nX-Mine: 1\r\n\
         Keep-Alive: 5\r\nProxy-Connection: x\r\nProxy-Authorization: x\r\nTE: gzip\r\nExpect: 100-continue\r\nX-Forwarded-For: 9.9.9.9\r\n\
         X-Forwarded-For: 8.8.8.8\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Prefix: /p\r\nX-Real-IP: 9.9.9.9\r\n\
         Forwarded: for=9.9.9.9\r\nX-Kept: yes\r\n\r\n",
    )
    .await;
    let answer = wire.read_until("\r\n\r\nok").await.to_ascii_lowercase();
    let head = bounded("the head", heads.recv()).await.unwrap();
    let mut lines: Vec<_> = head.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "get /a?b=c http/1.1");
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "forwarded: for=127.0.0.1;host=\"shop.test:81\";proto=http",
            "host: shop.test:81",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: shop.test:81",
            "x-forwarded-proto: http",
            "x-kept: yes",
        ]
    );
    assert!(
        answer.contains("x-end: 2") && !answer.contains("hop") && !answer.contains("keep-alive")
    );
}

/// RFC 9112, 6.1: such a request may be read by its chunks alone, and its connection must close after it. The server behind
/// sees one request, framed anew, and nothing of what a client hid behind its length.
#[tokio::test]
async fn a_request_of_two_lengths_cannot_smuggle_another() {
    for (first, second) in [
        ("Content-Length: 4", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 4"),
    ] {
        let stage = Stage::new();
        let (upstream, mut heads) = reporting(&stage).await;
        let mut wire = stage.wire().await;
        let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
        wire.send(&format!(
            "POST / HTTP/1.1\r\nHost: a\r\n{first}\r\n{second}\r\n\r\n0\r\n\r\n{hidden}"
        ))
        .await;
        let answer = wire.read_to_end().await;
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        stage.pool.remove(&id("reporting"));
        upstream.closed().await;
        upstream.kill();
        drop(upstream);
        let head = heads.recv().await.unwrap();
        assert!(!head.contains("content-length"), "{head}");
        assert!(head.ends_with("\r\n\r\n0\r\n\r\n"), "{head}");
        assert!(heads.try_recv().is_err(), "one request");
    }
}

#[tokio::test]
async fn requests_whose_end_or_host_is_in_doubt_are_refused() {
    let stage = Stage::new();
    let upstream = stage.named("a").await;
    stage.pool.insert(id("a"), upstream.address);
    let many = "x: y\r\n".repeat(200);
    let large = format!("x: {}\r\n", "y".repeat(70_000));
    for (request, status) in [
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", "400"),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", "400"),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"),
        ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\";x=\"\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", "400"),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", "405"),
        (&format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), "431"),
        (&format!("GET / HTTP/1.1\r\nHost: a\r\n{large}\r\n"), "431"),
    ] {
        let mut wire = stage.wire().await;
        wire.send(request).await;
        let line = wire.read_until("\r\n").await;
        assert_eq!(line.split(' ').nth(1), Some(status), "{line:?} to {request:.120?}");
    }
    assert_eq!(upstream.requests(), 0);
}

#[tokio::test]
async fn http2_with_prior_knowledge_shares_the_port() {
    let stage = Stage::new();
    let upstream = stage
        .upstream(|request: Request<Incoming>| async move {
            let host = request.headers()["host"].to_str().unwrap().to_owned();
            Response::new(full(format!("{:?} {host} {}", request.version(), request.uri())))
        })
        .await;
    stage.pool.insert(id("a"), upstream.address);
    let mut client = http2(stage.address, &stage.tasks).await;
    let mut answers = Vec::new();
    for number in 0..20 {
        let request = Request::get(format!("http://shop.test/{number}")).body(full("")).unwrap();
        client.ready().await.unwrap();
        answers.push(client.send_request(request));
    }
    for (number, answer) in futures::future::join_all(answers).await.into_iter().enumerate() {
        let (status, text) = read(answer.unwrap()).await;
        assert_eq!((status, text), (200, format!("HTTP/1.1 shop.test /{number}")));
    }
    assert_eq!(stage.proxy.snapshot().connections, 1);
    assert_eq!(stage.client().await.get("/").await.1, "HTTP/1.1 shop.test /");
}

#[tokio::test]
async fn a_body_is_asked_for_once_an_instance_is_there_for_it() {
    let stage = Stage::new();
    let upstream = stage.named("a").await;
    let mut wire = stage.wire().await;
    wire.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        .await;
    while stage.pool.snapshot().waiting == 0 {
        tokio::task::yield_now().await;
    }
    stage.pool.insert(id("a"), upstream.address);
    assert_eq!(wire.read_until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    wire.send("body").await;
    assert!(wire.read_until("a:body").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn heads_and_old_clients_are_answered_in_their_way() {
    let stage = Stage::new();
    let upstream = stage
        .upstream(|_| async {
            Response::builder().header("content-length", "12").body(full("twelve bytes")).unwrap()
        })
        .await;
    stage.pool.insert(id("a"), upstream.address);
    let mut wire = stage.wire().await;
    for _ in 0..2 {
        wire.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(wire.read_until("\r\n\r\n").await.contains("content-length: 12"));
    }
    let mut old = stage.wire().await;
    old.send("GET / HTTP/1.0\r\n\r\n").await;
    let text = old.read_to_end().await;
    assert!(text.starts_with("HTTP/1.0 200") && text.ends_with("twelve bytes"), "{text}");
}

#[tokio::test]
async fn slow_heads_and_silent_clients_are_closed() {
    let settings = ProxySettings {
        request_header_timeout: Duration::from_millis(50),
        client_idle_timeout: Duration::from_millis(50),
        ..ProxySettings::default()
    };
    let stage = Stage::with(settings);
    let (mut silent, mut slow, mut second) =
        (stage.wire().await, stage.wire().await, stage.wire().await);
    slow.send("GET / HTTP/1.1\r\nHost:").await;
    second.send("PRI * HTTP/2.0\r\n\r\nSM").await;
    silent.read_to_end().await;
    slow.read_to_end().await;
    second.read_to_end().await;
    while stage.proxy.snapshot().connections > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_a_place() {
    let stage = Stage::with(ProxySettings { client_connections: 1, ..ProxySettings::default() });
    let upstream = stage.named("a").await;
    stage.pool.insert(id("a"), upstream.address);
    let mut first = stage.client().await;
    assert_eq!(first.get("/").await.0, 200);
    let mut second = stage.client().await;
    let queued = async { second.get("/").await };
    let leave = async {
        assert_eq!(first.get("/").await.0, 200, "the first is served while the second waits");
        assert_eq!(stage.proxy.snapshot().connections, 1);
        drop(first);
    };
    let (answer, ()) = tokio::join!(queued, leave);
    assert_eq!(answer.0, 200);
}
