use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use mercurious_core::rollout::Attempt;
use mercurious_engine::{AuditEntry, AutoDeployView};
use mercurious_runtime::Tasks;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use crate::{Change, Explanation, Problem};

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
    #[error("no `mercurious up` is running with data directory {directory}")]
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

    /// The newest lines of its replicas.
    pub async fn logs(&self, name: &str, limit: usize) -> Result<Vec<String>, ClientError> {
        self.get(&of(name, &format!("/logs?limit={limit}"))).await
    }

    /// The audit history, newest first.
    pub async fn audit(&self, limit: usize) -> Result<Vec<AuditEntry>, ClientError> {
        self.get(&format!("audit?limit={limit}")).await
    }

    /// A changing call: `deploy`, `restart`, `rollback`, `hold`, `resume`, `suspend` or `scan`.
    pub async fn change(&self, name: &str, verb: &str, change: &Change) -> Result<AutoDeployView, ClientError> {
        let path = self.data_directory.join("token");
        let token = std::fs::read_to_string(&path).map_err(|source| {
            if source.kind() == std::io::ErrorKind::NotFound {
                ClientError::NotRunning { directory: self.data_directory.clone(), source }
            } else {
                ClientError::Token { path, source }
            }
        })?;
        let token = SecretString::from(token.trim());
        let body = serde_json::to_vec(change).map_err(ClientError::Answer)?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("/api/v1/{}", of(name, &format!("/{verb}"))))
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {}", token.expose_secret()))
            .body(Full::new(Bytes::from(body)))
            .map_err(ClientError::Request)?;
        read(self.send(request).await?).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let request = Request::builder()
            .uri(format!("/api/v1/{path}"))
            .header(header::HOST, "localhost")
            .body(Full::default())
            .map_err(ClientError::Request)?;
        read(self.send(request).await?).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, ClientError> {
        let stream = UnixStream::connect(self.data_directory.join("api.sock"))
            .await
            .map_err(|source| ClientError::NotRunning { directory: self.data_directory.clone(), source })?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(ClientError::Connection)?;
        self.tasks.spawn("api-connection", async move {
            // What breaks is seen by whoever reads the answer.
            let _ = connection.await;
        });
        sender.send_request(request).await.map_err(ClientError::Connection)
    }
}

/// `namespace/name`, or a name alone: then the engine finds the namespace.
fn of(name: &str, rest: &str) -> String {
    let name = if name.contains('/') { name.to_owned() } else { format!("-/{name}") };
    format!("auto-deploys/{name}{rest}")
}

async fn read<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, ClientError> {
    let status = response.status();
    let body = response.into_body().collect().await.map_err(ClientError::Connection)?.to_bytes();
    if status == StatusCode::OK {
        return serde_json::from_slice(&body).map_err(ClientError::Answer);
    }
    let problem = serde_json::from_slice(&body)
        .unwrap_or_else(|_| Problem::new(status, "unknown", String::from_utf8_lossy(&body).into_owned()));
    Err(ClientError::Problem(problem))
}
