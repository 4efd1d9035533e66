use std::str::FromStr;

use mercurious_registry::{RegistryClient, RegistryClientBuilder};

/// A registry that is asked in the place of another: `ghcr.io=registry.lan:5000`, or `ghcr.io=http://…` where it
/// speaks plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    host: String,
    instead: String,
    plain: bool,
}

/// So many bytes of manifests and configurations stay in memory.
const DOCUMENTS: usize = 128 * 1024;

/// Why a text names no mirror.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{text}` names no mirror: expected HOST=MIRROR, as ghcr.io=registry.lan:5000 or ghcr.io=http://10.0.0.1:5000"
)]
pub struct MirrorError {
    text: String,
}

impl FromStr for Mirror {
    type Err = MirrorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || MirrorError { text: text.chars().take(200).collect() };
        let (host, mirror) = text.trim().split_once('=').ok_or_else(error)?;
        let (mirror, plain) = match mirror.split_once("://") {
            Some(("http", mirror)) => (mirror, true),
            Some(("https", mirror)) => (mirror, false),
            Some(_) => return Err(error()),
            None => (mirror, false),
        };
        let mirror = mirror.trim_end_matches('/');
        let is_host = |text: &str| !text.is_empty() && !text.contains(['/', '@', ' ', '=']);
        if !is_host(host) || !is_host(mirror) {
            return Err(error());
        }
        Ok(Self { host: host.to_owned(), instead: mirror.to_owned(), plain })
    }
}

/// A registry client's settings with these mirrors.
pub(crate) fn builder(mirrors: &[Mirror]) -> RegistryClientBuilder {
    let builder =
        RegistryClient::builder().user_agent(concat!("mercurious/", env!("CARGO_PKG_VERSION")));
    // What matters of them is kept elsewhere.
    let builder = builder.documents_in_memory(DOCUMENTS);
    mirrors.iter().fold(builder, |builder, mirror| {
        let builder = if mirror.plain { builder.plain_http(&mirror.instead) } else { builder };
        builder.mirror(&mirror.host, &mirror.instead)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirrors_are_read_or_refused() {
        let mirror: Mirror = "ghcr.io=http://10.0.0.1:5000/".parse().unwrap();
        assert_eq!(
            (mirror.host.as_str(), mirror.instead.as_str(), mirror.plain),
            ("ghcr.io", "10.0.0.1:5000", true)
        );
        assert!(!"ghcr.io=registry.lan:5000".parse::<Mirror>().unwrap().plain);
        for bad in ["", "ghcr.io", "=a", "a=", "a=ftp://b", "a=b/c", "a=u:p@b"] {
            assert!(bad.parse::<Mirror>().is_err(), "{bad}");
        }
    }
}
