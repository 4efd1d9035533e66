//! What librdkafka tells beside messages: log lines and errors.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::{ClientContext, config::RDKafkaLogLevel, error::KafkaError, types::RDKafkaErrorCode};

/// The last error of a kind that only a person can mend, as librdkafka words it.
#[derive(Debug, Clone, Default)]
pub(super) struct Trouble(Arc<Mutex<Option<(RDKafkaErrorCode, String)>>>);

impl Trouble {
    pub(super) fn last(&self) -> Option<(RDKafkaErrorCode, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, code: RDKafkaErrorCode, reason: &str) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What names the cause is not forgotten for "all brokers are down", which follows from it.
        if !(code == RDKafkaErrorCode::AllBrokersDown && last.is_some()) {
            *last = Some((code, reason.to_owned()));
        }
    }
}

/// Log lines go where all others go.
#[derive(Debug, Clone, Default)]
pub(super) struct Plain {
    pub(super) trouble: Trouble,
}

impl ClientContext for Plain {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        note(&self.trouble, &error, reason);
    }
}

pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(facility, message, "kafka client");
        }
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
            tracing::warn!(facility, message, "kafka client");
        }
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
            tracing::info!(facility, message, "kafka client");
        }
        RDKafkaLogLevel::Debug => tracing::debug!(facility, message, "kafka client"),
    }
}

pub(super) fn note(trouble: &Trouble, error: &KafkaError, reason: &str) {
    if let Some(code) = error.rdkafka_error_code() {
        trouble.set(code, reason);
    }
    tracing::debug!(error = %error, reason, "kafka client has trouble");
}
