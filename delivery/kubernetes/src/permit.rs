use async_trait::async_trait;

/// Says before each write whether this engine may write: one engine at a time per scope.
#[async_trait]
pub trait Permit: Send + Sync + 'static {
    /// Obtains or confirms the right to write.
    async fn confirm(&self) -> Result<(), Denied>;
}

/// Why this engine may not write.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Denied {
    /// Another engine is at work.
    #[error("another engine is at work: {holder} holds the lease {lease}")]
    Held {
        /// Who.
        holder: String,
        /// Of what.
        lease: String,
    },
    /// Nobody knows.
    #[error("the lease {lease} cannot be had: {message}")]
    Unavailable {
        /// Of what.
        lease: String,
        /// Why.
        message: String,
    },
}
