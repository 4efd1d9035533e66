//! Every sender's documented notification, and what strangers send.

mod guards;
mod oidc;
mod properties;
mod rs256;
mod senders;
mod settings;
mod slow;
mod support;
