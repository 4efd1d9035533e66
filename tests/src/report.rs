//! Measurements as a page in Markdown: `cargo xtask bench` writes it down.

mod figures;
mod machine;
mod page;

pub use figures::Figures;
pub use machine::{describe, say, version};
pub use page::{Page, Section};
