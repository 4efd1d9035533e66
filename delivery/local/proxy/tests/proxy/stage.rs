//! A proxy, servers behind it and clients in front.

use std::{
    convert::Infallible,
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mercurious_proxy::{EndpointId, FrontProxy, Pool, PoolName, ProxySettings};
use mercurious_runtime::{CancellationToken, Tasks};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};

/// Far longer than anything here takes; a test that meets it has failed.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

pub(crate) type Body = BoxBody<Bytes, Infallible>;
type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

pub(crate) fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

pub(crate) fn id(text: &str) -> EndpointId {
    EndpointId::new(text).unwrap()
}

pub(crate) fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).boxed()
}

pub(crate) async fn bounded<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(BOUND, future).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

/// A proxy with one port and its pool.
pub(crate) struct Stage {
    pub(crate) tasks: Tasks,
    pub(crate) proxy: FrontProxy,
    pub(crate) pool: Pool,
    pub(crate) address: SocketAddr,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(ProxySettings::default())
    }

    pub(crate) fn with(settings: ProxySettings) -> Self {
        let tasks = Tasks::new();
        let proxy = FrontProxy::new(tasks.clone(), settings);
        let name = PoolName::new("shop/web:80").unwrap();
        let address = proxy.listen_service(any_port(), name.clone()).unwrap();
        let pool = proxy.pool(name);
        Self { tasks, proxy, pool, address }
    }

    pub(crate) async fn upstream<H, F>(&self, handler: H) -> Upstream
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        Upstream::start(&self.tasks, handler).await
    }

    /// A server that says its name and echoes what it was sent.
    pub(crate) async fn named(&self, name: &'static str) -> Upstream {
        self.upstream(move |request| async move {
            let sent = request.into_body().collect().await.unwrap().to_bytes();
            Response::new(full([name.as_bytes(), b":", &sent].concat()))
        })
        .await
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address, &self.tasks).await
    }

    pub(crate) async fn wire(&self) -> Wire {
        Wire(TcpStream::connect(self.address).await.unwrap())
    }
}

/// A server behind the proxy.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    pub(crate) requests: Arc<AtomicUsize>,
    open: watch::Sender<usize>,
    kill: CancellationToken,
}

struct Open(watch::Sender<usize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

impl Upstream {
    async fn start<H, F>(tasks: &Tasks, handler: H) -> Self
    where
        H: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        let served = tasks.clone();
        let handler = Arc::new(move |request| -> Answer { Box::pin(handler(request)) });
        Self::raw(tasks, requests, move |stream| {
            let (count, handler) = (Arc::clone(&count), Arc::clone(&handler));
            let service = service_fn(move |request| {
                count.fetch_add(1, Ordering::SeqCst);
                let answer = handler(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let _ = &served;
            async move {
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades();
                let _ = connection.await;
            }
        })
        .await
    }

    /// A server that does with each connection what it is told.
    pub(crate) async fn raw<H, F>(tasks: &Tasks, requests: Arc<AtomicUsize>, serve: H) -> Self
    where
        H: Fn(TcpStream) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(any_port()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, kill) = (watch::Sender::new(0), CancellationToken::new());
        let (opened, killed, inner) = (open.clone(), kill.clone(), tasks.clone());
        tasks.spawn("upstream", async move {
            let accepting = async {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    opened.send_modify(|open| *open += 1);
                    let (guard, killed) = (Open(opened.clone()), killed.clone());
                    let served = serve(stream);
                    inner.spawn("upstream connection", async move {
                        tokio::select! {
                            () = served => {}
                            () = killed.cancelled() => {}
                        }
                        drop(guard);
                    });
                }
            };
            tokio::select! {
                () = accepting => {}
                () = killed.cancelled() => {}
            }
        });
        Self { address, requests, open, kill }
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn open(&self) -> usize {
        *self.open.borrow()
    }

    pub(crate) async fn closed(&self) {
        let mut open = self.open.subscribe();
        bounded("the server's connections closing", open.wait_for(|open| *open == 0))
            .await
            .unwrap();
    }

    /// Ends as a killed process does.
    pub(crate) fn kill(&self) {
        self.kill.cancel();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind(any_port()).await.unwrap().local_addr().unwrap()
}

/// A client of one HTTP/1.1 connection.
pub(crate) struct Client(pub(crate) http1::SendRequest<Body>);

impl Client {
    pub(crate) async fn connect(address: SocketAddr, tasks: &Tasks) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tasks.spawn("client", async move {
            let _ = connection.with_upgrades().await;
        });
        Self(sender)
    }

    pub(crate) async fn send(&mut self, request: Request<Body>) -> Response<Incoming> {
        let sending = async {
            self.0.ready().await.unwrap();
            self.0.send_request(request).await.unwrap()
        };
        bounded("an answer", sending).await
    }

    /// The status and the text.
    pub(crate) async fn exchange(&mut self, request: Request<Body>) -> (u16, String) {
        read(self.send(request).await).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> (u16, String) {
        self.exchange(get(path)).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: &str) -> (u16, String) {
        self.exchange(post(path, body)).await
    }
}

pub(crate) async fn http2(address: SocketAddr, tasks: &Tasks) -> http2::SendRequest<Body> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tasks.spawn("http2 client", async move {
        let _ = connection.await;
    });
    sender
}

pub(crate) async fn read(response: Response<Incoming>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = bounded("the answer's body", response.into_body().collect()).await.unwrap();
    (status, String::from_utf8(body.to_bytes().to_vec()).unwrap())
}

pub(crate) fn get(path: &str) -> Request<Body> {
    Request::get(path).header("host", "shop.test").body(full("")).unwrap()
}

pub(crate) fn post(path: &str, body: &str) -> Request<Body> {
    Request::post(path).header("host", "shop.test").body(full(body.to_owned())).unwrap()
}

/// A client that sees every byte.
pub(crate) struct Wire(pub(crate) TcpStream);

impl Wire {
    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until this text has come, or to the end.
    pub(crate) async fn read_until(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        let reading = async {
            let mut byte = [0];
            while !seen.ends_with(text.as_bytes()) {
                if self.0.read(&mut byte).await.unwrap_or(0) == 0 {
                    break;
                }
                seen.push(byte[0]);
            }
        };
        bounded(text, reading).await;
        String::from_utf8(seen).unwrap()
    }

    pub(crate) async fn read_to_end(&mut self) -> String {
        let mut seen = Vec::new();
        let reading = self.0.read_to_end(&mut seen);
        // A reset is an end too.
        let _ = bounded("the connection's end", reading).await;
        String::from_utf8(seen).unwrap()
    }
}

/// A request's head as a server behind the proxy reads it; nothing at the connection's end.
pub(crate) async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}
