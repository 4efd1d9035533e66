//! Which messages of a partition have taken effect.

use std::collections::BTreeSet;

/// Messages come in the order of their offsets and are finished in any order; what may be committed is the
/// first that is not finished.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    unfinished: BTreeSet<i64>,
    /// One after the last that came.
    next: Option<i64>,
}

impl Offsets {
    /// A message came. False when it came before: a broker that lost its place sends it again.
    pub(crate) fn begin(&mut self, offset: i64) -> bool {
        if self.next.is_some_and(|next| offset < next) {
            return false;
        }
        self.unfinished.insert(offset);
        self.next = Some(offset + 1);
        true
    }

    /// A message has taken effect; returns the offset to commit where that moved it.
    pub(crate) fn finish(&mut self, offset: i64) -> Option<i64> {
        let first = self.unfinished.first() == Some(&offset);
        if !self.unfinished.remove(&offset) || !first {
            return None;
        }
        self.unfinished.first().copied().or(self.next)
    }

    /// How many are not finished.
    pub(crate) fn unfinished(&self) -> usize {
        self.unfinished.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_committed_is_all_finished_and_all_that_can_be(
            gaps in prop::collection::vec(1_i64..4, 1..40),
            order in prop::collection::vec(any::<prop::sample::Index>(), 40),
        ) {
            let mut offsets = Offsets::default();
            let mut came = Vec::new();
            let mut at = 0;
            for gap in gaps {
                at += gap;
                assert!(offsets.begin(at));
                came.push(at);
            }
            let last = at + 1;
            let mut left = came.clone();
            let mut committed = 0;
            for index in order.iter().take(came.len()) {
                let offset = left.remove(index.index(left.len()));
                if let Some(next) = offsets.finish(offset) {
                    prop_assert!(next > committed);
                    committed = next;
                }
                prop_assert!(left.iter().all(|left| *left >= committed));
                let expected = left.first().copied().unwrap_or(last);
                prop_assert!(committed == expected || committed == 0 && left.first() == came.first());
            }
            prop_assert_eq!(committed, last);
            prop_assert_eq!(offsets.unfinished(), 0);
        }
    }

    #[test]
    fn a_message_that_comes_again_is_known() {
        let mut offsets = Offsets::default();
        assert!(offsets.begin(4));
        assert!(!offsets.begin(4));
        assert_eq!(offsets.finish(4), Some(5));
        assert!(!offsets.begin(3));
        assert_eq!(offsets.finish(3), None);
    }
}
