//! Startup, readiness and liveness probes with the semantics of Kubernetes.

use std::{future::Future, net::SocketAddr, time::Duration};

use tokio::net::TcpStream;

/// What a probe asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeAction {
    /// An HTTP GET: 200 to 399 is yes.
    Http {
        /// The path, with its query.
        path: String,
        /// The port.
        port: u16,
        /// Header fields to send.
        headers: Vec<(String, String)>,
    },
    /// A TCP connection that opens.
    Tcp {
        /// The port.
        port: u16,
    },
    /// A command that ends with 0.
    Exec {
        /// The program and its arguments.
        argv: Vec<String>,
    },
}

/// When and how often it is asked, and how many answers count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeSpec {
    /// What is asked.
    pub action: ProbeAction,
    /// Before the first question.
    pub initial_delay: Duration,
    /// Between two questions.
    pub period: Duration,
    /// For one answer.
    pub timeout: Duration,
    /// So many in a row are a yes.
    pub success_threshold: u32,
    /// So many in a row are a no.
    pub failure_threshold: u32,
}

/// Counts answers in a row.
#[derive(Clone, Copy, Debug, Default)]
pub struct Streak {
    successes: u32,
    failures: u32,
}

/// What the answers so far amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Enough successes in a row.
    Yes,
    /// Enough failures in a row.
    No,
    /// Neither: what it was stays.
    Open,
}

impl Streak {
    /// Takes one answer.
    pub fn count(&mut self, success: bool, spec: &ProbeSpec) -> Verdict {
        if success {
            self.failures = 0;
            self.successes += 1;
            if self.successes >= spec.success_threshold.max(1) {
                Verdict::Yes
            } else {
                Verdict::Open
            }
        } else {
            self.successes = 0;
            self.failures += 1;
            if self.failures >= spec.failure_threshold.max(1) { Verdict::No } else { Verdict::Open }
        }
    }
}

/// Asks once, on this machine's loopback address. `execute` runs a command beside the replica.
pub async fn probe_once<F>(
    client: &reqwest::Client,
    spec: &ProbeSpec,
    execute: impl FnOnce(Vec<String>, Duration) -> F,
) -> Result<(), String>
where
    F: Future<Output = Result<(), String>>,
{
    let asked = async {
        match &spec.action {
            ProbeAction::Http { path, port, headers } => {
                let slash = if path.starts_with('/') { "" } else { "/" };
                let mut request = client.get(format!("http://127.0.0.1:{port}{slash}{path}"));
                for (name, value) in headers {
                    request = request.header(name, value);
                }
                let answer = request.send().await.map_err(|error| {
                    if error.is_connect() {
                        format!("nothing listens on port {port}")
                    } else {
                        innermost(&error)
                    }
                })?;
                let status = answer.status().as_u16();
                if (200..400).contains(&status) {
                    Ok(())
                } else {
                    Err(format!("{path} answered {status}"))
                }
            }
            ProbeAction::Tcp { port } => {
                TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], *port)))
                    .await
                    .map(|_| ())
                    .map_err(|error| format!("port {port}: {error}"))
            }
            ProbeAction::Exec { argv } => execute(argv.clone(), spec.timeout).await,
        }
    };
    match tokio::time::timeout(spec.timeout, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {:?}", spec.timeout)),
    }
}

/// The cause at the end of the chain: what came before it only says that a request failed.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::{
        Verdict::{No, Open, Yes},
        *,
    };

    fn spec(action: ProbeAction) -> ProbeSpec {
        ProbeSpec {
            action,
            initial_delay: Duration::ZERO,
            period: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
            success_threshold: 2,
            failure_threshold: 3,
        }
    }

    #[test]
    fn answers_count_in_a_row_only() {
        let spec = spec(ProbeAction::Tcp { port: 1 });
        let mut streak = Streak::default();
        let verdicts: Vec<_> = [true, false, false, true, true, false, false, false]
            .map(|answer| streak.count(answer, &spec))
            .to_vec();
        assert_eq!(verdicts, [Open, Open, Open, Open, Yes, Open, Open, No]);
    }
}
