use serde::Deserialize;

use super::{ExecAction, PortRef};

/// A question to a container, asked again and again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// The question.
    #[serde(flatten)]
    pub action: ProbeAction,
    /// Not asked before; 0 where it is left out.
    #[serde(default)]
    pub initial_delay_seconds: u32,
    /// Time between two questions; 10 where it is left out.
    #[serde(default = "ten")]
    pub period_seconds: u32,
    /// How long an answer may take; 1 where it is left out.
    #[serde(default = "one")]
    pub timeout_seconds: u32,
    /// So many in a row are a yes; 1 where it is left out.
    #[serde(default = "one")]
    pub success_threshold: u32,
    /// So many in a row are a no; 3 where it is left out.
    #[serde(default = "three")]
    pub failure_threshold: u32,
}

fn one() -> u32 {
    1
}

fn three() -> u32 {
    3
}

fn ten() -> u32 {
    10
}

/// The question.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProbeAction {
    /// A GET that answers 200 to 399.
    HttpGet(HttpGet),
    /// A connection that is accepted.
    TcpSocket(TcpSocket),
    /// A program that ends with 0.
    Exec(ExecAction),
}

/// A GET over plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpGet {
    /// Path and query; `/` where it is left out.
    #[serde(default = "root")]
    pub path: String,
    /// The container's port.
    pub port: PortRef,
    /// Headers to send.
    #[serde(default)]
    pub http_headers: Vec<HttpHeader>,
}

fn root() -> String {
    "/".to_owned()
}

/// A header to send.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpHeader {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A connection that is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpSocket {
    /// The container's port.
    pub port: PortRef,
}
