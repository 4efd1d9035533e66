use std::collections::BTreeMap;

use serde_json::{Map, Value};
use utoipa::{
    ToSchema,
    openapi::{RefOr, schema::Schema},
};

/// The structural schema of a type: what an API server takes as one of a custom resource.
///
/// References are written out, `null` is left out (an absent field says as much), and what the API server forbids is
/// refused here.
pub(crate) fn structural<T: ToSchema>() -> Value {
    let mut named: Vec<(String, RefOr<Schema>)> = Vec::new();
    T::schemas(&mut named);
    let named: BTreeMap<String, Value> = named
        .into_iter()
        .map(|(name, schema)| (name, serde_json::to_value(schema).expect("a schema is JSON")))
        .collect();
    let schema = serde_json::to_value(T::schema()).expect("a schema is JSON");
    write_out(schema, &named, 0)
}

fn write_out(schema: Value, named: &BTreeMap<String, Value>, depth: usize) -> Value {
    assert!(depth < 32, "a schema that contains itself is not structural");
    let Value::Object(mut schema) = schema else { panic!("a schema is an object: {schema}") };
    if let Some(reference) = schema.remove("$ref") {
        let reference = reference.as_str().expect("a reference is text");
        let name = reference.rsplit('/').next().unwrap_or_default();
        let target = named.get(name).unwrap_or_else(|| panic!("no schema {name}")).clone();
        let mut target = write_out(target, named, depth + 1);
        // What a field says of itself is more than what its type says.
        if let Some(description) = schema.remove("description") {
            target["description"] = description;
        }
        return target;
    }
    for alternatives in ["oneOf", "anyOf"] {
        if let Some(Value::Array(choices)) = schema.remove(alternatives) {
            let mut choices: Vec<Value> = choices
                .into_iter()
                .filter(|choice| choice.get("type") != Some(&Value::from("null")))
                .collect();
            assert_eq!(choices.len(), 1, "alternatives are not structural: {choices:?}");
            let mut only = write_out(choices.remove(0), named, depth + 1);
            if let Some(description) = schema.remove("description") {
                only["description"] = description;
            }
            return only;
        }
    }
    if let Some(Value::Array(parts)) = schema.remove("allOf") {
        for part in parts {
            let Value::Object(part) = write_out(part, named, depth + 1) else { continue };
            merge(&mut schema, part);
        }
    }
    let mut whole = Map::new();
    for (key, value) in schema {
        let value = match (key.as_str(), value) {
            ("type", Value::Array(kinds)) => {
                let mut kinds = kinds.into_iter().filter(|kind| kind != "null");
                kinds.next().expect("a schema has a type")
            }
            ("properties", Value::Object(properties)) => properties
                .into_iter()
                .map(|(name, schema)| (name, write_out(schema, named, depth + 1)))
                .collect::<Map<_, _>>()
                .into(),
            // Every field is named in `properties`: the API server prunes the others.
            ("additionalProperties", Value::Bool(_))
            | ("propertyNames" | "uniqueItems" | "default" | "example" | "examples", _) => continue,
            ("items" | "additionalProperties", schema) => write_out(schema, named, depth + 1),
            ("description", Value::String(text)) => text.trim().replace('\n', " ").into(),
            ("format", format)
                if !["int32", "int64", "date-time"].iter().any(|known| format == *known) =>
            {
                continue;
            }
            (_, value) => value,
        };
        whole.insert(key, value);
    }
    Value::Object(whole)
}

fn merge(schema: &mut Map<String, Value>, part: Map<String, Value>) {
    for (key, value) in part {
        match (schema.get_mut(&key), value) {
            (Some(Value::Object(known)), Value::Object(more)) => merge(known, more),
            (Some(Value::Array(known)), Value::Array(more)) => known.extend(more),
            (Some(_), _) if key == "description" || key == "type" => {}
            (_, value) => {
                schema.insert(key, value);
            }
        }
    }
}
