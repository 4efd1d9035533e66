use super::{
    leaf::{DURATION, REPOSITORY, TEXTS},
    metadata::{API_VERSION, KIND, METADATA_FIELD, NAME_REF, NAMESPACED_REF, STATUS},
    shape::{Leaf, Shape, at_most_one, ignored, only, optional, refused, required},
};

const BY_DIGEST: &str = "an image is always deployed by its digest";

pub(super) static IMAGE_REPOSITORY: Shape = Shape::new(
    "an ImageRepository",
    &[API_VERSION, KIND, METADATA_FIELD, required("spec", Leaf::Object(&REPOSITORY_SPEC)), STATUS],
);

static REPOSITORY_SPEC: Shape = Shape::new(
    "an ImageRepository's spec",
    &[
        required("image", REPOSITORY),
        required("interval", DURATION),
        optional("timeout", DURATION),
        optional("secretRef", Leaf::Object(&NAME_REF)),
        optional("certSecretRef", Leaf::Object(&NAME_REF)),
        optional("insecure", Leaf::Boolean),
        optional("suspend", Leaf::Boolean),
        optional("exclusionList", TEXTS),
        only("provider", &["generic"], "nothing logs in to a cloud by itself"),
        refused(
            "serviceAccountName",
            "there are no ServiceAccounts",
            "name the Secret in `secretRef`, or log in with Docker's own credentials",
        ),
        refused(
            "proxySecretRef",
            "registries are asked directly",
            "set HTTPS_PROXY where Mercurious starts",
        ),
        ignored("accessFrom", "everything on one machine has one owner"),
    ],
);

pub(super) static IMAGE_POLICY: Shape = Shape::new(
    "an ImagePolicy",
    &[API_VERSION, KIND, METADATA_FIELD, required("spec", Leaf::Object(&POLICY_SPEC)), STATUS],
);

static POLICY_SPEC: Shape = Shape::new(
    "an ImagePolicy's spec",
    &[
        required("imageRepositoryRef", Leaf::Object(&NAMESPACED_REF)),
        optional("policy", Leaf::Object(&POLICY)),
        optional("filterTags", Leaf::Object(&FILTER_TAGS)),
        ignored("digestReflectionPolicy", BY_DIGEST),
        ignored("interval", BY_DIGEST),
        only("suspend", &["false"], "a policy is a rule and does nothing by itself"),
    ],
);

static POLICY: Shape = Shape::new(
    "a policy",
    &[
        optional("semver", Leaf::Object(&SEMVER)),
        optional("alphabetical", Leaf::Object(&ORDER)),
        optional("numerical", Leaf::Object(&ORDER)),
    ],
)
.choosing(&[at_most_one(&["semver", "alphabetical", "numerical"])]);

static SEMVER: Shape = Shape::new("a semver policy", &[required("range", Leaf::Text)]);

static ORDER: Shape = Shape::new("an order", &[optional("order", Leaf::OneOf(&["asc", "desc"]))]);

static FILTER_TAGS: Shape =
    Shape::new("a filter", &[optional("pattern", Leaf::Text), optional("extract", Leaf::Text)]);
