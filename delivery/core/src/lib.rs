//! The words of delivery and its decisions.
//!
//! No input or output happens here: no client, no clock, no randomness, no logging. Everything remote is
//! fetched before these functions run, and everything that can be malformed is refused by a constructor.
//!
//! - [`image`]: repositories, tags, digests, references, platforms, releases;
//! - [`policy`]: which tag or release of a repository is the newest, and why the others are not;
//! - [`resources`]: the objects that a person writes and reads (`AutoDeploy`, `ImageRepository`, `ImagePolicy`);
//! - [`rollout`]: phases, holds, the record that survives a restart;
//! - [`decide`]: the decision itself;
//! - [`printable`]: strangers' texts in messages.

pub mod decide;
pub mod duration;
pub mod image;
pub mod policy;
pub mod printable;
pub mod resources;
pub mod rollout;
