//! Prints `docs/asyncapi.json`.

mod schemas;

use mercurious_contracts::topic;
use mercurious_messaging::header;
use serde_json::{Map, Value, json};

fn main() -> anyhow::Result<()> {
    let prefix = "#/components/schemas/";
    let (mut channels, mut operations) = (Map::new(), Map::new());
    let mut messages = Map::new();
    for message in schemas::messages() {
        let reference = |place: &str| json!({"$ref": format!("#/{place}/{}", message.data)});
        messages.insert(
            message.data.to_owned(),
            json!({
                "name": message.event_type,
                "contentType": "application/json",
                "headers": {"$ref": format!("{prefix}Headers")},
                "payload": schemas::body(&message, prefix),
                "bindings": {"kafka": {"key": {"type": "string", "format": "uuid", "description": "The job."}}},
            }),
        );
        channels.insert(
            message.topic.to_owned(),
            json!({
                "address": message.topic,
                "messages": {message.data: reference("components/messages")},
                "bindings": {"kafka": {
                    "topic": message.topic,
                    "partitions": topic::PARTITIONS,
                    "topicConfiguration": {"retention.ms": topic::RETENTION_HOURS * 3_600_000},
                }},
            }),
        );
        let mut operation = |service: &str, action: &str| {
            operations.insert(
                format!("{service}.{action}.{}", message.data),
                json!({
                    "action": action,
                    "channel": {"$ref": format!("#/channels/{}", message.topic)},
                    "messages": [reference(&format!("channels/{}/messages", message.topic))],
                }),
            );
        };
        operation(message.sender, "send");
        for receiver in message.receivers {
            operation(receiver, "receive");
        }
    }
    let mut definitions = schemas::schemas(prefix)?;
    definitions.insert("Headers".to_owned(), headers());
    let document = json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "The travel services",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Beside each topic but the cancellations there is one that ends in `-retry`, where messages wait \
                            for another try, and one that ends in `-dlq`, for dead letters.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": definitions},
    });
    schemas::print(&document)
}

fn headers() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    json!({
        "type": "object",
        "required": [header::CORRELATION_ID, header::MESSAGE_ID, header::EVENT_TYPE, header::SCHEMA_VERSION],
        "properties": {
            header::CORRELATION_ID: text("The job."),
            header::CAUSATION_ID: text("The message that led to this one."),
            header::MESSAGE_ID: text("What the message is known by; a message that is sent twice has the same."),
            header::EVENT_TYPE: text("What the message says."),
            header::SOURCE_SERVICE: text("Who sent it."),
            header::SCHEMA_VERSION: text("The version of the data's schema, a whole number."),
            header::TIMESTAMP: text("When it was made (RFC 3339)."),
            header::TRACEPARENT: text("The W3C trace context."),
            header::ATTEMPT: text("How often it was tried, from 1."),
            header::DEADLINE: text("When its work is of no use any more (RFC 3339)."),
            header::NOT_BEFORE: text("On `-retry`: when it may be tried again (RFC 3339)."),
            header::RETRY_GROUP: text("On `-retry`: the group that it is for."),
            header::ORIGINAL_TOPIC: text("On `-retry` and `-dlq`: where it stood first."),
            header::ORIGINAL_PARTITION: text("On `-retry` and `-dlq`: where it stood first."),
            header::ORIGINAL_OFFSET: text("On `-retry` and `-dlq`: where it stood first."),
            header::ERROR_CLASS: text("On `-retry` and `-dlq`: the kind of fault."),
            header::ERROR_REASON: text("On `-retry` and `-dlq`: that fault in words."),
        },
    })
}
