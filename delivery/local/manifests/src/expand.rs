/// Expands `$(NAME)` as Kubernetes does in `command`, `args` and `env`: a known name becomes its value, an unknown one stays as it
/// is written, `$$` is one `$` (so `$$(NAME)` is the text `$(NAME)`), and a value is not expanded again.
pub fn expand<'value>(text: &str, lookup: impl Fn(&str) -> Option<&'value str>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        expanded.push_str(&rest[..dollar]);
        let behind = &rest[dollar + 1..];
        if let Some(after) = behind.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) =
            behind.strip_prefix('(').and_then(|inner| inner.split_once(')'))
        {
            if let Some(value) = lookup(name) {
                expanded.push_str(value);
            } else {
                expanded.extend(["$(", name, ")"]);
            }
            rest = after;
        } else {
            expanded.push('$');
            rest = behind;
        }
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cases of Kubernetes' own table (`third_party/forked/golang/expansion/expand_test.go`), in our words.
    #[test]
    fn expansion_is_kubernetes() {
        let lookup = |name: &str| match name {
            "VAR_A" => Some("A"),
            "VAR_B" => Some("B"),
            "VAR_REF" => Some("$(VAR_A)"),
            "VAR_EMPTY" => Some(""),
            _ => None,
        };
        for (text, expanded) in [
            ("$(VAR_A)", "A"),
            ("___$(VAR_B)___", "___B___"),
            ("$(VAR_A)$(VAR_B)", "AB"),
            ("$(VAR_REF)", "$(VAR_A)"),
            ("foo$(VAR_EMPTY)bar", "foobar"),
            ("$$(VAR_A)", "$(VAR_A)"),
            ("$$$(VAR_A)", "$A"),
            ("$$$$(VAR_A)", "$$(VAR_A)"),
            ("$$$$$(VAR_A)", "$$A"),
            ("$(MISSING)", "$(MISSING)"),
            ("$()", "$()"),
            ("$(VAR_A", "$(VAR_A"),
            ("$VAR_A", "$VAR_A"),
            ("foo$$bar", "foo$bar"),
            ("trailing $", "trailing $"),
            ("$$", "$"),
            ("$ $", "$ $"),
            ("é$(VAR_A)é", "éAé"),
        ] {
            assert_eq!(expand(text, lookup), expanded, "{text}");
        }
    }
}
