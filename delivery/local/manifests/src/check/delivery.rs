use std::{collections::BTreeMap, error::Error, fmt::Write as _};

use mercurious_core::{
    image::Repository,
    policy::{Policy, PolicyError},
    resources::{AutoDeploy, ObjectName},
};

use super::Check;
use crate::Sourced;

impl Check<'_> {
    pub(super) fn auto_deploys(&mut self) {
        let mut owners: BTreeMap<ObjectName, &ObjectName> = BTreeMap::new();
        for (name, object) in &self.manifests.auto_deploys {
            let spec = &object.value.spec;
            let target = ObjectName::new(&name.namespace, &spec.target.name);
            if let Some(other) = owners.insert(target.clone(), name) {
                let what = format!("Deployment {target} follows AutoDeploy {other} already");
                self.fault(object, "spec.target.name", what, "a workload has one writer");
            }
            let policy = spec.policy_ref.seen_from(name);
            if !self.manifests.image_policies.contains_key(&policy) {
                let otherwise = "add it to the manifests";
                let hint = Self::elsewhere(&self.manifests.image_policies, &policy, otherwise);
                let what = format!("there is no ImagePolicy {policy}");
                self.fault(object, "spec.policyRef", what, &hint);
            }
            self.questions(object);
            if self.manifests.deployments.contains_key(&target) {
                self.followed_container(object, &target, &policy);
            } else {
                let otherwise = "an AutoDeploy and its workload share a namespace";
                let hint = Self::elsewhere(&self.manifests.deployments, &target, otherwise);
                let what = format!("there is no Deployment {target}");
                self.fault(object, "spec.target.name", what, &hint);
            }
        }
    }

    /// The container is there, or just one runs the policy's repository.
    fn followed_container(
        &mut self,
        object: &Sourced<AutoDeploy>,
        target: &ObjectName,
        policy: &ObjectName,
    ) {
        let Some(deployment) = self.manifests.deployments.get(target) else { return };
        let containers = &deployment.value.template.containers;
        let names: Vec<&str> = containers.iter().map(|it| it.name.as_str()).collect();
        let repository = self.repository(policy);
        let runs = |index: usize| {
            repository
                .as_ref()
                .is_none_or(|it| containers[index].image.reference.repository() == it)
        };
        let named = object.value.spec.container.as_deref();
        let (field, index) = match named {
            Some(wanted) => {
                let Some(index) = names.iter().position(|name| *name == wanted) else {
                    let what = format!("Deployment {target} has no container `{wanted}`");
                    let hint = format!("it has {}", names.join(", "));
                    return self.fault(object, "spec.container", what, &hint);
                };
                ("spec.container", Some(index))
            }
            None => ("spec.policyRef", (0..containers.len()).find(|index| runs(*index))),
        };
        let Some(repository) = &repository else { return };
        if index.is_none_or(|index| !runs(index)) {
            let images: Vec<&str> = containers.iter().map(|it| it.image.text.as_str()).collect();
            let what = format!(
                "ImagePolicy {policy} chooses images of {repository}, but Deployment {target} runs {}",
                images.join(", ")
            );
            self.fault(object, field, what, "name the policy of what runs there");
        }
    }

    fn repository(&self, policy: &ObjectName) -> Option<Repository> {
        let policy_object = self.manifests.image_policies.get(policy)?;
        let name = policy_object.value.spec.image_repository_ref.seen_from(policy);
        self.manifests.image_repositories.get(&name)?.value.spec.image.parse().ok()
    }

    pub(super) fn image_policies(&mut self) {
        for (name, object) in &self.manifests.image_policies {
            let repository = object.value.spec.image_repository_ref.seen_from(name);
            if !self.manifests.image_repositories.contains_key(&repository) {
                let otherwise = "add it to the manifests";
                let hint =
                    Self::elsewhere(&self.manifests.image_repositories, &repository, otherwise);
                let what = format!("there is no ImageRepository {repository}");
                self.fault(object, "spec.imageRepositoryRef", what, &hint);
            }
            if let Err(error) = Policy::from_resource(&object.value) {
                let field = match &error {
                    PolicyError::Range(_) => "spec.policy.semver.range",
                    PolicyError::Filter(_) => "spec.filterTags",
                    PolicyError::NoOrder | PolicyError::SeveralOrders { .. } => "spec.policy",
                    _ => "metadata.annotations",
                };
                self.fault(object, field, chain(&error), "");
            }
        }
    }

    pub(super) fn image_repositories(&mut self) {
        for (name, object) in &self.manifests.image_repositories {
            let spec = &object.value.spec;
            let references = [
                ("spec.secretRef", &spec.secret_ref),
                ("spec.certSecretRef", &spec.cert_secret_ref),
            ];
            for (field, reference) in references {
                let Some(reference) = reference else { continue };
                let secret = ObjectName::new(&name.namespace, &reference.name);
                if !self.manifests.secrets.contains_key(&secret) {
                    let otherwise = "add it to the manifests";
                    let hint = Self::elsewhere(&self.manifests.secrets, &secret, otherwise);
                    let what = format!("there is no Secret {secret}");
                    self.fault(object, &format!("{field}.name"), what, &hint);
                }
            }
        }
    }
}

pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {error}");
        source = error.source();
    }
    text
}
