use std::{cmp::Reverse, collections::HashMap, fmt};

use crate::PoolName;

/// A text that is no pattern of a host or path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Neither a host, nor `*.` and a host, nor `*`.
    #[error("{0:?} is not a host: expected a name such as shop.example.com, *.example.com or *")]
    Host(String),
    /// Does not start with a slash.
    #[error("{0:?} is not a path: it must start with /")]
    Path(String),
}

/// Which hosts a route is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// Every host.
    Any,
    /// This host, in lower case and without port.
    Exact(String),
    /// Each host of exactly one more label in front of this one, as Kubernetes defines `*.example.com`.
    Wildcard(String),
}

impl HostPattern {
    /// Reads `shop.example.com`, `*.example.com`, or `*` or nothing for every host.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let is_host = |host: &str| {
            !host.is_empty()
                && host.split('.').all(|label| !label.is_empty())
                && host
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        };
        let lower = text.to_ascii_lowercase();
        match lower.strip_prefix("*.") {
            _ if lower.is_empty() || lower == "*" => Ok(Self::Any),
            Some(parent) if is_host(parent) => Ok(Self::Wildcard(parent.to_owned())),
            None if is_host(&lower) => Ok(Self::Exact(lower)),
            _ => Err(PatternError::Host(text.to_owned())),
        }
    }
}

/// Which paths a route is for. Paths are compared as they were sent, without decoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathPattern {
    /// The same path.
    Exact(String),
    /// The same first parts between slashes: `/a` is for `/a`, `/a/` and `/a/b`, not for `/ab`.
    Prefix(String),
}

impl PathPattern {
    /// A path to be met exactly.
    pub fn exact(path: &str) -> Result<Self, PatternError> {
        if path.starts_with('/') {
            Ok(Self::Exact(path.to_owned()))
        } else {
            Err(PatternError::Path(path.to_owned()))
        }
    }

    /// The first parts of a path; a slash at its end means nothing.
    pub fn prefix(path: &str) -> Result<Self, PatternError> {
        if path.starts_with('/') {
            Ok(Self::Prefix(path.trim_end_matches('/').to_owned()))
        } else {
            Err(PatternError::Path(path.to_owned()))
        }
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == path,
            Self::Prefix(prefix) => path
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        }
    }

    /// Longer first, exact before prefix.
    fn rank(&self) -> (Reverse<usize>, bool) {
        match self {
            Self::Exact(path) => (Reverse(path.len()), false),
            Self::Prefix(path) => (Reverse(path.len()), true),
        }
    }
}

/// Requests to these hosts and paths go to this pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The hosts.
    pub host: HostPattern,
    /// The paths.
    pub path: PathPattern,
    /// Who answers.
    pub pool: PoolName,
}

/// A complete set of routes, as [`FrontProxy::set_routes`](crate::FrontProxy::set_routes) takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    routes: Vec<Route>,
}

impl Routes {
    /// Of two routes for the same host and path, the first counts.
    pub fn new(routes: impl IntoIterator<Item = Route>) -> Self {
        Self { routes: routes.into_iter().collect() }
    }
}

/// Why no route takes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unrouted {
    Host,
    Path,
}

/// Routes prepared for looking up; `P` is what a route leads to.
pub(crate) struct RouteTable<P> {
    hosts: HashMap<HostPattern, Vec<(PathPattern, P)>>,
}

impl<P> Default for RouteTable<P> {
    fn default() -> Self {
        Self { hosts: HashMap::new() }
    }
}

impl<P> fmt::Debug for RouteTable<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteTable").field("hosts", &self.hosts.len()).finish()
    }
}

impl<P> RouteTable<P> {
    pub(crate) fn new(routes: Routes, pool: impl Fn(&PoolName) -> P) -> Self {
        let mut hosts: HashMap<HostPattern, Vec<(PathPattern, P)>> = HashMap::new();
        for route in routes.routes {
            hosts.entry(route.host).or_default().push((route.path, pool(&route.pool)));
        }
        for paths in hosts.values_mut() {
            paths.sort_by_key(|(path, _)| path.rank());
        }
        Self { hosts }
    }

