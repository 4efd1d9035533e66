//! Every sender's documented notification, and what strangers send.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod guards;
mod oidc;
mod properties;
mod rs256;
mod senders;
mod settings;
mod slow;
mod support;
