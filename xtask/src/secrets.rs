//! No secret is in the repository, neither in a file nor in a commit message.

use std::sync::LazyLock;

use regex::Regex;

/// What a secret looks like whatever stands around it.
const SHAPES: [(&str, &str); 9] = [
    ("a private key", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    ("an age key", r"AGE-SECRET-KEY-1[0-9A-Z]{40}"),
    ("a GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40})"),
    ("a GitLab token", r"\bglpat-[A-Za-z0-9_-]{20}"),
    ("an AWS key", r"\bA(?:KIA|SIA)[0-9A-Z]{16}\b"),
    ("a Slack token", r"\bxox[abprs]-[A-Za-z0-9-]{20}"),
    ("a SendGrid key", r"\bSG\.[A-Za-z0-9_-]{20}\.[A-Za-z0-9_-]{20}"),
    ("a JSON web token", r"\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\."),
    ("a password in a URL", r"\b[a-z][a-z0-9+.-]*://[^\s/:@'`<{$]+:[^\s/@'`<{$]{3,}@[a-z0-9]"),
];

/// A value that is given a secret's name in what is not a program.
const NAMED: &str = r#"(?i)\b(?:[a-z]+[_-])*(?:password|passwd|secret|api[_-]?key|token)["']?\s*[:=]\s*["']?([^\s"'`#<${}\[\],()]{6,})"#;

/// Files in which names of secrets stand before words that are none.
const SETTINGS: [&str; 8] = ["yaml", "yml", "json", "toml", "env", "sh", "md", "conf"];

static SHAPED: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    let compiled = |pattern| Regex::new(pattern).expect("patterns are constant");
    SHAPES.iter().map(|(what, pattern)| (*what, compiled(pattern))).collect()
});

static IS_NAMED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(NAMED).expect("the pattern is constant"));

/// What looks like a secret in a text, a line each.
fn findings(name: &str, text: &str) -> Vec<String> {
    let shapes: Vec<&(&str, Regex)> =
        SHAPED.iter().filter(|(_, pattern)| pattern.is_match(text)).collect();
    let settings = name.rsplit_once('.').is_some_and(|(_, end)| SETTINGS.contains(&end));
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let mut say = |what: &str| found.push(format!("{name}:{}: {what}", number + 1));
        for (what, pattern) in shapes.iter().copied() {
            if pattern.is_match(line) && !is_example(line) {
                say(what);
            }
        }
        if settings && IS_NAMED.captures(line).is_some_and(|found| looks_random(&found[1])) {
            say("a secret with its name");
        }
    }
    found
}

/// Addresses that RFC 2606 and RFC 5737 set apart for examples, and this machine's own: what test servers are
/// called.
fn is_example(line: &str) -> bool {
    ["@example.", ".example", ".test", "@127.0.0.1", "@localhost", "@host", ":hunter2@"]
        .iter()
        .any(|end| line.contains(end))
}

/// Letters and digits mixed: no word of a language, no name of a field.
fn looks_random(value: &str) -> bool {
    value.chars().any(|letter| letter.is_ascii_digit())
        && value.chars().any(|letter| letter.is_ascii_alphabetic())
        && !value.contains("://")
        && !value.contains('/')
}

#[test]
fn r52_no_file_and_no_commit_message_holds_a_secret() {
    let mut found = Vec::new();
    for file in crate::tracked::texts().unwrap() {
        found.extend(findings(&file.path.display().to_string(), &file.text));
    }
    found.extend(findings("a commit message", &crate::tracked::messages().unwrap()));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn r52_secrets_are_found_where_they_were_found_before() {
    // Put together here, so that this file holds none.
    let token = format!("ghp_{}", "a1B2".repeat(9));
    let key = format!("-----BEGIN {} KEY-----", "OPENSSH PRIVATE");
    let url = format!("mongodb://root:{}@mongo.app.svc/db", "Tr4vel99");
    for (name, text) in [
        ("notes.md", token.as_str()),
        ("id", &key),
        ("main.rs", &url),
        ("deploy.yaml", "  password: hunter22"),
        ("setup.sh", "REDIS_PASSWORD=\"aZ39kkQ1\""),
    ] {
        assert_eq!(findings(name, text).len(), 1, "{name}: {text}");
    }
    for (name, text) in [
        ("deploy.yaml", "secretKeyRef: { name: redis, key: password }"),
        ("setup.sh", "PASSWORD=$(openssl rand -hex 32)"),
        ("a.rs", "let url = \"https://user:password@example.com/\";"),
        ("README.md", "the token: 32 random bytes, mode 0600"),
    ] {
        assert_eq!(findings(name, text), Vec::<String>::new(), "{name}: {text}");
    }
}
