use super::{
    leaf::{ANNOTATIONS, LABEL_NAME, LABELS, NAME},
    shape::{Field, Leaf, Shape, ignored, optional, refused, required},
};

const SERVER: &str = "the API server fills it in";

pub(super) const API_VERSION: Field = required("apiVersion", Leaf::Text);
pub(super) const KIND: Field = required("kind", Leaf::Text);
pub(super) const METADATA_FIELD: Field = required("metadata", Leaf::Object(&METADATA));
pub(super) const STATUS: Field = ignored("status", "it says what was, not what is wished");

pub(super) static METADATA: Shape = Shape::new(
    "metadata",
    &[
        required("name", NAME),
        optional("namespace", LABEL_NAME),
        optional("labels", LABELS),
        optional("annotations", ANNOTATIONS),
        refused("generateName", "an object is found again by its name", "write `name`"),
        ignored("creationTimestamp", SERVER),
        ignored("deletionGracePeriodSeconds", SERVER),
        ignored("deletionTimestamp", SERVER),
        ignored("finalizers", "nothing else must be asked before an object goes"),
        ignored("generation", SERVER),
        ignored("managedFields", SERVER),
        ignored("ownerReferences", SERVER),
        ignored("resourceVersion", SERVER),
        ignored("selfLink", SERVER),
        ignored("uid", SERVER),
    ],
);

/// A reference by name in the same namespace.
pub(super) static NAME_REF: Shape = Shape::new("a reference", &[required("name", NAME)]);

/// A reference by name, with a namespace where it is another one.
pub(super) static NAMESPACED_REF: Shape =
    Shape::new("a reference", &[required("name", NAME), optional("namespace", LABEL_NAME)]);
