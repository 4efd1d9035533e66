use std::{collections::BTreeMap, path::Path, time::Duration};

use mercurious_core::image::Digest;
use mercurious_manifests::{
    Deployment, PodFacts, PortRef, PreStop, Probe, ProbeAction as ManifestAction, environment,
    expand,
};
use mercurious_sandbox::{
    probe::{ProbeAction, ProbeSpec},
    run::{Identity, IdentityRequest, Isolation, ReplicaNetwork, ReplicaSpec, identity},
    unpack::ImageConfig,
};
use nix::sys::signal::Signal;

use super::{controller::Surroundings, mounts::Mounts};
use crate::pull::PulledImage;

/// What a replica is made from: the manifest with one image.
#[derive(Clone)]
pub(super) struct Template {
    pulled: PulledImage,
}

/// A replica's process and its probes, with its own ports filled in.
pub(super) struct Plan {
    pub(super) spec: ReplicaSpec,
    pub(super) startup: Option<ProbeSpec>,
    pub(super) readiness: Option<ProbeSpec>,
    pub(super) liveness: Option<ProbeSpec>,
    pub(super) pre_stop: Option<PreStop>,
}

/// The annotation of a pod template that says on which network its replicas are: `shared` or `private`.
pub(super) const NETWORK: &str = "mercurious.dev/network";

impl Template {
    /// Names what the replicas run: two replicas with the same text are the same.
    pub(super) fn revision(image: &str, restart: Option<&str>) -> String {
        let text = format!("{image}\n{}", restart.unwrap_or_default());
        Digest::of(text.as_bytes()).short()[..10].to_owned()
    }

    pub(super) fn new(pulled: &PulledImage) -> Self {
        Self { pulled: pulled.clone() }
    }

    /// The plan for one replica with these ports, by container port.
    pub(super) fn plan(
        &self,
        deployment: &Deployment,
        surroundings: &Surroundings,
        name: &str,
        ports: &BTreeMap<u16, u16>,
    ) -> Result<Plan, String> {
        let container =
            deployment.template.containers.first().ok_or("the Deployment has no container")?;
        let config: &ImageConfig = &self.pulled.unpacked.config;
        let namespace = &deployment.name.namespace;
        let mut given: BTreeMap<String, String> = BTreeMap::from([(
            "PATH".to_owned(),
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        )]);
        given.insert("HOSTNAME".to_owned(), name.to_owned());
        given.extend(surroundings.network.variables(namespace));
        let network = network(deployment, surroundings, ports)?;
        let identity = run_as(config, &self.pulled.unpacked.rootfs, deployment, surroundings)?;
        if let Some(home) = &identity.home {
            given.insert("HOME".to_owned(), home.clone());
        }
        given.extend(config.env.iter().cloned());
        // The replica's own ports: the first one is `PORT`.
        for (index, port) in container.ports.iter().enumerate() {
            let Some(own) = ports.get(&port.container_port) else { continue };
            let own = match network {
                ReplicaNetwork::Shared => *own,
                ReplicaNetwork::Private { .. } => port.container_port,
            };
            if index == 0 {
                given.insert("PORT".to_owned(), own.to_string());
            }
            given.insert(format!("PORT_{}", port.container_port), own.to_string());
        }
        let facts = PodFacts {
            name: name.to_owned(),
            namespace: namespace.to_string(),
            ip: "127.0.0.1".to_owned(),
        };
        let mounts = Mounts::new(deployment, surroundings)?;
        given.extend(mounts.variables.iter().cloned());
        let env = environment(container, &facts, &surroundings.manifests, given)
            .map_err(|error| error.to_string())?;
        let env = own_port(env, &network, ports);
        let fill = |words: &[String]| -> Vec<String> {
            words
                .iter()
                .map(|word| expand(word, |name| env.get(name).map(String::as_str)))
                .collect()
        };
        // Kubernetes' rule: `command` replaces the entrypoint and the image's arguments, `args` only these.
        let mut argv = if container.command.is_empty() {
            config.entrypoint.clone()
        } else {
            fill(&container.command)
        };
        if !container.args.is_empty() {
            argv.extend(fill(&container.args));
        } else if container.command.is_empty() {
            argv.extend(config.cmd.iter().cloned());
        }
        let port_of = |port: &PortRef| -> Result<u16, String> {
            let wanted = match port {
                PortRef::Number(number) => *number,
                PortRef::Name(name) => container
                    .ports
                    .iter()
                    .find(|port| port.name.as_ref() == Some(name))
                    .map(|port| port.container_port)
                    .ok_or_else(|| format!("the container has no port named {name}"))?,
            };
            Ok(ports.get(&wanted).copied().unwrap_or(wanted))
        };
        let probe = |probe: &Option<Probe>| -> Result<Option<ProbeSpec>, String> {
            let Some(probe) = probe else { return Ok(None) };
            let action = match &probe.action {
                ManifestAction::HttpGet(get) => ProbeAction::Http {
                    path: get.path.clone(),
                    port: port_of(&get.port)?,
                    headers: get
                        .http_headers
                        .iter()
                        .map(|it| (it.name.clone(), it.value.clone()))
                        .collect(),
                },
                ManifestAction::TcpSocket(socket) => {
                    ProbeAction::Tcp { port: port_of(&socket.port)? }
                }
                ManifestAction::Exec(exec) => ProbeAction::Exec { argv: exec.command.clone() },
            };
            let seconds = |number: u32| Duration::from_secs(u64::from(number));
            Ok(Some(ProbeSpec {
                action,
                initial_delay: seconds(probe.initial_delay_seconds),
                period: seconds(probe.period_seconds.max(1)),
                timeout: seconds(probe.timeout_seconds.max(1)),
                success_threshold: probe.success_threshold,
                failure_threshold: probe.failure_threshold,
            }))
        };
        Ok(Plan {
            startup: probe(&container.startup_probe)?,
            readiness: probe(&container.readiness_probe)?,
            liveness: probe(&container.liveness_probe)?,
            pre_stop: container.lifecycle.pre_stop.clone(),
            spec: ReplicaSpec {
                name: name.to_owned(),
                rootfs: self.pulled.unpacked.rootfs.clone(),
                argv,
                workdir: container.working_dir.clone().unwrap_or_else(|| config.workdir.clone()),
                env,
                files: mounts.files,
                directories: mounts.directories,
                scratch: mounts.scratch,
                read_only: container.security_context.read_only_root_filesystem,
                identity,
                network,
                directory: surroundings.replicas.join(name),
                log: surroundings.logs.join(format!("{}_{}.log", namespace, deployment.name.name)),
            },
        })
    }

