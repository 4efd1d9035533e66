use std::process::Command;

use crate::{pki::NODE, place::Place, subnet::Subnet};

/// A part of the cluster: a process of its own, started anew when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Etcd,
    ApiServer,
    Containerd,
    ControllerManager,
    Scheduler,
    Kubelet,
    Proxy,
}

impl Part {
    pub(crate) const ALL: [Self; 7] = [
        Self::Etcd,
        Self::ApiServer,
        Self::Containerd,
        Self::ControllerManager,
        Self::Scheduler,
        Self::Kubelet,
        Self::Proxy,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::Containerd => "containerd",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kubelet => "kubelet",
            Self::Proxy => "kube-proxy",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }

    /// How it is started.
    pub(crate) fn command(self, node: &str, place: &Place, subnet: Subnet) -> Command {
        let mut command = match self {
            Self::Containerd => Command::new("containerd"),
            part => {
                let mut command = Command::new(node);
                command.arg(part.name());
                command
            }
        };
        for (flag, value) in self.flags(place, subnet) {
            command.arg(format!("--{flag}={value}"));
        }
        command.current_dir(place.path());
        command
    }

    fn flags(self, place: &Place, subnet: Subnet) -> Vec<(&'static str, String)> {
        let file = |name: &str| place.text(name);
        let text = str::to_owned;
        match self {
            Self::Etcd => vec![
                ("name", text("test")),
                ("data-dir", file("etcd")),
                ("unsafe-no-fsync", text("true")),
                ("listen-client-urls", text("http://127.0.0.1:2379")),
                ("advertise-client-urls", text("http://127.0.0.1:2379")),
                ("listen-peer-urls", text("http://127.0.0.1:2380")),
                ("initial-advertise-peer-urls", text("http://127.0.0.1:2380")),
                ("initial-cluster", text("test=http://127.0.0.1:2380")),
                ("log-level", text("warn")),
            ],
            Self::ApiServer => vec![
                ("etcd-servers", text("http://127.0.0.1:2379")),
                ("bind-address", subnet.node().to_string()),
                ("advertise-address", subnet.node().to_string()),
                ("secure-port", text("6443")),
                ("tls-cert-file", file("pki/apiserver.crt")),
                ("tls-private-key-file", file("pki/apiserver.key")),
                ("client-ca-file", file("pki/ca.crt")),
                ("token-auth-file", file("pki/tokens.csv")),
                ("kubelet-client-certificate", file("pki/kubelet-client.crt")),
                ("kubelet-client-key", file("pki/kubelet-client.key")),
                ("kubelet-preferred-address-types", text("InternalIP")),
                ("authorization-mode", text("Node,RBAC")),
                ("enable-admission-plugins", text("NodeRestriction")),
                ("service-account-issuer", text("https://kubernetes.default.svc")),
                ("service-account-key-file", file("pki/accounts.pub")),
                ("service-account-signing-key-file", file("pki/accounts.key")),
                ("service-cluster-ip-range", subnet.services()),
                ("allow-privileged", text("true")),
                ("audit-policy-file", file("audit-policy.yaml")),
                ("audit-log-path", file("audit.log")),
                ("audit-log-mode", text("blocking")),
                // In megabytes: never begun anew, so that what was counted before stays where it is.
                ("audit-log-maxsize", text("10240")),
            ],
            Self::Containerd => vec![("config", file("containerd.toml"))],
            Self::ControllerManager => vec![
                ("kubeconfig", file("pki/manager.kubeconfig")),
                ("authentication-kubeconfig", file("pki/manager.kubeconfig")),
                ("authorization-kubeconfig", file("pki/manager.kubeconfig")),
                ("leader-elect", text("false")),
                ("use-service-account-credentials", text("true")),
                ("service-account-private-key-file", file("pki/accounts.key")),
                ("root-ca-file", file("pki/ca.crt")),
                ("cluster-signing-cert-file", file("pki/ca.crt")),
                ("cluster-signing-key-file", file("pki/ca.key")),
                ("bind-address", text("127.0.0.1")),
            ],
            Self::Scheduler => vec![
                ("kubeconfig", file("pki/scheduler.kubeconfig")),
                ("authentication-kubeconfig", file("pki/scheduler.kubeconfig")),
                ("authorization-kubeconfig", file("pki/scheduler.kubeconfig")),
                ("leader-elect", text("false")),
                ("bind-address", text("127.0.0.1")),
            ],
            Self::Kubelet => vec![
                ("config", file("kubelet.yaml")),
                ("kubeconfig", file("pki/node.kubeconfig")),
                ("root-dir", file("kubelet")),
                ("cert-dir", file("kubelet/pki")),
                ("hostname-override", text(NODE)),
                ("node-ip", subnet.node().to_string()),
            ],
            Self::Proxy => vec![("config", file("proxy.yaml"))],
        }
    }
}
