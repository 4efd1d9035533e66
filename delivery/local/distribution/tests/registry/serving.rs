use std::{net::Ipv4Addr, time::Duration};

use mercurious_distribution::{Distribution, OpenError, Settings, serve};
use mercurious_runtime::CancellationToken;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

async fn answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_stop_lets_an_open_request_end_and_takes_no_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let distribution = Distribution::open(directory.path(), Settings::default()).unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let stopping = CancellationToken::new();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(serve(listener, distribution.clone(), stopping.clone()));

    let mut idle = TcpStream::connect(address).await.unwrap();
    let mut open = TcpStream::connect(address).await.unwrap();
    let digest = mercurious_core::image::Digest::of(b"0123");
    let head = format!(
        "POST /v2/app/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n01"
    );
    open.write_all(head.as_bytes()).await.unwrap();
    while distribution.requests().total() == 0 {
        tokio::task::yield_now().await;
    }
    stopping.cancel();
    assert_eq!(answer(&mut idle).await, "", "an idle connection is closed");
    assert!(TcpStream::connect(address).await.is_err(), "a new connection is taken");
    open.write_all(b"23").await.unwrap();
    assert!(answer(&mut open).await.starts_with("HTTP/1.1 201"));
    tasks.join_next().await.unwrap().unwrap().unwrap();
    assert!(distribution.blob_path(&digest).is_some());
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings { drain: Duration::from_millis(50), ..Settings::default() };
    let distribution = Distribution::open(directory.path(), settings).unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut open = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let stopping = CancellationToken::new();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(serve(listener, distribution.clone(), stopping.clone()));
    let head = "POST /v2/app/blobs/uploads/?digest=sha256:0000000000000000000000000000000000000000000000000000000000000000 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n";
    open.write_all(head.as_bytes()).await.unwrap();
    while distribution.requests().total() == 0 {
        tokio::task::yield_now().await;
    }
    stopping.cancel();
    tasks.join_next().await.unwrap().unwrap().unwrap();
    drop(open);
}

#[test]
fn one_directory_is_open_once() {
    let directory = tempfile::tempdir().unwrap();
    let first = Distribution::open(directory.path(), Settings::default()).unwrap();
    let second = Distribution::open(directory.path(), Settings::default());
    assert!(matches!(second, Err(OpenError::InUse { .. })));
    drop(first);
    Distribution::open(directory.path(), Settings::default()).unwrap();
}