    /// The exact host's paths are looked at first, then its wildcard's, then those for every host.
    pub(crate) fn find(&self, host: &str, path: &str) -> Result<&P, Unrouted> {
        let host = host_name(host);
        let parent = host.split_once('.').map(|(_, parent)| parent.to_owned());
        let patterns = [
            Some(HostPattern::Exact(host)),
            parent.map(HostPattern::Wildcard),
            Some(HostPattern::Any),
        ];
        let mut known = false;
        for paths in patterns.iter().flatten().filter_map(|pattern| self.hosts.get(pattern)) {
            known = true;
            if let Some((_, pool)) = paths.iter().find(|(pattern, _)| pattern.matches(path)) {
                return Ok(pool);
            }
        }
        Err(if known { Unrouted::Path } else { Unrouted::Host })
    }
}

/// The name in a `Host` field: without port and final dot, in lower case.
fn host_name(field: &str) -> String {
    let name = match field.rsplit_once(':') {
        // Colons within brackets belong to an IPv6 address.
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => field,
    };
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(routes: &[(&str, PathPattern, &'static str)]) -> RouteTable<String> {
        let routes = routes.iter().map(|(host, path, pool)| Route {
            host: HostPattern::parse(host).unwrap(),
            path: path.clone(),
            pool: PoolName::new(pool).unwrap(),
        });
        RouteTable::new(Routes::new(routes), |pool| pool.as_str().to_owned())
    }

    fn prefix(path: &str) -> PathPattern {
        PathPattern::prefix(path).unwrap()
    }

    fn exact(path: &str) -> PathPattern {
        PathPattern::exact(path).unwrap()
    }

    #[test]
    fn paths_match_by_parts_and_the_longest_wins() {
        let table = table(&[
            ("a.test", prefix("/"), "root"),
            ("a.test", prefix("/api/"), "api"),
            ("a.test", prefix("/api/v2"), "v2"),
            ("a.test", exact("/api/v2"), "exact"),
            ("a.test", prefix("/api"), "second"),
        ]);
        for (path, pool) in [
            ("/", "root"),
            ("/apish", "root"),
            ("/api", "api"),
            ("/api/", "api"),
            ("/api/v1", "api"),
            ("/api/v2", "exact"),
            ("/api/v2/", "v2"),
            ("/api/v22", "api"),
            ("/API", "root"),
        ] {
            assert_eq!(table.find("a.test", path).unwrap(), pool, "{path}");
        }
    }

    #[test]
    fn hosts_match_without_port_and_case_and_a_wildcard_is_one_label() {
        let table = table(&[
            ("shop.example.com", prefix("/only"), "exact"),
            ("*.example.com", prefix("/"), "wild"),
        ]);
        for (host, pool) in [
            ("SHOP.example.com:8080", "exact"),
            ("shop.example.com.", "exact"),
            ("other.example.com", "wild"),
        ] {
            assert_eq!(table.find(host, "/only").unwrap(), pool, "{host}");
        }
        assert_eq!(table.find("shop.example.com", "/else").unwrap(), "wild");
        for host in ["example.com", "a.b.example.com", "", "[::1]:80", ".example.com.evil"] {
            assert_eq!(table.find(host, "/only"), Err(Unrouted::Host), "{host}");
        }
    }

    #[test]
    fn a_known_host_without_the_path_is_told_apart() {
        let table = table(&[("a.test", exact("/x"), "x")]);
        assert_eq!(table.find("a.test", "/y"), Err(Unrouted::Path));
        assert_eq!(table.find("b.test", "/x"), Err(Unrouted::Host));
    }

    #[test]
    fn bad_patterns_are_refused() {
        for host in ["a b", "*.", "a.*.b", "http://a", "a..b", "**.a"] {
            assert!(HostPattern::parse(host).is_err(), "{host}");
        }
        assert!(PathPattern::prefix("api").is_err());
        assert!(PathPattern::exact("").is_err());
    }
}
