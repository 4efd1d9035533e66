use std::{
    borrow::Borrow,
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use mercurious_core::{
    image::{Repository, RepositoryError},
    policy::{Policy, PolicyError, PolicyWarning},
    resources::{AutoDeploy, ImagePolicy, ImageRepository, ObjectName, Provider},
};

use crate::Admission;

/// One place to look at: an ImageRepository, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The object's name: the key of what was seen.
    pub name: ObjectName,
    /// The repository.
    pub repository: Repository,
    /// The Secret with credentials, in the object's namespace.
    pub secret: Option<ObjectName>,
    /// The ServiceAccount whose pull secrets may be used.
    pub service_account: Option<ObjectName>,
    /// The Secret with an extra certificate authority, or with a certificate of our own.
    pub certificate_secret: Option<ObjectName>,
    /// The Secret with the address of a proxy.
    pub proxy_secret: Option<ObjectName>,
    /// Plain HTTP is allowed.
    pub insecure: bool,
    /// Tags that match any of these are dropped.
    pub exclusions: Vec<String>,
    /// How long one look may take.
    pub timeout: Duration,
    /// Whether its tags are shown to people, so that they must be known although no policy asks.
    pub shown: bool,
}

impl Place {
    /// Whether what was seen of the other place holds for this one.
    pub(crate) fn sees_the_same(&self, other: &Self) -> bool {
        self.repository == other.repository && self.exclusions == other.exclusions
    }
}

/// A place, how often to look at it, and the policies that choose from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryWish {
    /// Where.
    pub place: Arc<Place>,
    /// How often.
    pub interval: Duration,
    /// Not at all, for now.
    pub suspended: bool,
    /// Who chooses from it, by the ImagePolicy's name.
    pub policies: BTreeMap<ObjectName, Arc<Policy>>,
}

/// A workload that an auto-deploy steers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The auto-deploy.
    pub auto_deploy: ObjectName,
    /// `Deployment`
    pub kind: String,
    /// The workload.
    pub workload: ObjectName,
    /// The container, where the spec names it.
    pub container: Option<String>,
    /// The policy's own repository: tells which container is meant where none is named.
    pub repository: Repository,
}

/// An auto-deploy with all that it refers to.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// The object as written, without status.
    pub auto_deploy: AutoDeploy,
    /// What it steers.
    pub target: Target,
    /// The ImageRepository's name.
    pub repository: ObjectName,
    /// The ImagePolicy's name.
    pub policy_name: ObjectName,
    /// Which image is the newest.
    pub policy: Arc<Policy>,
    /// What is odd about the policy, for people.
    pub warnings: Vec<PolicyWarning>,
}

/// Everything that is wished for.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// By the auto-deploy's name.
    pub auto_deploys: BTreeMap<ObjectName, Wish>,
    /// By the ImageRepository's name.
    pub repositories: BTreeMap<ObjectName, Arc<RepositoryWish>>,
    /// Policies in words, while they are being understood: equal ones are shared.
    known: BTreeMap<String, Arc<Policy>>,
}

/// Why a wish cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum WishError {
    /// The ImagePolicy that an auto-deploy names is not there.
    #[error(
        "AutoDeploy {auto_deploy}: there is no ImagePolicy {policy}; apply it or correct spec.policyRef"
    )]
    NoPolicy {
        /// Who refers.
        auto_deploy: ObjectName,
        /// To what.
        policy: ObjectName,
    },
    /// The ImageRepository that a policy names is not there.
    #[error(
        "ImagePolicy {policy}: there is no ImageRepository {repository}; apply it or correct spec.imageRepositoryRef"
    )]
    NoRepository {
        /// Who refers.
        policy: ObjectName,
        /// To what.
        repository: ObjectName,
    },
    /// The repository is in another namespace and does not let this policy's namespace in.
    #[error(
        "ImagePolicy {policy}: ImageRepository {repository} does not let namespace {} in; name it in its spec.accessFrom", .policy.namespace
    )]
    AccessDenied {
        /// Who refers.
        policy: ObjectName,
        /// To what.
        repository: ObjectName,
    },
    /// The repository needs something that is not supported: without it the answer would be another one.
    #[error("ImageRepository {repository}: spec.{field} is not supported; {instead}")]
    Unsupported {
        /// Which.
        repository: ObjectName,
        /// The field.
        field: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// The policy means nothing.
    #[error("ImagePolicy {policy}")]
    Policy {
        /// Which.
        policy: ObjectName,
        /// Why.
        source: PolicyError,
    },
    /// The repository's image does not parse.
    #[error("ImageRepository {name}: spec.image")]
    Repository {
        /// Which.
        name: ObjectName,
        /// Why.
        source: RepositoryError,
    },
}

impl Wishes {
    /// Understands objects that were read; every fault is reported, not only the first.
    pub fn new(
        auto_deploys: &BTreeMap<ObjectName, AutoDeploy>,
        policies: &BTreeMap<ObjectName, ImagePolicy>,
        repositories: &BTreeMap<ObjectName, ImageRepository>,
    ) -> Result<Self, Vec<WishError>> {
        let mut faults = Vec::new();
        for (name, repository) in repositories {
            faults.extend(repository_wish(name, repository).err());
        }
        let (wishes, misunderstood) =
            Self::understand(auto_deploys, policies, repositories, &Admission::default());
        // A repository's own fault is reported once, not for each that refers to it.
        faults.extend(
            misunderstood
                .into_values()
                .filter(|fault| !matches!(fault, WishError::Repository { .. })),
        );
        if faults.is_empty() { Ok(wishes) } else { Err(faults) }
    }

