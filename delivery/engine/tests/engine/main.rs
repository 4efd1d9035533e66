//! The engine over a world in memory that misbehaves on request.

#![expect(clippy::unwrap_used, unreachable_pub, reason = "tests, and what only they call")]

mod detection;
mod the_loop;
mod wishes;
mod world;
