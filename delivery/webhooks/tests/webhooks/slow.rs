//! Who sends slowly, over a real connection. Time is paused: it goes on by itself when nobody has anything to do.

use mercurious_runtime::{CancellationToken, Tasks};
use mercurious_webhooks::serve;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::support::{Hooks, signature};

async fn served() -> (std::net::SocketAddr, Tasks, Hooks) {
    let hooks = Hooks::of("generic-hmac", "");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tasks = Tasks::new();
    let (router, stopping): (_, CancellationToken) = (hooks.router.clone(), tasks.stopping());
    tasks.spawn("hooks", async move { serve(listener, router, stopping).await.unwrap() });
    (address, tasks, hooks)
}

async fn answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(start_paused = true)]
async fn headers_that_never_end_are_cut_off() {
    let (address, _tasks, _hooks) = served().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"POST /hooks/it HTTP/1.1\r\nhost: a\r\nx-a: ").await.unwrap();
    let answer = answer(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_cut_off() {
    let (address, _tasks, hooks) = served().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /hooks/it HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(hooks.heard(), [""; 0]);
}

#[tokio::test]
async fn who_sends_as_usual_is_answered_and_the_end_is_orderly() {
    let (address, tasks, hooks) = served().await;
    let body = r#"{"image":"ghcr.io/team/app:v1"}"#;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /hooks/it HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\nx-signature: sha256={}\r\n\r\n{body}",
        body.len(),
        signature(body)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    assert_eq!(hooks.heard(), ["ghcr.io/team/app:v1"]);
    assert_eq!(tasks.shut_down(std::time::Duration::from_secs(10)).await, 0);
}
