//! Notifications of registries and forges, turned into hints.
//!
//! # Flow
//! A [`Receiver`] is what one sender may speak for, and how it proves who it is. [`Webhooks::router`] answers
//! `POST /hooks/NAME` (`/hooks/NAME/TOKEN` where the sender cannot sign) and Flux's `/hook/DIGEST`: the proof is
//! checked, the body is read as that sender writes it, and what it says of images goes to [`Ears`] as [`Hint`]s. The
//! answer is given before anybody looks.
//!
//! # Guarantees
//! - A hint is only ever an image repository that the receiver may speak for, with a tag and a digest that parse: it
//!   makes the engine look, and decides nothing.
//! - Secrets are compared in constant time and are in no log, answer or error; neither are paths, which may hold one.
//! - Bodies, time, memory of deliveries, connections, requests by receiver and wrong proofs are bounded.
//!
//! # Assumptions
//! - TLS ends before this: an Ingress or another proxy has the certificate.
//! - Whoever can read a body may send it again: that is one more look, and no more.

mod answer;
mod counters;
mod deliveries;
#[doc(hidden)]
pub mod fuzzing;
mod hint;
mod limits;
mod notice;
mod oidc;
mod pattern;
mod proof;
mod receiver;
mod router;
mod secret;
mod sender;
mod senders;
mod serve;
mod settings;

pub use hint::{Ears, Hint};
pub use pattern::{PatternError, RepositoryPattern};
pub use receiver::{Receiver, Receivers};
pub use router::Webhooks;
pub use secret::{SecretReader, SecretSource};
pub use sender::{Proof, Sender};
pub use serve::serve;
pub use settings::{ReceiverFault, Settings, SettingsError};
