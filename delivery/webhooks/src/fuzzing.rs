//! For the fuzz targets: what a body says, with no proof asked for.

use http::HeaderMap;

use crate::{
    Hint, Sender,
    notice::{News, Notice},
    senders,
};

/// What was read of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What tells it from every other.
    pub id: Option<String>,
    /// The images that it names.
    pub hints: Vec<Hint>,
    /// Why it names none.
    pub reason: Option<String>,
}

/// Reads what this sender would have sent; the error is what it is told.
pub fn read(sender: Sender, headers: &HeaderMap, body: &[u8]) -> Result<Reading, String> {
    let delivery =
        senders::read(sender, &Notice { headers, body }).map_err(|fault| fault.to_string())?;
    let (hints, reason) = match delivery.news {
        News::Images(told) => {
            let hint = |told: crate::notice::Told| Hint {
                repository: told.repository,
                tag: told.tag,
                digest: told.digest,
            };
            (told.into_iter().map(hint).collect(), None)
        }
        News::All => (Vec::new(), None),
        News::Nothing(reason) => (Vec::new(), Some(reason)),
    };
    Ok(Reading { id: delivery.id, hints, reason })
}
