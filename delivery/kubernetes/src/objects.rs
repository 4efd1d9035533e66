use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kube::{
    Client,
    api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams},
};
use mercurious_core::{
    decide::Request,
    resources::{AutoDeploy, ImagePolicy, ImageRepository, Metadata, ObjectName},
};
use mercurious_engine::chosen_from;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    api_error::{explain, is_not_found},
    names::{FLUX_GROUP, GROUP, REQUEST_PREFIX, VERSION},
    reflect::{PolicyObject, RepositoryFound},
    stored::StoredStatus,
};

/// Objects are listed so many at a time: a list never lies in memory as a whole.
pub(crate) const PAGE: u32 = 50;

/// The namespaces where auto-deploys are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// These; all where there are none.
    pub namespaces: Vec<String>,
}

/// The generation of Flux's API that a cluster serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FluxVersion {
    /// `status.latestImage`
    V1Beta1,
    /// `status.latestImage`, later both
    V1Beta2,
    /// `status.latestRef`
    V1,
}

/// Why objects could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// The API server refused, or was not there.
    #[error("{what} cannot be listed: {}", explain(.source))]
    List {
        /// Which kind, where.
        what: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// A custom resource is not installed.
    #[error("the cluster does not know {kind} ({group}): apply deploy/mercurious/crds first")]
    NotInstalled {
        /// Which.
        kind: &'static str,
        /// Of which group.
        group: &'static str,
    },
}

/// All objects of the scope that the engine reads.
#[derive(Debug, Default)]
pub struct Objects {
    /// AutoDeploys, with their state.
    pub(crate) auto_deploys: BTreeMap<ObjectName, AutoDeployObject>,
    /// ImagePolicies.
    pub(crate) policies: BTreeMap<ObjectName, Arc<ImagePolicy>>,
    /// ImageRepositories.
    pub(crate) repositories: BTreeMap<ObjectName, RepositoryObject>,
    /// ImageRepositories with their status, those that cannot be understood among them.
    pub(crate) image_repositories: BTreeMap<ObjectName, Arc<RepositoryFound>>,
    /// ImagePolicies likewise.
    pub(crate) image_policies: BTreeMap<ObjectName, Arc<PolicyObject>>,
    /// Objects that cannot be understood, and why.
    pub(crate) faults: BTreeMap<(&'static str, ObjectName), String>,
}

/// An AutoDeploy as it lies in the cluster.
#[derive(Clone, Debug)]
pub(crate) struct AutoDeployObject {
    /// The wish, without state and without requests.
    pub(crate) auto_deploy: AutoDeploy,
    /// What people ask.
    pub(crate) requests: Vec<Request>,
    /// The status, not yet understood.
    pub(crate) status: Option<Value>,
    pub(crate) identity: Identity,
}

/// What is needed to write to an object and to report about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    pub(crate) generation: i64,
}

impl Identity {
    /// Whether this is not older than the other: a watch lags behind an answer.
    pub(crate) fn is_not_before(&self, other: &Self) -> bool {
        match (self.resource_version.parse::<u64>(), other.resource_version.parse::<u64>()) {
            (Ok(own), Ok(other)) => own >= other,
            _ => true,
        }
    }
}

/// An ImageRepository as it lies in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RepositoryObject {
    pub(crate) repository: Arc<ImageRepository>,
    /// What the annotations that ask for a look say.
    pub(crate) asked: Option<String>,
}

