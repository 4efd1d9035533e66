//! How to reach Kafka.

use std::{path::PathBuf, time::Duration};

use mercurious_runtime::Environment;
use rdkafka::ClientConfig;
use secrecy::{ExposeSecret as _, SecretString};

/// How the password is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// Salted and hashed with SHA-512; the password never leaves.
    ScramSha512,
    /// Likewise with SHA-256.
    ScramSha256,
    /// The password itself is sent: only with TLS, or where nobody else is on the network.
    Plain,
}

impl Mechanism {
    /// As Kafka writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
        }
    }
}

impl std::str::FromStr for Mechanism {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_uppercase().as_str() {
            "SCRAM-SHA-512" => Ok(Self::ScramSha512),
            "SCRAM-SHA-256" => Ok(Self::ScramSha256),
            "PLAIN" => Ok(Self::Plain),
            _ => Err("none of SCRAM-SHA-512, SCRAM-SHA-256 and PLAIN".to_owned()),
        }
    }
}

/// Who one is.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// How the password is proved.
    pub mechanism: Mechanism,
    /// The user.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

/// Encryption, and who is trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificates that are trusted, as PEM; the system's without it.
    pub ca_file: Option<PathBuf>,
}

/// How to reach Kafka.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where brokers are, as `host:port`.
    pub brokers: Vec<String>,
    /// Who one is; nobody in particular without.
    pub credentials: Option<Credentials>,
    /// Encryption; none without.
    pub tls: Option<Tls>,
    /// What the broker's logs call this program.
    pub client_id: String,
    /// The group, where it is not the usual one.
    pub group: Option<String>,
    /// How long connecting may take.
    pub connection_timeout: Duration,
    /// How long an answer may take.
    pub request_timeout: Duration,
    /// How long to wait before something is sent again.
    pub retry_backoff: Duration,
}

impl Settings {
    /// Settings for these brokers, without credentials or encryption.
    pub fn new(brokers: Vec<String>, client_id: impl Into<String>) -> Self {
        Self {
            brokers,
            credentials: None,
            tls: None,
            client_id: client_id.into(),
            group: None,
            connection_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(30),
            retry_backoff: Duration::from_millis(100),
        }
    }

    /// Reads the settings of a program called `client_id`; faults stay in `environment`. None where no broker
    /// is named.
    ///
    /// `KAFKA_BROKERS`, `KAFKA_SECURITY_PROTOCOL`, `KAFKA_SASL_MECHANISM`, `KAFKA_SASL_USERNAME`,
    /// `KAFKA_SASL_PASSWORD`, `KAFKA_CA_FILE`, `KAFKA_GROUP_ID`, `KAFKA_CLIENT_ID`, `KAFKA_CONNECTION_TIMEOUT`,
    /// `KAFKA_REQUEST_TIMEOUT` and `KAFKA_RETRY_INITIAL_RETRY_TIME` (milliseconds); older names with a warning.
    pub fn from_environment(environment: &mut Environment, client_id: &str) -> Option<Self> {
        let brokers = environment
            .text("KAFKA_BROKERS", &["KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BROKER", "BROKERS"])?;
        let brokers: Vec<String> = (brokers.split(','))
            .map(|broker| broker.trim().to_owned())
            .filter(|broker| !broker.is_empty())
            .collect();
        if brokers.iter().any(|broker| !is_address(broker)) || brokers.is_empty() {
            environment.fault("KAFKA_BROKERS: not host:port, separated by commas");
        }
        let client_id =
            environment.text("KAFKA_CLIENT_ID", &[]).unwrap_or_else(|| client_id.to_owned());
        let mut settings = Self::new(brokers, client_id);
        settings.group = environment.text("KAFKA_GROUP_ID", &[]);
        settings.security(environment);
        let mut milliseconds = |name, to: &mut Duration| {
            if let Some(value) = environment.parsed::<u32>(name, &[]) {
                *to = Duration::from_millis(u64::from(value));
            }
        };
        milliseconds("KAFKA_CONNECTION_TIMEOUT", &mut settings.connection_timeout);
        milliseconds("KAFKA_REQUEST_TIMEOUT", &mut settings.request_timeout);
        milliseconds("KAFKA_RETRY_INITIAL_RETRY_TIME", &mut settings.retry_backoff);
        if environment.is_set("KAFKA_RETRY_RETRIES") {
            environment.warn(
                "KAFKA_RETRY_RETRIES has no effect: sending is retried until its time is over",
            );
        }
        Some(settings)
    }

