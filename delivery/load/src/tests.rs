use std::{net::SocketAddr, time::Duration};

use mercurious_runtime::Tasks;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    EventStream, Load, LoadReport, LoadSettings, TargetError, watch::WatchError,
    watch_until_version,
};

/// A server that treats its n-th connection by `script(n)`: answers, in order, then the connection is closed.
async fn server(tasks: &Tasks, script: fn(usize) -> Vec<&'static str>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let inner = tasks.clone();
    tasks.spawn("server", async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            inner.spawn("answers", answer(stream, script(number)));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, answers: Vec<&'static str>) {
    for answer in answers {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => request.push(byte),
                Err(_) => return,
            }
        }
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

const ONE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\none\n";
const TWO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\ntwo abc\n";
const BAD: &str = "HTTP/1.1 503 Unavailable\r\ncontent-length: 5\r\n\r\nsorry";
const CUT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\none\n";

fn settings(keep_alive_connections: usize, fresh: f64, total: f64) -> LoadSettings {
    LoadSettings {
        keep_alive_connections,
        fresh_per_second: fresh,
        total_per_second: total,
        timeout: Duration::from_secs(5),
    }
}

async fn load_until(
    address: SocketAddr,
    settings: LoadSettings,
    enough: impl Fn(&LoadReport) -> bool,
) -> LoadReport {
    let load = Load::start(&format!("http://{address}/"), settings).unwrap();
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        while !enough(&load.snapshot()) {
            tokio::task::yield_now().await;
        }
    });
    assert!(waited.await.is_ok(), "{:?}", load.snapshot());
    load.stop().await
}

#[tokio::test]
async fn a_connection_closed_between_requests_is_no_failure() {
    let tasks = Tasks::new();
    let address =
        server(&tasks, |number| if number == 0 { vec![ONE, ONE] } else { vec![TWO; 99] }).await;
    let report =
        load_until(address, settings(1, 0.0, 50.0), |report| report.versions.len() == 2).await;
    assert_eq!((report.failed, report.sent), (0, report.ok), "{report:?}");
    assert_eq!(report.versions[0].version, "one");
    assert_eq!(report.versions[0].answers, 2);
    assert_eq!(report.versions[1].version, "two abc");
    assert!(report.versions[0].last <= report.versions[1].first);
    assert!(report.latencies.quantile(0.99) <= report.latencies.longest());
}

#[tokio::test]
async fn each_request_that_is_not_answered_well_is_one_failure() {
    let tasks = Tasks::new();
    let script = |number| match number {
        0 => vec![BAD],
        1 => vec![CUT],
        2 => vec![],
        _ => vec![ONE],
    };
    let address = server(&tasks, script).await;
    let report = load_until(address, settings(0, 100.0, 100.0), |report| report.ok >= 5).await;
    assert_eq!(report.failed, 3, "{report:?}");
    let reasons: Vec<_> = report.failures.iter().map(|failure| failure.reason.as_str()).collect();
    assert!(reasons.contains(&"status 503: sorry"), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.starts_with("answer broken off")), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.starts_with("no answer")), "{reasons:?}");
    assert!(report.failures.iter().all(|failure| failure.is_fresh));
}

#[tokio::test]
async fn nobody_listening_is_a_failure_and_the_load_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let report = load_until(address, settings(2, 50.0, 100.0), |report| report.failed >= 30).await;
    assert_eq!(report.ok, 0);
    assert_eq!(report.failures.len(), 20, "only the first are kept");
    assert!(report.failures[0].reason.starts_with("could not connect"), "{:?}", report.failures[0]);
}

#[tokio::test]
async fn a_version_is_its_line_or_its_first_word() {
    let tasks = Tasks::new();
    let address = server(&tasks, |number| vec![if number < 3 { ONE } else { TWO }]).await;
    let url = format!("http://{address}/");
    watch_until_version(&url, "two", Duration::from_secs(20)).await.unwrap();
    watch_until_version(&url, "two abc", Duration::from_secs(20)).await.unwrap();
    let error = watch_until_version(&url, "tw", Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(&error, WatchError::Deadline { last, .. } if last == "two abc"), "{error}");
}

#[test]
fn only_plain_http_is_a_target() {
    for url in ["https://x/", "x", "/path", ""] {
        let refused = Load::start(url, LoadSettings::default()).map(drop);
        assert_eq!(refused, Err(TargetError::Url { url: url.to_owned() }));
    }
}

const EVENTS: &str =
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n0\r\n\r\n";
const EVENTS_CUT: &str =
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n";

#[tokio::test]
async fn a_stream_that_is_cut_is_told_from_one_that_ends() {
    for (answer, is_clean) in [(EVENTS, true), (EVENTS_CUT, false), (BAD, false)] {
        let tasks = Tasks::new();
        let address = match answer {
            EVENTS => server(&tasks, |_| vec![EVENTS]).await,
            EVENTS_CUT => server(&tasks, |_| vec![EVENTS_CUT]).await,
            _ => server(&tasks, |_| vec![BAD]).await,
        };
        let url = format!("http://{address}/events");
        let opened = EventStream::open(&url, Duration::from_secs(5), &tasks).await;
        match opened {
            Ok(stream) => {
                let end = stream.ended(Duration::from_secs(5)).await;
                assert_eq!((end.events, end.fault.is_none()), (1, is_clean), "{end:?}");
            }
            Err(error) => assert!(answer == BAD && error.to_string().contains("503"), "{error}"),
        }
    }
}
