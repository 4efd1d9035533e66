use super::{
    leaf::{
        COUNT, IMAGE, INNER_PATH, KEY, LABEL_NAME, NAME, NUMBER, PATH, PORT_NAME, PORT_NUMBER,
        PREFIX, PROGRAM, QUANTITIES, TEXTS, VARIABLE,
    },
    shape::{
        Leaf, Shape, at_most_one, exactly_one, ignored, noted, only, optional, refused, required,
    },
};

const NO_ISOLATION: &str = "how far a replica is isolated is bubblewrap's: its own files and processes, this machine's network";
const NO_TERMINAL: &str =
    "a program has no terminal and no input, as on a cluster without `kubectl attach`";

pub(super) static CONTAINER: Shape = Shape::new(
    "a container",
    &[
        required("name", LABEL_NAME),
        required("image", IMAGE),
        optional("command", TEXTS),
        optional("args", TEXTS),
        optional("workingDir", PATH),
        optional("env", Leaf::List(0, &Leaf::Object(&ENV_VAR))),
        optional("envFrom", Leaf::List(0, &Leaf::Object(&ENV_FROM))),
        optional("ports", Leaf::List(0, &Leaf::Object(&PORT))),
        optional("readinessProbe", Leaf::Object(&PROBE)),
        optional("livenessProbe", Leaf::Object(&PROBE)),
        optional("startupProbe", Leaf::Object(&PROBE)),
        optional("lifecycle", Leaf::Object(&LIFECYCLE)),
        optional("volumeMounts", Leaf::List(0, &Leaf::Object(&MOUNT))),
        optional("resources", Leaf::Object(&RESOURCES)),
        optional("securityContext", Leaf::Object(&SECURITY)),
        ignored("imagePullPolicy", "an image is always looked up and kept by its digest"),
        ignored("terminationMessagePath", "why a program ended is read from its log"),
        ignored("terminationMessagePolicy", "why a program ended is read from its log"),
        ignored("tty", NO_TERMINAL),
        ignored("stdin", NO_TERMINAL),
        ignored("stdinOnce", NO_TERMINAL),
        ignored("resizePolicy", "what a replica uses is not limited"),
        only("restartPolicy", &["Always"], "a Deployment's containers are always started again"),
        refused("restartPolicyRules", "a container is always started again", "remove it"),
        refused("volumeDevices", "there are no block devices to give", "use `volumeMounts`"),
    ],
);

static ENV_VAR: Shape = Shape::new(
    "a variable",
    &[
        required("name", VARIABLE),
        optional("value", Leaf::Text),
        optional("valueFrom", Leaf::Object(&VALUE_FROM)),
    ],
)
.choosing(&[at_most_one(&["value", "valueFrom"])]);

static VALUE_FROM: Shape = Shape::new(
    "a variable's source",
    &[
        optional("configMapKeyRef", Leaf::Object(&KEY_REF)),
        optional("secretKeyRef", Leaf::Object(&KEY_REF)),
        optional("fieldRef", Leaf::Object(&FIELD_REF)),
        refused("resourceFieldRef", "what a replica uses is not limited", "write the value itself"),
        refused("fileKeyRef", "no file of variables is read", "use a configMapKeyRef"),
    ],
)
.choosing(&[exactly_one(&["configMapKeyRef", "secretKeyRef", "fieldRef"])]);

static KEY_REF: Shape = Shape::new(
    "a key's reference",
    &[required("name", NAME), required("key", KEY), optional("optional", Leaf::Boolean)],
);

static FIELD_REF: Shape = Shape::new(
    "a field's reference",
    &[
        required(
            "fieldPath",
            Leaf::OneOf(&["metadata.name", "metadata.namespace", "status.podIP"]),
        ),
        only("apiVersion", &["v1"], "there is one version of it"),
    ],
);

static ENV_FROM: Shape = Shape::new(
    "an item of envFrom",
    &[
        optional("prefix", PREFIX),
        optional("configMapRef", Leaf::Object(&SOURCE_REF)),
        optional("secretRef", Leaf::Object(&SOURCE_REF)),
    ],
)
.choosing(&[exactly_one(&["configMapRef", "secretRef"])]);

static SOURCE_REF: Shape =
    Shape::new("a reference", &[required("name", NAME), optional("optional", Leaf::Boolean)]);

