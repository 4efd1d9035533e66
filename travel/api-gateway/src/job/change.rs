use mercurious_contracts::{facts::Facts, job::JobEvent, trip::Trip};
use mercurious_messaging::Outgoing;

use super::{JobRecord, StoredEvent};

/// What follows from an input. All of it is stored, or none.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The job afterwards; its version is one more than before.
    pub job: JobRecord,
    /// What is told, with the sequences that follow on what was told before.
    pub events: Vec<StoredEvent>,
    /// What is to be sent.
    pub outbox: Vec<Outgoing>,
    /// What was found out.
    pub facts: Option<Box<Facts>>,
    /// What was made.
    pub trip: Option<Box<Trip>>,
}

impl Change {
    /// A change that does nothing yet.
    pub(super) fn of(job: JobRecord) -> Self {
        Self { job, events: Vec::new(), outbox: Vec::new(), facts: None, trip: None }
    }

    /// Adds an event at the end.
    pub(super) fn tell(&mut self, event: JobEvent) {
        self.job.last_event += 1;
        self.events.push(StoredEvent { sequence: self.job.last_event, event });
    }
}
