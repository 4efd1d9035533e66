use super::{
    container::CONTAINER,
    leaf::{ANNOTATIONS, INNER_PATH, KEY, LABEL_NAME, LABELS, MODE, NAME, NUMBER},
    metadata::NAME_REF,
    shape::{Leaf, Shape, exactly_one, ignored, noted, only, optional, refused, required},
};

const NO_SCHEDULER: &str = "there is one machine and nothing is scheduled";
const NO_API: &str = "there is no Kubernetes API for a program to talk to";
const NO_ISOLATION: &str = "how far a replica is isolated is bubblewrap's: its own files and processes, this machine's network";
const OWN_FILES: &str = "volumes belong to the user that runs everything";

pub(super) static TEMPLATE: Shape = Shape::new(
    "a pod template",
    &[optional("metadata", Leaf::Object(&TEMPLATE_METADATA)), required("spec", Leaf::Object(&POD))],
);

static TEMPLATE_METADATA: Shape = Shape::new(
    "a pod template's metadata",
    &[
        optional("labels", LABELS),
        optional("annotations", ANNOTATIONS),
        ignored("creationTimestamp", "the API server fills it in"),
        ignored("name", "replicas are named after their Deployment"),
        ignored("namespace", "replicas are in their Deployment's namespace"),
        ignored("finalizers", "nothing else must be asked before a replica goes"),
    ],
);

static POD: Shape = Shape::new(
    "a pod",
    &[
        required("containers", Leaf::List(1, &Leaf::Object(&CONTAINER))),
        optional("imagePullSecrets", Leaf::List(0, &Leaf::Object(&NAME_REF))),
        optional("securityContext", Leaf::Object(&SECURITY)),
        optional("terminationGracePeriodSeconds", NUMBER),
        optional("volumes", Leaf::List(0, &Leaf::Object(&VOLUME))),
        only("restartPolicy", &["Always"], "a Deployment's replicas are always started again"),
        only("hostNetwork", &["false"], "each replica gets a port of its own"),
        only("hostPID", &["false"], NO_ISOLATION),
        only("hostIPC", &["false"], NO_ISOLATION),
        only("setHostnameAsFQDN", &["false"], "every program sees the machine's own host name"),
        only(
            "dnsPolicy",
            &["ClusterFirst", "Default"],
            "names are resolved as everywhere on the machine",
        ),
        refused(
            "initContainers",
            "nothing runs before a container's own program",
            "let the program do it at its start, or do it in the image",
        ),
        refused("ephemeralContainers", "no container is added to a running replica", "remove it"),
        refused(
            "nodeSelector",
            "there are no nodes to choose from",
            "remove it, or keep it in an overlay for the cluster",
        ),
        refused(
            "nodeName",
            "there are no nodes to choose from",
            "remove it, or keep it in an overlay for the cluster",
        ),
        refused("activeDeadlineSeconds", "a Deployment's replicas have no end", "remove it"),
        refused("dnsConfig", "names are resolved as everywhere on the machine", "remove it"),
        refused(
            "hostAliases",
            "names are resolved as everywhere on the machine",
            "write the names into the machine's own hosts file",
        ),
        refused(
            "hostname",
            "every program sees the machine's own host name",
            "pass the name in a variable",
        ),
        refused("subdomain", "there is no cluster domain", "remove it"),
        refused("readinessGates", "nothing sets their conditions", "use a readinessProbe"),
        refused("resourceClaims", "there are no devices to claim", "remove it"),
        refused("runtimeClassName", "there is one way to run a program", "remove it"),
        refused("schedulingGates", NO_SCHEDULER, "remove it"),
        noted("serviceAccountName", NO_API),
        ignored("serviceAccount", "it is the old name of `serviceAccountName`"),
        ignored("automountServiceAccountToken", NO_API),
        ignored("enableServiceLinks", "the variables of Services are always made"),
        noted("affinity", NO_SCHEDULER),
        ignored("topologySpreadConstraints", "one machine is one domain: replicas are spread"),
        ignored("tolerations", "they allow, and demand nothing"),
        ignored("schedulerName", NO_SCHEDULER),
        ignored("priority", NO_SCHEDULER),
        ignored("priorityClassName", NO_SCHEDULER),
        ignored("preemptionPolicy", NO_SCHEDULER),
        ignored("overhead", NO_SCHEDULER),
        noted("resources", "what a replica uses is not limited"),
        ignored("shareProcessNamespace", NO_ISOLATION),
        ignored("hostUsers", NO_ISOLATION),
        ignored("os", "the image says for which system it was built"),
    ],
);

