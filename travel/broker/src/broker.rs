use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use mercurious_runtime::{CancellationToken, SystemClock, Tasks};
use tokio::net::TcpListener;

use crate::{
    admin, connection,
    group::Coordinator,
    log::{Limits, Log, OpenError},
    scram::Scram,
    settings::{Address, Settings, SettingsError},
};

/// The number of the one broker.
pub(crate) const NODE: i32 = 1;
/// How many clients may be connected.
const CONNECTIONS: usize = 1000;
/// How often old records are taken away.
const PRUNING: Duration = Duration::from_mins(1);

/// What all connections share.
pub(crate) struct Broker {
    pub(crate) log: Log,
    pub(crate) groups: Coordinator,
    pub(crate) advertised: Address,
    pub(crate) scram: Option<Scram>,
    pub(crate) message_max_bytes: usize,
    pub(crate) stopping: CancellationToken,
    pub(crate) connections: AtomicUsize,
}

/// Why the broker cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The settings.
    #[error("the settings cannot be used")]
    Settings(#[from] SettingsError),
    /// The log.
    #[error("the log cannot be opened")]
    Log(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The password.
    #[error("the password cannot be used")]
    Password(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A port.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

impl From<OpenError> for ServeError {
    fn from(error: OpenError) -> Self {
        Self::Log(Box::new(error))
    }
}

/// A broker that serves until its tasks are stopped.
#[derive(Debug)]
pub struct Serving {
    /// Where clients come in.
    pub address: SocketAddr,
    /// Where /health, /ready and /metrics are.
    pub admin: SocketAddr,
    /// Everything that runs; its end is the broker's.
    pub tasks: Tasks,
}

/// Opens the log and begins to serve.
///
/// # Errors
/// If the settings contradict each other, the log cannot be opened, or a port is taken.
pub async fn serve(settings: &Settings) -> Result<Serving, ServeError> {
    let began = Instant::now();
    let credentials = settings.credentials()?;
    let scram = credentials
        .as_ref()
        .map(Scram::new)
        .transpose()
        .map_err(|error| ServeError::Password(error.to_string().into()))?;
    let limits = Limits {
        retention: settings.retention(),
        partition_bytes: u64::from(settings.partition_mib) * 1024 * 1024,
    };
    let admin_port = settings.own_admin_port()?;
    let topics = settings.distinct_topics()?;
    let log = Log::open(&settings.data, topics, limits, Arc::new(SystemClock))?;
    let (listener, address) = listen(SocketAddr::new(settings.host, settings.port)).await?;
    let (admin_listener, admin) = listen(SocketAddr::new(settings.host, admin_port)).await?;
    let tasks = Tasks::new();
    let advertised = settings
        .advertised
        .clone()
        .unwrap_or_else(|| Address { host: address.ip().to_string(), port: address.port() });
    tracing::info!(
        address = %address,
        admin.address = %admin,
        advertised = %format_args!("{}:{}", advertised.host, advertised.port),
        data = %settings.data.display(),
        topics = log.topics.iter().count(),
        password = scram.is_some(),
        duration_ms = began.elapsed().as_millis() as u64,
        "serving"
    );
    if scram.is_none() {
        tracing::warn!(
            "no password is set: whoever reaches the port may read and write everything"
        );
    }
    let broker = Arc::new(Broker {
        log,
        groups: Coordinator::default(),
        advertised,
        scram,
        message_max_bytes: settings.message_max_bytes as usize,
        stopping: tasks.stopping(),
        connections: AtomicUsize::new(0),
    });
    let groups = broker.groups.clone();
    let stopping = tasks.stopping();
    tasks.spawn_critical("groups", async move {
        tokio::select! {
            () = groups.keep_time() => {}
            () = stopping.cancelled() => {}
        }
    });
    tasks.spawn_critical("pruning", prune(Arc::clone(&broker)));
    tasks.spawn_critical("admin", admin::serve(Arc::clone(&broker), admin_listener));
    tasks.spawn_critical("connections", accept(broker, tasks.clone(), listener));
    Ok(Serving { address, admin, tasks })
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let refused = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    Ok((listener, bound))
}

async fn prune(broker: Arc<Broker>) {
    let mut due = tokio::time::interval(PRUNING);
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = due.tick() => broker.log.writer.prune().await,
            () = broker.stopping.cancelled() => return,
        }
    }
}

async fn accept(broker: Arc<Broker>, tasks: Tasks, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = broker.stopping.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                if broker.connections.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS {
                    broker.connections.fetch_sub(1, Ordering::Relaxed);
                    tracing::warn!(limit = CONNECTIONS, "too many clients; one is turned away");
                    continue;
                }
                let broker = Arc::clone(&broker);
                tasks.spawn("connection", async move {
                    connection::serve(&broker, stream, peer).await;
                    broker.connections.fetch_sub(1, Ordering::Relaxed);
                });
            }
            Err(error) => {
                tracing::warn!(error = %error, "a client cannot be accepted");
                // Out of file descriptors, most likely: some will be given back.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
