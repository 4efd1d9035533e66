//! The schemas of the messages, from their types.

use mercurious_contracts::{
    facts::Facts,
    message::{
        EnrichmentCompleted, EnrichmentProgress, EnrichmentRequest, GenerationCompleted,
        GenerationProgress, GenerationRequest, JobCancelled, Message,
    },
    trip::Itinerary,
};
use serde_json::{Map, Value, json};
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(components(schemas(
    EnrichmentRequest,
    EnrichmentProgress,
    EnrichmentCompleted,
    GenerationRequest,
    GenerationProgress,
    GenerationCompleted,
    JobCancelled,
    Facts,
    Itinerary,
)))]
struct Types;

/// A message: its topic, event type, version and the name of its data's schema.
pub(crate) struct Described {
    pub(crate) topic: &'static str,
    pub(crate) event_type: &'static str,
    pub(crate) version: u32,
    pub(crate) data: &'static str,
    pub(crate) sender: &'static str,
    pub(crate) receivers: &'static [&'static str],
}

fn described<M: Message>(
    data: &'static str,
    sender: &'static str,
    receivers: &'static [&'static str],
) -> Described {
    let (topic, event_type, version) = (M::TOPIC, M::EVENT_TYPE, M::VERSION);
    Described { topic, event_type, version, data, sender, receivers }
}

/// Every message.
pub(crate) fn messages() -> Vec<Described> {
    const GATEWAY: &str = "api-gateway";
    const ENRICHMENT: &str = "api-enrichment";
    const GENERATION: &str = "api-generation";
    vec![
        described::<EnrichmentRequest>("EnrichmentRequest", GATEWAY, &[ENRICHMENT]),
        described::<EnrichmentProgress>("EnrichmentProgress", ENRICHMENT, &[GATEWAY]),
        described::<EnrichmentCompleted>("EnrichmentCompleted", ENRICHMENT, &[GATEWAY]),
        described::<GenerationRequest>("GenerationRequest", GATEWAY, &[GENERATION]),
        described::<GenerationProgress>("GenerationProgress", GENERATION, &[GATEWAY]),
        described::<GenerationCompleted>("GenerationCompleted", GENERATION, &[GATEWAY]),
        described::<JobCancelled>("JobCancelled", GATEWAY, &[ENRICHMENT, GENERATION]),
    ]
}

/// The schemas of all types, by name, with references that begin with `prefix`.
pub(crate) fn schemas(prefix: &str) -> anyhow::Result<Map<String, Value>> {
    let text = serde_json::to_string(&Types::openapi().components)?;
    let text = text.replace("#/components/schemas/", prefix);
    let mut components: Value = serde_json::from_str(&text)?;
    let schemas = components["schemas"].take();
    serde_json::from_value(schemas).map_err(Into::into)
}

/// The body of a message.
pub(crate) fn body(message: &Described, prefix: &str) -> Value {
    json!({
        "type": "object",
        "required": ["timestamp", "eventType", "source", "correlation_id", "data", "metadata"],
        "properties": {
            "timestamp": {"type": "string", "format": "date-time"},
            "eventType": {"type": "string", "const": message.event_type},
            "source": {"type": "string"},
            "correlation_id": {"type": "string", "format": "uuid", "description": "The job."},
            "data": {"$ref": format!("{prefix}{}", message.data)},
            "metadata": {
                "type": "object",
                "required": ["version", "schema"],
                "properties": {
                    "version": {
                        "type": "integer",
                        "minimum": 1,
                        "description": format!("{} here; a newer one goes to the dead letters.", message.version),
                    },
                    "schema": {"type": "string", "const": message.event_type},
                },
            },
        },
    })
}

/// Prints a document as it is committed.
#[expect(clippy::print_stdout, reason = "what the example is for")]
pub(crate) fn print(document: &Value) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(document)?);
    Ok(())
}
