use std::{collections::BTreeMap, fmt, path::PathBuf};

use mercurious_core::printable::printable;
use serde::Deserialize;
use url::Url;

use crate::{
    PatternError, Proof, RepositoryPattern, SecretReader, SecretSource, Sender,
    oidc::Issuer,
    receiver::{Credential, Receiver, Receivers},
    secret::{SHORTEST, SHORTEST_IN_PATH, Secret},
};

/// A file of receivers, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    receivers: Vec<Written>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(rename = "type")]
    sender: String,
    proof: Option<String>,
    secret: Option<WrittenSecret>,
    #[serde(default)]
    repositories: Vec<String>,
    audience: Option<String>,
    issuer: Option<String>,
    keys: Option<String>,
    #[serde(default)]
    claims: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSecret {
    file: Option<PathBuf>,
    env: Option<String>,
}

/// What is wrong with the receivers: all of it.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Not YAML, or other keys than there are.
    #[error("{0}")]
    Unreadable(String),
    /// Receivers that make no sense.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Faults(Vec<ReceiverFault>),
}

/// What is wrong with one receiver.
#[derive(Debug)]
pub struct ReceiverFault {
    /// Its name, or its place in the file.
    pub receiver: String,
    /// What to write where.
    pub problem: Problem,
}

impl fmt::Display for ReceiverFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "receiver {}: {}", printable(&self.receiver), self.problem)
    }
}

