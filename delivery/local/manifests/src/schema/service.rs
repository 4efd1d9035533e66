use super::{
    leaf::{PORT_NAME, PORT_NUMBER, SELECTOR},
    metadata::{API_VERSION, KIND, METADATA_FIELD, STATUS},
    shape::{Leaf, Shape, ignored, only, optional, refused, required},
};

const NO_ADDRESSES: &str = "Services have ports of the machine, not addresses of their own";

pub(super) static SERVICE: Shape = Shape::new(
    "a Service",
    &[API_VERSION, KIND, METADATA_FIELD, required("spec", Leaf::Object(&SPEC)), STATUS],
);

static SPEC: Shape = Shape::new(
    "a Service's spec",
    &[
        optional("type", Leaf::OneOf(&["ClusterIP", "NodePort", "LoadBalancer"])),
        required("selector", SELECTOR),
        required("ports", Leaf::List(1, &Leaf::Object(&PORT))),
        only("sessionAffinity", &["None"], "requests go to any ready replica"),
        only("publishNotReadyAddresses", &["false"], "requests go to ready replicas alone"),
        refused("sessionAffinityConfig", "requests go to any ready replica", "remove it"),
        refused(
            "externalName",
            "no names are resolved",
            "write the other host's name where it is used",
        ),
        refused("externalIPs", NO_ADDRESSES, "choose the address that Mercurious listens on"),
        refused(
            "loadBalancerSourceRanges",
            "nothing filters who may connect",
            "use the machine's firewall",
        ),
        ignored("loadBalancerIP", NO_ADDRESSES),
        ignored("loadBalancerClass", NO_ADDRESSES),
        ignored("clusterIP", NO_ADDRESSES),
        ignored("clusterIPs", NO_ADDRESSES),
        ignored("ipFamilies", NO_ADDRESSES),
        ignored("ipFamilyPolicy", NO_ADDRESSES),
        ignored("allocateLoadBalancerNodePorts", NO_ADDRESSES),
        ignored("healthCheckNodePort", "there is one node"),
        ignored("externalTrafficPolicy", "there is one node"),
        ignored("internalTrafficPolicy", "there is one node"),
        ignored("trafficDistribution", "there is one node"),
    ],
);

static PORT: Shape = Shape::new(
    "a Service's port",
    &[
        required("port", PORT_NUMBER),
        optional("name", PORT_NAME),
        optional("targetPort", Leaf::Port),
        optional("nodePort", PORT_NUMBER),
        only("protocol", &["TCP"], "the front proxy speaks TCP"),
        optional("appProtocol", Leaf::Text),
    ],
);
