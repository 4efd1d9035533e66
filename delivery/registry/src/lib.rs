//! A client of the OCI distribution API: look, resolve, list, push; credentials found as the kubelet finds them.
//!
//! **Flow.** [`RegistryClient::head`] is the hot path: one `HEAD` with the token that was accepted last. Only a
//! digest that was never seen is fetched ([`RegistryClient::resolve`]), and then kept for ever.
//!
//! **Guarantees.** Bytes are given out only if they hash to the digest asked for. Half a list is an error. A
//! credential goes to the registry that it is for, or to the https token service that this one names, and to
//! nothing else; no message holds one. Every wait has an end, every answer a greatest length.
//!
//! **Assumptions.** The process has a tokio runtime with time and I/O. Clones of a client share everything.
//!
//! **Caveats.** SHA-256 only. No proxy. An index inside an index is refused.

mod answer_text;
mod authorize;
mod blob;
mod challenge;
mod client;
mod credentials;
mod documents;
mod error;
mod facts;
#[doc(hidden)]
pub mod fuzzing;
mod hosts;
mod limiter;
mod link;
mod look;
mod media_types;
mod proxy;
mod push;
mod request;
mod resolve;
mod retry_after;
mod session;
mod settings;
mod spent;
mod tags;
mod tls;
mod token;
mod transport;

pub use blob::BlobReader;
pub use challenge::{Challenge, parse_challenges};
pub use client::{BuildError, RegistryClient, RegistryClientBuilder};
pub use credentials::{Credential, CredentialsError, Keychain};
pub use error::{Attempt, RegistryError};
pub use limiter::HostLimits;
pub use look::{Head, Manifest};
pub use proxy::{ForwardProxy, ProxyError};
pub use push::{BlobSource, BlobToPush, ImageToPush, PushedBlob, PushedImage};
pub use resolve::{BlobDescriptor, Resolved};
pub use settings::{Retries, Timeouts};
pub use spent::{RateLimit, Spent};
pub use tls::{ClientCertificate, TlsError};