    fn security(&mut self, environment: &mut Environment) {
        let protocol = environment.text("KAFKA_SECURITY_PROTOCOL", &["SECURITYPROTOCOL"]);
        let mechanism = environment
            .parsed::<Mechanism>("KAFKA_SASL_MECHANISM", &["KAFKA_MECHANISM", "MECHANISM"]);
        let username = environment.text("KAFKA_SASL_USERNAME", &["KAFKA_USERNAME", "USERNAME"]);
        let password = environment.text("KAFKA_SASL_PASSWORD", &["KAFKA_PASSWORD", "PASSWORD"]);
        let sasl_enabled = environment.flag("KAFKA_SASL_ENABLED", &[]);
        let ssl = environment.flag("KAFKA_SSL", &[]);
        let ca_file = environment.text("KAFKA_CA_FILE", &[]).map(PathBuf::from);
        let (sasl, tls) = match protocol.as_deref().map(str::to_ascii_uppercase).as_deref() {
            // The older switches, where the protocol is not named.
            None => (sasl_enabled.unwrap_or(username.is_some()), ssl.unwrap_or(ca_file.is_some())),
            Some("PLAINTEXT") => (false, false),
            Some("SSL") => (false, true),
            Some("SASL_PLAINTEXT") => (true, false),
            Some("SASL_SSL") => (true, true),
            Some(_) => {
                environment.fault(
                    "KAFKA_SECURITY_PROTOCOL: none of PLAINTEXT, SSL, SASL_PLAINTEXT and SASL_SSL",
                );
                return;
            }
        };
        for (name, switch, on) in
            [("KAFKA_SASL_ENABLED", sasl_enabled, sasl), ("KAFKA_SSL", ssl, tls)]
        {
            match switch {
                Some(switch) if switch != on => environment
                    .fault(format!("{name} and KAFKA_SECURITY_PROTOCOL contradict each other")),
                Some(_) => environment
                    .warn(format!("{name} is an older name: set KAFKA_SECURITY_PROTOCOL instead")),
                None => {}
            }
        }
        if tls {
            self.tls = Some(Tls { ca_file });
        } else if ca_file.is_some() {
            environment.fault("KAFKA_CA_FILE is set, but KAFKA_SECURITY_PROTOCOL is without TLS");
        }
        match (sasl, username, password) {
            (true, Some(username), Some(password)) => {
                self.credentials = Some(Credentials {
                    mechanism: mechanism.unwrap_or(Mechanism::ScramSha512),
                    username,
                    password: password.into(),
                });
            }
            (true, username, password) => {
                let missing = [
                    ("KAFKA_SASL_USERNAME", username.is_none()),
                    ("KAFKA_SASL_PASSWORD", password.is_none()),
                ];
                for (name, _) in missing.iter().filter(|(_, missing)| *missing) {
                    environment.fault(format!("{name} is missing or empty"));
                }
            }
            (false, None, None) => {}
            (false, _, _) => environment.warn(
                "a Kafka user or password is set, but KAFKA_SECURITY_PROTOCOL is without SASL: not used",
            ),
        }
    }

    /// What is in use, with no secret: for the log.
    pub fn describe(&self) -> String {
        let who = match &self.credentials {
            Some(credentials) => {
                format!("as {} by {}", credentials.username, credentials.mechanism.as_str())
            }
            None => "as nobody in particular".to_owned(),
        };
        let how = if self.tls.is_some() { "encrypted with TLS" } else { "not encrypted" };
        format!("{} {who}, {how}", self.brokers.join(","))
    }

