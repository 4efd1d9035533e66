use mercurious_registry::{Challenge, parse_challenges};

/// A `WWW-Authenticate` header: what is read of it is bounded, and prints back to the same list.
pub fn challenge(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let challenges = parse_challenges(text);
    assert_eq!(challenges, parse_challenges(text));
    assert!(challenges.len() <= 32, "{} challenges", challenges.len());
    let mut bytes = 0;
    for challenge in &challenges {
        assert!(is_token(&challenge.scheme), "{challenge:?}");
        assert!(challenge.parameters.len() <= 32, "{challenge:?}");
        bytes += challenge.scheme.len() + challenge.token.as_deref().map_or(0, str::len);
        for (name, value) in &challenge.parameters {
            assert!(is_token(name), "{challenge:?}");
            // Of a name that is given twice the first counts, whatever the case it is asked in.
            assert_eq!(challenge.parameter(&name.to_ascii_uppercase()), Some(value.as_str()));
            bytes += name.len() + value.len();
        }
    }
    assert!(bytes <= text.len(), "more is read than is there");
    let printed = print(&challenges);
    assert_eq!(parse_challenges(&printed), challenges, "printed as {printed:?}");

    // Any text can be a value, and stays within its quotes.
    let realm = vec![("realm".to_owned(), text.to_owned())];
    let quoted = Challenge { scheme: "bearer".to_owned(), parameters: realm, token: None };
    assert_eq!(parse_challenges(&print(std::slice::from_ref(&quoted))), [quoted]);
}

fn is_token(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte);
    !text.is_empty() && text.bytes().all(word) && text == text.to_ascii_lowercase()
}

/// RFC 9110's own way to write them.
fn print(challenges: &[Challenge]) -> String {
    let one = |challenge: &Challenge| {
        let mut words: Vec<String> = challenge.token.iter().cloned().collect();
        for (name, value) in &challenge.parameters {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            words.push(format!("{name}=\"{escaped}\""));
        }
        format!("{} {}", challenge.scheme, words.join(", ")).trim_end().to_owned()
    };
    challenges.iter().map(one).collect::<Vec<_>>().join(", ")
}
