use std::{net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use clap::Parser;
use secrecy::SecretString;

/// What the program is told, by flags or by the environment. Secrets come by the environment or a file only.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "broker",
    version,
    about = "A small broker that speaks the wire protocol of Kafka"
)]
pub struct Settings {
    /// Where to listen
    #[arg(long, env = "BROKER_HOST", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// The port for clients; 0 takes a free one
    #[arg(long, env = "PORT", default_value_t = 9092)]
    pub port: u16,
    /// The port for /health, /ready and /metrics; where the home gives PORT_<this>, that one is taken
    #[arg(long, env = "BROKER_ADMIN_PORT", default_value_t = 9644)]
    pub admin_port: u16,
    /// The address that clients are told to come to, as host:port; where it listens, if left out
    #[arg(long, env = "BROKER_ADVERTISED")]
    pub advertised: Option<Address>,
    /// The directory for the log
    #[arg(long, env = "BROKER_DATA", default_value = "data")]
    pub data: PathBuf,
    /// The topics with their partitions, as name:partitions, separated by commas; no others are ever made
    #[arg(long, env = "BROKER_TOPICS", value_delimiter = ',')]
    pub topics: Vec<Topic>,
    /// For how many hours records are kept
    #[arg(long, env = "BROKER_RETENTION_HOURS", default_value_t = 168,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub retention_hours: u32,
    /// How many MiB of records a partition keeps; the oldest go first
    #[arg(long, env = "BROKER_PARTITION_MIB", default_value_t = 256,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub partition_mib: u32,
    /// How many bytes a batch of records may have
    #[arg(long, env = "BROKER_MESSAGE_MAX_BYTES", default_value_t = 1_048_588,
        value_parser = clap::value_parser!(u32).range(1024..=16_777_216))]
    pub message_max_bytes: u32,
    /// The user's name; with it, clients must authenticate by SCRAM. The password is BROKER_PASSWORD
    #[arg(long, env = "BROKER_USERNAME")]
    pub username: Option<String>,
    /// A file with the password, instead of BROKER_PASSWORD
    #[arg(long, env = "BROKER_PASSWORD_FILE", requires = "username")]
    pub password_file: Option<PathBuf>,
    /// What to log, as `info` or `mercurious_broker=debug`
    #[arg(long, env = "BROKER_LOG", default_value = "info")]
    pub log: String,
    /// Log a JSON object a line
    #[arg(long, env = "BROKER_LOG_JSON")]
    pub log_json: bool,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A user without a password.
    #[error("BROKER_USERNAME is set and no password: set BROKER_PASSWORD or BROKER_PASSWORD_FILE")]
    NoPassword,
    /// A password without a user.
    #[error("BROKER_PASSWORD is set and no user: set BROKER_USERNAME")]
    NoUsername,
    /// Both sources of the password.
    #[error("BROKER_PASSWORD and BROKER_PASSWORD_FILE are both set: leave one out")]
    TwoPasswords,
    /// A password that clients may prepare in different ways.
    #[error("the user's name or password is empty or has characters other than printable ASCII")]
    Characters,
    /// The password's file.
    #[error("cannot read BROKER_PASSWORD_FILE {file}")]
    PasswordFile {
        /// Its path.
        file: String,
        /// What reading said.
        source: std::io::Error,
    },
    /// A topic twice.
    #[error("topic {0} is named twice in BROKER_TOPICS")]
    TopicTwice(String),
    /// A port of the home that is none.
    #[error("{name}={value} is not a port")]
    Port {
        /// The variable.
        name: String,
        /// Its value.
        value: String,
    },
}

/// Who may come in.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user's name.
    pub username: String,
    /// The user's password.
    pub password: SecretString,
}

