use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use mercurious_runtime::Tasks;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{Endpoint, Lease};
use crate::{ProxySettings, forward::RequestBody};

/// The sending end of a connection to an instance.
pub(crate) type Sender = SendRequest<RequestBody>;

/// Why an instance could not be reached. The request was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("connecting took longer than {0:?}")]
    Slow(Duration),
    #[error("connecting failed")]
    Refused(#[source] std::io::Error),
    #[error("the connection failed before the request")]
    Handshake(#[source] hyper::Error),
}

/// Connections that carry nothing now, the latest used at the end.
#[derive(Debug, Default)]
pub(super) struct IdleConnections {
    shelf: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    closed: bool,
    connections: Vec<(Instant, Sender)>,
}

impl IdleConnections {
    /// Takes none back from now on and lets go those that are here, which closes them.
    pub(super) fn close(&self) {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.closed = true;
        shelf.connections.clear();
    }

    fn take(&self, since: Instant) -> Option<Sender> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        let mut position = shelf.connections.len();
        while position > 0 {
            position -= 1;
            let (idle_since, sender) = &shelf.connections[position];
            if *idle_since < since {
                // All before it are older still.
                return None;
            }
            if sender.is_closed() {
                shelf.connections.remove(position);
            } else if sender.is_ready() {
                return Some(shelf.connections.remove(position).1);
            }
        }
        None
    }

    fn put(&self, sender: Sender, settings: &ProxySettings) {
        let now = Instant::now();
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        if shelf.closed || sender.is_closed() {
            return;
        }
        let is_old = |(since, _): &(Instant, Sender)| {
            now.duration_since(*since) > settings.endpoint_idle_timeout
        };
        if shelf.connections.first().is_some_and(is_old) {
            shelf.connections.retain(|connection| !is_old(connection));
        }
        if shelf.connections.len() >= settings.endpoint_idle_connections {
            shelf.connections.remove(0);
        }
        shelf.connections.push((now, sender));
    }
}

impl Lease {
    /// A connection that carried a request before and was idle for at most `idle`.
    pub(crate) fn idle_connection(&self, idle: Duration) -> Option<Sender> {
        let now = Instant::now();
        self.endpoint().idle.take(now.checked_sub(idle).unwrap_or(now))
    }

    /// Gives a connection back after its exchange.
    pub(crate) fn keep(&self, sender: Sender, settings: &ProxySettings) {
        self.endpoint().idle.put(sender, settings);
    }

    /// Opens a connection.
    pub(crate) async fn connect(
        &self,
        tasks: &Tasks,
        settings: &ProxySettings,
    ) -> Result<Sender, ConnectError> {
        let connecting = TcpStream::connect(self.endpoint().address);
        let stream = timeout(settings.connect_timeout, connecting)
            .await
            .map_err(|_| ConnectError::Slow(settings.connect_timeout))?
            .map_err(ConnectError::Refused)?;
        stream.set_nodelay(true).map_err(ConnectError::Refused)?;
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(ConnectError::Handshake)?;
        self.endpoint().accepted();
        let open = OpenConnection::new(Arc::clone(self.endpoint()));
        tasks.spawn("proxy.endpoint_connection", async move {
            let cut = open.0.cut().clone();
            tokio::select! {
                // Whoever waits for an answer on this connection is told of its end, and reports it.
                _ = connection.with_upgrades() => {}
                () = cut.cancelled() => {}
            }
            drop(open);
        });
        Ok(sender)
    }
}

struct OpenConnection(Arc<Endpoint>);

impl OpenConnection {
    fn new(endpoint: Arc<Endpoint>) -> Self {
        endpoint.connection_opened();
        Self(endpoint)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connection_closed();
    }
}
