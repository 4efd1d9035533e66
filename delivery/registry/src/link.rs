//! `Link`: RFC 8288, as far as paging needs it.

/// The target of the first link whose relation is `next`. Total.
pub(crate) fn next_page(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let (_, inside) = rest.split_once('<')?;
        let (target, after) = inside.split_once('>')?;
        let (parameters, next) = split_at_link(after);
        if is_next(parameters) {
            return Some(target.trim());
        }
        rest = next;
    }
}

/// The parameters of a link, and what begins with the next one: its `<` stands outside quotes.
fn split_at_link(text: &str) -> (&str, &str) {
    let end = outside_quotes(text).find(|(_, letter)| *letter == '<');
    text.split_at(end.map_or(text.len(), |(at, _)| at))
}

fn is_next(parameters: &str) -> bool {
    let mut rest = parameters;
    loop {
        let end = outside_quotes(rest).find(|(_, letter)| matches!(letter, ';' | ','));
        let (parameter, next) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
        let names_next = parameter.split_once('=').is_some_and(|(name, value)| {
            name.trim().eq_ignore_ascii_case("rel")
                && value
                    .trim()
                    .trim_matches('"')
                    .split_ascii_whitespace()
                    .any(|relation| relation.eq_ignore_ascii_case("next"))
        });
        if names_next {
            return true;
        }
        match next.get(1..) {
            Some(next) => rest = next,
            None => return false,
        }
    }
}

/// The letters that are no part of a quoted text, each with its place. A quote that is not closed runs to the end.
fn outside_quotes(text: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut quoted, mut escaped) = (false, false);
    text.char_indices().filter(move |(_, letter)| {
        let was_quoted = quoted;
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        !was_quoted && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_link_is_found_among_others() {
        for (header, next) in [
            (r#"</v2/a/tags/list?last=x&n=2>; rel="next""#, Some("/v2/a/tags/list?last=x&n=2")),
            ("<https://h/x>;rel=next", Some("https://h/x")),
            (r#"</a>; rel="prev", </b>; title="t"; rel="next""#, Some("/b")),
            (r#"</a>; rel="prev""#, None),
            (r#"</a>; rel="start next""#, Some("/a")),
            // What stands in quotes is neither a link nor a parameter.
            (r#"</a>; title="<b>; rel=next, \" ; rel=next"; rel="prev""#, None),
            (r#"</a>; title="<b>; rel=next"; rel="next""#, Some("/a")),
            (r#"</a>; title="x; rel=next"#, None),
            ("</a", None),
            ("", None),
            ("</a>", None),
        ] {
            assert_eq!(next_page(header), next, "{header}");
        }
    }
}
