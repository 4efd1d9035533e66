//! Prints `docs/travel-messages.schema.json`.

#[expect(dead_code, reason = "asyncapi uses the rest")]
mod schemas;

use serde_json::json;

fn main() -> anyhow::Result<()> {
    let prefix = "#/$defs/";
    let mut definitions = schemas::schemas(prefix)?;
    let mut names = Vec::new();
    for message in schemas::messages() {
        let body = schemas::body(&message, prefix);
        definitions.insert(message.event_type.to_owned(), body);
        names.push(json!({"$ref": format!("{prefix}{}", message.event_type)}));
    }
    let document = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The messages of the travel services",
        "oneOf": names,
        "$defs": definitions,
    });
    schemas::print(&document)
}
