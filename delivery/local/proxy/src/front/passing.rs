use std::sync::Arc;

use mercurious_runtime::CancellationToken;
use tokio::{io::copy_bidirectional, net::TcpStream, time::timeout};

use crate::{
    Pool, ProxySettings,
    forward::Activity,
    pool::{Endpoint, Failure, Patience},
};

/// Passes one connection on to an instance as it is, until one of the two ends it.
///
/// What goes over it is not known, and neither is when it is idle: a drain does not wait for it. The instance that is told
/// to stop ends it, as it would on any other network.
pub(super) async fn pass(
    mut client: TcpStream,
    pool: &Pool,
    settings: &ProxySettings,
    cut: &CancellationToken,
    _open: Arc<Activity>,
) {
    pool.counters().request();
    let reached = tokio::select! {
        reached = reach(pool, settings) => reached,
        () = cut.cancelled() => return,
    };
    let Some((mut instance, endpoint)) = reached else { return };
    if client.set_nodelay(true).is_err() || instance.set_nodelay(true).is_err() {
        // One of them has left already.
        return;
    }
    tokio::select! {
        // Either side may leave in whichever way it likes.
        _ = copy_bidirectional(&mut client, &mut instance) => {}
        () = endpoint.cut().cancelled() => {}
        () = cut.cancelled() => {}
    }
}

/// A connection to an instance; nothing was sent on it.
async fn reach(pool: &Pool, settings: &ProxySettings) -> Option<(TcpStream, Arc<Endpoint>)> {
    let mut patience = Patience::default();
    for attempt in 0..settings.attempts {
        if attempt > 0 {
            pool.counters().retry();
        }
        let lease = match pool.lease(&mut patience).await {
            Ok(lease) => lease,
            Err(unavailable) => {
                pool.counters().failure(unavailable.failure());
                return None;
            }
        };
        let endpoint = Arc::clone(lease.endpoint());
        let connecting = TcpStream::connect(endpoint.address());
        if let Ok(Ok(stream)) = timeout(settings.connect_timeout, connecting).await {
            endpoint.accepted();
            return Some((stream, endpoint));
        }
        endpoint.refused();
        patience.avoid(&endpoint, settings.wait_for_endpoint);
    }
    pool.counters().failure(Failure::Unavailable);
    None
}
