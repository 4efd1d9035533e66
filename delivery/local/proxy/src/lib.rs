//! The front proxy of one machine: ports and hosts in front, pools of instances behind.
//!
//! Flow: a [`FrontProxy`] listens on ports; a request finds its [`Pool`] (the port's own, or by [`Routes`]), the
//! pool leases it an instance, and the answer streams back. Instances come and go by [`Pool::insert`],
//! [`Pool::drain`] and [`Pool::remove`] while clients keep their connections.
//!
//! Guarantees: no request is given to an instance once [`Pool::drain`] has returned its future; when that future
//! resolves, no connection to the instance is open any more, so a SIGTERM finds nothing to lose. A request that
//! reached no instance is tried on another one; a request that may have been worked on is repeated only where HTTP
//! says that this is safe (RFC 9110, 9.2.1), and once.
//!
//! Assumptions: instances are on this machine or its network and speak plain HTTP/1.1; whether they are ready is
//! decided by who inserts them. Everything runs in the caller's tokio runtime, on its
//! [`Tasks`](mercurious_runtime::Tasks).
//!
//! A port may also pass connections on as they are ([`FrontProxy::listen_connections`]): nothing of the above but the
//! choice of an instance that can be reached holds for these.
//!
//! Caveats: no TLS on either side, no HTTP/2 towards instances (so no gRPC), no CONNECT.

mod forward;
mod front;
mod names;
mod pool;
mod routes;
mod settings;

pub use front::{FrontProxy, FrontSnapshot, ListenError};
pub use names::{EndpointId, NameError, PoolName};
pub use pool::{Drained, EndpointSnapshot, FailureCounts, Pool, PoolCounters, PoolSnapshot};
pub use routes::{HostPattern, PathPattern, PatternError, Route, Routes};
pub use settings::ProxySettings;
