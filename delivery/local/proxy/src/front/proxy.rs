use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use mercurious_runtime::{CancellationToken, Tasks};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::task::TaskTracker;

use super::listener::{Accepts, Listening, accept};
use crate::{
    Pool, PoolName, PoolSnapshot, ProxySettings, Routes, forward::Target, pool::Surroundings,
    routes::RouteTable,
};

/// How many connections the system keeps for a port until they are accepted.
const BACKLOG: u32 = 4096;

/// A port that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("listening on {address} failed")]
pub struct ListenError {
    /// The port that was asked for.
    pub address: SocketAddr,
    /// What the system says.
    #[source]
    pub source: io::Error,
}

/// The front proxy. Clones are the same proxy.
#[derive(Clone, Debug)]
pub struct FrontProxy {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    surroundings: Surroundings,
    pools: Mutex<BTreeMap<PoolName, Pool>>,
    routes: Arc<RwLock<Arc<RouteTable<Pool>>>>,
    ports: Mutex<HashMap<SocketAddr, Port>>,
    connections: TaskTracker,
    places: Arc<Semaphore>,
    refused: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Port {
    stop: CancellationToken,
    closed: CancellationToken,
}

/// The proxy, for people and metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontSnapshot {
    /// Ports that are open, in order.
    pub ports: Vec<SocketAddr>,
    /// Client connections that are open.
    pub connections: usize,
    /// Requests that belonged to no pool or could not be read.
    pub refused: u64,
    /// By name.
    pub pools: Vec<PoolSnapshot>,
}

impl FrontProxy {
    /// A proxy without ports. To be called within a tokio runtime; it lives until the set stops, and then lets what is in
    /// flight end, for [`ProxySettings::stop_deadline`] at most.
    pub fn new(tasks: Tasks, settings: ProxySettings) -> Self {
        let places =
            Arc::new(Semaphore::new(settings.client_connections.min(Semaphore::MAX_PERMITS)));
        let deadline = settings.stop_deadline;
        let stopping = tasks.stopping();
        let cut = CancellationToken::new();
        let connections = TaskTracker::new();
        let (end, open) = (cut.clone(), connections.clone());
        tasks.spawn("proxy.stop", async move {
            stopping.cancelled().await;
            open.close();
            // Whatever is left is cut short either way.
            let _ = timeout(deadline, open.wait()).await;
            end.cancel();
        });
        Self {
            shared: Arc::new(Shared {
                surroundings: Surroundings { tasks, settings: Arc::new(settings), cut },
                pools: Mutex::default(),
                routes: Arc::default(),
                ports: Mutex::default(),
                connections,
                places,
                refused: Arc::default(),
            }),
        }
    }

    /// Opens a port whose requests all go to one pool. Port 0 is any free one; the answer says which. To be called within a
    /// tokio runtime.
    pub fn listen_service(
        &self,
        address: SocketAddr,
        pool: PoolName,
    ) -> Result<SocketAddr, ListenError> {
        let target = Target::Pool(self.pool(pool));
        self.listen(address, Accepts::Requests(target))
    }

    /// Opens a port whose connections all go to one pool, each as it is to one instance: for protocols other than HTTP.
    /// A drain does not wait for them. Port 0 is any free one; the answer says which. To be called within a tokio runtime.
    pub fn listen_connections(
        &self,
        address: SocketAddr,
        pool: PoolName,
    ) -> Result<SocketAddr, ListenError> {
        self.listen(address, Accepts::Connections(self.pool(pool)))
    }

    /// Opens a port whose requests go where [`FrontProxy::set_routes`] says. Port 0 is any free one; the answer says which.
    /// To be called within a tokio runtime.
    pub fn listen_hosts(&self, address: SocketAddr) -> Result<SocketAddr, ListenError> {
        let target = Target::Hosts(Arc::clone(&self.shared.routes));
        self.listen(address, Accepts::Requests(target))
    }

    /// Closes a port: its connections end after what they have in flight, within [`ProxySettings::stop_deadline`]. Resolves
    /// as soon as the port can be opened anew; false if it was not open.
    pub async fn unlisten(&self, address: SocketAddr) -> bool {
        let port = self.ports().remove(&address);
        let Some(port) = port else { return false };
        port.stop.cancel();
        port.closed.cancelled().await;
        true
    }

    /// Replaces all routes at once.
    pub fn set_routes(&self, routes: Routes) {
        let table = Arc::new(RouteTable::new(routes, |pool| self.pool(pool.clone())));
        *self.shared.routes.write().unwrap_or_else(PoisonError::into_inner) = table;
    }

    /// The pool of this name, empty at first.
    pub fn pool(&self, name: PoolName) -> Pool {
        let mut pools = self.shared.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let new = |name: &PoolName| Pool::new(name.clone(), &self.shared.surroundings);
        pools.entry(name).or_insert_with_key(new).clone()
    }

    /// How it stands now.
    pub fn snapshot(&self) -> FrontSnapshot {
        let mut ports: Vec<_> = self.ports().keys().copied().collect();
        ports.sort_unstable();
        let pools = self.shared.pools.lock().unwrap_or_else(PoisonError::into_inner);
        FrontSnapshot {
            ports,
            connections: self.shared.connections.len(),
            refused: self.shared.refused.load(Ordering::Relaxed),
            pools: pools.values().map(Pool::snapshot).collect(),
        }
    }

    fn ports(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, Port>> {
        self.shared.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(&self, address: SocketAddr, accepts: Accepts) -> Result<SocketAddr, ListenError> {
        let failed = |source| ListenError { address, source };
        let listener = bind(address).map_err(failed)?;
        let own = listener.local_addr().map_err(failed)?;
        let Surroundings { tasks, settings, cut } = self.shared.surroundings.clone();
        let stop = tasks.stopping().child_token();
        let closed = CancellationToken::new();
        self.ports().insert(own, Port { stop: stop.clone(), closed: closed.clone() });
        let listening = Listening {
            own,
            accepts,
            settings,
            stop,
            closed,
            cut,
            tasks: tasks.clone(),
            connections: self.shared.connections.clone(),
            places: Arc::clone(&self.shared.places),
            refused: Arc::clone(&self.shared.refused),
        };
        tracing::info!(proxy.address = %own, "front port open");
        tasks.spawn("proxy.listener", accept(listener, listening));
        Ok(own)
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A port that was just closed is free again although its last connections linger.
    socket.set_reuseaddr(true)?;
    socket.set_keepalive(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
