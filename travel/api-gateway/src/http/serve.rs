use std::{net::SocketAddr, time::Duration};

use axum::{Router, body::Body};
use futures::FutureExt as _;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use mercurious_runtime::{CancellationToken, Tasks};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout_at},
};
use tower::ServiceExt as _;

use super::guard::Peer;

/// How the server serves.
#[derive(Debug, Clone, Copy)]
pub struct Serving {
    /// How many connections may be open; more wait.
    pub connections: usize,
    /// How long a request's head may take to arrive, and an idle connection to send one.
    pub head: Duration,
    /// How long what is open may go on after the end was asked for.
    pub drain: Duration,
}

/// Serves until `stopping`, then answers what was begun and closes, within the drain time.
///
/// For half of that time it still accepts: whoever sends requests here needs a moment to see that this replica is
/// not ready any more.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    serving: Serving,
    stopping: CancellationToken,
) {
    let connections = Connections {
        router,
        head: serving.head,
        open: GracefulShutdown::new(),
        tasks: Tasks::new(),
        most: serving.connections,
    };
    connections.accept_until(&listener, stopping.cancelled()).await;
    let deadline = Instant::now() + serving.drain;
    let idle = async {
        tokio::select! {
            () = connections.none() => {}
            () = sleep(serving.drain / 2) => {}
        }
    };
    connections.accept_until(&listener, idle).await;
    // Whoever connected before the socket closes is in its queue: a closed queue would be a lost request.
    while let Some(Ok((stream, peer))) = listener.accept().now_or_never() {
        connections.open(stream, peer);
    }
    drop(listener);
    let open = connections.open.count();
    if timeout_at(deadline, connections.open.shutdown()).await.is_err() {
        tracing::warn!(connections.open = open, "the drain time is over with connections open");
    }
}

struct Connections {
    router: Router,
    head: Duration,
    open: GracefulShutdown,
    tasks: Tasks,
    most: usize,
}

impl Connections {
    async fn accept_until(&self, listener: &TcpListener, end: impl Future<Output = ()>) {
        tokio::pin!(end);
        loop {
            let accepting = async {
                while self.open.count() >= self.most {
                    sleep(Duration::from_millis(10)).await;
                }
                listener.accept().await
            };
            tokio::select! {
                accepted = accepting => match accepted {
                    Ok((stream, peer)) => self.open(stream, peer),
                    Err(error) => {
                        // Out of file descriptors, as a rule: some will be free again.
                        tracing::warn!(error = %error, "a connection cannot be accepted");
                        sleep(Duration::from_millis(50)).await;
                    }
                },
                () = &mut end => return,
            }
        }
    }

    /// Waits until none is open.
    async fn none(&self) {
        while self.open.count() > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn open(&self, stream: TcpStream, peer: SocketAddr) {
        // Without it, small answers wait for the other side's acknowledgement.
        let _ = stream.set_nodelay(true);
        let router = self.router.clone();
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            router.clone().oneshot(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head)
            .max_buf_size(64 * 1024)
            .serve_connection(TokioIo::new(stream), service);
        let connection = self.open.watch(connection);
        self.tasks.spawn("connection", async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "a connection ended");
            }
        });
    }
}
