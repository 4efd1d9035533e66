use super::{
    leaf::{COUNT, DURATION, LABEL_NAME, NAME, NUMBER, TIME_LIMIT},
    metadata::{API_VERSION, KIND, METADATA_FIELD, NAMESPACED_REF, STATUS},
    shape::{Leaf, Shape, exactly_one, optional, required},
};

pub(super) static AUTO_DEPLOY: Shape = Shape::new(
    "an AutoDeploy",
    &[API_VERSION, KIND, METADATA_FIELD, required("spec", Leaf::Object(&SPEC)), STATUS],
);

static SPEC: Shape = Shape::new(
    "an AutoDeploy's spec",
    &[
        required("target", Leaf::Object(&TARGET)),
        optional("container", LABEL_NAME),
        required("policyRef", Leaf::Object(&NAMESPACED_REF)),
        optional("suspend", Leaf::Boolean),
        optional("rollout", Leaf::Object(&ROLLOUT)),
        optional("checks", Leaf::List(0, &Leaf::Object(&CHECK))),
        optional("rollback", Leaf::Object(&ROLLBACK)),
        optional("historyLimit", NUMBER),
    ],
);

static TARGET: Shape = Shape::new(
    "a target",
    &[optional("kind", Leaf::OneOf(&["Deployment"])), required("name", NAME)],
);

static ROLLOUT: Shape =
    Shape::new("a rollout", &[optional("timeout", TIME_LIMIT), optional("bake", DURATION)]);

static ROLLBACK: Shape = Shape::new("a rollback", &[optional("automatic", Leaf::Boolean)]);

static CHECK: Shape = Shape::new(
    "a check",
    &[
        required("name", LABEL_NAME),
        optional("http", Leaf::Object(&HTTP)),
        optional("logs", Leaf::Object(&LOGS)),
        optional("period", TIME_LIMIT),
        optional("failureThreshold", COUNT),
    ],
)
.choosing(&[exactly_one(&["http", "logs"])]);

static HTTP: Shape = Shape::new(
    "an HTTP check",
    &[
        required("url", Leaf::Parsed(url)),
        optional("status", Leaf::Integer(100, 599)),
        optional("contains", Leaf::Text),
        optional("timeout", TIME_LIMIT),
    ],
);

static LOGS: Shape = Shape::new("a logs check", &[required("deny", Leaf::Parsed(pattern))]);

/// A URL may hold a password, so that it is not shown.
fn url(text: &str) -> Result<(), String> {
    if text.starts_with("http://") || text.starts_with("https://") {
        Ok(())
    } else {
        Err("expected a URL that starts with http:// or https://".to_owned())
    }
}

fn pattern(text: &str) -> Result<(), String> {
    regex::RegexBuilder::new(text).size_limit(1 << 20).build().map(drop).map_err(|error| {
        let message = error.to_string();
        let reason = message.lines().last().unwrap_or_default();
        format!("not a regular expression: {}", reason.trim_start_matches("error: "))
    })
}
