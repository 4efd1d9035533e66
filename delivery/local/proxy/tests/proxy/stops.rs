use std::{sync::Arc, time::Duration};

use http::Response;
use mercurious_proxy::{PoolName, ProxySettings};
use tokio::{net::TcpStream, sync::Semaphore};

use crate::stage::{BOUND, Body, Stage, bounded, full, http2, id, read};

fn gated(body: &'static str) -> (Arc<Semaphore>, Arc<Semaphore>, impl Fn() -> Gated + Clone) {
    let (arrived, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (seen, told) = (Arc::clone(&arrived), Arc::clone(&go_on));
    let gate = move || {
        let (seen, told) = (Arc::clone(&seen), Arc::clone(&told));
        Box::pin(async move {
            seen.add_permits(1);
            told.acquire().await.unwrap().forget();
            Response::new(full(body))
        }) as Gated
    };
    (arrived, go_on, gate)
}

type Gated = std::pin::Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

#[tokio::test]
async fn a_stop_lets_what_is_in_flight_end_and_says_goodbye() {
    let stage = Stage::new();
    let (arrived, go_on, gate) = gated("done");
    let upstream = stage.upstream(move |_| gate()).await;
    stage.pool.insert(id("a"), upstream.address);
    let (mut wire, mut idle) = (stage.wire().await, stage.wire().await);
    let mut second = http2(stage.address, &stage.tasks).await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    second.ready().await.unwrap();
    let request = http::Request::get("http://a/").body(full("")).unwrap();
    let answer = second.send_request(request);
    bounded("the requests", arrived.acquire_many(2)).await.unwrap().forget();

    stage.tasks.stop();
    assert_eq!(idle.read_to_end().await, "", "an idle connection closes at once");
    while TcpStream::connect(stage.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    go_on.add_permits(2);
    let answer = bounded("the answer", answer).await.unwrap();
    assert_eq!(read(answer).await, (200, "done".to_owned()));
    let text = wire.read_to_end().await.to_ascii_lowercase();
    assert!(text.contains("connection: close") && text.ends_with("done"), "{text}");
    upstream.closed().await;
    upstream.kill();
    assert_eq!(stage.tasks.shut_down(BOUND).await, 0);
}

#[tokio::test]
async fn a_stop_ends_what_outlasts_the_deadline_and_frees_who_waits() {
    let settings =
        ProxySettings { stop_deadline: Duration::from_millis(50), ..ProxySettings::default() };
    let stage = Stage::with(settings);
    let (arrived, _go_on, gate) = gated("never");
    let upstream = stage.upstream(move |_| gate()).await;
    stage.pool.insert(id("a"), upstream.address);
    let mut wire = stage.wire().await;
    wire.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n").await;
    bounded("the request", arrived.acquire()).await.unwrap().forget();
    stage.tasks.stop();
    let text = wire.read_to_end().await;
    assert!(text.starts_with("HTTP/1.1 502"), "{text}");
    upstream.closed().await;
    upstream.kill();
    assert_eq!(stage.tasks.shut_down(BOUND).await, 0);

    let stage = Stage::new();
    let mut client = stage.client().await;
    let stop = async {
        while stage.pool.snapshot().waiting == 0 {
            tokio::task::yield_now().await;
        }
        stage.tasks.stop();
    };
    let (answer, ()) = tokio::join!(client.get("/"), stop);
    assert_eq!(answer, (503, "shop/web:80: the proxy is stopping\n".to_owned()));
}

#[tokio::test]
async fn a_closed_port_ends_its_connections_and_can_be_opened_again() {
    let stage = Stage::new();
    let (arrived, go_on, gate) = gated("done");
    let upstream = stage.upstream(move |_| gate()).await;
    stage.pool.insert(id("a"), upstream.address);
    let mut wire = stage.wire().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    bounded("the request", arrived.acquire()).await.unwrap().forget();

    assert!(bounded("the closing", stage.proxy.unlisten(stage.address)).await);
    assert!(!stage.proxy.unlisten(stage.address).await);
    assert!(TcpStream::connect(stage.address).await.is_err());
    let again = stage.proxy.listen_service(stage.address, PoolName::new("other").unwrap());
    assert_eq!(again.unwrap(), stage.address);
    assert_eq!(stage.proxy.snapshot().ports, [stage.address]);
    go_on.add_permits(1);
    assert!(wire.read_to_end().await.ends_with("done"));

    let taken = stage.proxy.listen_hosts(stage.address).unwrap_err();
    assert_eq!(taken.to_string(), format!("listening on {} failed", stage.address));
}
