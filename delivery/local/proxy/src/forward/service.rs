use std::{
    net::SocketAddr,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::{body::Incoming, upgrade::OnUpgrade};

use super::{
    Activity, RequestBody,
    exchange::{Answer, NoAnswer, exchange},
    head::{Head, clean_answer},
    reply::reply,
    response_body::{Held, ResponseBody},
    tunnel::Tunnel,
};
use crate::{
    Pool,
    pool::{Failure, Unavailable},
    routes::{RouteTable, Unrouted},
};

/// Where a port's requests go.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// All to one pool.
    Pool(Pool),
    /// To the pool that the table of the moment says.
    Hosts(Arc<RwLock<Arc<RouteTable<Pool>>>>),
}

/// One client connection, as its requests see it.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    /// The port that it came to.
    pub(crate) own: SocketAddr,
    pub(crate) target: Target,
    pub(crate) activity: Arc<Activity>,
    /// Counts requests that belong to no pool.
    pub(crate) refused: Arc<AtomicU64>,
}

impl Client {
    pub(crate) async fn serve(&self, request: Request<Incoming>) -> Response<ResponseBody> {
        let in_flight = self.activity.begin();
        let (mut parts, body) = request.into_parts();
        let on_client = parts.extensions.remove::<OnUpgrade>();
        let body = RequestBody::new(body);
        let head = match Head::new(parts, &body, self.address, self.own) {
            Ok(head) => head,
            Err(bad) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                return reply(bad.status(), &bad.to_string());
            }
        };
        let pool = match self.pool(&head) {
            Ok(pool) => pool,
            Err(text) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                return reply(StatusCode::NOT_FOUND, &text);
            }
        };
        pool.counters().request();
        let Answer { response, sender, lease } = match exchange(&pool, &head, &body).await {
            Ok(answer) => answer,
            Err(none) => return no_answer(&pool, &none),
        };

        let (mut parts, answer) = response.into_parts();
        let on_endpoint = parts.extensions.remove::<OnUpgrade>();
        parts.extensions.clear();
        parts.version = http::Version::HTTP_11;
        let upgraded = parts.status == StatusCode::SWITCHING_PROTOCOLS;
        clean_answer(&mut parts.headers, upgraded);
        if !upgraded {
            let held = Held { pool, sender, lease, request: body, in_flight };
            return Response::from_parts(parts, ResponseBody::passing(answer, held));
        }
        let (Some(client), Some(endpoint), true) = (on_client, on_endpoint, head.wants_upgrade())
        else {
            pool.counters().failure(Failure::Broken);
            let text =
                format!("{}: the instance changed protocols without being asked", pool.name());
            return reply(StatusCode::BAD_GATEWAY, &text);
        };
        let idle_timeout = pool.settings().stream_idle_timeout;
        let tunnel = Tunnel { client, endpoint, lease, in_flight, idle_timeout };
        pool.tasks().spawn("proxy.tunnel", tunnel.run());
        Response::from_parts(parts, ResponseBody::empty())
    }

    fn pool(&self, head: &Head) -> Result<Pool, String> {
        let table = match &self.target {
            Target::Pool(pool) => return Ok(pool.clone()),
            Target::Hosts(table) => {
                Arc::clone(&table.read().unwrap_or_else(PoisonError::into_inner))
            }
        };
        table.find(head.host(), head.path()).cloned().map_err(|unrouted| match unrouted {
            Unrouted::Host => format!("no route for host {}", head.host()),
            Unrouted::Path => format!("no route for path {} on host {}", head.path(), head.host()),
        })
    }
}

fn no_answer(pool: &Pool, none: &NoAnswer) -> Response<ResponseBody> {
    pool.counters().failure(none.failure());
    let name = pool.name();
    let wait = pool.settings().wait_for_endpoint;
    let (status, text) = match none {
        NoAnswer::Unavailable(Unavailable::Late(_)) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{name}: no instance is ready (waited {wait:?})"),
        ),
        NoAnswer::Unavailable(other) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{name}: {other}"))
        }
        NoAnswer::Unreached(error) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{name}: no instance accepts connections (waited {wait:?}): {}", chain(error)),
        ),
        NoAnswer::Broken(_) | NoAnswer::Stopped => {
            (StatusCode::BAD_GATEWAY, format!("{name}: {none}"))
        }
        NoAnswer::Slow(_) => (StatusCode::GATEWAY_TIMEOUT, format!("{name}: {none}")),
        NoAnswer::Client(_) => (StatusCode::BAD_REQUEST, none.to_string()),
    };
    tracing::debug!(pool.name = %name, http.status = status.as_u16(), error = %chain(none), "request failed");
    let mut response = reply(status, &text);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let seconds = pool.settings().retry_after.as_secs().max(1);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
