use std::{pin::pin, time::Duration};

use http::{Request, Response};
use hyper::{body::Incoming, client::conn::TrySendError};
use tokio::time::{Instant, sleep_until};

use super::{RequestBody, head::Head};
use crate::pool::{ConnectError, Failure, Lease, Patience, Pool, Sender, Unavailable};

/// An instance's answer, and what must be given back after its body.
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    pub(super) sender: Sender,
    pub(super) lease: Lease,
}

/// Why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("no instance could be had")]
    Unavailable(#[source] Unavailable),
    #[error("no instance could be reached")]
    Unreached(#[source] ConnectError),
    #[error("the instance broke off before it answered")]
    Broken(#[source] hyper::Error),
    #[error("the instance was stopped before it answered")]
    Stopped,
    #[error("the instance did not answer within {0:?}")]
    Slow(Duration),
    #[error("the client broke off within its request")]
    Client(#[source] hyper::Error),
}

impl NoAnswer {
    pub(super) fn failure(&self) -> Failure {
        match self {
            Self::Unavailable(unavailable) => unavailable.failure(),
            Self::Unreached(_) => Failure::Unavailable,
            Self::Broken(_) | Self::Stopped => Failure::Broken,
            Self::Slow(_) => Failure::Slow,
            Self::Client(_) => Failure::Client,
        }
    }
}

/// What one sending came to, short of an answer.
enum Lost {
    /// Nothing of it went out.
    Unsent(hyper::Error),
    /// Some of it may have been worked on.
    Sent(hyper::Error),
    Stopped,
    Slow,
}

/// Sends a request to one instance after the other until one answers, as far as repeating does no harm.
pub(super) async fn exchange(
    pool: &Pool,
    head: &Head,
    body: &RequestBody,
) -> Result<Answer, NoAnswer> {
    let settings = pool.settings();
    let repeats_freely = head.is_idempotent() && body.is_absent();
    let idle = if repeats_freely {
        settings.endpoint_idle_timeout
    } else {
        settings.unrepeatable_idle.min(settings.endpoint_idle_timeout)
    };
    let mut patience = Patience::default();
    let mut fresh_only = false;
    let mut may_repeat = head.is_safe() && body.is_absent();
    let mut unreached = None;

    for attempt in 0..settings.attempts {
        if attempt > 0 {
            pool.counters().retry();
        }
        let lease = match pool.lease(&mut patience).await {
            Ok(lease) => lease,
            Err(unavailable) => {
                let late = matches!(unavailable, Unavailable::Late(_));
                return Err(match unreached.filter(|_| late) {
                    Some(error) => NoAnswer::Unreached(error),
                    None => NoAnswer::Unavailable(unavailable),
                });
            }
        };
        let kept = if fresh_only { None } else { lease.idle_connection(idle) };
        let reused = kept.is_some();
        let connected = match kept {
            Some(sender) => Ok(sender),
            None => lease.connect(pool.tasks(), settings).await,
        };
        let mut sender = match connected {
            Ok(sender) => sender,
            Err(error) => {
                lease.endpoint().refused();
                patience.avoid(lease.endpoint(), settings.wait_for_endpoint);
                unreached = Some(error);
                continue;
            }
        };
        let request = head.request(body.clone());
        match send(&lease, &mut sender, request, body, settings.response_header_timeout).await {
            Ok(response) => return Ok(Answer { response, sender, lease }),
            Err(Lost::Unsent(_)) if reused => fresh_only = true,
            Err(Lost::Unsent(error)) => {
                lease.endpoint().refused();
                patience.avoid(lease.endpoint(), settings.wait_for_endpoint);
                unreached = Some(ConnectError::Handshake(error));
            }
            Err(Lost::Sent(error)) if body.has_failed() => return Err(NoAnswer::Client(error)),
            // The instance closed an idle connection while the request was on its way, without having seen all of it.
            Err(Lost::Sent(error))
                if reused
                    && !error.is_parse()
                    && (repeats_freely || (!body.is_absent() && body.is_untouched())) =>
            {
                fresh_only = true;
            }
            Err(Lost::Sent(_) | Lost::Stopped) if may_repeat => {
                may_repeat = false;
                patience.avoid(lease.endpoint(), settings.wait_for_endpoint);
            }
            Err(Lost::Sent(error)) => return Err(NoAnswer::Broken(error)),
            Err(Lost::Stopped) => return Err(NoAnswer::Stopped),
            Err(Lost::Slow) => return Err(NoAnswer::Slow(settings.response_header_timeout)),
        }
    }
    Err(match unreached {
        Some(error) => NoAnswer::Unreached(error),
        None => NoAnswer::Unavailable(Unavailable::Late(settings.wait_for_endpoint)),
    })
}

async fn send(
    lease: &Lease,
    sender: &mut Sender,
    request: Request<RequestBody>,
    body: &RequestBody,
    limit: Duration,
) -> Result<Response<Incoming>, Lost> {
    let mut answering = pin!(sender.try_send_request(request));
    let mut deadline = Instant::now() + limit;
    loop {
        tokio::select! {
            answered = answering.as_mut() => {
                return answered.map_err(|error: TrySendError<_>| {
                    if error.message().is_some() {
                        Lost::Unsent(error.into_error())
                    } else if lease.endpoint().cut().is_cancelled() {
                        // The connection ended with the cut, not by the instance's own doing.
                        Lost::Stopped
                    } else {
                        Lost::Sent(error.into_error())
                    }
                });
            }
            // While the body is still on its way, the instance cannot be expected to answer.
            () = sleep_until(deadline) => match body.last_moved().map(|moved| moved + limit) {
                Some(later) if later > Instant::now() => deadline = later,
                _ => return Err(Lost::Slow),
            },
        }
    }
}
