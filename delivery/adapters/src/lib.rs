//! What both homes share of the world.
//!
//! - [`OciImageSource`]: a registry, as the engine asks it; where credentials come from is the home's business
//!   ([`Credentials`]), as are the certificates and proxies that it is reached with ([`Wiring`]);
//! - [`HttpQuestion`]: one HTTP check, asked once; where a Service is found is the home's business.

mod credentials;
mod http_question;
mod image_source;
mod wiring;

pub use credentials::Credentials;
pub use http_question::HttpQuestion;
pub use image_source::OciImageSource;
pub use wiring::{Wiring, WiringError};

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
