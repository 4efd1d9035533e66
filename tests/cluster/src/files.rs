use std::net::SocketAddr;

use crate::{pki::NODE, place::Place, subnet::Subnet};

/// Hosts whose images come from the test's registry instead, so that real manifests run as they stand.
const MIRRORED: [&str; 1] = ["ghcr.io"];

/// Settings of the host that the kubelet would write, with the values that it wants to see.
pub(crate) const KERNEL: [(&str, &str); 6] = [
    ("vm/overcommit_memory", "1"),
    ("vm/panic_on_oom", "0"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// Writes the settings of every part.
pub(crate) fn write(place: &Place, subnet: Subnet, registry: SocketAddr) -> anyhow::Result<()> {
    place.write("containerd.toml", &containerd(place, registry))?;
    place.write("cni/10-bridge.conflist", &bridge(place, subnet))?;
    let server = format!("http://{registry}");
    let host = format!("[host.\"{server}\"]\n  capabilities = [\"pull\", \"resolve\"]\n");
    place.write(
        &format!("hosts/{registry}/hosts.toml"),
        &format!("server = \"{server}\"\n{host}"),
    )?;
    for name in MIRRORED {
        place.write(
            &format!("hosts/{name}/hosts.toml"),
            &format!("server = \"https://{name}\"\n{host}"),
        )?;
    }
    place.write("kubelet.yaml", &kubelet(place, subnet))?;
    place.write("proxy.yaml", &proxy(place, subnet))?;
    place.write("audit-policy.yaml", AUDIT_POLICY)?;
    place.write("resolv.conf", "nameserver 127.0.0.1\n")?;
    Ok(())
}

/// Writes what stands in the place of the kernel's settings; the inner process finds it there when it starts.
pub(crate) fn write_kernel(place: &Place) -> anyhow::Result<()> {
    for (name, value) in KERNEL {
        place.write(&kernel_file(name), value)?;
    }
    Ok(())
}

/// The file that stands in the place of this setting.
pub(crate) fn kernel_file(name: &str) -> String {
    format!("kernel/{}", name.replace('/', "-"))
}

fn containerd(place: &Place, registry: SocketAddr) -> String {
    let path = place.path().display();
    format!(
        r#"version = 2
root = "{path}/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing",
]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{path}/containerd-opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{registry}/{PAUSE}"
  restrict_oom_score_adj = true
  tolerate_missing_hugetlb_controller = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{path}/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{path}/hosts"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "/usr/sbin/runc"
      SystemdCgroup = false
"#
    )
}

/// What holds a pod's namespaces, in the test's registry.
pub(crate) const PAUSE: &str = "cluster/pause:latest";

fn bridge(place: &Place, subnet: Subnet) -> String {
    let (path, pods) = (place.path().display(), subnet.pods());
    format!(
        r#"{{"cniVersion": "1.0.0", "name": "pods", "plugins": [
  {{"type": "bridge", "bridge": "pods", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {{"type": "host-local", "dataDir": "{path}/addresses", "ranges": [[{{"subnet": "{pods}"}}]],
            "routes": [{{"dst": "0.0.0.0/0"}}]}}}}]}}
"#
    )
}

fn kubelet(place: &Place, subnet: Subnet) -> String {
    let path = place.path().display();
    let (node, cgroup) = (subnet.node(), place.cgroup());
    format!(
        "apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: {node}
healthzBindAddress: 127.0.0.1
readOnlyPort: 0
authentication:
  anonymous: {{ enabled: false }}
  webhook: {{ enabled: true }}
  x509: {{ clientCAFile: {path}/pki/ca.crt }}
authorization: {{ mode: Webhook }}
tlsCertFile: {path}/pki/kubelet.crt
tlsPrivateKeyFile: {path}/pki/kubelet.key
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /{cgroup}
failCgroupV1: false
failSwapOn: false
makeIPTablesUtilChains: false
resolvConf: {path}/resolv.conf
podLogsDir: {path}/pods
volumePluginDir: {path}/volume-plugins
evictionHard: {{ memory.available: 100Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1% }}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
nodeStatusUpdateFrequency: 5s
registerNode: true
"
    )
}

fn proxy(place: &Place, subnet: Subnet) -> String {
    let (path, node, pods) = (place.path().display(), subnet.node(), subnet.pods());
    format!(
        "apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clientConnection: {{ kubeconfig: {path}/pki/proxy.kubeconfig }}
clusterCIDR: {pods}
bindAddress: {node}
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
hostnameOverride: {NODE}
conntrack: {{ maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s }}
"
    )
}

/// What the cluster's own parts do is left out; what is written to the objects of the loop is kept whole.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: None
    users: ['system:apiserver', 'system:kube-controller-manager', 'system:kube-scheduler', 'system:kube-proxy']
  - level: None
    userGroups: ['system:nodes', 'system:serviceaccounts:kube-system']
  - level: None
    nonResourceURLs: ['/readyz*', '/livez*', '/healthz*', '/version', '/openapi/*', '/api', '/apis', '/api/*', '/apis/*']
  - level: Request
    verbs: [create, update, patch, delete]
    resources:
      - { group: apps }
      - { group: mercurious.dev }
      - { group: image.toolkit.fluxcd.io }
      - { group: coordination.k8s.io }
  - level: Metadata
";
