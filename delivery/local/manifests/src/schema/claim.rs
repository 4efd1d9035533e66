use super::{
    metadata::{API_VERSION, KIND, METADATA_FIELD, STATUS},
    shape::{Leaf, Shape, ignored, noted, only, optional, refused, required},
};

const ONE_DISK: &str = "it is a directory on the machine's disk";

pub(super) static PERSISTENT_VOLUME_CLAIM: Shape = Shape::new(
    "a PersistentVolumeClaim",
    &[API_VERSION, KIND, METADATA_FIELD, required("spec", Leaf::Object(&SPEC)), STATUS],
);

static SPEC: Shape = Shape::new(
    "a PersistentVolumeClaim's spec",
    &[
        optional(
            "accessModes",
            Leaf::List(
                1,
                &Leaf::OneOf(&[
                    "ReadWriteOnce",
                    "ReadOnlyMany",
                    "ReadWriteMany",
                    "ReadWriteOncePod",
                ]),
            ),
        ),
        noted("resources", "what a replica writes is not limited"),
        only("volumeMode", &["Filesystem"], ONE_DISK),
        ignored("storageClassName", ONE_DISK),
        ignored("volumeAttributesClassName", ONE_DISK),
        ignored("volumeName", ONE_DISK),
        refused("selector", ONE_DISK, "remove it"),
        refused("dataSource", "nothing is copied into it", "let the program fill it"),
        refused("dataSourceRef", "nothing is copied into it", "let the program fill it"),
    ],
);
