use std::{
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use mercurious_proxy::{Drained, PoolName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::stage::{Stage, Upstream, Wire, any_port, bounded, id, nobody};

/// A server that speaks first, as many protocols other than HTTP do, and then echoes.
async fn greeter(stage: &Stage, name: &'static str) -> Upstream {
    Upstream::raw(
        &stage.tasks,
        Arc::new(AtomicUsize::new(0)),
        move |mut stream: TcpStream| async move {
            stream.write_all(name.as_bytes()).await.unwrap();
            let (mut reader, mut writer) = stream.split();
            let _ = tokio::io::copy(&mut reader, &mut writer).await;
        },
    )
    .await
}

async fn connect(stage: &Stage) -> Wire {
    let name = PoolName::new("shop/broker:9092").unwrap();
    let address = stage.proxy.listen_connections(any_port(), name).unwrap();
    Wire(TcpStream::connect(address).await.unwrap())
}

fn pool(stage: &Stage) -> mercurious_proxy::Pool {
    stage.proxy.pool(PoolName::new("shop/broker:9092").unwrap())
}

#[tokio::test]
async fn a_connection_is_passed_on_as_it_is_and_half_closing_it_reaches_the_other_side() {
    let stage = Stage::new();
    let upstream = greeter(&stage, "hello\n").await;
    pool(&stage).insert(id("a"), upstream.address);
    let mut wire = connect(&stage).await;
    assert_eq!(wire.read_until("\n").await, "hello\n");
    wire.send("\0\u{1}GET / HTTP/9\r\n").await;
    wire.0.shutdown().await.unwrap();
    assert_eq!(wire.read_to_end().await, "\0\u{1}GET / HTTP/9\r\n");
    upstream.closed().await;
}

#[tokio::test]
async fn one_that_cannot_be_reached_is_passed_over_and_one_that_comes_later_is_waited_for() {
    let stage = Stage::new();
    pool(&stage).insert(id("gone"), nobody().await);
    let mut wire = connect(&stage).await;
    let upstream = greeter(&stage, "late\n").await;
    pool(&stage).insert(id("late"), upstream.address);
    assert_eq!(wire.read_until("\n").await, "late\n");
}

#[tokio::test]
async fn a_drain_does_not_wait_for_it_and_removing_the_instance_ends_it() {
    let stage = Stage::new();
    let (old, new) = (greeter(&stage, "old\n").await, greeter(&stage, "new\n").await);
    pool(&stage).insert(id("old"), old.address);
    let mut wire = connect(&stage).await;
    assert_eq!(wire.read_until("\n").await, "old\n");
    pool(&stage).insert(id("new"), new.address);
    let drained = pool(&stage).drain(&id("old"), Duration::from_hours(1));
    assert_eq!(bounded("the drain", drained).await, Drained::Quiet);
    wire.send("still here\n").await;
    assert_eq!(wire.read_until("\n").await, "still here\n");
    assert!(pool(&stage).remove(&id("old")));
    assert_eq!(wire.0.read(&mut [0]).await.unwrap_or(0), 0);
    old.closed().await;
}
