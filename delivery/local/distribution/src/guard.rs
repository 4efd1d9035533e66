use std::{collections::BTreeSet, net::IpAddr};

use http::{HeaderMap, Uri, header, uri::Authority};

use crate::refusal::Refusal;

/// Lets only requests through that were meant for this registry.
///
/// A page of any site can make a browser call a loopback port: under its own name by DNS rebinding, which the `Host`
/// shows, or across origins, which the `Origin` shows. Command line clients send a loopback host and no origin.
pub(crate) fn admit(
    allowed: &BTreeSet<String>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    let named: Vec<&str> = headers
        .get_all(header::HOST)
        .iter()
        .map(|value| value.to_str().unwrap_or_default())
        .chain(uri.authority().map(Authority::as_str))
        .collect();
    if named.is_empty() {
        return Err(Refusal::NoHost);
    }
    if let Some(foreign) = named.iter().find(|host| !is_ours(allowed, host)) {
        return Err(Refusal::ForeignHost { host: foreign.chars().take(255).collect() });
    }
    for origin in headers.get_all(header::ORIGIN) {
        let own = origin.to_str().ok().and_then(|origin| origin.split_once("://")).is_some_and(
            |(_, authority)| named.iter().any(|host| host.eq_ignore_ascii_case(authority)),
        );
        if !own {
            return Err(Refusal::ForeignOrigin);
        }
    }
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return Err(Refusal::ForeignOrigin);
    }
    Ok(())
}

fn is_ours(allowed: &BTreeSet<String>, host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    match address.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback() || allowed.contains(&name),
        Err(_) => {
            name == "localhost" || name.ends_with(".localhost") || allowed.contains(name.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(host: Option<&str>, origin: Option<&str>) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert(header::HOST, host.parse().unwrap());
        }
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        admit(&BTreeSet::from(["registry.test".to_owned()]), &Uri::from_static("/v2/"), &headers)
    }

    #[test]
    fn only_loopback_and_allowed_names_are_served() {
        for host in [
            "localhost",
            "LOCALHOST:5000",
            "127.0.0.1:5000",
            "127.8.9.1",
            "[::1]:5000",
            "[::1]",
            "[::ffff:127.0.0.1]:1",
            "registry.localhost:5000",
            "registry.test:80",
            "localhost.:80",
        ] {
            assert!(verdict(Some(host), None).is_ok(), "{host}");
        }
        for host in [
            "evil.test",
            "localhost.evil.test",
            "127.0.0.1.evil.test:5000",
            "10.0.0.1:5000",
            "0.0.0.0:5000",
            "[::2]:5000",
            "localhost@evil.test",
            "evil.test@localhost",
            "",
            "evillocalhost",
        ] {
            assert!(verdict(Some(host), None).is_err(), "{host}");
        }
        assert!(matches!(verdict(None, None), Err(Refusal::NoHost)));
    }

    #[test]
    fn an_origin_must_be_the_registry_itself() {
        assert!(verdict(Some("localhost:5000"), Some("http://localhost:5000")).is_ok());
        for origin in ["http://localhost:3000", "https://evil.test", "null", "http://localhost"] {
            let verdict = verdict(Some("localhost:5000"), Some(origin));
            assert!(matches!(verdict, Err(Refusal::ForeignOrigin)), "{origin}");
        }
    }

    #[test]
    fn the_request_target_is_held_to_the_same_rule_as_the_header() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "localhost".parse().unwrap());
        let uri = Uri::from_static("http://evil.test/v2/");
        assert!(admit(&BTreeSet::new(), &uri, &headers).is_err());
    }
}
