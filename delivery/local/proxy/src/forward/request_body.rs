use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

/// A request's body on its way to an instance. Clones are the same body, so that a body of which nothing was read yet can
/// go another way when the first one fails.
#[derive(Clone, Debug)]
pub(crate) struct RequestBody(Option<Arc<Mutex<Passage>>>);

#[derive(Debug)]
struct Passage {
    body: Incoming,
    begun: bool,
    failed: bool,
    moved: Instant,
}

impl RequestBody {
    pub(crate) fn new(body: Incoming) -> Self {
        if body.is_end_stream() {
            return Self(None);
        }
        let passage = Passage { body, begun: false, failed: false, moved: Instant::now() };
        Self(Some(Arc::new(Mutex::new(passage))))
    }

    /// The request has no body.
    pub(crate) fn is_absent(&self) -> bool {
        self.0.is_none()
    }

    /// Nothing of it has been read, so all of it can still be sent.
    pub(crate) fn is_untouched(&self) -> bool {
        self.passage().is_none_or(|passage| !passage.begun)
    }

    /// The client broke off within it.
    pub(crate) fn has_failed(&self) -> bool {
        self.passage().is_some_and(|passage| passage.failed)
    }

    /// All of it has been read.
    pub(crate) fn is_complete(&self) -> bool {
        self.passage().is_none_or(|passage| !passage.failed && passage.body.is_end_stream())
    }

    /// When some of it was last read, while there is more to come.
    pub(crate) fn last_moved(&self) -> Option<Instant> {
        self.passage().map(|passage| passage.moved)
    }

    fn passage(&self) -> Option<MutexGuard<'_, Passage>> {
        self.0.as_ref().map(|passage| passage.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(mut passage) = self.passage() else { return Poll::Ready(None) };
        let polled = Pin::new(&mut passage.body).poll_frame(context);
        if let Poll::Ready(frame) = &polled {
            passage.begun = true;
            passage.failed |= matches!(frame, Some(Err(_)));
            passage.moved = Instant::now();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.passage().is_none_or(|passage| passage.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.passage().map_or_else(|| SizeHint::with_exact(0), |passage| passage.body.size_hint())
    }
}
