//! One module per command, or per group of commands that talk to a running engine.

pub(crate) mod apps;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod images;
pub(crate) mod policy;
pub(crate) mod publish;
pub(crate) mod up;
