//! What a job's stream says.

use mercurious_contracts::job::JobStatus;

/// An event as the stream has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its number, from 1.
    pub id: u64,
    /// Its name.
    pub event: String,
    /// What it says, as JSON.
    pub data: String,
}

impl Told {
    /// Whether nothing comes after it.
    pub fn is_terminal(&self) -> bool {
        ["completed", "failed", "cancelled"].contains(&self.event.as_str())
    }

    /// The event in a block of the stream, unless that is a comment or only says when to come back.
    pub(super) fn read(block: &str) -> Option<Self> {
        let field = |name: &str| {
            let lines = block.lines().filter_map(|line| line.strip_prefix(name));
            let values: Vec<&str> = lines.map(|value| value.trim_start_matches(' ')).collect();
            (!values.is_empty()).then(|| values.join("\n"))
        };
        Some(Self {
            id: field("id:")?.parse().ok()?,
            event: field("event:")?,
            data: field("data:")?,
        })
    }
}

/// What is wrong with a stream that should be whole: numbered from 1, with one end, which is `status`.
pub(super) fn gaps(told: &[Told], status: JobStatus) -> Option<String> {
    let numbers: Vec<u64> = told.iter().map(|told| told.id).collect();
    let expected: Vec<u64> = (1..=told.len() as u64).collect();
    if numbers != expected {
        return Some(format!("its events are numbered {numbers:?}"));
    }
    let ends: Vec<&str> =
        told.iter().filter(|told| told.is_terminal()).map(|told| told.event.as_str()).collect();
    let last = told.last().map(|told| told.event.as_str());
    if ends != [status.as_str()] || last != Some(status.as_str()) {
        return Some(format!("it is {}; the stream ends {ends:?}, {last:?}", status.as_str()));
    }
    None
}
