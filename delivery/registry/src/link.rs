//! `Link`: RFC 8288, as far as paging needs it.

/// The target of the first link whose relation is `next`. Total.
pub(crate) fn next_page(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let open = rest.find('<')?;
        let inside = &rest[open + 1..];
        let close = inside.find('>')?;
        let (target, after) = (&inside[..close], &inside[close + 1..]);
        // Parameters run to the next link's `<` outside quotes; a quoted `<` is not to be met in practice.
        let end = after.find('<').unwrap_or(after.len());
        let is_next = after[..end].split([';', ',']).any(|parameter| {
            parameter.split_once('=').is_some_and(|(name, value)| {
                name.trim().eq_ignore_ascii_case("rel")
                    && value
                        .trim()
                        .trim_matches('"')
                        .split_ascii_whitespace()
                        .any(|relation| relation.eq_ignore_ascii_case("next"))
            })
        });
        if is_next {
            return Some(target.trim());
        }
        rest = after;
    }
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
            ("</a", None),
            ("", None),
            ("</a>", None),
        ] {
            assert_eq!(next_page(header), next, "{header}");
        }
    }
}