/// What can be wrong.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The name is part of a path.
    #[error("`name`: 1 to 63 of lower-case letters, digits and `-` are a name")]
    Name,
    /// Two of one name.
    #[error("`name`: there is another receiver of this name")]
    Twice,
    /// Nobody sends so.
    #[error("`type`: `{0}` is not known; there are {names}", names = senders())]
    Sender(String),
    /// This sender cannot prove itself so.
    #[error("`proof`: `{proof}` is nothing that {sender} can do; there is {possible}")]
    Proof {
        /// What was written.
        proof: String,
        /// Who sends.
        sender: Sender,
        /// What is possible.
        possible: String,
    },
    /// A shared secret is needed.
    #[error("`secret`: name one, as `secret: {{ file: PATH }}` or `secret: {{ env: VARIABLE }}`")]
    NoSecret,
    /// It would not be used.
    #[error("`secret`: {0} has none to share: leave it out")]
    NeedlessSecret(Sender),
    /// It is not there.
    #[error("`secret`: {place}: {problem}")]
    UnreadableSecret {
        /// Where it was looked for.
        place: SecretSource,
        /// Why not.
        problem: String,
    },
    /// Too easy.
    #[error("`secret`: {length} bytes can be guessed; make one with `openssl rand -hex 32`")]
    ShortSecret {
        /// How long it is.
        length: usize,
    },
    /// It is part of a path.
    #[error(
        "`secret`: it stands in the path, so only letters, digits, `-`, `_` and `.` may be in it"
    )]
    SecretInPath,
    /// It may speak for nothing.
    #[error("`repositories`: name those that it may speak for, as `[ghcr.io/team/*]`")]
    NoRepositories,
    /// Not a repository.
    #[error("`repositories`: {0}")]
    Repository(#[source] PatternError),
    /// The sender says nothing of images.
    #[error("`repositories`: {0} does not say which image it means, so `*` cannot be used here")]
    Star(Sender),
    /// Anybody's token would do.
    #[error("`audience`: name the one that the sender asks its token for")]
    NoAudience,
    /// Anybody of that provider would do.
    #[error("`claims`: `{claim}` is needed, as `claims: {{ {claim}: {example} }}`")]
    NoClaim {
        /// Which.
        claim: &'static str,
        /// How it looks.
        example: &'static str,
    },
    /// Not a place to take keys from.
    #[error("`{key}`: `{text}` is not an https URL")]
    Url {
        /// Which setting.
        key: &'static str,
        /// What was written.
        text: String,
    },
    /// Only identity providers have it.
    #[error("`{0}`: only receivers with the proof `oidc` have it")]
    Needless(&'static str),
}

fn senders() -> String {
    Sender::ALL.map(Sender::as_str).join(", ")
}

impl Settings {
    /// Reads the YAML of a file.
    pub fn from_yaml(text: &str) -> Result<Self, SettingsError> {
        // An error tells the place alone: somebody may have written a secret where its source should stand.
        let options = serde_saphyr::options! { with_snippet: false };
        serde_saphyr::from_str_with_options::<Option<Self>>(text, options)
            .map(Option::unwrap_or_default)
            .map_err(|error| SettingsError::Unreadable(error.to_string()))
    }

    /// Reads the secrets and makes receivers of what is written. All faults are told together.
    pub fn receivers(self, secrets: &dyn SecretReader) -> Result<Receivers, SettingsError> {
        let mut faults = Vec::new();
        let mut receivers: Vec<Receiver> = Vec::new();
        for (place, written) in self.receivers.into_iter().enumerate() {
            let name = match written.name.as_str() {
                "" => format!("number {}", place + 1),
                name => name.to_owned(),
            };
            let mut problems = Vec::new();
            if receivers.iter().any(|other| other.name == name) {
                problems.push(Problem::Twice);
            }
            let receiver = written.receiver(secrets, &mut problems);
            if problems.is_empty() {
                receivers.extend(receiver);
            }
            let fault = |problem| ReceiverFault { receiver: name.clone(), problem };
            faults.extend(problems.into_iter().map(fault));
        }
        if faults.is_empty() {
            Ok(Receivers::new(receivers))
        } else {
            Err(SettingsError::Faults(faults))
        }
    }
}

impl Written {
    fn receiver(self, secrets: &dyn SecretReader, problems: &mut Vec<Problem>) -> Option<Receiver> {
        if !is_name(&self.name) {
            problems.push(Problem::Name);
        }
        let Ok(sender) = self.sender.parse::<Sender>() else {
            problems.push(Problem::Sender(printable(&self.sender)));
            return None;
        };
        let repositories = self.repositories(sender, problems);
        let proof = self.proof(sender, problems)?;
        let credential = if proof == Proof::Oidc {
            if self.secret.is_some() {
                problems.push(Problem::NeedlessSecret(sender));
            }
            self.issuer(sender, problems).map(Credential::Oidc)
        } else {
            self.refuse_oidc(problems);
            self.secret(proof, secrets, problems).map(|secret| match proof {
                Proof::Signature => Credential::Signature(secret),
                Proof::Header => Credential::Header(secret),
                _ => Credential::Path(secret),
            })
        };
        Some(Receiver {
            name: self.name,
            namespace: self.namespace,
            sender,
            credential: credential?,
            repositories,
        })
    }

    fn proof(&self, sender: Sender, problems: &mut Vec<Problem>) -> Option<Proof> {
        let possible = sender.proofs();
        let Some(written) = &self.proof else { return possible.first().copied() };
        let proof = written.parse().ok().filter(|proof| possible.contains(proof));
        if proof.is_none() {
            let possible: Vec<&str> = possible.iter().map(|proof| proof.as_str()).collect();
            let (proof, possible) = (printable(written), possible.join(", "));
            problems.push(Problem::Proof { proof, sender, possible });
        }
        proof
    }

    fn repositories(&self, sender: Sender, problems: &mut Vec<Problem>) -> Vec<RepositoryPattern> {
        if self.repositories.is_empty() {
            problems.push(Problem::NoRepositories);
        }
        let mut patterns = Vec::new();
        for text in &self.repositories {
            match text.parse::<RepositoryPattern>() {
                Ok(pattern) if sender.means_all() && pattern.one().is_none() => {
                    problems.push(Problem::Star(sender));
                }
                Ok(pattern) => patterns.push(pattern),
                Err(error) => problems.push(Problem::Repository(error)),
            }
        }
        patterns
    }

    fn secret(
        &self,
        proof: Proof,
        secrets: &dyn SecretReader,
        problems: &mut Vec<Problem>,
    ) -> Option<Secret> {
        let source = match &self.secret {
            Some(WrittenSecret { file: Some(file), env: None }) => SecretSource::File(file.clone()),
            Some(WrittenSecret { file: None, env: Some(name) }) => {
                SecretSource::Variable(name.clone())
            }
            _ => {
                problems.push(Problem::NoSecret);
                return None;
            }
        };
        let secret = match secrets.read(&source) {
            Ok(secret) => Secret::new(&secret),
            Err(problem) => {
                problems.push(Problem::UnreadableSecret { place: source, problem });
                return None;
            }
        };
        let (length, in_path) = (secret.len(), proof == Proof::Path);
        if length < if in_path { SHORTEST_IN_PATH } else { SHORTEST } {
            problems.push(Problem::ShortSecret { length });
        }
        if in_path && !secret.fits_a_path() {
            problems.push(Problem::SecretInPath);
        }
        Some(secret)
    }

    fn refuse_oidc(&self, problems: &mut Vec<Problem>) {
        let needless = [
            ("audience", self.audience.is_some()),
            ("issuer", self.issuer.is_some()),
            ("keys", self.keys.is_some()),
            ("claims", !self.claims.is_empty()),
        ];
        let needless = needless.into_iter().filter(|(_, written)| *written);
        problems.extend(needless.map(|(key, _)| Problem::Needless(key)));
    }

    fn issuer(&self, sender: Sender, problems: &mut Vec<Problem>) -> Option<Issuer> {
        let (issuers, keys, claim, example) = match sender {
            Sender::Gcr => (
                &["https://accounts.google.com", "accounts.google.com"][..],
                "https://www.googleapis.com/oauth2/v3/certs".to_owned(),
                "email",
                "pushes@project.iam.gserviceaccount.com",
            ),
            _ => (
                &["https://token.actions.githubusercontent.com"][..],
                "https://token.actions.githubusercontent.com/.well-known/jwks".to_owned(),
                "repository",
                "team/app",
            ),
        };
        let mut issuers: Vec<String> = issuers.iter().map(ToString::to_string).collect();
        let mut keys = keys;
        if let Some(issuer) = &self.issuer {
            let _ = source_of_keys("issuer", issuer, problems);
            issuers = vec![issuer.clone()];
            keys = format!("{}/.well-known/jwks", issuer.trim_end_matches('/'));
        }
        if let Some(written) = &self.keys {
            keys.clone_from(written);
        }
        let keys = source_of_keys("keys", &keys, problems);
        let mut claims = self.claims.clone();
        if !claims.contains_key(claim) {
            problems.push(Problem::NoClaim { claim, example });
        }
        if sender == Sender::Gcr {
            claims.insert("email_verified".to_owned(), "true".to_owned());
        }
        let Some(audience) = self.audience.clone().filter(|audience| !audience.is_empty()) else {
            problems.push(Problem::NoAudience);
            return None;
        };
        Some(Issuer { issuers, keys: keys?, audience, claims })
    }
}

/// Keys come over TLS, or from this machine.
fn source_of_keys(key: &'static str, text: &str, problems: &mut Vec<Problem>) -> Option<Url> {
    let safe = |url: &Url| match url.scheme() {
        "https" => true,
        "http" => url.host().is_some_and(|host| match host {
            url::Host::Ipv4(address) => address.is_loopback(),
            url::Host::Ipv6(address) => address.is_loopback(),
            url::Host::Domain(name) => name == "localhost",
        }),
        _ => false,
    };
    let url = text.parse::<Url>().ok().filter(safe);
    if url.is_none() {
        problems.push(Problem::Url { key, text: printable(text) });
    }
    url
}

fn is_name(name: &str) -> bool {
    let word = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (1..=63).contains(&name.len())
        && name.bytes().all(word)
        && !name.starts_with('-')
        && !name.ends_with('-')
}
