use std::{
    io,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use mercurious_runtime::{CancellationToken, Tasks};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};
use tokio_util::task::TaskTracker;

use super::{connection::serve, passing::pass};
use crate::{
    Pool, ProxySettings,
    forward::{Activity, Client, Target},
};

/// How long accepting rests when the system has no room, as when the process has no file descriptor left.
const REST: Duration = Duration::from_millis(50);

/// What is done with the connections to a port.
#[derive(Clone, Debug)]
pub(super) enum Accepts {
    /// Their requests are answered.
    Requests(Target),
    /// They are passed on as they are.
    Connections(Pool),
}

/// An open port.
pub(super) struct Listening {
    pub(super) own: SocketAddr,
    pub(super) accepts: Accepts,
    pub(super) settings: Arc<ProxySettings>,
    /// Cancelled when the port is to close.
    pub(super) stop: CancellationToken,
    /// Cancelled once it is closed.
    pub(super) closed: CancellationToken,
    /// Cancelled when whatever still goes on must end.
    pub(super) cut: CancellationToken,
    pub(super) tasks: Tasks,
    pub(super) connections: TaskTracker,
    pub(super) places: Arc<Semaphore>,
    pub(super) refused: Arc<AtomicU64>,
}

/// Accepts connections until the port is to close.
pub(super) async fn accept(listener: TcpListener, listening: Listening) {
    while let Some((stream, address, place)) = next(&listener, &listening).await {
        let activity = Activity::new(place, listening.connections.token());
        let settings = Arc::clone(&listening.settings);
        let (tasks, stop, cut) =
            (listening.tasks.clone(), listening.stop.clone(), listening.cut.clone());
        let target = match &listening.accepts {
            Accepts::Requests(target) => target.clone(),
            Accepts::Connections(pool) => {
                let pool = pool.clone();
                listening.tasks.spawn("proxy.passed_connection", async move {
                    pass(stream, &pool, &settings, &cut, activity).await;
                });
                continue;
            }
        };
        let client = Client {
            address,
            own: listening.own,
            target,
            activity,
            refused: Arc::clone(&listening.refused),
        };
        listening.tasks.spawn("proxy.client_connection", async move {
            serve(stream, client, &settings, tasks, &stop, &cut).await;
        });
    }
    drop(listener);
    listening.closed.cancel();
    tracing::info!(proxy.address = %listening.own, "front port closed");
}

async fn next(
    listener: &TcpListener,
    listening: &Listening,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let accepting = async {
        // The semaphore is never closed.
        let place = Arc::clone(&listening.places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, address)) => return Some((stream, address, place)),
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(proxy.address = %listening.own, error = %error, "accepting a connection failed");
                    sleep(REST).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = listening.stop.cancelled() => None,
        accepted = accepting => accepted,
    }
}

fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
