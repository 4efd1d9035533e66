use mercurious_core::resources::{AutoDeploySpec, AutoDeployStatus};
use serde_json::{Value, json};

use crate::{
    definition::{Names, add, at, column, lesser_column, object, rule},
    structural::structural,
};

const NAMES: Names =
    Names { group: "mercurious.dev", kind: "AutoDeploy", plural: "autodeploys", short: &["ad"] };

/// A duration as Go writes it.
const DURATION: &str = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$";

pub(crate) fn definition() -> Value {
    let description = "The wish that a workload follow an image policy: detect, decide, roll out, verify, roll back, hold.";
    let columns = [
        column("Workload", "string", ".spec.target.name"),
        column("Running", "string", ".status.running.tag"),
        column("Newest", "string", ".status.candidate.tag"),
        column("Phase", "string", ".status.rollout.phase"),
        column("Ready", "string", ".status.conditions[?(@.type==\"Ready\")].status"),
        column("Status", "string", ".status.conditions[?(@.type==\"Ready\")].message"),
        column("Age", "date", ".metadata.creationTimestamp"),
        lesser_column("Held", "string", ".status.hold.digest"),
        lesser_column("Suspended", "boolean", ".spec.suspend"),
    ];
    NAMES.definition(&json!([{
        "name": "v1alpha1",
        "served": true,
        "storage": true,
        "schema": object(description, &spec(), &status()),
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
    }]))
}

fn spec() -> Value {
    let mut spec = structural::<AutoDeploySpec>();
    let name = json!({"minLength": 1, "maxLength": 253});
    let duration = json!({"pattern": DURATION, "maxLength": 64});
    let time_limit = json!({
        "pattern": DURATION, "maxLength": 64,
        "x-kubernetes-validations": [rule(
            "duration(self) > duration('0s')",
            "must be longer than 0s: nothing is done in no time",
        )],
    });
    add(
        at(&mut spec, &["target", "kind"]),
        &json!({"enum": ["Deployment"], "default": "Deployment"}),
    );
    for path in [&["target", "name"][..], &["container"], &["policyRef", "name"]] {
        add(at(&mut spec, path), &name);
    }
    add(at(&mut spec, &["rollout", "timeout"]), &time_limit);
    add(at(&mut spec, &["rollout", "bake"]), &duration);
    add(at(&mut spec, &["historyLimit"]), &json!({"minimum": 1, "maximum": 100}));
    let rules = [rule(
        "!has(self.target) || self.target.kind == oldSelf.target.kind && self.target.name == oldSelf.target.name",
        "spec.target cannot be changed: what is remembered is of that workload; make another AutoDeploy",
    )];
    add(&mut spec, &json!({"x-kubernetes-validations": rules}));
    let checks = json!({
        "maxItems": 20, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
    });
    add(at(&mut spec, &["checks"]), &checks);
    let check = at(&mut spec, &["checks", "[]"]);
    add(
        check,
        &json!({"x-kubernetes-validations": [rule(
            "has(self.http) != has(self.logs)",
            "a check asks exactly one thing: set http or logs",
        )]}),
    );
    add(at(check, &["name"]), &json!({"minLength": 1, "maxLength": 63}));
    add(at(check, &["period"]), &time_limit);
    add(at(check, &["failureThreshold"]), &json!({"minimum": 1, "maximum": 1000}));
    add(at(check, &["http", "timeout"]), &time_limit);
    add(at(check, &["http", "status"]), &json!({"minimum": 100, "maximum": 599}));
    add(
        at(check, &["http", "url"]),
        &json!({"maxLength": 2048, "x-kubernetes-validations": [rule(
            "isURL(self) && url(self).getScheme() in ['http', 'https']",
            "a URL with http:// or https://, as http://NAME.NAMESPACE.svc/ready",
        )]}),
    );
    add(at(check, &["logs", "deny"]), &json!({"minLength": 1, "maxLength": 1024}));
    spec
}

fn status() -> Value {
    let mut status = structural::<AutoDeployStatus>();
    // Another version may show more or less: nothing of it is worth refusing a write.
    if let Some(status) = status.as_object_mut() {
        status.remove("required");
    }
    let conditions =
        json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]});
    add(at(&mut status, &["conditions"]), &conditions);
    let observed = json!({
        "type": "integer", "format": "int64", "minimum": 0,
        "description": "The generation of the spec that the condition is about.",
    });
    let condition = at(&mut status, &["conditions", "[]"]);
    add(&mut condition["properties"], &json!({"observedGeneration": observed}));
    let more = json!({
        "observedGeneration": {
            "type": "integer", "format": "int64",
            "description": "The generation of the spec that the status is about.",
        },
        "decision": {
            "type": "object",
            "description": "The last decision that changed something: what was done, and why.",
            "required": ["at", "reason", "message", "by"],
            "properties": {
                "at": {"type": "string", "format": "date-time"},
                "reason": {"type": "string", "description": "As a code."},
                "message": {"type": "string", "description": "In words."},
                "by": {"type": "string", "description": "Who wanted it."},
                "from": {"type": "string", "description": "The digest that ran before."},
                "to": {"type": "string", "description": "The digest that it is about."},
                "rollout": {"type": "integer", "format": "int64", "description": "The rollout's number."},
                "phase": {"type": "string", "description": "Where that stands."},
            },
        },
        "engine": {
            "type": "object",
            "description": "What the engine remembers from one decision to the next. Not for people, and not to be edited.",
            "x-kubernetes-preserve-unknown-fields": true,
        },
    });
    add(&mut status["properties"], &more);
    status
}
