//! The network itself: a server that is slow, large, elsewhere or gone.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic")]

use std::time::Duration;

use mercurious_enrichment::http::{Http as _, HttpError, LiveHttp, MAX_ANSWER, Question, Timeouts};
use mercurious_runtime::Tasks;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

fn live() -> LiveHttp {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let timeouts = Timeouts { connect: Duration::from_secs(2), total: Duration::from_secs(2) };
    LiveHttp::new(timeouts).unwrap()
}

fn question(url: &str) -> Question {
    Question {
        url: url.parse().unwrap(),
        headers: vec![("x-plain", "yes".to_owned())],
        secret: Some(("x-key", "the-secret".to_owned().into())),
        body: None,
        fresh: Duration::ZERO,
    }
}

/// Answers one question with `answer`, then keeps silent with the connection open; tells what was asked.
async fn once(answer: Vec<u8>) -> (String, tokio::sync::oneshot::Receiver<String>, Tasks) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/x?a=b", listener.local_addr().unwrap());
    let (tell, told) = tokio::sync::oneshot::channel();
    let tasks = Tasks::new();
    let stop = tasks.stopping();
    tasks.spawn("server", async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 8192];
        let length = stream.read(&mut head).await.unwrap();
        let _ = tell.send(String::from_utf8_lossy(&head[..length]).into_owned());
        // The client may have hung up already.
        let _ = stream.write_all(&answer).await;
        stop.cancelled().await;
    });
    (url, told, tasks)
}

#[tokio::test]
async fn an_answer_comes_with_its_status_and_the_secret_went_as_a_header() {
    let answer = "HTTP/1.1 429 X\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\n{}";
    let (url, told, tasks) = once(answer.into()).await;
    let answer = live().ask(&question(&url)).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (429, &b"{}"[..]));
    assert_eq!(answer.retry_after, Some(Duration::from_secs(7)));
    let asked = told.await.unwrap().to_lowercase();
    assert!(asked.starts_with("get /v1/x?a=b ") && asked.contains("x-key: the-secret"), "{asked}");
    tasks.stop();
}

#[tokio::test]
async fn a_server_that_says_nothing_or_half_is_given_up() {
    for answer in ["", "HTTP/1.1 200 X\r\ncontent-length: 100\r\n\r\n{\"half"] {
        let (url, _told, tasks) = once(answer.into()).await;
        let error = live().ask(&question(&url)).await.unwrap_err();
        assert!(matches!(error, HttpError::Timeout { .. }), "{error:?}");
        tasks.stop();
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_it() {
    let mut answer = b"HTTP/1.1 200 X\r\ncontent-length: 99999999\r\n\r\n".to_vec();
    answer.resize(MAX_ANSWER + 100_000, b'x');
    let (url, _told, tasks) = once(answer).await;
    let error = live().ask(&question(&url)).await.unwrap_err();
    assert!(matches!(error, HttpError::TooLarge { .. }), "{error:?}");
    tasks.stop();
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_nobody_there_is_no_secret_told() {
    let answer = "HTTP/1.1 302 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let (url, _told, tasks) = once(answer.into()).await;
    assert_eq!(live().ask(&question(&url)).await.unwrap().status, 302);
    tasks.stop();
    let error = live().ask(&question("http://127.0.0.1:1/v1?token=abc")).await.unwrap_err();
    let told = format!("{error:?}");
    assert!(matches!(error, HttpError::Connection { .. }));
    assert!(!told.contains("the-secret") && !told.contains("token=abc"), "{told}");
}
