//! Which address a registry's name stands for, and whether it may be asked over plain HTTP.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use url::{Host, Url};

use crate::RegistryError;

/// What the person said about hosts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts {
    pub(crate) plain: BTreeSet<String>,
    pub(crate) encrypted: BTreeSet<String>,
    pub(crate) mirrors: BTreeMap<String, String>,
}

/// A registry as it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Host with port, as in image references, after mirrors: credentials are looked up under it.
    pub(crate) host: String,
    /// `https://registry-1.docker.io/`
    pub(crate) base: Url,
}

impl Endpoint {
    /// Whether it was allowed to be asked without TLS.
    pub(crate) fn is_plain(&self) -> bool {
        self.base.scheme() == "http"
    }

    /// An address below `/v2/`; `path` is percent-encoded where it must be, queries are given apart.
    pub(crate) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("/v2/{path}"));
        url
    }
}

impl Hosts {
    pub(crate) fn endpoint(&self, host: &str) -> Result<Endpoint, RegistryError> {
        let host = self.mirrors.get(host).map_or(host, String::as_str);
        let plain =
            !self.encrypted.contains(host) && (self.plain.contains(host) || is_loopback(host));
        let name = if host == "docker.io" { "registry-1.docker.io" } else { host };
        let scheme = if plain { "http" } else { "https" };
        let base =
            Url::parse(&format!("{scheme}://{name}/")).map_err(|_| RegistryError::BadAnswer {
                what: host.to_owned(),
                problem: "the host is not one that can be connected to".to_owned(),
            })?;
        Ok(Endpoint { host: host.to_owned(), base })
    }
}

/// `localhost`, `127.0.0.0/8` or `[::1]`, with any port.
fn is_loopback(host: &str) -> bool {
    Url::parse(&format!("http://{host}/")).is_ok_and(|url| match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    })
}

/// Whether a URL's host is literally an address that belongs to nobody in particular: loopback, private,
/// link-local (where cloud metadata services are), shared, unspecified; or the name `localhost`.
pub(crate) fn is_private(url: &Url) -> bool {
    match url.host() {
        None => true,
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => is_private_address(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => is_private_address(IpAddr::V6(address)),
    }
}

fn is_private_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_broadcast()
                || v4.is_multicast()
                || first == 0
                || (first == 100 && (64..128).contains(&second)) // RFC 6598
        }
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => is_private_address(IpAddr::V4(v4)),
            None => {
                v6.is_loopback()
                    || v6.is_unspecified()
                    || v6.is_unique_local()
                    || v6.is_unicast_link_local()
                    || v6.is_multicast()
            }
        },
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped or compatible (RFC 4291), by NAT64 (RFC 6052) or 6to4 (RFC 3056).
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let address = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match v6.segments() {
        // `::` and `::1` fall under `0.0.0.0/8`.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(address(high, low)),
        _ => None,
    }
}

/// Same scheme, host and port.
pub(crate) fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
}

/// `https://host:port`, for messages: the rest of a URL may hold a signature.
pub(crate) fn origin(url: &Url) -> String {
    let host = url.host_str().unwrap_or("");
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_and_for_what_was_named() {
        let hosts = Hosts {
            plain: ["registry.lan:5000".to_owned()].into(),
            encrypted: ["127.0.0.1:6000".to_owned()].into(),
            mirrors: [("ghcr.io".to_owned(), "127.0.0.1:5000".to_owned())].into(),
        };
        for (host, base) in [
            ("docker.io", "https://registry-1.docker.io/"),
            ("quay.io", "https://quay.io/"),
            ("quay.io:80", "https://quay.io:80/"),
            ("localhost:5000", "http://localhost:5000/"),
            ("127.9.9.9", "http://127.9.9.9/"),
            ("[::1]:5000", "http://[::1]:5000/"),
            ("127.0.0.1:6000", "https://127.0.0.1:6000/"),
            ("registry.lan:5000", "http://registry.lan:5000/"),
            ("registry.lan", "https://registry.lan/"),
            ("10.0.0.1:5000", "https://10.0.0.1:5000/"),
            ("ghcr.io", "http://127.0.0.1:5000/"),
        ] {
            assert_eq!(hosts.endpoint(host).unwrap().base.as_str(), base);
        }
    }

    #[test]
    fn private_addresses_are_known_in_every_spelling() {
        for text in [
            "https://127.0.0.1/",
            "https://0x7f.1/",
            "https://10.1.2.3/",
            "https://192.168.0.1/",
            "https://172.16.0.1/",
            "https://169.254.169.254/",
            "https://100.64.0.1/",
            "https://0.0.0.0/",
            "https://[::1]/",
            "https://[fd00::1]/",
            "https://[fe80::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[::ffff:0.0.0.0]/",
            "https://[::127.0.0.1]/",
            "https://[64:ff9b::169.254.169.254]/",
            "https://[2002:a9fe:a9fe::1]/",
            "https://[::]/",
            "https://localhost/",
            "https://localhost./",
            "https://a.localhost/",
        ] {
            assert!(is_private(&text.parse().unwrap()), "{text}");
        }
        for text in [
            "https://ghcr.io/",
            "https://8.8.8.8/",
            "https://[2606:4700::1]/",
            "https://[64:ff9b::8.8.8.8]/",
        ] {
            assert!(!is_private(&text.parse().unwrap()), "{text}");
        }
    }
}
