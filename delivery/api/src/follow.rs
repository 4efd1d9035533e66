use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use mercurious_engine::{AutoDeployView, Event};

use crate::ClientError;

/// A frame longer than this is not one of ours: bytes.
const LONGEST_FRAME: usize = 64 * 1024 * 1024;

/// What the live stream tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Live {
    /// Everything as it is: first, and again whenever events were missed.
    Snapshot(Vec<AutoDeployView>),
    /// One of them changed.
    View(Box<AutoDeployView>),
    /// Something happened.
    Event(Box<Event>),
}

/// What a followed log tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// A line.
    Line(String),
    /// So many lines came faster than they were read.
    Missed(u64),
}

/// A live stream of what happens in an engine.
#[derive(Debug)]
pub struct Follow(Frames);

/// A live stream of what replicas print.
#[derive(Debug)]
pub struct FollowLog(Frames);

impl Follow {
    pub(crate) fn new(body: Incoming) -> Self {
        Self(Frames::new(body))
    }

    /// The next thing that happens; `None` when the engine stopped.
    pub async fn next(&mut self) -> Result<Option<Live>, ClientError> {
        while let Some(frame) = self.0.next().await? {
            let live = match frame.kind.as_str() {
                "snapshot" => Live::Snapshot(frame.read()?),
                "view" => Live::View(Box::new(frame.read()?)),
                "event" => Live::Event(Box::new(frame.read()?)),
                _ => continue,
            };
            return Ok(Some(live));
        }
        Ok(None)
    }
}

impl FollowLog {
    pub(crate) fn new(body: Incoming) -> Self {
        Self(Frames::new(body))
    }

    /// The next line; `None` when the engine stopped.
    pub async fn next(&mut self) -> Result<Option<LogEvent>, ClientError> {
        while let Some(frame) = self.0.next().await? {
            let event = match frame.kind.as_str() {
                "line" => LogEvent::Line(frame.read()?),
                "missed" => LogEvent::Missed(frame.read()?),
                _ => continue,
            };
            return Ok(Some(event));
        }
        Ok(None)
    }
}

/// Server-Sent Events as our server writes them: one line of data each.
#[derive(Debug)]
struct Frames {
    body: Incoming,
    read: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
struct Frame {
    kind: String,
    data: String,
}

impl Frames {
    fn new(body: Incoming) -> Self {
        Self { body, read: Vec::new() }
    }

    async fn next(&mut self) -> Result<Option<Frame>, ClientError> {
        let mut searched = 0;
        loop {
            let end = self.read[searched..].windows(2).position(|two| two == b"\n\n");
            if let Some(end) = end {
                let frame: Vec<u8> = self.read.drain(..searched + end + 2).collect();
                return Ok(Some(Frame::parse(&String::from_utf8_lossy(&frame))));
            }
            // The first half of the end may be there already.
            searched = self.read.len().saturating_sub(1);
            if self.read.len() > LONGEST_FRAME {
                return Err(ClientError::TooLong);
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(frame) => {
                    let frame = frame.map_err(ClientError::Connection)?;
                    self.read.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
                }
            }
        }
    }
}

impl Frame {
    /// A comment has neither kind nor data.
    fn parse(text: &str) -> Self {
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name));
            value.map(str::trim_start).unwrap_or_default().to_owned()
        };
        Self { kind: field("event:"), data: field("data:") }
    }

    fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_str(&self.data).map_err(ClientError::Answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_a_kind_and_data_and_comments_have_neither() {
        let frame = Frame::parse("event: line\ndata: \"a: b\"\n\n");
        assert_eq!(frame.kind, "line");
        assert_eq!(frame.read::<String>().unwrap(), "a: b");
        assert_eq!(Frame::parse(": still here\n\n").kind, "");
        assert!(Frame::parse("event: line\ndata: [\n\n").read::<String>().is_err());
    }
}
