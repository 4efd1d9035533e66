use std::collections::BTreeMap;

use mercurious_core::resources::ObjectName;

use crate::{EnvFromSource, EnvValue, Fault, ManifestErrors, Manifests, Origin, VolumeSource};

/// Every reference between objects resolves, and nothing is owned twice.
pub(crate) fn references(manifests: &Manifests) -> ManifestErrors {
    let mut check = Check { manifests, faults: ManifestErrors::default() };
    check.deployments();
    check.services();
    check.ingresses();
    check.auto_deploys();
    check.faults
}

struct Check<'m> {
    manifests: &'m Manifests,
    faults: ManifestErrors,
}

impl Check<'_> {
    fn fault(&mut self, origin: &Origin, field: &str, what: String, hint: &str) {
        self.faults.push(Fault {
            origin: origin.clone(),
            field: field.to_owned(),
            what,
            hint: Some(hint.to_owned()).filter(|hint| !hint.is_empty()),
        });
    }

    fn deployments(&mut self) {
        for (name, sourced) in &self.manifests.deployments {
            let (origin, deployment) = (&sourced.origin, &sourced.value);
            let template = &deployment.template;
            if deployment
                .selector
                .iter()
                .any(|(key, value)| template.labels.get(key) != Some(value))
            {
                self.fault(
                    origin,
                    "spec.selector",
                    "does not match the labels of spec.template".to_owned(),
                    "make them the same",
                );
            }
            if template.containers.len() != 1 {
                let what = format!(
                    "{} containers; one machine runs one for each replica",
                    template.containers.len()
                );
                self.fault(origin, "spec.template.spec.containers", what, "split the Deployment");
            }
            let secret = |name_: &str| {
                self.manifests.secrets.contains_key(&ObjectName::new(&name.namespace, name_))
            };
            let map = |name_: &str| {
                self.manifests.config_maps.contains_key(&ObjectName::new(&name.namespace, name_))
            };
            let mut missing: Vec<(String, String)> = Vec::new();
            for name in template.image_pull_secrets.iter().filter(|name| !secret(name)) {
                missing.push((
                    "spec.template.spec.imagePullSecrets".to_owned(),
                    format!("Secret {name}"),
                ));
            }
            for container in &template.containers {
                for from in &container.env_from {
                    match &from.source {
                        EnvFromSource::ConfigMap(source)
                            if !source.optional && !map(&source.name) =>
                        {
                            missing
                                .push(("envFrom".to_owned(), format!("ConfigMap {}", source.name)));
                        }
                        EnvFromSource::Secret(source)
                            if !source.optional && !secret(&source.name) =>
                        {
                            missing.push(("envFrom".to_owned(), format!("Secret {}", source.name)));
                        }
                        _ => {}
                    }
                }
                for variable in &container.env {
                    match &variable.value {
                        EnvValue::ConfigMapKey(key) if !key.optional && !map(&key.name) => {
                            missing.push((
                                format!("env {}", variable.name),
                                format!("ConfigMap {}", key.name),
                            ));
                        }
                        EnvValue::SecretKey(key) if !key.optional && !secret(&key.name) => {
                            missing.push((
                                format!("env {}", variable.name),
                                format!("Secret {}", key.name),
                            ));
                        }
                        _ => {}
                    }
                }
                for mount in &container.volume_mounts {
                    if !template.volumes.iter().any(|volume| volume.name == mount.name) {
                        missing.push(("volumeMounts".to_owned(), format!("volume {}", mount.name)));
                    }
                }
            }
            for volume in &template.volumes {
                match &volume.source {
                    VolumeSource::ConfigMap(source) if !source.optional && !map(&source.name) => {
                        missing.push((
                            format!("volume {}", volume.name),
                            format!("ConfigMap {}", source.name),
                        ));
                    }
                    VolumeSource::Secret(source) if !source.optional && !secret(&source.name) => {
                        missing.push((
                            format!("volume {}", volume.name),
                            format!("Secret {}", source.name),
                        ));
                    }
                    _ => {}
                }
            }
            for (field, what) in missing {
                self.fault(
                    origin,
                    &field,
                    format!("there is no {what} in namespace {}", name.namespace),
                    "add it to the manifests",
                );
            }
        }
    }

    fn services(&mut self) {
        for (name, sourced) in &self.manifests.services {
            let selected = self.manifests.deployments.values().any(|deployment| {
                deployment.value.name.namespace == name.namespace
                    && sourced.value.selects(&deployment.value.template.labels)
            });
            if !selected {
                self.fault(
                    &sourced.origin,
                    "spec.selector",
                    "selects no Deployment's replicas".to_owned(),
                    "compare it with the labels of spec.template",
                );
            }
        }
    }

    fn ingresses(&mut self) {
        let mut owners: BTreeMap<(String, String), Origin> = BTreeMap::new();
        for (name, sourced) in &self.manifests.ingresses {
            let rules = sourced
                .value
                .rules
                .iter()
                .flat_map(|rule| rule.paths.iter().map(move |path| (rule.host.clone(), path)));
            for (host, path) in rules {
                let backend = ObjectName::new(&name.namespace, &path.backend.service);
                match self.manifests.services.get(&backend) {
                    None => {
                        let what = format!("there is no Service {backend}");
                        self.fault(
                            &sourced.origin,
                            "spec.rules",
                            what,
                            "an Ingress and its Service share a namespace",
                        );
                    }
                    Some(service) if service.value.port(&path.backend.port).is_none() => {
                        let what = format!("Service {backend} has no port {}", path.backend.port);
                        self.fault(&sourced.origin, "spec.rules", what, "");
                    }
                    Some(_) => {}
                }
                let key = (
                    host.clone().unwrap_or_else(|| "*".to_owned()),
                    format!("{:?} {}", path.path_type, path.path),
                );
                if let Some(other) = owners.insert(key, sourced.origin.clone()) {
                    let what = format!(
                        "{}{} belongs to the Ingress at {other} already",
                        host.unwrap_or_default(),
                        path.path
                    );
                    self.fault(
                        &sourced.origin,
                        "spec.rules",
                        what,
                        "one owner for each host and path",
                    );
                }
            }
        }
    }

    fn auto_deploys(&mut self) {
        let mut owners: BTreeMap<ObjectName, ObjectName> = BTreeMap::new();
        for (name, sourced) in &self.manifests.auto_deploys {
            let (origin, spec) = (&sourced.origin, &sourced.value.spec);
            let target = ObjectName::new(&name.namespace, &spec.target.name);
            if spec.target.kind != "Deployment" {
                self.fault(
                    origin,
                    "spec.target.kind",
                    format!("{} is not supported", spec.target.kind),
                    "use Deployment",
                );
            }
            match self.manifests.deployments.get(&target) {
                None => self.fault(
                    origin,
                    "spec.target",
                    format!("there is no Deployment {target}"),
                    "an AutoDeploy and its workload share a namespace",
                ),
                Some(deployment) => {
                    let names: Vec<&str> = deployment
                        .value
                        .template
                        .containers
                        .iter()
                        .map(|it| it.name.as_str())
                        .collect();
                    if let Some(wanted) =
                        spec.container.as_deref().filter(|wanted| !names.contains(wanted))
                    {
                        let what = format!("Deployment {target} has no container {wanted}");
                        self.fault(
                            origin,
                            "spec.container",
                            what,
                            &format!("it has {}", names.join(", ")),
                        );
                    }
                }
            }
            if let Some(other) = owners.insert(target.clone(), name.clone()) {
                self.fault(
                    origin,
                    "spec.target",
                    format!("Deployment {target} is steered by AutoDeploy {other} already"),
                    "one writer for each workload",
                );
            }
            for check in &spec.checks {
                if check.http.is_some() == check.logs.is_some() {
                    self.fault(
                        origin,
                        "spec.checks",
                        format!("check {} must have exactly one of http and logs", check.name),
                        "",
                    );
                }
            }
            let policy_name = ObjectName::new(
                spec.policy_ref.namespace.as_deref().unwrap_or(&name.namespace),
                &spec.policy_ref.name,
            );
            if !self.manifests.image_policies.contains_key(&policy_name) {
                self.fault(
                    origin,
                    "spec.policyRef",
                    format!("there is no ImagePolicy {policy_name}"),
                    "add it, or give its namespace",
                );
            }
        }
        for (name, sourced) in &self.manifests.image_policies {
            let choice = &sourced.value.spec.policy;
            let orders = [
                choice.semver.is_some(),
                choice.alphabetical.is_some(),
                choice.numerical.is_some(),
            ];
            let orders = orders.into_iter().filter(|given| *given).count();
            let annotated = sourced.value.metadata.annotations.contains_key("mercurious.dev/order");
            if orders > 1 || (orders == 0 && !annotated) {
                self.fault(
                    &sourced.origin,
                    "spec.policy",
                    format!("{orders} orders are given; exactly one is needed"),
                    "give semver, alphabetical or numerical, or the annotation `mercurious.dev/order: newest`",
                );
            }
            let reference = &sourced.value.spec.image_repository_ref;
            let repository = ObjectName::new(
                reference.namespace.as_deref().unwrap_or(&name.namespace),
                &reference.name,
            );
            if !self.manifests.image_repositories.contains_key(&repository) {
                self.fault(
                    &sourced.origin,
                    "spec.imageRepositoryRef",
                    format!("there is no ImageRepository {repository}"),
                    "",
                );
            }
        }
        for (name, sourced) in &self.manifests.image_repositories {
            let secrets =
                sourced.value.spec.secret_ref.iter().chain(&sourced.value.spec.cert_secret_ref);
            for secret in secrets {
                let secret = ObjectName::new(&name.namespace, &secret.name);
                if !self.manifests.secrets.contains_key(&secret) {
                    self.fault(
                        &sourced.origin,
                        "spec.secretRef",
                        format!("there is no Secret {secret}"),
                        "add it to the manifests",
                    );
                }
            }
        }
    }
}
