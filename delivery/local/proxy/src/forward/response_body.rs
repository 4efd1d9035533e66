use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{InFlight, RequestBody};
use crate::pool::{Failure, Lease, Pool, Sender};

/// Why an answer's body broke off; the client's connection or stream is broken off with it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    #[error("the instance broke off within its answer")]
    Broken(#[source] hyper::Error),
    #[error("the instance was stopped within its answer")]
    Stopped,
    #[error("the instance's answer carried nothing for too long")]
    Idle,
}

/// An answer's body on its way to a client.
#[derive(Debug)]
pub(crate) enum ResponseBody {
    Text(Option<Bytes>),
    Passing(Passing),
}

/// The body of an instance's answer, and what its end gives back.
#[derive(Debug)]
pub(crate) struct Passing {
    body: Incoming,
    /// There until the end.
    held: Option<Held>,
    /// There while the body makes the client wait.
    silence: Option<Silence>,
}

#[derive(Debug)]
pub(super) struct Held {
    pub(super) pool: Pool,
    pub(super) sender: Sender,
    pub(super) lease: Lease,
    pub(super) request: RequestBody,
    pub(super) in_flight: InFlight,
}

#[derive(Debug)]
struct Silence {
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    too_long: Pin<Box<Sleep>>,
    /// Something came since, so that the next silence is a new one.
    ended: bool,
}

impl Held {
    /// The exchange is over on the instance's side; its connection can carry another, unless the request still goes out on
    /// it.
    fn end(self) {
        let Self { pool, sender, lease, request, in_flight } = self;
        if request.is_complete() {
            lease.keep(sender, pool.settings());
        }
        drop(lease);
        drop(in_flight);
    }
}

impl ResponseBody {
    pub(super) fn empty() -> Self {
        Self::Text(None)
    }

    pub(super) fn text(text: String) -> Self {
        Self::Text(Some(Bytes::from(text)))
    }

    pub(super) fn passing(body: Incoming, held: Held) -> Self {
        if body.is_end_stream() {
            held.end();
            return Self::empty();
        }
        Self::Passing(Passing { body, held: Some(held), silence: None })
    }
}

impl Passing {
    fn end(&mut self) {
        self.silence = None;
        if let Some(held) = self.held.take() {
            held.end();
        }
    }

    /// Ends before the instance did. A body of unknown length ends for the client as if the instance had ended it; one
    /// whose length was announced must be seen to be incomplete.
    fn break_off(&mut self, error: StreamError) -> Option<Result<Frame<Bytes>, StreamError>> {
        let clean =
            self.body.size_hint().exact().is_none() && !matches!(error, StreamError::Broken(_));
        self.silence = None;
        if let Some(held) = self.held.take() {
            held.pool.counters().failure(Failure::Cut);
            tracing::debug!(pool.name = %held.pool.name(), error = %error, "answer broken off");
        }
        if clean { None } else { Some(Err(error)) }
    }

    fn poll_silence(&mut self, context: &mut Context<'_>) -> Poll<StreamError> {
        let Some(held) = &self.held else { return Poll::Pending };
        let limit = held.pool.settings().stream_idle_timeout;
        let silence = self.silence.get_or_insert_with(|| Silence {
            cut: Box::pin(held.lease.endpoint().cut().clone().cancelled_owned()),
            too_long: Box::pin(sleep(limit)),
            ended: false,
        });
        if std::mem::take(&mut silence.ended) {
            silence.too_long.as_mut().reset(Instant::now() + limit);
        }
        if silence.cut.as_mut().poll(context).is_ready() {
            return Poll::Ready(StreamError::Stopped);
        }
        silence.too_long.as_mut().poll(context).map(|()| StreamError::Idle)
    }

    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let Some(held) = &self.held else { return Poll::Ready(None) };
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(silence) = &mut self.silence {
                    silence.ended = true;
                }
                // The reader may not ask again once it has the announced length.
                if self.body.is_end_stream() {
                    self.end();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                let cut = held.lease.endpoint().cut().is_cancelled();
                let error = if cut { StreamError::Stopped } else { StreamError::Broken(error) };
                Poll::Ready(self.break_off(error))
            }
            Poll::Ready(None) => {
                self.end();
                Poll::Ready(None)
            }
            Poll::Pending => self.poll_silence(context).map(|error| self.break_off(error)),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        match self.get_mut() {
            Self::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Passing(passing) => passing.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) => text.is_none(),
            Self::Passing(passing) => passing.held.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, |t| t.len() as u64)),
            Self::Passing(passing) => passing.body.size_hint(),
        }
    }
}
