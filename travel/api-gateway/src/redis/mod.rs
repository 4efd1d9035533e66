//! What replicas share in Redis: rate limits, and the news of events.
//!
//! **Guarantees.** Nothing is in Redis alone. Without it, each replica limits by itself and asks the store for
//! events; with it, both are shared at once.
//!
//! - `travel:rate:<client>`: a moment in microseconds, gone when all is paid off;
//! - `travel:events`: a stream of `job` and `head`, the newest ten thousand or so.

mod connection;
mod limits;
mod news;

pub use connection::{Redis, RedisError};
pub use limits::RedisLimits;
pub use news::RedisNews;
