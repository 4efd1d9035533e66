use std::fmt;

use url::Url;

/// An address is no longer.
const LONGEST: usize = 2048;

/// A proxy that registries are asked through: `http`, `https` or `socks5`.
#[derive(Clone, PartialEq, Eq)]
pub struct ForwardProxy {
    address: Url,
    login: Option<(String, String)>,
}

/// Why something is no proxy's address. What it is is not said: it may hold a password.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProxyError {
    /// Too long.
    #[error("the proxy's address is longer than {LONGEST} characters")]
    Long,
    /// Not an address.
    #[error("the proxy's address is not a URL, as http://proxy.lan:3128")]
    NotAUrl,
    /// Of a kind that is not known.
    #[error("the proxy's address begins with none of http://, https:// and socks5://")]
    Scheme,
}

impl ForwardProxy {
    /// Reads an address. A login in it counts where none is given.
    pub fn new(address: &str, login: Option<(String, String)>) -> Result<Self, ProxyError> {
        if address.len() > LONGEST {
            return Err(ProxyError::Long);
        }
        let address: Url = address.trim().parse().map_err(|_| ProxyError::NotAUrl)?;
        if !matches!(address.scheme(), "http" | "https" | "socks5") {
            return Err(ProxyError::Scheme);
        }
        if address.host().is_none() {
            return Err(ProxyError::NotAUrl);
        }
        Ok(Self { address, login })
    }

    pub(crate) fn into_reqwest(self) -> Result<reqwest::Proxy, reqwest::Error> {
        let proxy = reqwest::Proxy::all(self.address)?;
        Ok(match self.login {
            Some((name, password)) => proxy.basic_auth(&name, &password),
            None => proxy,
        })
    }
}

impl fmt::Debug for ForwardProxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ForwardProxy({})", self.address.host_str().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused_and_never_shown() {
        for good in ["http://proxy.lan:3128", "https://proxy.lan", "socks5://10.0.0.1:1080"] {
            assert!(ForwardProxy::new(good, None).is_ok(), "{good}");
        }
        let long = format!("http://{}", "a".repeat(LONGEST));
        for (bad, why) in [
            ("proxy.lan", ProxyError::NotAUrl),
            ("", ProxyError::NotAUrl),
            ("ftp://proxy.lan", ProxyError::Scheme),
            (long.as_str(), ProxyError::Long),
        ] {
            assert_eq!(ForwardProxy::new(bad, None).unwrap_err(), why, "{bad}");
        }
        let login = Some(("name".to_owned(), "word".to_owned()));
        let shown = format!("{:?}", ForwardProxy::new("http://u:pass@proxy.test", login).unwrap());
        assert_eq!(shown, "ForwardProxy(proxy.test)");
    }
}
