//! A message on its way out and on its way in.

use std::fmt;

use bytes::Bytes;
use jiff::Timestamp;

/// Named values beside the payload, in order, each name once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, Bytes)>);

impl Headers {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value as it was sent.
    pub fn bytes(&self, name: &str) -> Option<&Bytes> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The value as text; none when it is not UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.bytes(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The value as a whole number.
    pub fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.text(name)?.parse().ok()
    }

    /// The value as a moment in RFC 3339.
    pub fn moment(&self, name: &str) -> Option<Timestamp> {
        self.text(name)?.parse().ok()
    }

    /// Sets a value; an earlier one of the same name is replaced where it stands.
    pub fn set(&mut self, name: &str, value: impl Into<Bytes>) {
        let value = value.into();
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// [`Headers::set`] for what reads as text.
    pub fn set_text(&mut self, name: &str, value: impl fmt::Display) {
        self.set(name, value.to_string());
    }

    /// [`Headers::set_text`], in a chain.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.set_text(name, value);
        self
    }

    /// Takes a value away.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    /// Every name with its value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Where to.
    pub topic: String,
    /// What decides the partition: messages of one key stay in order.
    pub key: String,
    /// Beside the payload.
    pub headers: Headers,
    /// What is sent.
    pub payload: Bytes,
}

/// Where a message stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its number in the partition.
    pub offset: i64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.topic, self.partition, self.offset)
    }
}

/// A message that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Where it stands.
    pub position: Position,
    /// Its key; a message without one has an empty key.
    pub key: Bytes,
    /// Beside the payload.
    pub headers: Headers,
    /// What was sent; a message without a payload has an empty one.
    pub payload: Bytes,
}

impl Incoming {
    /// The key as text; none when it is not UTF-8.
    pub fn key_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.key).ok()
    }
}