    /// What all clients have in common. Small queues: a service is idle most of the time and must be small then.
    pub(super) fn client(&self) -> ClientConfig {
        let milliseconds = |duration: Duration| duration.as_millis().to_string();
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", self.brokers.join(","))
            .set("client.id", &self.client_id)
            .set("socket.connection.setup.timeout.ms", milliseconds(self.connection_timeout))
            .set("socket.timeout.ms", milliseconds(self.request_timeout))
            .set("socket.keepalive.enable", "true")
            .set("socket.nagle.disable", "true")
            .set("reconnect.backoff.ms", "100")
            .set("reconnect.backoff.max.ms", "2000")
            .set("retry.backoff.ms", milliseconds(self.retry_backoff))
            .set("broker.address.family", "any")
            .set("log.connection.close", "false")
            // Producers would ask for it unless told otherwise.
            .set("allow.auto.create.topics", "false");
        let protocol = match (&self.credentials, &self.tls) {
            (None, None) => "plaintext",
            (None, Some(_)) => "ssl",
            (Some(_), None) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(credentials) = &self.credentials {
            config
                .set("sasl.mechanism", credentials.mechanism.as_str())
                .set("sasl.username", &credentials.username)
                .set("sasl.password", credentials.password.expose_secret());
        }
        if let Some(Tls { ca_file: Some(file) }) = &self.tls {
            config.set("ssl.ca.location", file.display().to_string());
        }
        config
    }
}

fn is_address(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[(&str, &str)]) -> (Option<Settings>, Environment) {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut environment = Environment::of(values);
        let settings = Settings::from_environment(&mut environment, "api-gateway");
        (settings, environment)
    }

    #[test]
    fn r50_the_originals_names_are_read_with_a_warning_each() {
        let (settings, environment) = read(&[
            ("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092"),
            ("KAFKA_BROKER", "kafka:9092"),
            ("KAFKA_MECHANISM", "scram-sha-512"),
            ("SECURITYPROTOCOL", "SASL_PLAINTEXT"),
            ("KAFKA_USERNAME", "app"),
            ("PASSWORD", "secret-word"),
            ("KAFKA_SASL_ENABLED", "true"),
            ("KAFKA_SSL", "false"),
            ("KAFKA_CONNECTION_TIMEOUT", "15000"),
            ("KAFKA_RETRY_RETRIES", "8"),
        ]);
        let settings = settings.unwrap();
        assert_eq!(settings.brokers, ["kafka:9092"]);
        assert_eq!(settings.connection_timeout, Duration::from_secs(15));
        let credentials = settings.credentials.as_ref().unwrap();
        assert_eq!(credentials.mechanism, Mechanism::ScramSha512);
        assert_eq!(environment.finish().unwrap().len(), 9);
    }

    #[test]
    fn r54_authentication_is_not_called_encryption() {
        let (settings, _) = read(&[
            ("KAFKA_BROKERS", "one:9092, two:9092"),
            ("KAFKA_SASL_USERNAME", "app"),
            ("KAFKA_SASL_PASSWORD", "secret-word"),
        ]);
        let settings = settings.unwrap();
        let said = settings.describe();
        assert_eq!(said, "one:9092,two:9092 as app by SCRAM-SHA-512, not encrypted");
        assert!(!format!("{settings:?}").contains("secret-word"), "the password is shown");
    }

    #[test]
    fn r46_an_empty_password_is_named_before_anything_is_tried() {
        let (_, environment) = read(&[
            ("KAFKA_BROKERS", "kafka"),
            ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
            ("KAFKA_SASL_MECHANISM", "GSSAPI"),
            ("KAFKA_SASL_USERNAME", "app"),
            ("KAFKA_SASL_PASSWORD", ""),
        ]);
        let faults = environment.finish().unwrap_err().0;
        assert_eq!(
            faults,
            [
                "KAFKA_BROKERS: not host:port, separated by commas",
                "KAFKA_SASL_MECHANISM: none of SCRAM-SHA-512, SCRAM-SHA-256 and PLAIN",
                "KAFKA_SASL_PASSWORD is missing or empty",
            ]
        );
    }

    #[test]
    fn switches_that_contradict_the_protocol_are_a_fault() {
        let (_, environment) = read(&[
            ("KAFKA_BROKERS", "kafka:9092"),
            ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT"),
            ("KAFKA_SASL_USERNAME", "app"),
            ("KAFKA_SASL_PASSWORD", "secret-word"),
            ("KAFKA_SSL", "true"),
            ("KAFKA_CA_FILE", "/etc/ca.pem"),
        ]);
        assert_eq!(environment.finish().unwrap_err().0.len(), 2);
        assert!(read(&[]).0.is_none());
    }
}
