use async_trait::async_trait;
use mercurious_engine::{Place, ports::LookError};
use mercurious_registry::Keychain;

use crate::Wiring;

/// Where a home finds what a registry wants to see. Asked before each look; nothing is kept here.
#[async_trait]
pub trait Credentials: Send + Sync + 'static {
    /// Every credential that may fit this place, in the order in which they are tried; anonymous comes last by
    /// itself. The error names the Secret, never its content.
    async fn keychain(&self, place: &Place) -> Result<Keychain, LookError>;

    /// How the place's registry is reached: what its `certSecretRef` and `proxySecretRef` say.
    async fn wiring(&self, place: &Place) -> Result<Wiring, LookError>;
}
