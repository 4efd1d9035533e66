use std::{collections::BTreeMap, time::Duration};

use mercurious_core::{image::Digest, resources::ObjectName};
use mercurious_manifests::{
    Deployment, MapVolume, PodFacts, PortRef, PreStop, Probe, ProbeAction as ManifestAction,
    VolumeSource, environment, expand,
};
use mercurious_sandbox::{
    probe::{ProbeAction, ProbeSpec},
    run::{MountedFile, ReplicaSpec},
    unpack::ImageConfig,
};

use super::controller::Surroundings;
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
        given.extend(config.env.iter().cloned());
        // The replica's own ports: the first one is `PORT`.
        for (index, port) in container.ports.iter().enumerate() {
            let Some(own) = ports.get(&port.container_port) else { continue };
            if index == 0 {
                given.insert("PORT".to_owned(), own.to_string());
            }
            given.insert(format!("PORT_{}", port.container_port), own.to_string());
        }
        let facts = PodFacts {
            name: name.to_owned(),
            namespace: namespace.clone(),
            ip: "127.0.0.1".to_owned(),
        };
        let env = environment(container, &facts, &surroundings.manifests, given)
            .map_err(|error| error.to_string())?;
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
        let (files, scratch) = volumes(deployment, surroundings)?;
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
                files,
                scratch,
                directory: surroundings.replicas.join(name),
                log: surroundings.logs.join(format!("{}_{}.log", namespace, deployment.name.name)),
            },
        })
    }

    /// The signal that asks the image's program to stop.
    pub(super) fn stop_signal(&self) -> Option<&str> {
        self.pulled.unpacked.config.stop_signal.as_deref()
    }
}

/// Mounted files of ConfigMaps and Secrets, and the empty directories.
fn volumes(
    deployment: &Deployment,
    surroundings: &Surroundings,
) -> Result<(Vec<MountedFile>, Vec<String>), String> {
    let mut files = Vec::new();
    let mut scratch = Vec::new();
    let container = &deployment.template.containers[0];
    for mount in &container.volume_mounts {
        let Some(volume) =
            deployment.template.volumes.iter().find(|volume| volume.name == mount.name)
        else {
            return Err(format!("there is no volume {}", mount.name));
        };
        let (values, map): (BTreeMap<String, Vec<u8>>, &MapVolume) = match &volume.source {
            VolumeSource::EmptyDir(_) => {
                scratch.push(mount.mount_path.clone());
                continue;
            }
            VolumeSource::ConfigMap(map) => {
                let name = ObjectName::new(&deployment.name.namespace, &map.name);
                let found =
                    surroundings.manifests.config_maps.get(&name).map(|sourced| &sourced.value);
                let values = found.map(|object| {
                    let text = object
                        .data
                        .iter()
                        .map(|(key, value)| (key.clone(), value.clone().into_bytes()));
                    text.chain(object.binary_data.clone()).collect()
                });
                (values.unwrap_or_default(), map)
            }
            VolumeSource::Secret(map) => {
                let name = ObjectName::new(&deployment.name.namespace, &map.name);
                let found = surroundings.manifests.secrets.get(&name).map(|sourced| &sourced.value);
                let values = found.map(|object| {
                    object
                        .data
                        .iter()
                        .map(|(key, value)| (key.clone(), value.expose().to_vec()))
                        .collect()
                });
                (values.unwrap_or_default(), map)
            }
        };
        for (key, contents) in values {
            let path = if map.items.is_empty() {
                Some(key.clone())
            } else {
                map.items.iter().find(|item| item.key == key).map(|item| item.path.clone())
            };
            let Some(path) = path else { continue };
            match &mount.sub_path {
                Some(wanted) if *wanted == path => {
                    files.push(MountedFile { path: mount.mount_path.clone(), contents });
                }
                Some(_) => {}
                None => files.push(MountedFile {
                    path: format!("{}/{path}", mount.mount_path.trim_end_matches('/')),
                    contents,
                }),
            }
        }
    }
    Ok((files, scratch))
}
