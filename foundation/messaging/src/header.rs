//! The headers that travel with a message.

/// What belongs together: the id of the job. Also the key.
pub const CORRELATION_ID: &str = "correlation-id";
/// The message id of what caused this message.
pub const CAUSATION_ID: &str = "causation-id";
/// What a message is known by; a message that is sent twice has the same.
pub const MESSAGE_ID: &str = "message-id";
/// What the message says.
pub const EVENT_TYPE: &str = "event-type";
/// The service that sent it.
pub const SOURCE_SERVICE: &str = "source-service";
/// The version of the body's schema, a whole number.
pub const SCHEMA_VERSION: &str = "schema-version";
/// When it was made, as RFC 3339 writes it.
pub const TIMESTAMP: &str = "timestamp";
/// The W3C trace context.
pub const TRACEPARENT: &str = "traceparent";
/// How often it was tried, from 1.
pub const ATTEMPT: &str = "attempt";
/// When its work is of no use any more, as RFC 3339 writes it.
pub const DEADLINE: &str = "deadline";
/// When it may be tried again, as RFC 3339 writes it.
pub const NOT_BEFORE: &str = "not-before";
/// The group that a retry is for.
pub const RETRY_GROUP: &str = "retry-group";
/// Where a retried or dead message stood first: its topic.
pub const ORIGINAL_TOPIC: &str = "original-topic";
/// Where a retried or dead message stood first: its partition.
pub const ORIGINAL_PARTITION: &str = "original-partition";
/// Where a retried or dead message stood first: its offset.
pub const ORIGINAL_OFFSET: &str = "original-offset";
/// The class of the error that it was retried or given up for.
pub const ERROR_CLASS: &str = "error-class";
/// That error in words.
pub const ERROR_REASON: &str = "error-reason";
