use thiserror::Error;

/// Why a store did not do what was asked of it.
#[derive(Debug, Error)]
pub enum StoreError {
    /// It does not answer, or not in time.
    #[error("the {store} store does not answer: {detail}")]
    Unavailable {
        /// Which kind of store.
        store: &'static str,
        /// What it says; never an address with a password.
        detail: String,
    },
    /// It says no, and will say so again: wrong credentials, no rights.
    #[error("the {store} store refuses: {detail}")]
    Refused {
        /// Which kind of store.
        store: &'static str,
        /// What it says.
        detail: String,
    },
    /// It was written by a newer program.
    #[error(
        "the {store} store has the layout {found}, newer than {known}, the newest known here: start the newer program"
    )]
    Newer {
        /// Which kind of store.
        store: &'static str,
        /// Its layout.
        found: i64,
        /// The newest known layout.
        known: i64,
    },
    /// What is stored cannot be read.
    #[error("{what} in the store cannot be read: {detail}")]
    Unreadable {
        /// What it is.
        what: &'static str,
        /// What is wrong.
        detail: String,
    },
}

impl From<StoreError> for mercurious_messaging::StoreError {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}