    /// Understands what can be understood, and says for each auto-deploy that cannot why not. A repository that
    /// no policy of an auto-deploy chooses from is left out where it cannot be understood.
    pub fn understand<'o>(
        auto_deploys: impl IntoIterator<Item = (&'o ObjectName, &'o AutoDeploy)>,
        policies: &BTreeMap<ObjectName, impl Borrow<ImagePolicy>>,
        repositories: &BTreeMap<ObjectName, impl Borrow<ImageRepository>>,
        admission: &Admission,
    ) -> (Self, BTreeMap<ObjectName, WishError>) {
        let mut wishes = Self::default();
        for (name, repository) in repositories {
            if let Ok(wish) = repository_wish(name, repository.borrow()) {
                wishes.repositories.insert(name.clone(), wish);
            }
        }
        let mut faults = BTreeMap::new();
        for (name, auto_deploy) in auto_deploys {
            match wishes.wish(name, auto_deploy, policies, repositories, admission) {
                Ok(wish) => {
                    wishes.auto_deploys.insert(name.clone(), wish);
                }
                Err(fault) => {
                    faults.insert(name.clone(), fault);
                }
            }
        }
        wishes.known.clear();
        (wishes, faults)
    }

    /// Takes up a policy that no auto-deploy refers to, so that its repository is looked at for it as well. `false`
    /// where that is not understood.
    pub fn show(
        &mut self,
        name: &ObjectName,
        repository: &ObjectName,
        policy: Arc<Policy>,
    ) -> bool {
        let Some(wish) = self.repositories.get_mut(repository) else { return false };
        Arc::make_mut(wish).policies.insert(name.clone(), policy);
        true
    }

    fn wish(
        &mut self,
        name: &ObjectName,
        auto_deploy: &AutoDeploy,
        policies: &BTreeMap<ObjectName, impl Borrow<ImagePolicy>>,
        repositories: &BTreeMap<ObjectName, impl Borrow<ImageRepository>>,
        admission: &Admission,
    ) -> Result<Wish, WishError> {
        let spec = &auto_deploy.spec;
        let policy_name = spec.policy_ref.seen_from(name);
        let Some(policy_object) = policies.get(&policy_name).map(Borrow::borrow) else {
            return Err(WishError::NoPolicy { auto_deploy: name.clone(), policy: policy_name });
        };
        let repository_name = chosen_from(&policy_name, policy_object);
        let Some(repository_object) = repositories.get(&repository_name).map(Borrow::borrow) else {
            return Err(WishError::NoRepository {
                policy: policy_name,
                repository: repository_name,
            });
        };
        if !admission.admits(&repository_name, repository_object, &policy_name.namespace) {
            return Err(WishError::AccessDenied {
                policy: policy_name,
                repository: repository_name,
            });
        }
        let (policy, warnings) = Policy::from_resource(policy_object)
            .map_err(|source| WishError::Policy { policy: policy_name.clone(), source })?;
        let repository = match self.repositories.entry(repository_name.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                place.insert(repository_wish(&repository_name, repository_object)?)
            }
        };
        let known = self.known.entry(policy.describe()).or_insert_with(|| Arc::new(policy.clone()));
        let policy = if **known == policy { Arc::clone(known) } else { Arc::new(policy) };
        Arc::make_mut(repository).policies.insert(policy_name.clone(), Arc::clone(&policy));
        let mut auto_deploy = auto_deploy.clone();
        // A policy that chooses nothing for now moves nothing.
        if policy_object.spec.suspend {
            Arc::make_mut(&mut auto_deploy.spec).suspend = true;
        }
        Ok(Wish {
            auto_deploy,
            target: Target {
                auto_deploy: name.clone(),
                kind: spec.target.kind.clone(),
                workload: name.beside(&spec.target.name),
                container: spec.container.clone(),
                repository: repository.place.repository.clone(),
            },
            repository: repository_name,
            policy_name,
            policy,
            warnings,
        })
    }
}

fn repository_wish(
    name: &ObjectName,
    object: &ImageRepository,
) -> Result<Arc<RepositoryWish>, WishError> {
    let spec = &object.spec;
    let unsupported =
        |field, instead| Err(WishError::Unsupported { repository: name.clone(), field, instead });
    if spec.provider.is_some_and(|provider| provider != Provider::Generic) {
        return unsupported(
            "provider",
            "make a Secret of the registry's token and name it in spec.secretRef",
        );
    }
    let repository = spec
        .image
        .parse()
        .map_err(|source| WishError::Repository { name: name.clone(), source })?;
    let secret = |reference: &Option<mercurious_core::resources::NameRef>| {
        reference.as_ref().map(|reference| name.beside(&reference.name))
    };
    let place = Place {
        name: name.clone(),
        repository,
        secret: secret(&spec.secret_ref),
        service_account: spec.service_account_name.as_ref().map(|account| name.beside(account)),
        certificate_secret: secret(&spec.cert_secret_ref),
        proxy_secret: secret(&spec.proxy_secret_ref),
        insecure: spec.insecure,
        exclusions: spec.exclusion_list.clone(),
        timeout: spec.timeout.unwrap_or(spec.interval).0.max(Duration::from_secs(1)),
        shown: false,
    };
    Ok(Arc::new(RepositoryWish {
        place: Arc::new(place),
        interval: spec.interval.0.max(Duration::from_secs(1)),
        suspended: spec.suspend,
        policies: BTreeMap::new(),
    }))
}

/// The repository that a policy chooses from.
pub fn chosen_from(name: &ObjectName, policy: &ImagePolicy) -> ObjectName {
    policy.spec.image_repository_ref.seen_from(name)
}
