//! What the keys of a filter can look like, read off the structure of its pattern.

use regex_syntax::hir::{Class, ClassUnicodeRange, Hir, HirKind, Look};

use super::{TagFilter, template::Piece};

/// What the keys of a filter begin with, after the text that all of them share.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Varying {
    /// Nothing varies.
    Nothing,
    /// A commit hash: at least seven hex digits can stand there.
    Hash,
    /// Something else.
    Other,
}

/// One stretch of a key.
enum Stretch<'a> {
    Text(&'a str),
    Matched(&'a Hir),
}

/// Whether the keys differ first in commit hashes, so that their alphabet says nothing about time.
pub(super) fn is_ordered_by_hash(filter: &TagFilter) -> bool {
    let varying = stretches(filter).into_iter().map(|stretch| match stretch {
        Stretch::Text(_) => Varying::Nothing,
        Stretch::Matched(hir) => varying(hir),
    });
    first(varying) == Varying::Hash
}

/// Whether a key can hold the two dots that a version of three parts has.
pub(super) fn can_be_version(filter: &TagFilter) -> bool {
    let whole_tag = filter.pieces().is_none();
    if whole_tag && !(is_anchored_at_start(filter) && is_anchored_at_end(filter)) {
        return true;
    }
    let dots = stretches(filter).into_iter().map(|stretch| match stretch {
        Stretch::Text(text) => text.matches('.').count(),
        Stretch::Matched(hir) => most_dots(hir),
    });
    dots.fold(0, usize::saturating_add) >= 2
}

/// Whether all keys are the same text.
pub(super) fn is_constant(filter: &TagFilter) -> bool {
    filter
        .pieces()
        .is_some_and(|pieces| !pieces.iter().any(|piece| matches!(piece, Piece::Groups(_))))
}

/// The one tag that the pattern names literally, as `^latest$` does.
pub(super) fn only_tag(filter: &TagFilter) -> Option<String> {
    let properties = filter.pattern().shape().properties();
    let is_whole = properties.look_set_prefix().contains(Look::Start)
        && properties.look_set_suffix().contains(Look::End);
    if is_whole { String::from_utf8(literal(filter.pattern().shape())?).ok() } else { None }
}

/// Whether every match begins where the tag begins.
pub(super) fn is_anchored_at_start(filter: &TagFilter) -> bool {
    let hir = filter.pattern().shape();
    let looks = hir.properties().look_set_prefix();
    looks.contains(Look::Start)
        || looks.contains(Look::StartLF)
        || is_anything(edge(hir, <[Hir]>::first))
}

/// Whether every match ends where the tag ends.
pub(super) fn is_anchored_at_end(filter: &TagFilter) -> bool {
    let hir = filter.pattern().shape();
    let looks = hir.properties().look_set_suffix();
    looks.contains(Look::End)
        || looks.contains(Look::EndLF)
        || is_anything(edge(hir, <[Hir]>::last))
}

/// The first or the last thing that a pattern matches.
fn edge(hir: &Hir, pick: fn(&[Hir]) -> Option<&Hir>) -> &Hir {
    match hir.kind() {
        HirKind::Concat(parts) => pick(parts).map_or(hir, |part| edge(part, pick)),
        HirKind::Capture(capture) => edge(&capture.sub, pick),
        _ => hir,
    }
}

/// `.*`, greedy: it reaches as far as the tag does.
fn is_anything(hir: &Hir) -> bool {
    let HirKind::Repetition(repetition) = hir.kind() else { return false };
    let is_any = match repetition.sub.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().map(ClassUnicodeRange::len).sum::<usize>() > 0x10_0000
        }
        _ => false,
    };
    repetition.max.is_none() && repetition.greedy && is_any
}

fn stretches(filter: &TagFilter) -> Vec<Stretch<'_>> {
    let whole = filter.pattern().shape();
    let Some(pieces) = filter.pieces() else { return vec![Stretch::Matched(whole)] };
    let mut stretches = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => stretches.push(Stretch::Text(text)),
            // Of groups that share a name any can be the one; the first speaks for them.
            Piece::Groups(numbers) => stretches.extend(
                numbers.iter().find_map(|number| group(whole, *number)).map(Stretch::Matched),
            ),
            Piece::Unknown(_) => {}
        }
    }
    stretches
}

