use std::{convert::Infallible, future::Future, pin::pin, sync::Arc, time::Duration};

use hyper::{rt::Executor, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use mercurious_runtime::{CancellationToken, Tasks};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until, timeout},
};

use crate::{ProxySettings, forward::Client};

/// How long a connection may take for its last bytes once all answers have ended.
const TAKING_LEAVE: Duration = Duration::from_secs(1);
/// How often an HTTP/2 client is asked whether it is still there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);
/// The least that hyper can read into.
const SMALLEST_BUFFER: usize = 8192;
/// How many requests one HTTP/2 connection may have in flight.
const STREAMS: u32 = 256;

/// HTTP/2's streams, on the supervised set.
#[derive(Clone)]
struct OnTasks(Tasks);

impl<F> Executor<F> for OnTasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        self.0.spawn("proxy.stream", stream);
    }
}

/// Answers one client's requests until it leaves, is quiet for too long, or the port closes.
pub(super) async fn serve(
    stream: TcpStream,
    client: Client,
    settings: &ProxySettings,
    tasks: Tasks,
    stop: &CancellationToken,
    cut: &CancellationToken,
) {
    if stream.set_nodelay(true).is_err() {
        // The client has left already.
        return;
    }
    let builder = builder(tasks, settings);
    let activity = Arc::clone(&client.activity);
    let client = Arc::new(client);
    let service = service_fn(move |request| {
        let client = Arc::clone(&client);
        async move { Ok::<_, Infallible>(client.serve(request).await) }
    });
    let mut connection =
        pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));

    let mut closing: Option<Instant> = None;
    let mut look_again = Instant::now() + settings.client_idle_timeout;
    loop {
        tokio::select! {
            // How a client leaves is its own affair; what fails within a request is reported there.
            _ = connection.as_mut() => return,
            () = stop.cancelled(), if closing.is_none() => {}
            () = cut.cancelled() => {
                let _ = timeout(TAKING_LEAVE, connection.as_mut()).await;
                return;
            }
            () = sleep_until(look_again) => {
                if closing.is_some() {
                    return;
                }
                look_again = activity.quiet_since() + settings.client_idle_timeout;
                if look_again > Instant::now() {
                    continue;
                }
            }
        }
        // Ends what is idle, says goodbye to the rest: `connection: close`, GOAWAY.
        connection.as_mut().graceful_shutdown();
        look_again = Instant::now() + settings.stop_deadline + TAKING_LEAVE;
        closing = Some(look_again);
    }
}

fn builder(tasks: Tasks, settings: &ProxySettings) -> Builder<OnTasks> {
    let mut builder = Builder::new(OnTasks(tasks));
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.request_header_timeout)
        .max_buf_size(settings.request_header_bytes.max(SMALLEST_BUFFER))
        .max_headers(settings.request_header_fields);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(settings.request_header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}