impl FluxVersion {
    fn as_str(self) -> &'static str {
        match self {
            Self::V1Beta1 => "v1beta1",
            Self::V1Beta2 => "v1beta2",
            Self::V1 => "v1",
        }
    }

    /// The newest generation that the cluster serves; nothing where it serves none.
    pub async fn discover(client: &Client) -> Result<Option<Self>, ObjectsError> {
        let request = http::Request::get(format!("/apis/{FLUX_GROUP}")).body(Vec::new());
        let failed = |source: kube::Error| ObjectsError::List {
            what: format!("the versions of {FLUX_GROUP}"),
            source: Box::new(source),
        };
        let request = request.map_err(|error| failed(kube::Error::HttpError(error)))?;
        let group: Value = match client.request(request).await {
            Ok(group) => group,
            Err(error) if is_not_found(&error) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let served: Vec<&str> = group["versions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|version| version["version"].as_str())
            .collect();
        let known = [Self::V1, Self::V1Beta2, Self::V1Beta1];
        Ok(known.into_iter().find(|known| served.contains(&known.as_str())))
    }

    pub(crate) fn image_policies(self) -> ApiResource {
        let kind = GroupVersionKind::gvk(FLUX_GROUP, self.as_str(), "ImagePolicy");
        ApiResource::from_gvk_with_plural(&kind, "imagepolicies")
    }

    pub(crate) fn image_repositories(self) -> ApiResource {
        let kind = GroupVersionKind::gvk(FLUX_GROUP, self.as_str(), "ImageRepository");
        ApiResource::from_gvk_with_plural(&kind, "imagerepositories")
    }
}

pub(crate) fn auto_deploys() -> ApiResource {
    let kind = GroupVersionKind::gvk(GROUP, VERSION, "AutoDeploy");
    ApiResource::from_gvk_with_plural(&kind, "autodeploys")
}

impl Scope {
    /// The same where all namespaces are looked at, else these; nothing where there are none.
    fn narrowed(&self, namespaces: BTreeSet<String>) -> Option<Self> {
        if namespaces.is_empty() {
            return None;
        }
        let namespaces =
            if self.namespaces.is_empty() { Vec::new() } else { namespaces.into_iter().collect() };
        Some(Self { namespaces })
    }

    /// One API per namespace of the scope, or one for all.
    pub(crate) fn apis(&self, client: &Client, resource: &ApiResource) -> Vec<Api<DynamicObject>> {
        if self.namespaces.is_empty() {
            return vec![Api::all_with(client.clone(), resource)];
        }
        self.namespaces
            .iter()
            .map(|namespace| Api::namespaced_with(client.clone(), namespace, resource))
            .collect()
    }
}

impl Objects {
    /// Lists everything once, in small pages: the auto-deploys of the scope, then what they refer to, where it is.
    pub async fn list(
        client: &Client,
        scope: &Scope,
        flux: FluxVersion,
    ) -> Result<Self, ObjectsError> {
        let mut objects = Self::default();
        each(client, scope, &auto_deploys(), |object| objects.add_auto_deploy(object)).await?;
        let policies = scope.narrowed(objects.policy_namespaces());
        if let Some(scope) = policies {
            each(client, &scope, &flux.image_policies(), |object| objects.add_policy(&object))
                .await?;
        }
        let repositories = scope.narrowed(objects.repository_namespaces());
        if let Some(scope) = repositories {
            let resource = flux.image_repositories();
            each(client, &scope, &resource, |object| objects.add_repository(&object)).await?;
        }
        Ok(objects)
    }

    /// Where the policies are that auto-deploys refer to.
    pub(crate) fn policy_namespaces(&self) -> BTreeSet<String> {
        let referred = self
            .auto_deploys
            .iter()
            .map(|(name, object)| object.auto_deploy.spec.policy_ref.seen_from(name));
        referred.map(|policy| policy.namespace.to_string()).collect()
    }

    /// Where the repositories are that policies refer to.
    pub(crate) fn repository_namespaces(&self) -> BTreeSet<String> {
        let referred = self.policies.iter().map(|(name, policy)| chosen_from(name, policy));
        referred.map(|repository| repository.namespace.to_string()).collect()
    }

    pub(crate) fn add_auto_deploy(&mut self, object: DynamicObject) {
        let name = name(&object);
        match AutoDeployObject::read(object) {
            Ok(read) => {
                self.faults.remove(&("AutoDeploy", name.clone()));
                self.auto_deploys.insert(name, read);
            }
            Err(fault) => {
                self.auto_deploys.remove(&name);
                self.faults.insert(("AutoDeploy", name), fault);
            }
        }
    }

    pub(crate) fn add_policy(&mut self, object: &DynamicObject) {
        let name = name(object);
        let policy = read_spec(object).map(|spec| {
            Arc::new(ImagePolicy {
                api_version: api_version(object),
                kind: "ImagePolicy".to_owned(),
                metadata: metadata(object),
                spec,
            })
        });
        let found = Arc::new(PolicyObject::read(object, policy.clone()));
        self.image_policies.insert(name.clone(), found);
        match policy {
            Ok(policy) => {
                self.faults.remove(&("ImagePolicy", name.clone()));
                self.policies.insert(name, policy);
            }
            Err(fault) => {
                self.policies.remove(&name);
                self.faults.insert(("ImagePolicy", name), fault);
            }
        }
    }

    pub(crate) fn add_repository(&mut self, object: &DynamicObject) {
        let name = name(object);
        let repository = read_spec(object).map(|spec| {
            Arc::new(ImageRepository {
                api_version: api_version(object),
                kind: "ImageRepository".to_owned(),
                metadata: metadata(object),
                spec,
            })
        });
        let found = Arc::new(RepositoryFound::read(object, repository.clone()));
        let asked = found.asked.clone();
        self.image_repositories.insert(name.clone(), found);
        match repository {
            Ok(repository) => {
                self.faults.remove(&("ImageRepository", name.clone()));
                self.repositories.insert(name, RepositoryObject { repository, asked });
            }
            Err(fault) => {
                self.repositories.remove(&name);
                self.faults.insert(("ImageRepository", name), fault);
            }
        }
    }
}

impl AutoDeployObject {
    pub(crate) fn read(mut object: DynamicObject) -> Result<Self, String> {
        let spec = read_spec(&object)?;
        let status = object.data.get_mut("status").map(Value::take);
        let mut requests = Vec::new();
        for (key, value) in object.metadata.annotations.iter().flatten() {
            if key.starts_with(REQUEST_PREFIX) {
                let request: Request = serde_json::from_str(value)
                    .map_err(|error| format!("the annotation {key}: {error}; remove it"))?;
                requests.push(request);
            }
        }
        requests.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        Ok(Self {
            auto_deploy: AutoDeploy {
                api_version: api_version(&object),
                kind: "AutoDeploy".to_owned(),
                metadata: Arc::new(metadata(&object)),
                spec: Arc::new(spec),
                status: None,
            },
            requests,
            status,
            identity: Identity {
                uid: object.metadata.uid.unwrap_or_default(),
                resource_version: object.metadata.resource_version.unwrap_or_default(),
                generation: object.metadata.generation.unwrap_or_default(),
            },
        })
    }

    pub(crate) fn stored(&self) -> Result<StoredStatus, crate::stored::DamagedStatus> {
        StoredStatus::read(self.status.as_ref())
    }
}

async fn each(
    client: &Client,
    scope: &Scope,
    resource: &ApiResource,
    mut add: impl FnMut(DynamicObject),
) -> Result<(), ObjectsError> {
    for api in scope.apis(client, resource) {
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let page = api.list(&params).await.map_err(|source| failed_list(resource, source))?;
            for object in page.items {
                add(object);
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => break,
            }
        }
    }
    Ok(())
}

