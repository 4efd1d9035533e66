use super::{
    leaf::{HOST, NAME, PATH, PORT_NAME, PORT_NUMBER},
    metadata::{API_VERSION, KIND, METADATA_FIELD, STATUS},
    shape::{Leaf, Shape, exactly_one, ignored, noted, optional, refused, required},
};

pub(super) static INGRESS: Shape = Shape::new(
    "an Ingress",
    &[API_VERSION, KIND, METADATA_FIELD, required("spec", Leaf::Object(&SPEC)), STATUS],
);

static SPEC: Shape = Shape::new(
    "an Ingress's spec",
    &[
        optional("rules", Leaf::List(0, &Leaf::Object(&RULE))),
        optional("defaultBackend", Leaf::Object(&BACKEND)),
        ignored("ingressClassName", "the front proxy is the only one"),
        noted("tls", "hosts are served over plain HTTP; put a program that ends TLS before it"),
    ],
);

static RULE: Shape = Shape::new(
    "an Ingress's rule",
    &[optional("host", HOST), required("http", Leaf::Object(&HTTP))],
);

static HTTP: Shape =
    Shape::new("a rule's paths", &[required("paths", Leaf::List(1, &Leaf::Object(&PATH_RULE)))]);

static PATH_RULE: Shape = Shape::new(
    "a path",
    &[
        optional("path", PATH),
        required("pathType", Leaf::OneOf(&["Exact", "Prefix", "ImplementationSpecific"])),
        required("backend", Leaf::Object(&BACKEND)),
    ],
);

const OLD: &str = "it is of the old API networking.k8s.io/v1beta1";

static BACKEND: Shape = Shape::new(
    "a backend",
    &[
        required("service", Leaf::Object(&BACKEND_SERVICE)),
        refused("resource", "a backend is a Service", "name a Service"),
        refused("serviceName", OLD, "write `service.name`"),
        refused("servicePort", OLD, "write `service.port.number` or `service.port.name`"),
    ],
);

static BACKEND_SERVICE: Shape = Shape::new(
    "a backend's Service",
    &[required("name", NAME), required("port", Leaf::Object(&BACKEND_PORT))],
);

static BACKEND_PORT: Shape =
    Shape::new("a backend's port", &[optional("number", PORT_NUMBER), optional("name", PORT_NAME)])
        .choosing(&[exactly_one(&["number", "name"])]);
