use serde::Deserialize;

use super::{ExecAction, PortRef};

/// A question to a container, asked again and again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ProbeObject")]
pub struct Probe {
    /// The question.
    pub action: ProbeAction,
    /// Not asked before; 0 where it is left out.
    pub initial_delay_seconds: u32,
    /// Time between two questions; 10 where it is left out.
    pub period_seconds: u32,
    /// How long an answer may take; 1 where it is left out.
    pub timeout_seconds: u32,
    /// So many in a row are a yes; 1 where it is left out.
    pub success_threshold: u32,
    /// So many in a row are a no; 3 where it is left out.
    pub failure_threshold: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProbeObject {
    http_get: Option<HttpGet>,
    tcp_socket: Option<TcpSocket>,
    exec: Option<ExecAction>,
    #[serde(default)]
    initial_delay_seconds: u32,
    #[serde(default = "ten")]
    period_seconds: u32,
    #[serde(default = "one")]
    timeout_seconds: u32,
    #[serde(default = "one")]
    success_threshold: u32,
    #[serde(default = "three")]
    failure_threshold: u32,
}

impl TryFrom<ProbeObject> for Probe {
    type Error = &'static str;

    fn try_from(object: ProbeObject) -> Result<Self, Self::Error> {
        let action = match (object.http_get, object.tcp_socket, object.exec) {
            (Some(get), None, None) => ProbeAction::HttpGet(get),
            (None, Some(socket), None) => ProbeAction::TcpSocket(socket),
            (None, None, Some(program)) => ProbeAction::Exec(program),
            _ => return Err("a probe has exactly one of httpGet, tcpSocket and exec"),
        };
        Ok(Self {
            action,
            initial_delay_seconds: object.initial_delay_seconds,
            period_seconds: object.period_seconds,
            timeout_seconds: object.timeout_seconds,
            success_threshold: object.success_threshold,
            failure_threshold: object.failure_threshold,
        })
    }
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