static PORT: Shape = Shape::new(
    "a container's port",
    &[
        required("containerPort", PORT_NUMBER),
        optional("name", PORT_NAME),
        only("protocol", &["TCP"], "the front proxy speaks TCP"),
        refused(
            "hostPort",
            "each replica gets a port of its own",
            "use a Service of type NodePort",
        ),
        refused("hostIP", "each replica gets a port of its own", "remove it"),
    ],
);

static PROBE: Shape = Shape::new(
    "a probe",
    &[
        optional("httpGet", Leaf::Object(&HTTP_GET)),
        optional("tcpSocket", Leaf::Object(&TCP_SOCKET)),
        optional("exec", Leaf::Object(&EXEC)),
        optional("initialDelaySeconds", NUMBER),
        optional("periodSeconds", COUNT),
        optional("timeoutSeconds", COUNT),
        optional("successThreshold", COUNT),
        optional("failureThreshold", COUNT),
        refused("grpc", "no gRPC is spoken", "use httpGet, tcpSocket or exec"),
        refused("terminationGracePeriodSeconds", "a replica has one grace", "set it on the pod"),
    ],
)
.choosing(&[exactly_one(&["httpGet", "tcpSocket", "exec"])]);

static HTTP_GET: Shape = Shape::new(
    "an HTTP probe",
    &[
        optional("path", Leaf::Text),
        required("port", Leaf::Port),
        optional("httpHeaders", Leaf::List(0, &Leaf::Object(&HEADER))),
        only("scheme", &["HTTP"], "a replica is asked on its own port, without TLS"),
        refused("host", "a probe asks the replica itself", "set a `Host` header"),
    ],
);

static HEADER: Shape =
    Shape::new("a header", &[required("name", Leaf::Text), required("value", Leaf::Text)]);

static TCP_SOCKET: Shape = Shape::new(
    "a TCP probe",
    &[
        required("port", Leaf::Port),
        refused("host", "a probe asks the replica itself", "remove it"),
    ],
);

static EXEC: Shape = Shape::new("a program to run", &[required("command", PROGRAM)]);

static LIFECYCLE: Shape = Shape::new(
    "a lifecycle",
    &[
        optional("preStop", Leaf::Object(&PRE_STOP)),
        refused("postStart", "nothing runs beside a program's start", "do it in the program"),
        only("stopSignal", &["SIGTERM"], "otherwise the image's STOPSIGNAL is what counts"),
    ],
);

static PRE_STOP: Shape = Shape::new(
    "a preStop",
    &[
        optional("sleep", Leaf::Object(&SLEEP)),
        optional("exec", Leaf::Object(&EXEC)),
        refused("httpGet", "nothing is asked before SIGTERM", "use sleep or exec"),
        refused("tcpSocket", "nothing is asked before SIGTERM", "use sleep or exec"),
    ],
)
.choosing(&[exactly_one(&["sleep", "exec"])]);

static SLEEP: Shape = Shape::new("a sleep", &[required("seconds", NUMBER)]);

static MOUNT: Shape = Shape::new(
    "a volume mount",
    &[
        required("name", LABEL_NAME),
        required("mountPath", PATH),
        optional("subPath", INNER_PATH),
        optional("readOnly", Leaf::Boolean),
        only("mountPropagation", &["None"], "mounts do not spread"),
        only("recursiveReadOnly", &["Disabled"], "mounts are not nested"),
        refused("subPathExpr", "no variable is filled in here", "use `subPath`"),
    ],
);

static RESOURCES: Shape = Shape::new(
    "resources",
    &[
        optional("limits", QUANTITIES),
        optional("requests", QUANTITIES),
        refused("claims", "there are no devices to claim", "remove it"),
    ],
);

static SECURITY: Shape = Shape::new(
    "a container's security context",
    &[
        optional("readOnlyRootFilesystem", Leaf::Boolean),
        optional("runAsNonRoot", Leaf::Boolean),
        optional("runAsUser", NUMBER),
        optional("runAsGroup", NUMBER),
        only("privileged", &["false"], "a program has no more rights than Mercurious itself"),
        ignored("allowPrivilegeEscalation", "a program has no more rights than Mercurious itself"),
        noted("capabilities", "a program has no more rights than Mercurious itself"),
        ignored("seccompProfile", NO_ISOLATION),
        ignored("seLinuxOptions", NO_ISOLATION),
        ignored("appArmorProfile", NO_ISOLATION),
        only("procMount", &["Default"], NO_ISOLATION),
        refused("windowsOptions", "programs are Linux programs", "remove it"),
    ],
);
