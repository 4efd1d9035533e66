//! What is inside the program.

mod climate;
mod holidays;
mod places;
pub mod rates;

use jiff::Timestamp;
use mercurious_contracts::Provenance;

pub use climate::BundledClimate;
pub use holidays::BundledHolidays;
pub use places::BundledPlaces;

/// When the data were written or derived.
const AS_OF: Timestamp = Timestamp::constant(1_764_115_200, 0);

/// Facts that were written by hand.
pub(crate) fn by_hand(what: &str) -> Provenance {
    Provenance {
        source: format!("mercurious, {what}, by hand (estimate)"),
        licence: "CC0-1.0".to_owned(),
        fetched_at: AS_OF,
    }
}

/// Facts of somebody else that are inside the program.
pub(crate) fn derived(source: &str, licence: &str) -> Provenance {
    Provenance { source: source.to_owned(), licence: licence.to_owned(), fetched_at: AS_OF }
}

/// The lines of a table that are not comments.
fn lines(table: &'static str) -> impl Iterator<Item = &'static str> {
    table.lines().filter(|line| !line.starts_with('#') && !line.is_empty())
}
