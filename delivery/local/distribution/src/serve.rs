use std::{io, sync::Arc, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use mercurious_runtime::CancellationToken;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};

use crate::distribution::Distribution;

/// How long to wait after the system refused a connection, which is when it is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the registry on this listener until `stopping`, then lets open requests end within `Settings::drain`.
///
/// # Errors
/// If the listener's address cannot be told.
pub async fn serve(
    listener: TcpListener,
    distribution: Distribution,
    stopping: CancellationToken,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let settings = distribution.settings().clone();
    let router = distribution.router();
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(settings.idle_timeout);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(settings.idle_timeout);
    let room = Arc::new(Semaphore::new(settings.connections.max(1)));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    tracing::info!(server.address = %address, "registry listens");

    loop {
        let accepted = tokio::select! {
            () = stopping.cancelled() => break,
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(error = %error, "connection's task failed");
                }
                continue;
            }
            accepted = accept(&listener, &room) => accepted,
        };
        let (stream, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(error = %error, "connection not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Small answers should not wait to be filled up; a socket that cannot is slower, no more.
        let _ = stream.set_nodelay(true);
        let connection = builder
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()))
            .into_owned();
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "connection ended");
            }
            drop(permit);
        });
    }

    drop(listener);
    let finished = async {
        graceful.shutdown().await;
        while connections.join_next().await.is_some() {}
    };
    if tokio::time::timeout(settings.drain, finished).await.is_err() {
        tracing::warn!(connections = connections.len(), "requests cut off at the end of the drain");
        connections.abort_all();
    }
    tracing::info!(server.address = %address, "registry stopped");
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}
