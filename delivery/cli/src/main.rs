//! Entry point.

mod example_server;
mod load;

fn main() {}
