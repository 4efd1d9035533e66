//! Numbers and names with a meaning.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// Minutes that have passed since a day's local midnight; past 1440 it is the next day.
    Minute(i32)
}
number! {
    /// An amount in the currency's smallest unit.
    Money(i64)
}
number! {
    /// What a visit is worth beside others.
    Score(u32)
}
number! {
    /// A distance on foot.
    Metres(u32)
}
number! {
    /// A row of the travel table: somewhere one can be.
    Spot(u32)
}
number! {
    /// The city or region that a place lies in and a day is spent in.
    Area(u32)
}

/// Why a text is not taken.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TextError {
    /// Nothing there.
    #[error("{what} is empty")]
    Empty {
        /// What it should be.
        what: &'static str,
    },
    /// More than the limit.
    #[error("{what} has {length} bytes, more than {limit}")]
    Long {
        /// What it should be.
        what: &'static str,
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// A character that has no place in it.
    #[error("{what} holds a character that is not allowed: {found:?}")]
    Character {
        /// What it should be.
        what: &'static str,
        /// The first such character.
        found: char,
    },
    /// The wrong shape.
    #[error("{what} must be {shape}")]
    Shape {
        /// What it should be.
        what: &'static str,
        /// How it should look.
        shape: &'static str,
    },
}

/// The longest identifier, in bytes.
const LONGEST: usize = 200;

fn name(what: &'static str, text: &str) -> Result<(), TextError> {
    if text.trim().is_empty() {
        return Err(TextError::Empty { what });
    }
    if text.len() > LONGEST {
        return Err(TextError::Long { what, length: text.len(), limit: LONGEST });
    }
    match text.chars().find(|character| character.is_control()) {
        Some(found) => Err(TextError::Character { what, found }),
        None => Ok(()),
    }
}

fn currency(what: &'static str, text: &str) -> Result<(), TextError> {
    let right = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    if right {
        Ok(())
    } else {
        Err(TextError::Shape { what, shape: "three capital letters (ISO 4217)" })
    }
}

fn language(what: &'static str, text: &str) -> Result<(), TextError> {
    let mut parts = text.split('-');
    let first = parts.next().unwrap_or_default();
    let right = (2..=8).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
        && text.len() <= 35;
    if right { Ok(()) } else { Err(TextError::Shape { what, shape: "a language tag (BCP 47)" }) }
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes the text when it has the right shape.
            pub fn new(text: impl Into<String>) -> Result<Self, TextError> {
                let text = text.into();
                $check($what, &text)?;
                Ok(Self(text))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = TextError;

            fn try_from(text: String) -> Result<Self, TextError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text! {
    /// What a place is known by.
    PlaceId, "a place's id", name
}
text! {
    /// What a fixed event is known by.
    EventId, "an event's id", name
}
text! {
    /// A kind of place, such as `museum`.
    Category, "a category", name
}
text! {
    /// Something that a place has, such as `wheelchair` or `vegan`.
    Tag, "a tag", name
}
text! {
    /// A currency's code.
    Currency, "a currency", currency
}
text! {
    /// A language's tag.
    Language, "a language", language
}
