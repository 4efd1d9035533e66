use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use mercurious_core::{duration::Span, rollout::Attempt};
use mercurious_engine::{AuditEntry, AutoDeployView, Verification};
use mercurious_runtime::Tasks;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::{
    Change, Explanation, Follow, FollowLog, ManifestWarning, Problem, UnsteeredWorkload, Verb,
};

/// An answer takes no longer than this, a look at a slow registry and all its retries included.
const PATIENCE: Duration = Duration::from_mins(3);

/// The engine ends what takes too long itself; this much later it is given up on.
const GRACE: Duration = Duration::from_secs(10);

/// Talks to a running engine over the socket in its data directory.
#[derive(Clone, Debug)]
pub struct ApiClient {
    data_directory: PathBuf,
    tasks: Tasks,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing listens.
    #[error(
        "no `mercurious up` is running with data directory {directory}; start it with `mercurious up`"
    )]
    NotRunning {
        /// Which directory.
        directory: PathBuf,
        /// Why the socket cannot be opened.
        source: std::io::Error,
    },
    /// The token cannot be read.
    #[error("cannot read the token in {path}")]
    Token {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The engine said no.
    #[error("{}", .0.detail)]
    Problem(Problem),
    /// The connection broke.
    #[error("the connection to the engine broke")]
    Connection(#[source] hyper::Error),
    /// The answer is not what was expected: another version, perhaps.
    #[error("the engine's answer cannot be read; is it the same version as this program?")]
    Answer(#[source] serde_json::Error),
    /// The engine did not answer in time.
    #[error("the engine did not answer within {} seconds", .0.as_secs())]
    Late(Duration),
    /// A frame of the live stream has no end.
    #[error("the live stream of the engine cannot be read: a frame is too long")]
    TooLong,
    /// The request could not be made.
    #[error("the request cannot be made")]
    Request(#[source] http::Error),
}

impl ApiClient {
    /// A client of the engine with this data directory.
    pub fn new(data_directory: &Path) -> Self {
        Self { data_directory: data_directory.to_owned(), tasks: Tasks::new() }
    }

    /// All auto-deploys.
    pub async fn list(&self) -> Result<Vec<AutoDeployView>, ClientError> {
        self.get("auto-deploys").await
    }

    /// One auto-deploy.
    pub async fn show(&self, name: &str) -> Result<AutoDeployView, ClientError> {
        self.get(&of(name, "")).await
    }

    /// Why it did, or did not, deploy.
    pub async fn explain(&self, name: &str) -> Result<Explanation, ClientError> {
        self.get(&of(name, "/explain")).await
    }

    /// Rollouts that ended, newest first.
    pub async fn history(&self, name: &str) -> Result<Vec<Attempt>, ClientError> {
        self.get(&of(name, "/history")).await
    }

    /// The checklist of a deployment, from evidence that is gathered now.
    pub async fn verify(&self, name: &str) -> Result<Verification, ClientError> {
        self.get(&of(name, "/verify")).await
    }

    /// Workloads that no auto-deploy steers.
    pub async fn unsteered(&self) -> Result<Vec<UnsteeredWorkload>, ClientError> {
        self.get("unsteered-workloads").await
    }

    /// What is odd about the manifests.
    pub async fn warnings(&self) -> Result<Vec<ManifestWarning>, ClientError> {
        self.get("warnings").await
    }

    /// The newest lines of its replicas, those that crashed or were replaced included.
    pub async fn logs(&self, name: &str, lines: usize) -> Result<Vec<String>, ClientError> {
        self.get(&of(name, &format!("/logs?lines={lines}"))).await
    }

    /// The newest lines of its replicas, and those to come.
    pub async fn follow_logs(&self, name: &str, lines: usize) -> Result<FollowLog, ClientError> {
        let path = of(name, &format!("/logs?follow=true&lines={lines}"));
        Ok(FollowLog::new(self.open(&path).await?))
    }

    /// The audit history, newest first.
    pub async fn audit(&self, limit: usize) -> Result<Vec<AuditEntry>, ClientError> {
        self.get(&format!("audit?limit={limit}")).await
    }

    /// Follows what happens, from a snapshot on.
    pub async fn follow(&self) -> Result<Follow, ClientError> {
        Ok(Follow::new(self.open("events").await?))
    }

    /// Asks something of an auto-deploy, and waits until it was handled.
    pub async fn change(
        &self,
        name: &str,
        verb: Verb,
        change: &Change,
    ) -> Result<AutoDeployView, ClientError> {
        self.post(&of(name, &format!("/{}", verb.as_str())), change, PATIENCE).await
    }

    /// Waits until no rollout of this auto-deploy is at work.
    pub async fn settled(
        &self,
        name: &str,
        timeout: Duration,
    ) -> Result<AutoDeployView, ClientError> {
        let request = Self::reading(&of(name, &format!("/settled?timeout={}", Span(timeout))))?;
        within(timeout.saturating_add(GRACE), async { read(self.send(request).await?).await }).await
    }

    /// Looks at everything and waits until no rollout is at work.
    pub async fn sync(&self, timeout: Duration) -> Result<Vec<AutoDeployView>, ClientError> {
        let path = format!("sync?timeout={}", Span(timeout));
        self.post(&path, &Change::default(), timeout.saturating_add(GRACE)).await
    }

    /// Opens a stream.
    async fn open(&self, path: &str) -> Result<Incoming, ClientError> {
        let response = within(PATIENCE, self.send(Self::reading(path)?)).await?;
        if response.status() == StatusCode::OK {
            return Ok(response.into_body());
        }
        Err(problem(response).await?)
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        change: &Change,
        patience: Duration,
    ) -> Result<T, ClientError> {
        let token = self.token()?;
        let body = serde_json::to_vec(change).map_err(ClientError::Answer)?;
        let mut bearer = http::HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
            .map_err(|error| ClientError::Request(error.into()))?;
        bearer.set_sensitive(true);
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("/api/v1/{path}"))
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, bearer)
            .body(Full::new(Bytes::from(body)))
            .map_err(ClientError::Request)?;
        within(patience, async { read(self.send(request).await?).await }).await
    }

    fn token(&self) -> Result<SecretString, ClientError> {
        let path = self.data_directory.join("token");
        match std::fs::read_to_string(&path) {
            Ok(token) => Ok(SecretString::from(token.trim())),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
                Err(ClientError::NotRunning { directory: self.data_directory.clone(), source })
            }
            Err(source) => Err(ClientError::Token { path, source }),
        }
    }

    fn reading(path: &str) -> Result<Request<Full<Bytes>>, ClientError> {
        Request::builder()
            .uri(format!("/api/v1/{path}"))
            .header(header::HOST, "localhost")
            .body(Full::default())
            .map_err(ClientError::Request)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let request = Self::reading(path)?;
        within(PATIENCE, async { read(self.send(request).await?).await }).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, ClientError> {
        let stream =
            UnixStream::connect(self.data_directory.join("api.sock")).await.map_err(|source| {
                ClientError::NotRunning { directory: self.data_directory.clone(), source }
            })?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(ClientError::Connection)?;
        self.tasks.spawn("api-connection", async move {
            // What breaks is seen by whoever reads the answer.
            let _ = connection.await;
        });
        sender.send_request(request).await.map_err(ClientError::Connection)
    }
}

/// `namespace/name`, or a name alone: then the engine finds the namespace.
fn of(name: &str, rest: &str) -> String {
    let (namespace, name) = name.split_once('/').unwrap_or(("-", name));
    let part = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    format!("auto-deploys/{}/{}{rest}", part(namespace), part(name))
}

async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    tokio::time::timeout(patience, work).await.map_err(|_| ClientError::Late(patience))?
}

async fn read<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, ClientError> {
    if response.status() == StatusCode::OK {
        let body =
            response.into_body().collect().await.map_err(ClientError::Connection)?.to_bytes();
        return serde_json::from_slice(&body).map_err(ClientError::Answer);
    }
    Err(problem(response).await?)
}

/// What the engine says went wrong.
async fn problem(response: Response<Incoming>) -> Result<ClientError, ClientError> {
    let status = response.status();
    let body = response.into_body().collect().await.map_err(ClientError::Connection)?.to_bytes();
    let problem = serde_json::from_slice(&body).unwrap_or_else(|_| {
        Problem::new(status, "unknown", String::from_utf8_lossy(&body).into_owned())
    });
    Ok(ClientError::Problem(problem))
}