static SECURITY: Shape = Shape::new(
    "a pod's security context",
    &[
        optional("runAsUser", NUMBER),
        optional("runAsGroup", NUMBER),
        optional("runAsNonRoot", Leaf::Boolean),
        ignored("fsGroup", OWN_FILES),
        ignored("fsGroupChangePolicy", OWN_FILES),
        ignored("supplementalGroups", OWN_FILES),
        ignored("supplementalGroupsPolicy", OWN_FILES),
        ignored("seccompProfile", NO_ISOLATION),
        ignored("seLinuxOptions", NO_ISOLATION),
        ignored("seLinuxChangePolicy", NO_ISOLATION),
        ignored("appArmorProfile", NO_ISOLATION),
        refused("sysctls", "the machine's kernel is not changed", "set them on the machine"),
        refused("windowsOptions", "programs are Linux programs", "remove it"),
    ],
);

const NOT_DRIVEN: &str = "no driver makes storage";
const USE_CLAIM: &str = "use a persistentVolumeClaim";
const ONE_SOURCE: &str = "a volume has one source";
const ONE_BY_ONE: &str = "mount a configMap, a secret, an emptyDir or a persistentVolumeClaim";

static CLAIM_VOLUME: Shape = Shape::new(
    "a volume from a PersistentVolumeClaim",
    &[required("claimName", NAME), optional("readOnly", Leaf::Boolean)],
);

static VOLUME: Shape = Shape::new(
    "a volume",
    &[
        required("name", LABEL_NAME),
        optional("configMap", Leaf::Object(&CONFIG_MAP_VOLUME)),
        optional("secret", Leaf::Object(&SECRET_VOLUME)),
        optional("emptyDir", Leaf::Object(&EMPTY_DIR)),
        optional("persistentVolumeClaim", Leaf::Object(&CLAIM_VOLUME)),
        refused("ephemeral", NOT_DRIVEN, "use an emptyDir, or a persistentVolumeClaim"),
        refused(
            "hostPath",
            "a replica has the image's files and what is mounted from the manifests",
            USE_CLAIM,
        ),
        refused("projected", ONE_SOURCE, "mount each source as a volume of its own"),
        refused(
            "downwardAPI",
            "there is no file of the replica's own facts",
            "use `env` with `valueFrom.fieldRef`",
        ),
        refused("image", "no image is mounted", "copy its files into the program's own image"),
        refused("csi", NOT_DRIVEN, USE_CLAIM),
        refused("nfs", "nothing is mounted from elsewhere", ONE_BY_ONE),
        refused("iscsi", "nothing is mounted from elsewhere", ONE_BY_ONE),
        refused("fc", "nothing is mounted from elsewhere", ONE_BY_ONE),
        refused("cephfs", "nothing is mounted from elsewhere", ONE_BY_ONE),
        refused("gitRepo", "nothing is fetched into a volume", ONE_BY_ONE),
    ],
)
.choosing(&[exactly_one(&["configMap", "secret", "emptyDir", "persistentVolumeClaim"])]);

static CONFIG_MAP_VOLUME: Shape = Shape::new(
    "a configMap volume",
    &[
        required("name", NAME),
        optional("items", Leaf::List(0, &Leaf::Object(&KEY_TO_PATH))),
        optional("defaultMode", MODE),
        optional("optional", Leaf::Boolean),
    ],
);

static SECRET_VOLUME: Shape = Shape::new(
    "a secret volume",
    &[
        required("secretName", NAME),
        optional("items", Leaf::List(0, &Leaf::Object(&KEY_TO_PATH))),
        optional("defaultMode", MODE),
        optional("optional", Leaf::Boolean),
    ],
);

static KEY_TO_PATH: Shape = Shape::new(
    "an item",
    &[required("key", KEY), required("path", INNER_PATH), optional("mode", MODE)],
);

static EMPTY_DIR: Shape = Shape::new(
    "an emptyDir",
    &[
        noted("medium", "the files are kept on the machine's disk"),
        noted("sizeLimit", "what a replica writes is not limited"),
    ],
);
