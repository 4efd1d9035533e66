//! Changes that people make to a trip, pure.
//!
//! **Guarantees.** All edits are made or none; every one that is wrong is named. Afterwards nothing overlaps, days
//! are in order and sums are right. Ways from and to what changed are taken out, because nobody has looked for new ones;
//! a warning says so.

mod apply;
mod edits;
#[cfg(test)]
mod tests;

pub use apply::apply;
pub use edits::{At, Cost, Edit, Edits};
