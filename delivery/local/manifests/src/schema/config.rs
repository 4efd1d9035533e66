use super::{
    leaf::{KEYED_BASE64, KEYED_TEXTS, SECRET_BASE64, SECRET_TEXTS},
    metadata::{API_VERSION, KIND, METADATA_FIELD},
    shape::{Leaf, Shape, ignored, optional},
};

const NEVER_CHANGED: &str = "one that changes is another one: replicas are started again with it";

pub(super) static CONFIG_MAP: Shape = Shape::new(
    "a ConfigMap",
    &[
        API_VERSION,
        KIND,
        METADATA_FIELD,
        optional("data", KEYED_TEXTS),
        optional("binaryData", KEYED_BASE64),
        ignored("immutable", NEVER_CHANGED),
    ],
);

pub(super) static SECRET: Shape = Shape::new(
    "a Secret",
    &[
        API_VERSION,
        KIND,
        METADATA_FIELD,
        optional("type", Leaf::Text),
        optional("data", SECRET_BASE64),
        optional("stringData", SECRET_TEXTS),
        ignored("immutable", NEVER_CHANGED),
    ],
);
