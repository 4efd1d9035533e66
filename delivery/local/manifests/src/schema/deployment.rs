use super::{
    leaf::{COUNT, NUMBER, SELECTOR},
    metadata::{API_VERSION, KIND, METADATA_FIELD, STATUS},
    pod::TEMPLATE,
    shape::{Leaf, Shape, optional, refused, required},
};

pub(super) static DEPLOYMENT: Shape = Shape::new(
    "a Deployment",
    &[API_VERSION, KIND, METADATA_FIELD, required("spec", Leaf::Object(&SPEC)), STATUS],
);

static SPEC: Shape = Shape::new(
    "a Deployment's spec",
    &[
        optional("replicas", NUMBER),
        required("selector", Leaf::Object(&LABEL_SELECTOR)),
        required("template", Leaf::Object(&TEMPLATE)),
        optional("strategy", Leaf::Object(&STRATEGY)),
        optional("minReadySeconds", NUMBER),
        optional("progressDeadlineSeconds", COUNT),
        optional("revisionHistoryLimit", NUMBER),
        optional("paused", Leaf::Boolean),
    ],
);

static LABEL_SELECTOR: Shape = Shape::new(
    "a selector",
    &[
        required("matchLabels", SELECTOR),
        refused(
            "matchExpressions",
            "replicas are found by equal labels",
            "write the labels under `matchLabels`",
        ),
    ],
);

static STRATEGY: Shape = Shape::new(
    "a strategy",
    &[
        optional("type", Leaf::OneOf(&["RollingUpdate", "Recreate"])),
        optional("rollingUpdate", Leaf::Object(&ROLLING_UPDATE)),
    ],
);

static ROLLING_UPDATE: Shape = Shape::new(
    "a rolling update",
    &[optional("maxSurge", Leaf::Amount), optional("maxUnavailable", Leaf::Amount)],
);
