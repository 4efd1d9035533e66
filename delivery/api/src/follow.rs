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
    /// Something happened.
    Event(Box<Event>),
}

/// A live stream of what happens in an engine.
#[derive(Debug)]
pub struct Follow {
    body: Incoming,
    read: Vec<u8>,
}

impl Follow {
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body, read: Vec::new() }
    }

    /// The next thing that happens; `None` when the engine stopped.
    pub async fn next(&mut self) -> Result<Option<Live>, ClientError> {
        loop {
            while let Some(end) = self.read.windows(2).position(|two| two == b"\n\n") {
                let frame: Vec<u8> = self.read.drain(..end + 2).collect();
                if let Some(live) = parse(&String::from_utf8_lossy(&frame))? {
                    return Ok(Some(live));
                }
            }
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

/// One frame; nothing for comments and kinds that are not known here.
fn parse(frame: &str) -> Result<Option<Live>, ClientError> {
    let field =
        |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).map(str::trim_start);
    let data = field("data:").unwrap_or_default();
    match field("event:") {
        Some("snapshot") => {
            serde_json::from_str(data).map(Live::Snapshot).map(Some).map_err(ClientError::Answer)
        }
        Some("event") => serde_json::from_str(data)
            .map(|event| Some(Live::Event(Box::new(event))))
            .map_err(ClientError::Answer),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_and_others_passed_over() {
        assert_eq!(
            parse("event: snapshot\ndata: []\n\n").unwrap(),
            Some(Live::Snapshot(Vec::new()))
        );
        assert_eq!(parse(": still here\n\n").unwrap(), None);
        assert!(parse("event: snapshot\ndata: [\n\n").is_err());
    }
}