/// The group of this number, zero being the whole.
fn group(hir: &Hir, number: usize) -> Option<&Hir> {
    if number == 0 {
        return Some(hir);
    }
    match hir.kind() {
        HirKind::Capture(capture) if usize::try_from(capture.index) == Ok(number) => {
            Some(&capture.sub)
        }
        HirKind::Capture(capture) => group(&capture.sub, number),
        HirKind::Repetition(repetition) => group(&repetition.sub, number),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().find_map(|part| group(part, number))
        }
        _ => None,
    }
}

fn varying(hir: &Hir) -> Varying {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) => Varying::Nothing,
        // `[vV]`, as `(?i)v` is written out.
        HirKind::Class(Class::Unicode(class))
            if class.ranges().iter().map(ClassUnicodeRange::len).sum::<usize>() <= 3 =>
        {
            Varying::Nothing
        }
        HirKind::Class(_) => Varying::Other,
        HirKind::Repetition(repetition) => {
            let is_long = repetition.max.is_none_or(|most| most >= 7);
            if is_hex_digit(&repetition.sub) {
                if is_long { Varying::Hash } else { Varying::Other }
            } else {
                varying(&repetition.sub)
            }
        }
        HirKind::Capture(capture) => varying(&capture.sub),
        HirKind::Concat(parts) => first(parts.iter().map(varying)),
        HirKind::Alternation(branches) => {
            let mut found = Varying::Nothing;
            for branch in branches.iter().map(varying) {
                match branch {
                    Varying::Nothing => {}
                    Varying::Hash => found = Varying::Hash,
                    Varying::Other => return Varying::Other,
                }
            }
            found
        }
    }
}

fn first(mut varying: impl Iterator<Item = Varying>) -> Varying {
    varying.find(|one| *one != Varying::Nothing).unwrap_or(Varying::Nothing)
}

/// A class of hex digits, letters included: `[a-f0-9]`, not `[0-9]`.
fn is_hex_digit(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Capture(capture) => is_hex_digit(&capture.sub),
        HirKind::Class(Class::Unicode(class)) => {
            let has = |wanted: &str| {
                wanted.chars().all(|character| {
                    class
                        .ranges()
                        .iter()
                        .any(|range| (range.start()..=range.end()).contains(&character))
                })
            };
            let only_hex = class.ranges().iter().all(|range| {
                range.start().is_ascii_hexdigit()
                    && range.end().is_ascii_hexdigit()
                    && range.len() <= 10
            });
            only_hex && has("0123456789") && (has("abcdef") || has("ABCDEF"))
        }
        _ => false,
    }
}

fn most_dots(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(text) => String::from_utf8_lossy(&text.0).matches('.').count(),
        HirKind::Class(Class::Unicode(class)) => usize::from(
            class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&'.')),
        ),
        HirKind::Class(Class::Bytes(_)) => 1,
        HirKind::Repetition(repetition) => match (most_dots(&repetition.sub), repetition.max) {
            (0, _) => 0,
            (_, None) => usize::MAX,
            (dots, Some(most)) => dots.saturating_mul(usize::try_from(most).unwrap_or(usize::MAX)),
        },
        HirKind::Capture(capture) => most_dots(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(most_dots).fold(0, usize::saturating_add),
        HirKind::Alternation(branches) => branches.iter().map(most_dots).max().unwrap_or(0),
    }
}

