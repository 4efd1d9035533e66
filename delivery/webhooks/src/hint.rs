use std::fmt;

use mercurious_core::image::{Digest, Repository, Tag};

/// What a sender says of an image. It is a reason to look, never the answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hint {
    /// Where.
    pub repository: Repository,
    /// The tag that moved, where it is told.
    pub tag: Option<Tag>,
    /// What was pushed, where it is told.
    pub digest: Option<Digest>,
}

impl fmt::Display for Hint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

/// Who hears of hints. It must not wait: the sender does.
pub trait Ears: Send + Sync + 'static {
    /// Takes note of one hint.
    fn hear(&self, hint: &Hint);
}

impl<F: Fn(&Hint) + Send + Sync + 'static> Ears for F {
    fn hear(&self, hint: &Hint) {
        self(hint);
    }
}
