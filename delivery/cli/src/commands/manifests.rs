//! `mercurious manifests`: what installs the program on Kubernetes, as `deploy/mercurious` has it.

use clap::{Args, ValueEnum};

use crate::output::print;

/// A file of `deploy/mercurious`.
macro_rules! file {
    ($path:literal) => {
        include_str!(concat!("../../../../deploy/mercurious/", $path))
    };
}

const ACCESS: [&str; 3] = [
    file!("access/lease.yaml"),
    file!("access/app/role.yaml"),
    file!("access/flux-system/role.yaml"),
];

const CONTROLLER: [&str; 6] = [
    file!("controller/service-account.yaml"),
    file!("controller/bindings.yaml"),
    file!("controller/deployment.yaml"),
    file!("controller/service.yaml"),
    file!("controller/disruption-budget.yaml"),
    file!("controller/network-policy.yaml"),
];

const CRONJOB: [&str; 4] = [
    file!("cronjob/service-account.yaml"),
    file!("cronjob/bindings.yaml"),
    file!("cronjob/cronjob.yaml"),
    file!("cronjob/network-policy.yaml"),
];

#[derive(Args)]
pub(crate) struct ManifestsArgs {
    /// How the program runs
    #[arg(value_enum, default_value_t = Flavour::Controller)]
    flavour: Flavour,
}

#[derive(Clone, Copy, ValueEnum)]
enum Flavour {
    /// Always at work: two replicas, one of which leads
    Controller,
    /// One pass every two minutes
    Cronjob,
}

/// Prints them as one stream of documents.
pub(crate) fn run(args: &ManifestsArgs) -> anyhow::Result<()> {
    Ok(print(&documents(args.flavour).join("---\n"))?)
}

fn documents(flavour: Flavour) -> Vec<&'static str> {
    let own: &[&str] = match flavour {
        Flavour::Controller => &CONTROLLER,
        Flavour::Cronjob => &CRONJOB,
    };
    ACCESS.iter().chain(own).copied().collect()
}