    /// The signal that asks the image's program to stop.
    pub(super) fn stop_signal(&self) -> Signal {
        match self.pulled.unpacked.config.stop_signal.as_deref() {
            None | Some("") => Signal::SIGTERM,
            Some(text) => signal(text).unwrap_or_else(|| {
                tracing::warn!(image.stop_signal = %text, "unknown stop signal of an image; SIGTERM is sent");
                Signal::SIGTERM
            }),
        }
    }
}

/// `SIGQUIT`, `QUIT` or `3`, as images say it.
fn signal(text: &str) -> Option<Signal> {
    let name = text.to_ascii_uppercase();
    match text.parse::<i32>() {
        Ok(number) => Signal::try_from(number).ok(),
        Err(_) if name.starts_with("SIG") => name.parse().ok(),
        Err(_) => format!("SIG{name}").parse().ok(),
    }
}

/// A manifest that says `PORT: "8080"` beside `containerPort: 8080` means the port of its replica, wherever that is.
fn own_port(
    mut env: BTreeMap<String, String>,
    network: &ReplicaNetwork,
    ports: &BTreeMap<u16, u16>,
) -> BTreeMap<String, String> {
    let named = env.get("PORT").and_then(|text| text.parse().ok());
    if let (ReplicaNetwork::Shared, Some(own)) =
        (network, named.and_then(|port: u16| ports.get(&port)))
    {
        env.insert("PORT".to_owned(), own.to_string());
    }
    env
}

fn network(
    deployment: &Deployment,
    surroundings: &Surroundings,
    ports: &BTreeMap<u16, u16>,
) -> Result<ReplicaNetwork, String> {
    match deployment.template.annotations.get(NETWORK).map(String::as_str) {
        None | Some("shared") => Ok(ReplicaNetwork::Shared),
        Some("private") => {
            let services = surroundings.network.addresses();
            let mut reached: Vec<u16> =
                services.into_iter().map(|opened| opened.address.port()).collect();
            // What the replica itself listens on is its own.
            reached.retain(|port| !ports.contains_key(port));
            Ok(ReplicaNetwork::Private {
                forwards: ports.iter().map(|(inner, outer)| (*outer, *inner)).collect(),
                reached,
            })
        }
        Some(other) => Err(format!(
            "the pod template's annotation {NETWORK} is `{other}`: write `shared` or `private`"
        )),
    }
}

/// Who runs; refused where nothing could make it so.
fn run_as(
    config: &ImageConfig,
    rootfs: &Path,
    deployment: &Deployment,
    surroundings: &Surroundings,
) -> Result<Identity, String> {
    let (own, pods) =
        (&deployment.template.containers[0].security_context, &deployment.template.security);
    let run_as_user = own.run_as_user.or(pods.run_as_user);
    let request = IdentityRequest {
        image_user: config.user.as_deref(),
        run_as_user,
        run_as_group: own.run_as_group.or(pods.run_as_group),
        non_root: own.run_as_non_root.or(pods.run_as_non_root).unwrap_or(false),
    };
    let identity = identity(rootfs, request).map_err(|error| error.to_string())?;
    if let Isolation::Plain { .. } = surroundings.runner.isolation() {
        if !config.published_here {
            return Err("the image was not made by `mercurious publish` and needs its own root file system, \
                        which plain processes do not have; install bubblewrap, and start without --no-sandbox"
                .to_owned());
        }
        let here = nix::unistd::geteuid().as_raw();
        if run_as_user.is_some_and(|wanted| wanted != here) || (request.non_root && here == 0) {
            return Err(format!(
                "securityContext asks for another user than {here}, which plain processes run as; \
                 install bubblewrap, and start without --no-sandbox"
            ));
        }
    }
    Ok(identity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_the_manifest_names_is_the_replicas_own() {
        let ports = BTreeMap::from([(8080, 41_000)]);
        let port = |text: &str, network: ReplicaNetwork| {
            let env = BTreeMap::from([("PORT".to_owned(), text.to_owned())]);
            own_port(env, &network, &ports)["PORT"].clone()
        };
        let private = ReplicaNetwork::Private { forwards: Vec::new(), reached: Vec::new() };
        assert_eq!(port("8080", ReplicaNetwork::Shared), "41000");
        assert_eq!(port("8080", private), "8080");
        assert_eq!(port("41000", ReplicaNetwork::Shared), "41000");
    }

    #[test]
    fn a_stop_signal_may_be_written_in_three_ways() {
        for text in ["SIGQUIT", "QUIT", "quit", "3"] {
            assert_eq!(signal(text), Some(Signal::SIGQUIT), "{text}");
        }
        assert_eq!(signal("SIGRTMIN+3"), None);
        assert_eq!(signal("99"), None);
    }
}
