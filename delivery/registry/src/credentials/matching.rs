//! Which entries of a Docker configuration are for a repository: the kubelet's rules, `registries.md` §3.3.

use mercurious_core::image::Repository;

/// The server name under which Docker files its own registry.
pub(super) const DOCKER_HUB_SERVER: &str = "https://index.docker.io/v1/";

/// A key of `auths`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pattern {
    /// Host, possibly with globs, with its port.
    host: String,
    /// Path without slashes at its ends; may be empty.
    path: String,
}

impl Pattern {
    pub(super) fn parse(key: &str) -> Self {
        let bare = key.trim();
        let bare = bare.split_once("://").map_or(bare, |(_, rest)| rest);
        let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
        let mut path = path.trim_matches('/');
        for version in ["v1", "v2"] {
            if path == version {
                path = "";
            } else if let Some(rest) =
                path.strip_prefix(version).and_then(|rest| rest.strip_prefix('/'))
            {
                path = rest;
            }
        }
        Self { host: host.to_ascii_lowercase(), path: path.to_owned() }
    }

    /// Longer paths first, then longer hosts, then hosts without globs: the more specific entry first.
    pub(super) fn specificity(&self) -> (usize, bool, usize) {
        (self.path.len(), !self.host.contains(['*', '?', '[']), self.host.len())
    }

    /// The path is bounded by segments here: `ghcr.io/foo` is not for `ghcr.io/foobar`, as it is for the kubelet.
    pub(super) fn matches(&self, repository: &Repository) -> bool {
        let path_matches = self.path.is_empty()
            || repository.path() == self.path
            || repository
                .path()
                .strip_prefix(self.path.as_str())
                .is_some_and(|rest| rest.starts_with('/'));
        path_matches && names_of(repository.host()).any(|host| host_matches(&self.host, host))
    }
}

/// The names by which one registry is known.
fn names_of(host: &str) -> impl Iterator<Item = &str> {
    let aliases: &[&str] = match host {
        "docker.io" => &["index.docker.io", "registry-1.docker.io"],
        _ => &[],
    };
    std::iter::once(host).chain(aliases.iter().copied())
}

/// What a credential helper is asked for.
pub(super) fn server_of(host: &str) -> &str {
    if host == "docker.io" { DOCKER_HUB_SERVER } else { host }
}

fn host_matches(pattern: &str, host: &str) -> bool {
    let (pattern_name, pattern_port) = split_port(pattern);
    let (host_name, host_port) = split_port(host);
    if pattern_port != host_port {
        return false;
    }
    if pattern_name == host_name {
        return true;
    }
    let mut pattern_labels = pattern_name.split('.');
    let mut host_labels = host_name.split('.');
    loop {
        match (pattern_labels.next(), host_labels.next()) {
            (None, None) => return true,
            (Some(pattern), Some(label)) if glob(pattern.as_bytes(), label.as_bytes()) => {}
            _ => return false,
        }
    }
}

/// `host:port` apart, with IPv6 addresses in brackets left whole.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    }
}

/// Go's `path.Match` on one label: `*`, `?` and classes. Goes back to the last `*` alone, as each takes as little as it
/// can: time is bounded by the product of both lengths, whatever the pattern.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // The pattern after the last `*`, and the text that it is tried on next.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some((b'*', rest)) = pattern.split_first() {
            pattern = rest;
            retry = Some((rest, text));
        } else if pattern.is_empty() && text.is_empty() {
            return true;
        } else if let Some((rest, after)) = one_matches(pattern, text) {
            (pattern, text) = (rest, after);
        } else if let Some((after_star, tried)) = retry
            && let Some((_, shorter)) = tried.split_first()
        {
            (pattern, text) = (after_star, shorter);
            retry = Some((after_star, shorter));
        } else {
            return false;
        }
    }
}

/// What is left of both where the first of the pattern, which is no `*`, matches the first of the text.
fn one_matches<'a>(pattern: &'a [u8], text: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (&letter, text) = text.split_first()?;
    let (&own, rest) = pattern.split_first()?;
    let (matches, rest) = match own {
        b'?' => (true, rest),
        b'[' => {
            let end = rest.iter().position(|&byte| byte == b']')?;
            (class_holds(&rest[..end], letter), &rest[end + 1..])
        }
        own => (own == letter, rest),
    };
    matches.then_some((rest, text))
}

fn class_holds(class: &[u8], letter: u8) -> bool {
    let (negated, mut class) = match class.split_first() {
        Some((b'^', rest)) => (true, rest),
        _ => (false, class),
    };
    let mut found = false;
    while let Some((&low, rest)) = class.split_first() {
        if let [b'-', high, rest @ ..] = rest {
            found |= (low..=*high).contains(&letter);
            class = rest;
        } else {
            found |= low == letter;
            class = rest;
        }
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(key: &str, repository: &str) -> bool {
        Pattern::parse(key).matches(&repository.parse().unwrap())
    }

    #[test]
    fn keys_match_as_the_kubelet_matches_them() {
        for (key, repository) in [
            ("ghcr.io", "ghcr.io/a/b"),
            ("https://ghcr.io", "ghcr.io/a/b"),
            ("https://ghcr.io/v2/", "ghcr.io/a/b"),
            ("ghcr.io/a", "ghcr.io/a/b"),
            ("ghcr.io/a/b", "ghcr.io/a/b"),
            ("GHCR.io/v1/a", "ghcr.io/a/b"),
            ("*.example.org", "eu.example.org/a"),
            ("*.*.example.org", "a.eu.example.org/a"),
            ("e[a-z].example.org", "eu.example.org/a"),
            ("registry?.example.org:5000", "registry1.example.org:5000/a"),
            ("https://index.docker.io/v1/", "alpine"),
            ("docker.io", "alpine"),
            ("*.docker.io", "docker.io/a/b"),
            ("registry-1.docker.io", "docker.io/a/b"),
            ("[::1]:5000", "[::1]:5000/a"),
        ] {
            assert!(matches(key, repository), "{key} should match {repository}");
        }
        for (key, repository) in [
            ("ghcr.io/foo", "ghcr.io/foobar/x"),
            ("ghcr.io/a/b/c", "ghcr.io/a/b"),
            ("*.example.org", "example.org/a"),
            ("*.example.org", "a.b.example.org/a"),
            ("example.org", "example.org:5000/a"),
            ("example.org:5000", "example.org/a"),
            ("e[^u].example.org", "eu.example.org/a"),
            ("*", "ghcr.io/a"),
            ("", "ghcr.io/a"),
            ("[", "ghcr.io/a"),
        ] {
            assert!(!matches(key, repository), "{key} should not match {repository}");
        }
    }

    #[test]
    fn a_label_of_many_stars_is_matched_in_bounded_time() {
        // With a step back to every star this takes longer than the universe has.
        assert!(!glob("*a".repeat(60).as_bytes(), "a".repeat(59).as_bytes()));
        assert!(!glob(format!("{}b", "*a".repeat(30)).as_bytes(), "a".repeat(63).as_bytes()));
        assert!(glob("*a".repeat(60).as_bytes(), "a".repeat(60).as_bytes()));
        for (pattern, text, matched) in [
            ("*", "", true),
            ("**", "ab", true),
            ("a*b*c", "axbxbxc", true),
            ("a*b*c", "axbxbx", false),
            ("*ab", "aab", true),
            ("?*?", "a", false),
            ("*[x-z]", "abz", true),
            ("a", "", false),
            ("", "a", false),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), matched, "{pattern} {text}");
        }
    }
}
