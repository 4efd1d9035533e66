use jiff::Timestamp;
use mercurious_core::image::Tag;

/// So many tags of a listing are shown by name.
const SHOWN: usize = 10;

/// All tags of a repository at a time, in what people are shown of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// When they were listed.
    pub at: Timestamp,
    /// How many there are, less the excluded ones.
    pub count: usize,
    /// The bytewise largest ten, the largest first.
    pub largest: Vec<Tag>,
    /// Tells one list from another as Flux does: Adler-32 of the JSON of all tags, the largest first.
    pub checksum: u32,
}

impl Listing {
    /// Of these tags, in their own order.
    pub fn of<'a>(tags: impl DoubleEndedIterator<Item = &'a Tag> + Clone, at: Timestamp) -> Self {
        let mut checksum = adler2::Adler32::new();
        // Tags need no escaping.
        checksum.write_slice(b"[");
        for (number, tag) in tags.clone().rev().enumerate() {
            checksum.write_slice(if number > 0 { b",\"" } else { b"\"" });
            checksum.write_slice(tag.as_str().as_bytes());
            checksum.write_slice(b"\"");
        }
        checksum.write_slice(b"]");
        Self {
            at,
            count: tags.clone().count(),
            largest: tags.rev().take(SHOWN).cloned().collect(),
            checksum: checksum.checksum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_checksum_is_that_of_flux_and_the_largest_come_first() {
        let at = Timestamp::from_second(1).unwrap();
        let tags: BTreeSet<Tag> =
            ["b", "a", "d", "c"].into_iter().map(|tag| tag.parse().unwrap()).collect();
        let listing = Listing::of(tags.iter(), at);
        assert_eq!((listing.checksum, listing.count), (580_584_407, 4));
        assert_eq!(listing.largest.first().map(Tag::as_str), Some("d"));
        assert_eq!(Listing::of([].iter(), at).checksum, 18_153_657);
    }
}