pub(crate) fn failed_list(resource: &ApiResource, source: kube::Error) -> ObjectsError {
    if is_not_found(&source) {
        return if resource.group == GROUP {
            ObjectsError::NotInstalled { kind: "AutoDeploy", group: GROUP }
        } else {
            ObjectsError::NotInstalled { kind: "ImagePolicy", group: FLUX_GROUP }
        };
    }
    ObjectsError::List { what: resource.plural.clone(), source: Box::new(source) }
}

pub(crate) fn name(object: &DynamicObject) -> ObjectName {
    ObjectName::new(
        object.metadata.namespace.clone().unwrap_or_default(),
        object.metadata.name.clone().unwrap_or_default(),
    )
}

fn api_version(object: &DynamicObject) -> String {
    object.types.as_ref().map(|types| types.api_version.clone()).unwrap_or_default()
}

fn read_spec<T: DeserializeOwned>(object: &DynamicObject) -> Result<T, String> {
    let spec = object.data.get("spec").ok_or("it has no spec")?;
    T::deserialize(spec).map_err(|error| format!("spec: {error}"))
}

/// The part of the metadata that wishes are made of: what servers and requests add is left out, so that it makes
/// no wish another one.
fn metadata(object: &DynamicObject) -> Metadata {
    let metadata = &object.metadata;
    let annotations =
        metadata.annotations.iter().flatten().filter(|(key, _)| key.starts_with("mercurious.dev/"));
    Metadata {
        name: metadata.name.clone().unwrap_or_default(),
        namespace: metadata.namespace.clone(),
        labels: metadata.labels.clone().unwrap_or_default(),
        annotations: annotations.map(|(key, value)| (key.clone(), value.clone())).collect(),
        ..Metadata::default()
    }
}
