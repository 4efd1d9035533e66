//! YAML (and JSON, which is YAML) as a tree in which every value knows its line and column.
//!
//! The event parser under serde-saphyr is used directly: serde stops at the first fault and forgets how a value was
//! written (`yes` or `"yes"`), and both are needed here.

mod build;
mod node;
mod scalar;

pub(crate) use build::{Broken, documents};
pub(crate) use node::{Entry, Node, Position, Value};
pub(crate) use scalar::Scalar;
