use std::time::Duration;

/// Bounds and deadlines of the front proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxySettings {
    /// How long a request waits in all for an instance that takes it, from its first fruitless look.
    pub wait_for_endpoint: Duration,
    /// How many requests of one pool may wait at the same time; more are refused at once.
    pub waiting_requests: usize,
    /// How often one request is tried, the first time included.
    pub attempts: usize,
    /// How long connecting to an instance may take.
    pub connect_timeout: Duration,
    /// How long an instance may take for the head of its answer, from the last byte of the request's body.
    pub response_header_timeout: Duration,
    /// How long an answer's body or an upgraded connection may carry nothing.
    pub stream_idle_timeout: Duration,
    /// How long a connection to an instance is kept without a request.
    pub endpoint_idle_timeout: Duration,
    /// How many connections without a request are kept for each instance.
    pub endpoint_idle_connections: usize,
    /// How long a connection may have been idle to be used for a request that must not be sent twice. Servers close idle
    /// connections when they like, and only a repeatable request survives meeting that close.
    pub unrepeatable_idle: Duration,
    /// How many client connections are open at the same time, over all ports; more wait in the system's queue.
    pub client_connections: usize,
    /// How long a client may take for a request's head, and, over HTTP/1.1, between requests.
    pub request_header_timeout: Duration,
    /// How long a client's connection is kept without any request.
    pub client_idle_timeout: Duration,
    /// The largest head of a request, in bytes; at least 8192.
    pub request_header_bytes: usize,
    /// The most header fields of a request.
    pub request_header_fields: usize,
    /// What `Retry-After` says, in whole seconds.
    pub retry_after: Duration,
    /// How long requests in flight may take when the proxy or a port stops.
    pub stop_deadline: Duration,
}

impl Default for ProxySettings {
    fn default() -> Self {
        Self {
            wait_for_endpoint: Duration::from_secs(10),
            waiting_requests: 1024,
            attempts: 16,
            connect_timeout: Duration::from_secs(2),
            response_header_timeout: Duration::from_mins(1),
            stream_idle_timeout: Duration::from_hours(1),
            endpoint_idle_timeout: Duration::from_mins(1),
            endpoint_idle_connections: 256,
            unrepeatable_idle: Duration::from_secs(1),
            client_connections: 8192,
            request_header_timeout: Duration::from_secs(30),
            client_idle_timeout: Duration::from_secs(75),
            request_header_bytes: 64 * 1024,
            request_header_fields: 128,
            retry_after: Duration::from_secs(2),
            stop_deadline: Duration::from_secs(20),
        }
    }
}
