//! Cities of more than 15,000 people and capitals, and countries: GeoNames' (CC BY 4.0), inside the program.
//!
//! The tables stay where they are in the program's file and are read there: only the pages that a search
//! touches are in memory.

mod country;
mod plain;
mod search;
mod table;

pub use country::{Country, by_code as country};
pub(crate) use plain::plain;
pub use search::{Meaning, by_id, find, nearest};
pub use table::City;

/// Who says so.
pub const SOURCE: &str = "GeoNames";
/// The licence of the facts.
pub const LICENCE: &str = "CC-BY-4.0";
/// What must be shown with them.
pub const ATTRIBUTION: &str = "Places: GeoNames (geonames.org), CC BY 4.0";
