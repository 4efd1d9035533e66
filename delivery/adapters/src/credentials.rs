use async_trait::async_trait;
use mercurious_engine::{Place, ports::LookError};
use mercurious_registry::Keychain;

/// Where a home finds what a registry wants to see. Asked before each look; nothing is kept here.
#[async_trait]
pub trait Credentials: Send + Sync + 'static {
    /// Every credential that may fit this place, in the order in which they are tried; anonymous comes last by
    /// itself. The error names the Secret, never its content.
    async fn keychain(&self, place: &Place) -> Result<Keychain, LookError>;

    /// The certificate authority (PEM) that the place names beside the system's.
    async fn certificate_authority(&self, place: &Place) -> Result<Option<Vec<u8>>, LookError>;
}