fn literal(hir: &Hir) -> Option<Vec<u8>> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(Look::Start | Look::End) => Some(Vec::new()),
        HirKind::Literal(text) => Some(text.0.to_vec()),
        HirKind::Capture(capture) => literal(&capture.sub),
        HirKind::Concat(parts) => {
            parts.iter().map(literal).collect::<Option<Vec<_>>>().map(|parts| parts.concat())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(pattern: &str, extract: &str) -> TagFilter {
        TagFilter::new(pattern, extract).unwrap()
    }

    #[test]
    fn keys_that_differ_in_hashes_are_recognised() {
        for (pattern, extract) in [
            ("^sha-[a-f0-9]+$", ""),
            ("^sha-[a-f0-9]+$", "$0"),
            ("^sha-([a-f0-9]+)$", "$1"),
            ("^sha-(?P<commit>[0-9a-fA-F]{7,40})$", "${commit}"),
            ("^sha-[a-f0-9]+", ""),
            ("^[[:xdigit:]]{40}$", ""),
            ("^(?i)SHA-[a-f0-9]+$", ""),
            ("^(sha|commit)-[a-f0-9]{7}$", ""),
            ("^main-[a-f0-9]+-(?P<ts>[0-9]+)$", ""),
            ("^main-([a-f0-9]+)-(?P<ts>[0-9]+)$", "x$1"),
            ("^(latest|sha-[a-f0-9]+)$", ""),
            ("^sha-([a-f0-9])+$", ""),
        ] {
            assert!(is_ordered_by_hash(&filter(pattern, extract)), "{pattern} {extract}");
        }
        for (pattern, extract) in [
            ("^main-[a-f0-9]+-(?P<ts>[0-9]+)$", "$ts"),
            ("^build-[0-9]+$", ""),
            ("^[0-9a-z]+$", ""),
            ("^[a-f0-9]{6}$", ""),
            ("^.*$", ""),
            ("", ""),
            ("^latest$", ""),
            ("^sha-[a-f0-9]+$", "$nope"),
            (r"^(\d+)-[a-f0-9]+$", ""),
            ("^(v[0-9]+|sha-[a-f0-9]+)$", ""),
        ] {
            assert!(!is_ordered_by_hash(&filter(pattern, extract)), "{pattern} {extract}");
        }
    }

    #[test]
    fn filters_that_never_give_versions_are_recognised() {
        for (pattern, extract, can) in [
            ("^sha-[a-f0-9]+$", "", false),
            ("^sha-[a-f0-9]+$", "$0", false),
            ("sha-[a-f0-9]+", "", true),
            ("sha-[a-f0-9]+", "$0", false),
            (r"^v?\d+\.\d+$", "", false),
            (r"^v?\d+\.\d+\.\d+$", "", true),
            (r"^(\d+)-(\d+)-(\d+)$", "$1.$2.$3", true),
            (r"^(\d+)\.(\d+)$", "$1.$2", false),
            ("^(.*)-amd64$", "$1", true),
            ("", "", true),
        ] {
            assert_eq!(can_be_version(&filter(pattern, extract)), can, "{pattern} {extract}");
        }
    }

    #[test]
    fn a_literal_tag_is_recognised() {
        for (pattern, tag) in [
            ("^latest$", Some("latest")),
            (r"^v1\.2$", Some("v1.2")),
            (r"\A(edge)\z", Some("edge")),
            ("^latest", None),
            ("latest$", None),
            ("^latest$|^edge$", None),
            ("^(?i)latest$", None),
            ("^v1.2$", None),
        ] {
            assert_eq!(only_tag(&filter(pattern, "")).as_deref(), tag, "{pattern}");
        }
    }

    #[test]
    fn anchors_are_seen_where_they_hold_for_every_match() {
        for (pattern, start, end) in [
            ("^a$", true, true),
            ("^a", true, false),
            ("a$", false, true),
            ("^a$|^b$", true, true),
            ("^a|b$", false, false),
            ("^(a|b)$", true, true),
            (".*-a$", true, true),
            ("^a.*", true, true),
            ("^a.*?", true, false),
            ("^a(.*)", true, true),
            ("", false, false),
        ] {
            let filter = filter(pattern, "");
            assert_eq!(is_anchored_at_start(&filter), start, "{pattern}");
            assert_eq!(is_anchored_at_end(&filter), end, "{pattern}");
        }
    }
}
