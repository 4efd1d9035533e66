use std::time::Duration;

use futures::FutureExt as _;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use mercurious_runtime::{CancellationToken, Tasks};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout_at},
};

use super::{endpoints::router, state::State};

/// Answers until `stopping`, then drains for at most `drain`: until no request runs and no connection is open, so that
/// nobody who keeps one finds it closed under a request; every answer says `Connection: close` by then. A server that
/// never gets there stops listening at half of that time, so that what it accepted last can still be answered.
pub(super) async fn serve(
    listener: TcpListener,
    state: State,
    drain: Duration,
    stopping: CancellationToken,
) {
    let connections = Connections {
        service: TowerToHyperService::new(router(state.clone())),
        open: GracefulShutdown::new(),
        tasks: Tasks::new(),
    };
    connections.accept_until(&listener, stopping.cancelled()).await;
    let deadline = Instant::now() + drain;
    tracing::info!(requests.running = state.running(), "draining");
    let idle = async {
        tokio::select! {
            () = async { state.idle().await; connections.none().await } => {}
            () = sleep(drain / 2) => {}
        }
    };
    connections.accept_until(&listener, idle).await;
    // Whoever connected before the socket closes is in its queue: a closed queue would be a lost request.
    while let Some(Ok((stream, _))) = listener.accept().now_or_never() {
        connections.open(stream);
    }
    drop(listener);
    let open = connections.open.count();
    if timeout_at(deadline, connections.open.shutdown()).await.is_err() {
        tracing::warn!(connections.open = open, "drain ended with connections open");
    }
}

struct Connections {
    service: TowerToHyperService<axum::Router>,
    open: GracefulShutdown,
    tasks: Tasks,
}

impl Connections {
    async fn accept_until(&self, listener: &TcpListener, end: impl Future<Output = ()>) {
        tokio::pin!(end);
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => self.open(stream),
                    Err(error) => {
                        // Out of file descriptors, as a rule: some will be free again.
                        tracing::warn!(%error, "could not accept a connection");
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

    fn open(&self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), self.service.clone());
        let connection = self.open.watch(connection);
        self.tasks.spawn("connection", async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
}
