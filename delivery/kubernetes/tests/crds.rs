//! The committed custom resource definitions are what the code says.

#[path = "../examples/schema/auto_deploy.rs"]
mod auto_deploy;
#[path = "../examples/schema/definition.rs"]
mod definition;
#[path = "../examples/schema/flux.rs"]
mod flux;
#[path = "../examples/schema/structural.rs"]
mod structural;

use serde_json::Value;

const AUTO_DEPLOY: &str = include_str!("../../../deploy/mercurious/crds/autodeploys.yaml");
const FLUX: &str = include_str!("../../../deploy/mercurious/crds/images/images.yaml");

#[test]
fn the_committed_definitions_are_what_the_code_says() {
    assert_eq!(definition::page(&[auto_deploy::definition()]), AUTO_DEPLOY);
    let flux = definition::page(&[flux::image_repository(), flux::image_policy()]);
    assert_eq!(flux, FLUX, "run `cargo xtask generate`");
}

#[test]
fn every_schema_is_structural() {
    for definition in [auto_deploy::definition(), flux::image_repository(), flux::image_policy()] {
        let versions = definition["spec"]["versions"].as_array().unwrap();
        assert_eq!(versions.iter().filter(|version| version["storage"] == true).count(), 1);
        for version in versions {
            assert_structural(&version["schema"]["openAPIV3Schema"], "");
        }
    }
}

/// What the API server asks of a schema: a type everywhere, no reference, no alternatives, no `null`.
fn assert_structural(schema: &Value, path: &str) {
    let free = schema["x-kubernetes-preserve-unknown-fields"] == true;
    assert!(schema["type"].is_string() || free, "{path} has no type: {schema}");
    for forbidden in ["$ref", "oneOf", "anyOf", "allOf", "propertyNames", "uniqueItems", "title"] {
        assert!(schema.get(forbidden).is_none(), "{path} has {forbidden}");
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        assert_structural(property, &format!("{path}.{name}"));
    }
    if let Some(items) = schema.get("items") {
        assert_structural(items, &format!("{path}[]"));
    }
    if schema["type"] == "array" {
        assert!(schema.get("items").is_some(), "{path} is an array of nothing");
    }
}