impl Settings {
    /// The password of the user, where there is a user.
    ///
    /// # Errors
    /// If the password is missing, unreadable, or given where there is no user.
    pub fn credentials(&self) -> Result<Option<Credentials>, SettingsError> {
        let given = variable("BROKER_PASSWORD");
        let username = self.username.clone().filter(|name| !name.is_empty());
        let password = match (given, &self.password_file) {
            (Some(_), Some(_)) => return Err(SettingsError::TwoPasswords),
            (Some(given), None) => Some(given),
            (None, Some(file)) => {
                let read = std::fs::read_to_string(file).map_err(|source| {
                    SettingsError::PasswordFile { file: file.display().to_string(), source }
                })?;
                Some(read.trim_end_matches(['\r', '\n']).to_owned())
            }
            (None, None) => None,
        };
        match (username, password) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(SettingsError::NoUsername),
            (Some(_), None) => Err(SettingsError::NoPassword),
            (Some(username), Some(password)) => {
                let plain = |text: &str| {
                    !text.is_empty() && text.chars().all(|letter| matches!(letter, ' '..='~'))
                };
                if plain(&username) && plain(&password) {
                    Ok(Some(Credentials { username, password: password.into() }))
                } else {
                    Err(SettingsError::Characters)
                }
            }
        }
    }

    /// The topics, each named once.
    ///
    /// # Errors
    /// If one is named twice.
    pub fn distinct_topics(&self) -> Result<&[Topic], SettingsError> {
        for (index, topic) in self.topics.iter().enumerate() {
            if self.topics[..index].iter().any(|other| other.name == topic.name) {
                return Err(SettingsError::TopicTwice(topic.name.clone()));
            }
        }
        Ok(&self.topics)
    }

    /// The admin port, as the home gives it to this replica.
    ///
    /// # Errors
    /// If the home's variable is no port.
    pub fn own_admin_port(&self) -> Result<u16, SettingsError> {
        let name = format!("PORT_{}", self.admin_port);
        match variable(&name) {
            Some(value) => value.parse().map_err(|_| SettingsError::Port { name, value }),
            None => Ok(self.admin_port),
        }
    }

    /// For how long records are kept.
    pub fn retention(&self) -> Duration {
        Duration::from_secs(u64::from(self.retention_hours) * 3600)
    }
}

#[expect(clippy::disallowed_methods, reason = "the settings are read here")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A topic to be there, as `name:partitions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: u32,
}

/// Why a text names no topic.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TopicError {
    /// No number of partitions.
    #[error("a topic is given as name:partitions, as trips:3")]
    Form,
    /// A name that Kafka refuses.
    #[error("a topic's name has 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_', '-'")]
    Name,
    /// Too few or too many partitions.
    #[error("a topic has 1 to 64 partitions")]
    Partitions,
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, partitions) = text.trim().rsplit_once(':').ok_or(TopicError::Form)?;
        let partitions: u32 = partitions.parse().map_err(|_| TopicError::Form)?;
        let letters =
            name.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '.' | '_' | '-'));
        if name.is_empty() || name.len() > 249 || !letters || name == "." || name == ".." {
            return Err(TopicError::Name);
        }
        if !(1..=64).contains(&partitions) {
            return Err(TopicError::Partitions);
        }
        Ok(Self { name: name.to_owned(), partitions })
    }
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name or an IP address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// A text that is no address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("an address is given as host:port, as broker.app.svc:9092")]
pub struct AddressError;

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.trim().rsplit_once(':').ok_or(AddressError)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port: u16 = port.parse().map_err(|_| AddressError)?;
        if host.is_empty() || host.contains(['/', '@']) || port == 0 {
            return Err(AddressError);
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_read() {
        assert_eq!("trips:3".parse(), Ok(Topic { name: "trips".to_owned(), partitions: 3 }));
        assert_eq!("trips".parse::<Topic>(), Err(TopicError::Form));
        assert_eq!("trips:many".parse::<Topic>(), Err(TopicError::Form));
        assert_eq!("trips:0".parse::<Topic>(), Err(TopicError::Partitions));
        assert_eq!("trips:65".parse::<Topic>(), Err(TopicError::Partitions));
        assert_eq!("all trips:1".parse::<Topic>(), Err(TopicError::Name));
        assert_eq!(":1".parse::<Topic>(), Err(TopicError::Name));
    }

    #[test]
    fn addresses_are_read() {
        let address = |host: &str| Ok(Address { host: host.to_owned(), port: 9092 });
        assert_eq!("broker.app.svc:9092".parse(), address("broker.app.svc"));
        assert_eq!("[::1]:9092".parse(), address("::1"));
        for wrong in ["broker", "broker:", ":9092", "broker:0", "kafka://broker:9092"] {
            assert_eq!(wrong.parse::<Address>(), Err(AddressError), "{wrong}");
        }
    }

    #[test]
    fn a_topic_is_named_once() {
        let settings = Settings::try_parse_from(["broker", "--topics", "a:1,b:2,a:3"]).unwrap();
        assert!(
            matches!(settings.distinct_topics(), Err(SettingsError::TopicTwice(name)) if name == "a")
        );
    }
}
