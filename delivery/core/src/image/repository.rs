use std::{fmt, str::FromStr, sync::Arc};

use crate::printable::printable;

/// A place in a registry: host (with an optional port) and path, as `ghcr.io/team/app`.
///
/// Short names are completed as container engines do: `alpine` is `docker.io/library/alpine`; the historic
/// names of Docker Hub (`index.docker.io`, `registry-1.docker.io`) are all `docker.io` here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    host: Arc<str>,
    path: Arc<str>,
}

/// Why a text is not a repository.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RepositoryError {
    /// `https://…`
    #[error("image `{text}` should not include URL scheme; remove `{scheme}://`")]
    Scheme {
        /// The text, cut where it is long.
        text: String,
        /// `https`, without the separator.
        scheme: String,
    },
    /// `app:1`
    #[error("image `{text}` should not include a tag; remove `:{tag}`")]
    Tag {
        /// The text, cut where it is long.
        text: String,
        /// What stands behind the last colon.
        tag: String,
    },
    /// `app@sha256:…`
    #[error("image `{text}` should not include a digest; remove everything from `@`")]
    Digest {
        /// The text, cut where it is long.
        text: String,
    },
    /// The part before the first slash is not a host.
    #[error("`{host}` in `{text}` is not a registry host (letters, digits, `.`, `-`, and `:port`)")]
    Host {
        /// The text, cut where it is long.
        text: String,
        /// The refused part.
        host: String,
    },
    /// The path breaks the distribution specification's grammar.
    #[error(
        "`{path}` in `{text}` is not a repository path: lower-case letters and digits, joined by `.`, `_`, `__` or `-`, in parts split by `/`"
    )]
    Path {
        /// The text, cut where it is long.
        text: String,
        /// The refused part.
        path: String,
    },
}

impl Repository {
    /// The registry's host, with its port where one was given: `ghcr.io`, `127.0.0.1:5000`, `docker.io`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path inside the registry: `team/app`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The last part of the path: what the image is called between people.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

impl FromStr for Repository {
    type Err = RepositoryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((scheme, _)) = text.split_once("://") {
            return Err(RepositoryError::Scheme {
                text: printable(text),
                scheme: printable(scheme),
            });
        }
        if text.contains('@') {
            return Err(RepositoryError::Digest { text: printable(text) });
        }
        let (host, path) = match text.split_once('/') {
            Some((first, rest)) if looks_like_host(first) => (first, rest),
            _ => ("docker.io", text),
        };
        if let Some((_, tag)) = path.rsplit_once(':') {
            return Err(RepositoryError::Tag { text: printable(text), tag: printable(tag) });
        }
        if !is_host(host) {
            return Err(RepositoryError::Host { text: printable(text), host: printable(host) });
        }
        let host = match host.to_ascii_lowercase() {
            name if matches!(name.as_str(), "index.docker.io" | "registry-1.docker.io") => {
                "docker.io".to_owned()
            }
            name => name,
        };
        let path = if host == "docker.io" && !path.contains('/') {
            format!("library/{path}")
        } else {
            path.to_owned()
        };
        if path.len() > 255 || !path.split('/').all(is_path_part) {
            return Err(RepositoryError::Path { text: printable(text), path: printable(&path) });
        }
        Ok(Self { host: host.into(), path: path.into() })
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.host, self.path)
    }
}

super::serde_as_string!(Repository);

/// Container engines' rule: the first part is a host if it has a dot or a port, or is `localhost`.
fn looks_like_host(first: &str) -> bool {
    first.contains(['.', ':', '[']) || first == "localhost"
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            if address.parse::<std::net::Ipv6Addr>().is_err() {
                return false;
            }
            match rest.strip_prefix(':') {
                Some(port) => return is_port(port),
                None => return rest.is_empty(),
            }
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.split('.').all(label) && port.is_none_or(is_port)
}

/// Digits alone: the standard library also reads a sign.
fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_part(part: &str) -> bool {
    let alphanumeric = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    let bytes = part.as_bytes();
    let mut at = 0;
    loop {
        let start = at;
        while at < bytes.len() && alphanumeric(bytes[at]) {
            at += 1;
        }
        if at == start {
            return false;
        }
        if at == bytes.len() {
            return true;
        }
        let separator = at;
        while at < bytes.len() && !alphanumeric(bytes[at]) {
            at += 1;
        }
        match &bytes[separator..at] {
            b"." | b"_" | b"__" => {}
            dashes if dashes.iter().all(|&byte| byte == b'-') => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_completed() {
        for (text, full) in [
            ("alpine", "docker.io/library/alpine"),
            ("team/app", "docker.io/team/app"),
            ("index.docker.io/library/alpine", "docker.io/library/alpine"),
            ("ghcr.io/team-mercurious/api-gateway", "ghcr.io/team-mercurious/api-gateway"),
            ("localhost/app", "localhost/app"),
            ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c"),
            ("[::1]:5000/a", "[::1]:5000/a"),
        ] {
            assert_eq!(text.parse::<Repository>().unwrap().to_string(), full);
        }
    }

    #[test]
    fn mistakes_are_named() {
        let message = |text: &str| text.parse::<Repository>().unwrap_err().to_string();
        assert!(message("https://ghcr.io/a/b").contains("remove `https://`"));
        assert!(message("ghcr.io/a/b:1").contains("remove `:1`"));
        assert!(message("ghcr.io/a/b@sha256:00").contains("digest"));
        assert!(message("ghcr.io/A/b").contains("lower-case"));
        // Neither colours nor pages of text reach a terminal from a manifest.
        assert!(message("ghcr.io/a\u{1b}[31m/b").contains(r"a\u{1b}[31m"));
        assert!(message(&format!("ghcr.io/A{}", "a".repeat(1 << 20))).len() < 1000);
        for bad in [
            "",
            "ghcr.io/",
            "ghcr.io//a",
            "ghcr.io/a/",
            "a b",
            "ghcr.io/a___b",
            "-x.io/a",
            "h:99999/a",
            "h.io:+80/a",
            "[::1]:+80/a",
        ] {
            assert!(bad.parse::<Repository>().is_err(), "{bad}");
        }
    }
}
