//! Detection: one HEAD per poll where nothing changed, and no more requests than needed where something did.
//!
//! # Flow
//! [`look`] asks the anchor tag (`latest` where it exists, or the tag that a policy follows). Only a new
//! digest, a hint, or the slow safety net costs more: the commit's own tag is tried by name, then tags are
//! listed, unknown ones asked for their digest, and each distinct digest resolved once for ever.
//! [`choose`] then turns what was [`Seen`] into a candidate, without asking anybody.
//!
//! # Guarantees
//! A look that fails half-way returns an error and leaves what was seen as it was.

mod choose;
mod listing;
mod look;
mod seen;

pub(crate) use choose::overlooked;
pub use choose::{ShownTag, TagChoice, choose, shown, tag_choices};
pub use listing::Listing;
pub use look::{LookDepth, SAFETY_NET, look};
pub(crate) use look::{Round, described};
pub use seen::{Look, PassedOver, Seen};
