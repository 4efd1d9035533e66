//! Which tag or release of a repository is the newest, and why the others are not.
//!
//! A [`Policy`] is a filter over tags and an [`Order`]. The orders of Flux give Flux's answers: ranges of versions in
//! the grammar of Masterminds/semver, patterns and templates of Go's `regexp`, numbers of Go's `strconv`. Two orders
//! are our own: the image that was built last, and the digest that one tag points at.
//!
//! **Flow.** An ImagePolicy becomes a policy by [`Policy::from_resource`]. Where the order reads tags,
//! [`Policy::select`] chooses one; where it reads build times, [`Policy::matching`] leaves the tags to look at and
//! [`newest`] chooses among what was found. [`Policy::compare`] says how the choice stands to what runs.
//!
//! **Guarantees.** Everything here is total and deterministic: no input panics, and the order in which tags are listed
//! does not change the answer. Work is linear in the text that is read, and everything that is read is bounded.
//!
//! **Caveats.** What Flux leaves to chance (ties under a filter) is decided here by the order of the tags' bytes. Names
//! of Unicode scripts are accepted in a few spellings that Go does not know.

mod filter;
mod from_resource;
mod go_class;
mod go_syntax;
mod newest;
mod number;
mod order;
mod pattern;
mod range;
mod range_grammar;
mod rule;
mod select;
mod shape;
mod template;
mod version;
mod warning;

pub use filter::{FilterError, TagFilter};
pub use from_resource::{ORDER_ANNOTATION, PolicyError, TAG_ANNOTATION};
pub use go_syntax::SyntaxError;
pub use newest::{NewestSelection, newest};
pub use order::{Order, SelectError};
pub use pattern::{Pattern, PatternError};
pub use range::Range;
pub use range_grammar::RangeError;
pub use rule::{NothingMatches, Policy};
pub use select::{Selection, TagVerdict};
pub use template::TemplateError;
pub use version::{Version, VersionError};
pub use warning::PolicyWarning;
