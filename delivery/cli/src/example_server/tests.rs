use std::{collections::BTreeMap, time::Duration};

use clap::Parser;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes, client::conn::http1, http::request::Builder};
use hyper_util::rt::TokioIo;
use mercurious_runtime::{CancellationToken, Tasks};
use tokio::net::{TcpListener, TcpStream};

use super::{ExampleServerArgs, serve::serve, state::State};

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: ExampleServerArgs,
}

struct Server {
    address: std::net::SocketAddr,
    state: State,
    stopping: CancellationToken,
    ended: CancellationToken,
    tasks: Tasks,
}

impl Server {
    async fn start(flags: &[&str]) -> Self {
        let args = Line::parse_from([&["x"], flags].concat()).args;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stopping, ended) = (CancellationToken::new(), CancellationToken::new());
        let environment = BTreeMap::from([("EXAMPLE_COLOUR".to_owned(), "blue".to_owned())]);
        let drain = args.drain.0;
        let state = State::new(args, environment, stopping.clone());
        let tasks = Tasks::new();
        let server = serve(listener, state.clone(), drain, stopping.clone());
        let end = ended.clone();
        tasks.spawn("server", async move {
            server.await;
            end.cancel();
        });
        Self { address, state, stopping, ended, tasks }
    }

    async fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        self.tasks.spawn("client", async move {
            let _ = connection.await;
        });
        Client(sender)
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.connect().await.get(path).await;
        (answer.status, answer.body)
    }

    async fn ended(&self) {
        tokio::time::timeout(Duration::from_secs(20), self.ended.cancelled()).await.unwrap();
    }
}

struct Client(http1::SendRequest<Full<Bytes>>);

struct Answer {
    status: u16,
    closes: bool,
    body: String,
}

impl Client {
    async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path), "").await
    }

    async fn send(&mut self, request: Builder, body: &'static str) -> Answer {
        let request = request.header("host", "x").body(Full::from(body)).unwrap();
        let response = self.0.send_request(request).await.unwrap();
        let status = response.status().as_u16();
        let closes = response.headers().get("connection").is_some_and(|value| value == "close");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, closes, body: String::from_utf8(body.to_vec()).unwrap() }
    }
}

#[tokio::test]
async fn every_endpoint_answers() {
    let server = Server::start(&["--version", "1.2.0", "--commit", "0a1b2c3"]).await;
    assert_eq!(server.get("/").await, (200, "1.2.0 0a1b2c3\n".into()));
    for path in ["/health", "/ready", "/check"] {
        assert_eq!(server.get(path).await.0, 200, "{path}");
    }
    assert_eq!(server.get("/slow?ms=1").await, (200, "1.2.0 0a1b2c3\n".into()));
    assert_eq!(server.get("/env?name=EXAMPLE_COLOUR").await, (200, "blue\n".into()));
    assert_eq!(server.get("/env?name=PATH").await.0, 404);
    assert_eq!(server.get("/crash").await.0, 403);
    let echoed = server.connect().await.send(Request::post("/echo"), "said").await;
    assert_eq!(echoed.body, "said");
    assert!(server.get("/metrics").await.1.contains("example_requests_total 10"));
}

#[tokio::test]
async fn faults_are_as_asked() {
    let server = Server::start(&["--never-ready", "--failing-check"]).await;
    assert_eq!(server.get("/ready").await.0, 503);
    assert_eq!(server.get("/check").await.0, 500);
    assert_eq!(server.get("/health").await.0, 200);
}

#[tokio::test]
async fn while_a_request_runs_a_stopping_server_answers_others_and_is_not_ready() {
    let server = Server::start(&["--drain", "20s"]).await;
    let mut idle = server.connect().await;
    assert!(!idle.get("/ready").await.closes);
    let mut slow = server.connect().await;
    let (slow, other) = tokio::join!(slow.get("/slow?ms=300"), async {
        while server.state.running() == 0 {
            tokio::task::yield_now().await;
        }
        server.stopping.cancel();
        let unready = idle.get("/ready").await;
        assert_eq!((unready.status, unready.closes), (503, true));
        server.connect().await.get("/").await
    });
    assert_eq!((slow.status, other.status), (200, 200));
    assert!(slow.closes && other.closes);
    server.ended().await;
    assert!(TcpStream::connect(server.address).await.is_err(), "nothing listens any more");
}

#[tokio::test]
async fn a_kept_connection_is_told_to_close_before_it_is_closed() {
    let server = Server::start(&["--drain", "20s"]).await;
    let mut kept = server.connect().await;
    assert!(!kept.get("/").await.closes);
    server.stopping.cancel();
    // Time for a server to close what is idle, as it must not.
    while TcpStream::connect(server.address).await.is_ok() && server.state.is_ready() {}
    let answer = kept.get("/").await;
    assert_eq!((answer.status, answer.closes), (200, true));
    server.ended().await;
}

#[tokio::test]
async fn an_event_stream_ends_cleanly_at_the_stop() {
    let server = Server::start(&["--version", "7"]).await;
    let mut client = server.connect().await;
    let request = Request::get("/events").header("host", "x").body(Full::default()).unwrap();
    let mut body = client.0.send_request(request).await.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("data: 0 7"));
    server.stopping.cancel();
    // An aborted stream would be an error here.
    body.collect().await.unwrap();
    server.ended().await;
}

#[tokio::test]
async fn a_drain_ends_at_its_deadline() {
    let server = Server::start(&["--drain", "100ms"]).await;
    let mut slow = server.connect().await;
    let request = Request::get("/slow?ms=60000").header("host", "x").body(Full::default()).unwrap();
    let answer = slow.0.send_request(request);
    let stop = async {
        while server.state.running() == 0 {
            tokio::task::yield_now().await;
        }
        server.stopping.cancel();
        server.ended().await;
    };
    tokio::select! {
        _ = answer => panic!("a minute passed"),
        () = stop => {}
    }
}
