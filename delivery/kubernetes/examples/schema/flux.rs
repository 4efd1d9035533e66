use mercurious_core::resources::{ImagePolicySpec, ImageRepositorySpec};
use serde_json::{Value, json};

use crate::{
    definition::{Names, add, at, column, lesser_column, object, rule},
    structural::structural,
};

const GROUP: &str = "image.toolkit.fluxcd.io";
const DURATION: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$";
const SHORT_DURATION: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m))+$";

/// The generations that Flux has served; objects of each are read.
const VERSIONS: [&str; 3] = ["v1", "v1beta2", "v1beta1"];

pub(crate) fn image_repository() -> Value {
    let names = Names {
        group: GROUP,
        kind: "ImageRepository",
        plural: "imagerepositories",
        short: &["imgrepo", "imagerepo"],
    };
    let schema =
        object("A place in a registry to look at.", &repository_spec(), &repository_status());
    let columns = [
        column("Image", "string", ".spec.image"),
        column("Tags", "string", ".status.lastScanResult.tagCount"),
        ready(),
        said(),
        lesser_column("Last scan", "string", ".status.lastScanResult.scanTime"),
        column("Age", "date", ".metadata.creationTimestamp"),
    ];
    names.definition(&versions(&schema, &columns))
}

pub(crate) fn image_policy() -> Value {
    let names = Names {
        group: GROUP,
        kind: "ImagePolicy",
        plural: "imagepolicies",
        short: &["imgpol", "imagepol"],
    };
    let schema =
        object("Which image of a repository is the newest.", &policy_spec(), &policy_status());
    let columns = [
        column("Image", "string", ".status.latestRef.name"),
        column("Tag", "string", ".status.latestRef.tag"),
        column("LatestImage", "string", ".status.latestImage"),
        ready(),
        said(),
        column("Age", "date", ".metadata.creationTimestamp"),
    ];
    names.definition(&versions(&schema, &columns))
}

fn versions(schema: &Value, columns: &[Value]) -> Value {
    VERSIONS
        .iter()
        .map(|version| {
            json!({
                "name": version,
                "served": true,
                "storage": *version == "v1",
                "schema": schema,
                "subresources": {"status": {}},
                "additionalPrinterColumns": columns,
            })
        })
        .collect()
}

fn ready() -> Value {
    column("Ready", "string", ".status.conditions[?(@.type==\"Ready\")].status")
}

fn said() -> Value {
    column("Status", "string", ".status.conditions[?(@.type==\"Ready\")].message")
}

fn repository_spec() -> Value {
    let mut spec = structural::<ImageRepositorySpec>();
    add(at(&mut spec, &["interval"]), &json!({"pattern": DURATION}));
    add(at(&mut spec, &["timeout"]), &json!({"pattern": SHORT_DURATION}));
    add(at(&mut spec, &["provider"]), &json!({"default": "generic"}));
    add(at(&mut spec, &["serviceAccountName"]), &json!({"maxLength": 253}));
    add(at(&mut spec, &["exclusionList"]), &json!({"maxItems": 25, "default": [r"^.*\.sig$"]}));
    spec
}

fn policy_spec() -> Value {
    let mut spec = structural::<ImagePolicySpec>();
    for order in ["alphabetical", "numerical"] {
        add(at(&mut spec, &["policy", order, "order"]), &json!({"default": "asc"}));
    }
    add(at(&mut spec, &["digestReflectionPolicy"]), &json!({"default": "Never"}));
    add(at(&mut spec, &["interval"]), &json!({"pattern": DURATION}));
    // Flux's own rules, with its own words.
    let rules = [
        rule(
            "!has(self.interval) || (has(self.digestReflectionPolicy) && self.digestReflectionPolicy == 'Always')",
            "spec.interval is only accepted when spec.digestReflectionPolicy is set to 'Always'",
        ),
        rule(
            "has(self.interval) || !has(self.digestReflectionPolicy) || self.digestReflectionPolicy != 'Always'",
            "spec.interval must be set when spec.digestReflectionPolicy is set to 'Always'",
        ),
    ];
    add(&mut spec, &json!({"x-kubernetes-validations": rules}));
    spec
}

fn repository_status() -> Value {
    status(&json!({
        "canonicalImageName": {"type": "string"},
        "observedExclusionList": {"type": "array", "items": {"type": "string"}},
        "lastScanResult": {
            "type": "object",
            "required": ["tagCount"],
            "properties": {
                "revision": {"type": "string"},
                "tagCount": {"type": "integer"},
                "scanTime": {"type": "string", "format": "date-time"},
                "latestTags": {"type": "array", "items": {"type": "string"}},
            },
        },
    }))
}

fn policy_status() -> Value {
    let reference = json!({
        "type": "object",
        "required": ["name", "tag"],
        "properties": {
            "name": {"type": "string"},
            "tag": {"type": "string"},
            "digest": {"type": "string"},
        },
    });
    status(&json!({
        "latestRef": reference,
        "observedPreviousRef": reference,
        "latestImage": {"type": "string", "description": "latestRef as one text, as older versions had it."},
        "observedPreviousImage": {"type": "string"},
    }))
}

fn status(own: &Value) -> Value {
    let mut status = json!({
        "type": "object",
        "default": {"observedGeneration": -1},
        "properties": {
            "observedGeneration": {"type": "integer", "format": "int64"},
            "lastHandledReconcileAt": {"type": "string"},
            "conditions": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["type", "status", "reason", "message", "lastTransitionTime"],
                    "properties": {
                        "type": {"type": "string", "maxLength": 316},
                        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
                        "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
                        "reason": {"type": "string", "minLength": 1, "maxLength": 1024},
                        "message": {"type": "string", "maxLength": 32768},
                        "lastTransitionTime": {"type": "string", "format": "date-time"},
                    },
                },
            },
        },
    });
    add(&mut status["properties"], own);
    status
}
