//! What custom resource definitions are put together from.

use serde_json::{Value, json};

/// The page of these definitions, as YAML.
pub(crate) fn page(definitions: &[Value]) -> String {
    let mut text = "# Made from the code by `cargo xtask generate`.\n".to_owned();
    for definition in definitions {
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(definition).expect("JSON is YAML"));
    }
    text
}

/// What a kind is called.
pub(crate) struct Names {
    pub(crate) group: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) short: &'static [&'static str],
}

impl Names {
    pub(crate) fn definition(&self, versions: &Value) -> Value {
        let singular = self.kind.to_lowercase();
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{}.{}", self.plural, self.group)},
            "spec": {
                "group": self.group,
                "names": {
                    "kind": self.kind,
                    "listKind": format!("{}List", self.kind),
                    "plural": self.plural,
                    "singular": singular,
                    "shortNames": self.short,
                    "categories": ["mercurious"],
                },
                "scope": "Namespaced",
                "versions": versions,
            },
        })
    }
}

pub(crate) fn column(name: &str, kind: &str, path: &str) -> Value {
    json!({"name": name, "type": kind, "jsonPath": path})
}

pub(crate) fn lesser_column(name: &str, kind: &str, path: &str) -> Value {
    json!({"name": name, "type": kind, "jsonPath": path, "priority": 1})
}

/// A whole object's schema.
pub(crate) fn object(description: &str, spec: &Value, status: &Value) -> Value {
    json!({"openAPIV3Schema": {
        "type": "object",
        "description": description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }})
}

/// The place of a schema below another, for a rule that the types cannot say.
pub(crate) fn at<'a>(schema: &'a mut Value, path: &[&str]) -> &'a mut Value {
    path.iter().fold(schema, |schema, step| {
        let next = match *step {
            "[]" => schema.get_mut("items"),
            name => schema.get_mut("properties").and_then(|properties| properties.get_mut(name)),
        };
        next.unwrap_or_else(|| panic!("no {step} in the schema"))
    })
}

/// Adds these to a schema.
pub(crate) fn add(schema: &mut Value, more: &Value) {
    let (Some(schema), Some(more)) = (schema.as_object_mut(), more.as_object()) else {
        panic!("a schema is an object")
    };
    schema.extend(more.clone());
}

pub(crate) fn rule(rule: &str, message: &str) -> Value {
    json!({"rule": rule, "message": message})
}
