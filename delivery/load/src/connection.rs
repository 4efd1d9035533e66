use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{
    Request, Response, Uri,
    body::{Bytes, Incoming},
    client::conn::http1,
    header,
};
use hyper_util::rt::TokioIo;
use mercurious_runtime::Tasks;
use tokio::{net::TcpStream, time::timeout};

use crate::TargetError;

/// Where requests go.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    address: String,
    host: String,
    path: String,
}

/// An answer that is read at most this far: a version is short.
const LONGEST_BODY: usize = 1 << 20;

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, TargetError> {
        let refused = || TargetError::Url { url: url.to_owned() };
        let uri: Uri = url.parse().map_err(|_| refused())?;
        if uri.scheme_str() != Some("http") {
            return Err(refused());
        }
        let host = uri.host().ok_or_else(refused)?;
        Ok(Self {
            address: format!("{host}:{}", uri.port_u16().unwrap_or(80)),
            host: uri.authority().ok_or_else(refused)?.to_string(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }
}

/// One connection of HTTP/1.1, which may be kept.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: http1::SendRequest<Empty<Bytes>>,
}

impl Connection {
    pub(crate) async fn open(target: &Target, tasks: &Tasks) -> Result<Self, String> {
        let stream = TcpStream::connect(&target.address)
            .await
            .map_err(|error| format!("could not connect: {error}"))?;
        let _ = stream.set_nodelay(true);
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| format!("could not start HTTP: {}", with_causes(&error)))?;
        tasks.spawn("load connection", async move {
            // Its fault shows in the request that meets it.
            let _ = connection.await;
        });
        Ok(Self { sender })
    }

    /// Whether another request can go over it: false once the server has closed it.
    pub(crate) async fn is_open(&mut self) -> bool {
        self.sender.ready().await.is_ok()
    }

    /// Sends one request and reads its whole answer: the first line of a good one, or what went wrong.
    pub(crate) async fn ask(&mut self, target: &Target) -> Result<String, String> {
        let response = self.send(target).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LONGEST_BODY)
            .collect()
            .await
            .map_err(|error| format!("answer broken off: {}", with_causes(error.as_ref())))?
            .to_bytes();
        let line: String = String::from_utf8_lossy(&body)
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(120)
            .collect();
        if status.is_success() {
            Ok(line.trim().to_owned())
        } else {
            Err(format!("status {}: {}", status.as_u16(), line.trim()))
        }
    }

    /// Sends one request; its answer, whose body is still to be read.
    pub(crate) async fn send(&mut self, target: &Target) -> Result<Response<Incoming>, String> {
        let request = Request::get(target.path.as_str())
            .header(header::HOST, target.host.as_str())
            .header(header::USER_AGENT, "mercurious-load")
            .body(Empty::new())
            .map_err(|error| format!("not a request: {error}"))?;
        self.sender
            .send_request(request)
            .await
            .map_err(|error| format!("no answer: {}", with_causes(&error)))
    }
}

/// One request over a connection of its own.
pub(crate) async fn ask_afresh(
    target: &Target,
    tasks: &Tasks,
    deadline: Duration,
) -> Result<String, String> {
    let asked = async { Connection::open(target, tasks).await?.ask(target).await };
    timeout(deadline, asked).await.unwrap_or_else(|_| Err(timed_out(deadline)))
}

pub(crate) fn timed_out(deadline: Duration) -> String {
    format!("no answer within {deadline:?}")
}

pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
