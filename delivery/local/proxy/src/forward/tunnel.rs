use std::{
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, copy_bidirectional},
    time::{Instant, sleep_until, timeout},
};

use super::InFlight;
use crate::pool::Lease;

/// How long both sides may take for going over, and for taking leave.
const TURN: Duration = Duration::from_secs(5);

/// A connection that was upgraded on both sides: bytes pass until one side ends, nothing passes for too long, or the
/// instance must be let go.
pub(super) struct Tunnel {
    pub(super) client: OnUpgrade,
    pub(super) endpoint: OnUpgrade,
    pub(super) lease: Lease,
    pub(super) in_flight: InFlight,
    pub(super) idle_timeout: Duration,
}

impl Tunnel {
    pub(super) async fn run(self) {
        let Self { client, endpoint, lease, in_flight, idle_timeout } = self;
        let both = async { tokio::try_join!(client, endpoint) };
        let Ok(Ok((client, endpoint))) = timeout(TURN, both).await else {
            tracing::debug!("upgraded connection lost before its first byte");
            return;
        };
        let moved = Arc::new(Mutex::new(Instant::now()));
        let mut client = TokioIo::new(client);
        let mut endpoint = Watched { inner: TokioIo::new(endpoint), moved: Arc::clone(&moved) };
        {
            let mut copying = pin!(copy_bidirectional(&mut client, &mut endpoint));
            loop {
                let idle_until =
                    *moved.lock().unwrap_or_else(PoisonError::into_inner) + idle_timeout;
                tokio::select! {
                    // Either side may leave in whichever way it likes.
                    _ = copying.as_mut() => break,
                    () = lease.endpoint().cut().cancelled() => break,
                    () = sleep_until(idle_until), if Instant::now() < idle_until => {}
                    () = std::future::ready(()), if Instant::now() >= idle_until => break,
                }
            }
        }
        let _ = timeout(TURN, async { tokio::join!(client.shutdown(), endpoint.shutdown()) }).await;
        drop((client, endpoint));
        drop(lease);
        drop(in_flight);
    }
}

/// Notes when bytes pass.
struct Watched<T> {
    inner: T,
    moved: Arc<Mutex<Instant>>,
}

impl<T> Watched<T> {
    fn note(&self) {
        *self.moved.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        if polled.is_ready() {
            self.note();
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        if polled.is_ready() {
            self.note();
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
