use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, header::CONTENT_LENGTH},
    routing::post,
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use mercurious_runtime::{Clock, Tasks};

use crate::{
    Ears, Receivers,
    answer::Answer,
    counters::Counters,
    deliveries::Deliveries,
    limits::Limits,
    notice::{Delivery, Malformed, News, Notice},
    oidc::{self, KeyRing, TokenError},
    proof,
    receiver::{Credential, Receiver},
    senders,
};

/// No notification is larger.
const LARGEST: usize = 1024 * 1024;
/// A body has arrived within this.
const ARRIVED: Duration = Duration::from_secs(5);

/// The receivers at work. Clones share them.
#[derive(Clone)]
pub struct Webhooks {
    inner: Arc<Inner>,
}

struct Inner {
    receivers: RwLock<Arc<Receivers>>,
    ears: Arc<dyn Ears>,
    clock: Arc<dyn Clock>,
    keys: KeyRing,
    deliveries: Deliveries,
    limits: Limits,
    counters: Counters,
}

impl Webhooks {
    /// Receives for these; hints go to the ears.
    pub fn new(
        receivers: Receivers,
        ears: Arc<dyn Ears>,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> Self {
        let inner = Inner {
            receivers: RwLock::new(Arc::new(receivers)),
            ears,
            clock,
            keys: KeyRing::new(tasks.clone()),
            deliveries: Deliveries::default(),
            limits: Limits::default(),
            counters: Counters::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Receives for these from now on: a secret was changed, a receiver came or went.
    pub fn replace(&self, receivers: Receivers) {
        self.inner.limits.keep_only(&receivers.names());
        self.inner.keys.keep_only(|url| receivers.has_keys(url));
        let mut own = self.inner.receivers.write().unwrap_or_else(PoisonError::into_inner);
        *own = Arc::new(receivers);
    }

    /// Counters by sender and outcome, in Prometheus' text format.
    pub fn metrics(&self) -> String {
        self.inner.counters.text()
    }

    /// `POST /hooks/NAME`, `POST /hooks/NAME/TOKEN`, and `POST /hook/DIGEST` as Flux computes it.
    pub fn router(&self) -> Router {
        type Request = (HeaderMap, Body);
        let by_name = async |State(hooks): State<Self>, Path(name), (headers, body): Request| {
            hooks.receive(&At::Name(name), headers, body).await
        };
        let by_token =
            async |State(hooks): State<Self>, Path((name, token)), (headers, body): Request| {
                hooks.receive(&At::Token(name, token), headers, body).await
            };
        let by_digest = async |State(hooks): State<Self>, Path(end), (headers, body): Request| {
            hooks.receive(&At::Flux(end), headers, body).await
        };
        Router::new()
            .route("/hooks/{name}", post(by_name))
            .route("/hooks/{name}/{token}", post(by_token))
            .route("/hook/{digest}", post(by_digest))
            .fallback(async |State(hooks): State<Self>| {
                hooks.inner.counters.count(None, Answer::Unknown.outcome());
                Answer::Unknown
            })
            .with_state(self.clone())
    }

    async fn receive(&self, at: &At, headers: HeaderMap, body: Body) -> Answer {
        let inner = &self.inner;
        let receivers = {
            let receivers = inner.receivers.read().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(&receivers)
        };
        let Some(receiver) = at.receiver(&receivers) else {
            inner.counters.count(None, Answer::Unknown.outcome());
            return Answer::Unknown;
        };
        let answer = match inner.hear(receiver, at, &headers, body).await {
            Ok(answer) | Err(answer) => answer,
        };
        inner.counters.count(Some(receiver.sender), answer.outcome());
        tracing::info!(
            webhook.receiver = receiver.name,
            webhook.sender = receiver.sender.as_str(),
            webhook.outcome = answer.outcome().as_str(),
            "notification"
        );
        answer
    }
}

/// Where something was sent.
enum At {
    Name(String),
    Token(String, String),
    Flux(String),
}

impl At {
    fn receiver<'a>(&self, receivers: &'a Receivers) -> Option<&'a Receiver> {
        match self {
            Self::Name(name) => receivers.named(name),
            // A path that was not meant to hold a token is no path.
            Self::Token(name, _) => receivers
                .named(name)
                .filter(|receiver| matches!(receiver.credential, Credential::Path(_))),
            Self::Flux(end) => receivers.at_flux_path(end),
        }
    }
}

impl Inner {
    async fn hear(
        &self,
        receiver: &Receiver,
        at: &At,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Answer, Answer> {
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        if length
            .and_then(|length| length.parse().ok())
            .is_some_and(|length: usize| length > LARGEST)
        {
            return Err(Answer::TooLarge);
        }
        // What proves itself without a body does so before anything of that is read.
        self.authenticate(receiver, at, headers).await?;
        let body = arrived(body).await?;
        if let Credential::Signature(secret) = &receiver.credential
            && !proof::is_signed(receiver.sender, headers, secret, &body)
        {
            return Err(self.refused(false));
        }
        let notice = Notice { headers, body: &body };
        let delivery = senders::read(receiver.sender, &notice).map_err(Answer::Malformed)?;
        self.pass_on(receiver, delivery)
    }

    async fn authenticate(
        &self,
        receiver: &Receiver,
        at: &At,
        headers: &HeaderMap,
    ) -> Result<(), Answer> {
        let (is_proven, in_path) = match (&receiver.credential, at) {
            // Known when the body is.
            (Credential::Signature(_), _) => (true, false),
            (Credential::Header(secret), _) => {
                (proof::is_in_header(receiver.sender, headers, secret), false)
            }
            // Flux's path is made of the secret.
            (Credential::Path(_), At::Flux(_)) => (true, true),
            (Credential::Path(secret), At::Token(_, token)) => (secret.is(token.as_bytes()), true),
            (Credential::Path(_), At::Name(_)) => (false, true),
            (Credential::Oidc(issuer), _) => {
                let token = proof::bearer(headers);
                match oidc::check(token, issuer, &self.keys, self.clock.as_ref()).await {
                    Ok(()) => (true, false),
                    Err(TokenError::NoKeys(_)) => return Err(Answer::Unready),
                    Err(error) => {
                        tracing::debug!(webhook.receiver = receiver.name, error = %error, "token refused");
                        (false, false)
                    }
                }
            }
        };
        if is_proven { Ok(()) } else { Err(self.refused(in_path)) }
    }

    fn refused(&self, in_path: bool) -> Answer {
        match self.limits.refuse() {
            Ok(()) => Answer::Refused { in_path },
            Err(seconds) => Answer::Limited { seconds },
        }
    }

    fn pass_on(&self, receiver: &Receiver, delivery: Delivery) -> Result<Answer, Answer> {
        let hints = match delivery.news {
            News::Nothing(reason) => return Ok(Answer::Ignored(reason)),
            News::Images(told) => receiver.admit(&told),
            News::All => {
                let all = receiver.all();
                if all.is_empty() {
                    return Err(Answer::Malformed(Malformed::NoImage));
                }
                all
            }
        };
        if hints.is_empty() {
            return Ok(Answer::Foreign);
        }
        self.limits.hear(&receiver.name).map_err(|seconds| Answer::Limited { seconds })?;
        if let Some(id) = &delivery.id
            && !self.deliveries.is_first(&receiver.name, id)
        {
            return Ok(Answer::Duplicate);
        }
        for hint in &hints {
            tracing::debug!(webhook.receiver = receiver.name, image = %hint, "hint");
            self.ears.hear(hint);
        }
        Ok(Answer::Accepted { repositories: hints.len() })
    }
}

/// The whole body, if it is of a size and in time.
async fn arrived(body: Body) -> Result<Bytes, Answer> {
    match tokio::time::timeout(ARRIVED, Limited::new(body, LARGEST).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Answer::TooLarge),
        // Whoever went away reads no answer.
        Ok(Err(_)) | Err(_) => Err(Answer::TooSlow),
    }
}
