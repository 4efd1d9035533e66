use std::collections::BTreeSet;

use mercurious_core::resources::ObjectName;

use super::Check;
use crate::{
    Container, Deployment, EnvFromSource, EnvValue, KeyRef, MapVolume, PortRef, Probe, ProbeAction,
    Sourced, VolumeSource,
};

/// Which of the two a reference names.
#[derive(Clone, Copy)]
enum Source {
    ConfigMap,
    Secret,
}

impl Check<'_> {
    pub(super) fn deployments(&mut self) {
        for object in self.manifests.deployments.values() {
            let deployment = &object.value;
            let labels = &deployment.template.labels;
            if deployment.selector.iter().any(|(key, value)| labels.get(key) != Some(value)) {
                self.fault(
                    object,
                    "spec.selector.matchLabels",
                    "does not match spec.template.metadata.labels".to_owned(),
                    "write the same labels there",
                );
            }
            let pod = "spec.template.spec";
            if deployment.template.containers.len() > 1 {
                let what = format!(
                    "has {} containers, and one machine runs one for each replica",
                    deployment.template.containers.len()
                );
                let hint = "write a Deployment for each of them";
                self.fault(object, &format!("{pod}.containers"), what, hint);
            }
            for (index, name) in deployment.template.image_pull_secrets.iter().enumerate() {
                let field = format!("{pod}.imagePullSecrets[{index}].name");
                self.source(object, &field, Source::Secret, name, &[]);
            }
            let mut volumes = BTreeSet::new();
            for (index, volume) in deployment.template.volumes.iter().enumerate() {
                let field = format!("{pod}.volumes[{index}]");
                if !volumes.insert(volume.name.as_str()) {
                    let what = format!("there is another volume `{}`", volume.name);
                    self.fault(object, &format!("{field}.name"), what, "rename one of them");
                }
                match &volume.source {
                    VolumeSource::ConfigMap(map) => {
                        let field = format!("{field}.configMap.name");
                        self.volume(object, &field, Source::ConfigMap, map);
                    }
                    VolumeSource::Secret(map) => {
                        let field = format!("{field}.secret.secretName");
                        self.volume(object, &field, Source::Secret, map);
                    }
                    VolumeSource::EmptyDir(_) => {}
                    VolumeSource::Claim(claim) => {
                        let name = ObjectName::new(&deployment.name.namespace, &claim.name);
                        if !self.manifests.claims.contains_key(&name) {
                            let add = "add it to the manifests";
                            let hint = Self::elsewhere(&self.manifests.claims, &name, add);
                            let what = format!("there is no PersistentVolumeClaim {name}");
                            let field = format!("{field}.persistentVolumeClaim.claimName");
                            self.fault(object, &field, what, &hint);
                        }
                    }
                }
            }
            for (index, container) in deployment.template.containers.iter().enumerate() {
                self.container(object, container, &format!("{pod}.containers[{index}]"));
            }
        }
    }

    fn container(&mut self, object: &Sourced<Deployment>, container: &Container, path: &str) {
        for (index, from) in container.env_from.iter().enumerate() {
            let field = format!("{path}.envFrom[{index}]");
            let (source, reference, field) = match &from.source {
                EnvFromSource::ConfigMap(reference) => {
                    (Source::ConfigMap, reference, format!("{field}.configMapRef.name"))
                }
                EnvFromSource::Secret(reference) => {
                    (Source::Secret, reference, format!("{field}.secretRef.name"))
                }
            };
            if !reference.optional {
                self.source(object, &field, source, &reference.name, &[]);
            }
        }
        for (index, variable) in container.env.iter().enumerate() {
            let field = format!("{path}.env[{index}].valueFrom");
            match &variable.value {
                EnvValue::ConfigMapKey(key) => {
                    self.key(object, &format!("{field}.configMapKeyRef"), Source::ConfigMap, key);
                }
                EnvValue::SecretKey(key) => {
                    self.key(object, &format!("{field}.secretKeyRef"), Source::Secret, key);
                }
                EnvValue::Text(_) | EnvValue::Field(_) => {}
            }
        }
        let volumes = &object.value.template.volumes;
        let mut paths = BTreeSet::new();
        for (index, mount) in container.volume_mounts.iter().enumerate() {
            let field = format!("{path}.volumeMounts[{index}]");
            if !volumes.iter().any(|volume| volume.name == mount.name) {
                let what =
                    format!("there is no volume `{}` in spec.template.spec.volumes", mount.name);
                self.fault(object, &format!("{field}.name"), what, "add it, or correct the name");
            }
            if !paths.insert(mount.mount_path.trim_end_matches('/')) {
                let what = format!("another volume is mounted at `{}`", mount.mount_path);
                self.fault(object, &format!("{field}.mountPath"), what, "choose another path");
            }
        }
        self.ports(object, container, path);
    }

    fn ports(&mut self, object: &Sourced<Deployment>, container: &Container, path: &str) {
        let mut names = BTreeSet::new();
        for (index, port) in container.ports.iter().enumerate() {
            if let Some(name) = port.name.as_deref()
                && !names.insert(name)
            {
                let what = format!("there is another port `{name}`");
                let field = format!("{path}.ports[{index}].name");
                self.fault(object, &field, what, "rename one of them");
            }
        }
        let probes = [
            ("readinessProbe", &container.readiness_probe),
            ("livenessProbe", &container.liveness_probe),
            ("startupProbe", &container.startup_probe),
        ];
        for (name, probe) in probes {
            let Some(probe) = probe else { continue };
            let field = format!("{path}.{name}");
            self.probe(object, container, probe, &field);
            if name != "readinessProbe" && probe.success_threshold != 1 {
                let field = format!("{field}.successThreshold");
                self.fault(object, &field, format!("must be 1 for a {name}"), "");
            }
        }
    }

    fn probe(
        &mut self,
        object: &Sourced<Deployment>,
        container: &Container,
        probe: &Probe,
        path: &str,
    ) {
        let (port, field) = match &probe.action {
            ProbeAction::HttpGet(get) => (&get.port, "httpGet.port"),
            ProbeAction::TcpSocket(socket) => (&socket.port, "tcpSocket.port"),
            ProbeAction::Exec(_) => return,
        };
        let PortRef::Name(name) = port else { return };
        if container.ports.iter().any(|port| port.name.as_ref() == Some(name)) {
            return;
        }
        let what = format!("container `{}` has no port named `{name}`", container.name);
        self.fault(object, &format!("{path}.{field}"), what, "name one of its `ports`");
    }

    fn key(&mut self, object: &Sourced<Deployment>, field: &str, source: Source, key: &KeyRef) {
        if !key.optional {
            self.source(object, field, source, &key.name, &[&key.key]);
        }
    }

    fn volume(
        &mut self,
        object: &Sourced<Deployment>,
        field: &str,
        source: Source,
        volume: &MapVolume,
    ) {
        if !volume.optional {
            let keys: Vec<&str> = volume.items.iter().map(|item| item.key.as_str()).collect();
            self.source(object, field, source, &volume.name, &keys);
        }
    }

    /// A ConfigMap or Secret is there, and has these keys.
    fn source(
        &mut self,
        object: &Sourced<Deployment>,
        field: &str,
        source: Source,
        name: &str,
        keys: &[&str],
    ) {
        let name = ObjectName::new(&object.value.name.namespace, name);
        let add = "add it to the manifests";
        let (kind, has, hint) = match source {
            Source::ConfigMap => {
                let found = self.manifests.config_maps.get(&name).map(|it| &it.value);
                let has = found.map(|map| {
                    let has =
                        |key: &str| map.data.contains_key(key) || map.binary_data.contains_key(key);
                    keys.iter().copied().filter(|key| !has(key)).collect::<Vec<_>>()
                });
                ("ConfigMap", has, Self::elsewhere(&self.manifests.config_maps, &name, add))
            }
            Source::Secret => {
                let found = self.manifests.secrets.get(&name).map(|it| &it.value);
                let has = found.map(|secret| {
                    let has = |key: &str| secret.data.contains_key(key);
                    keys.iter().copied().filter(|key| !has(key)).collect::<Vec<_>>()
                });
                ("Secret", has, Self::elsewhere(&self.manifests.secrets, &name, add))
            }
        };
        match has {
            None => self.fault(object, field, format!("there is no {kind} {name}"), &hint),
            Some(missing) => {
                for key in missing {
                    let what = format!("{kind} {name} has no key `{key}`");
                    self.fault(object, field, what, "add it, or write `optional: true`");
                }
            }
        }
    }
}
