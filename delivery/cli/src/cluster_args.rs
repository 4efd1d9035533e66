use std::{path::PathBuf, time::Duration};

use clap::Args;
use mercurious_core::image::Platform;
use mercurious_kubernetes::{ImageSettings, Mirror};

/// Which cluster is meant. In a pod: its own.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Cluster")]
pub(crate) struct ClusterArgs {
    /// The cluster of this kubeconfig
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The cluster of this context of the kubeconfig
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Where auto-deploys are looked for; may be repeated [default: the pod's or the context's own namespace]
    #[arg(
        long = "namespace",
        global = true,
        value_name = "NAME",
        env = "MERCURIOUS_NAMESPACES",
        value_delimiter = ','
    )]
    pub(crate) namespaces: Vec<String>,
    /// Look for auto-deploys in all namespaces
    #[arg(long, global = true, conflicts_with = "namespaces")]
    pub(crate) all_namespaces: bool,
}

/// How an engine runs over a cluster.
#[derive(Args, Clone)]
pub(crate) struct EngineArgs {
    /// Ask another registry in a registry's place, as ghcr.io=registry.lan:5000, or ghcr.io=http://10.0.0.1:5000 for
    /// plain HTTP; may be repeated
    #[arg(
        long = "registry-mirror",
        value_name = "HOST=MIRROR",
        env = "MERCURIOUS_REGISTRY_MIRROR",
        value_delimiter = ','
    )]
    pub(crate) mirrors: Vec<Mirror>,
    /// The platform of the nodes [default: this program's own]
    #[arg(long, value_name = "OS/ARCHITECTURE", env = "MERCURIOUS_PLATFORM")]
    pub(crate) platform: Option<Platform>,
    /// The Lease that one engine at a time holds
    #[arg(long, value_name = "NAME", default_value = "mercurious")]
    pub(crate) lease: String,
    /// Where it is [default: the one namespace that is looked at, else the own one]
    #[arg(long, value_name = "NAME")]
    pub(crate) lease_namespace: Option<String>,
    /// No ImagePolicy may choose from an ImageRepository of another namespace
    #[arg(long)]
    pub(crate) no_cross_namespace_refs: bool,
    /// Where Flux runs: while its image-reflector-controller is at work there, the status of image objects is its own
    #[arg(
        long,
        value_name = "NAME",
        default_value = "flux-system",
        env = "MERCURIOUS_FLUX_NAMESPACE"
    )]
    pub(crate) flux_namespace: String,
    /// Who has not renewed the Lease for so many seconds holds it no more
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(3..=300))]
    pub(crate) lease_seconds: u64,
}

impl EngineArgs {
    pub(crate) fn lease_duration(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }

    pub(crate) fn images(&self, namespaces: Vec<String>) -> ImageSettings {
        ImageSettings {
            own_namespace_only: self.no_cross_namespace_refs,
            flux_namespace: self.flux_namespace.clone(),
            namespaces,
        }
    }

    pub(crate) fn platform(&self) -> Platform {
        self.platform.clone().unwrap_or_else(Platform::of_this_program)
    }
}
