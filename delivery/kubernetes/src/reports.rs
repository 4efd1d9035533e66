use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};

use crate::{api_error::explain, names::REPORTER};

/// An Event's note may be no longer.
const LONGEST_NOTE: usize = 1000;
/// So many Events are remembered at most. What a recorder has room for it never gives back, and each takes 3 kB.
const REMEMBERED: usize = 32;

/// Publishes Events: what is said again soon is counted, not repeated. Clones share what was said.
#[derive(Clone)]
pub(crate) struct Reports {
    client: Client,
    reporter: Reporter,
    remembering: Arc<Mutex<Remembering>>,
}

struct Remembering {
    recorder: Recorder,
    published: usize,
}

impl Reports {
    /// Reports as this instance.
    pub(crate) fn new(client: Client, instance: String) -> Self {
        let reporter = Reporter { controller: REPORTER.to_owned(), instance: Some(instance) };
        let recorder = Recorder::new(client.clone(), reporter.clone());
        let remembering = Arc::new(Mutex::new(Remembering { recorder, published: 0 }));
        Self { client, reporter, remembering }
    }

    pub(crate) async fn publish(
        &self,
        object: &ObjectReference,
        (type_, reason, message): (EventType, &str, &str),
    ) {
        let event = Event {
            type_,
            reason: reason.to_owned(),
            note: Some(message.chars().take(LONGEST_NOTE).collect()),
            action: reason.to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder().publish(&event, object).await {
            // An Event is a courtesy: the status has the whole truth.
            tracing::debug!(error = %explain(&error), "event was not recorded");
        }
    }

    fn recorder(&self) -> Recorder {
        let mut remembering = self.remembering.lock().unwrap_or_else(PoisonError::into_inner);
        if remembering.published == REMEMBERED {
            remembering.recorder = Recorder::new(self.client.clone(), self.reporter.clone());
            remembering.published = 0;
        }
        remembering.published += 1;
        remembering.recorder.clone()
    }
}
