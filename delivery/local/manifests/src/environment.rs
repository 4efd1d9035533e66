use std::collections::BTreeMap;

use crate::{Container, EnvFromSource, EnvValue, KeyRef, Manifests, PodField, expand};
use mercurious_core::resources::ObjectName;

/// What a replica is called and where it is: what `fieldRef` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodFacts {
    /// The replica's own name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its address.
    pub ip: String,
}

/// Why an environment cannot be made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EnvironmentError {
    /// An object is not there.
    #[error("{kind} {name} does not exist; add it, or mark the reference `optional: true`")]
    Missing {
        /// `ConfigMap` or `Secret`
        kind: &'static str,
        /// Which.
        name: ObjectName,
    },
    /// A key is not there.
    #[error("{kind} {name} has no key `{key}`")]
    NoKey {
        /// `ConfigMap` or `Secret`
        kind: &'static str,
        /// Which.
        name: ObjectName,
        /// The key.
        key: String,
    },
    /// A value is not text.
    #[error("the value of `{key}` in {kind} {name} is not UTF-8 text")]
    NotText {
        /// `ConfigMap` or `Secret`
        kind: &'static str,
        /// Which.
        name: ObjectName,
        /// The key.
        key: String,
    },
}

/// The variables of a container: `envFrom` first, then `env` in order, with `$(NAME)` filled in from those
/// before (`given` included).
pub fn environment(
    container: &Container,
    facts: &PodFacts,
    manifests: &Manifests,
    given: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, EnvironmentError> {
    let mut variables = given;
    for from in &container.env_from {
        let (kind, source) = match &from.source {
            EnvFromSource::ConfigMap(source) => ("ConfigMap", source),
            EnvFromSource::Secret(source) => ("Secret", source),
        };
        let name = ObjectName::new(&facts.namespace, &source.name);
        match texts(manifests, kind, &name) {
            Some(values) => {
                for (key, value) in values {
                    let value = value.ok_or_else(|| EnvironmentError::NotText {
                        kind,
                        name: name.clone(),
                        key: key.to_owned(),
                    })?;
                    variables.insert(format!("{}{key}", from.prefix), value.to_owned());
                }
            }
            None if source.optional => {}
            None => return Err(EnvironmentError::Missing { kind, name }),
        }
    }
    for variable in &container.env {
        let value = match &variable.value {
            EnvValue::Text(text) => {
                Some(expand(text, |name| variables.get(name).map(String::as_str)))
            }
            EnvValue::ConfigMapKey(key) => of_key(manifests, "ConfigMap", key, facts)?,
            EnvValue::SecretKey(key) => of_key(manifests, "Secret", key, facts)?,
            EnvValue::Field(PodField::Name) => Some(facts.name.clone()),
            EnvValue::Field(PodField::Namespace) => Some(facts.namespace.clone()),
            EnvValue::Field(PodField::Ip) => Some(facts.ip.clone()),
        };
        if let Some(value) = value {
            variables.insert(variable.name.clone(), value);
        }
    }
    Ok(variables)
}

/// The values of a ConfigMap or Secret, each as text where it is; `None` where there is no such object.
fn texts<'m>(
    manifests: &'m Manifests,
    kind: &str,
    name: &ObjectName,
) -> Option<Vec<(&'m str, Option<&'m str>)>> {
    if kind == "Secret" {
        let secret = &manifests.secrets.get(name)?.value;
        return Some(
            secret.data.iter().map(|(key, value)| (key.as_str(), value.expose_text())).collect(),
        );
    }
    let map = &manifests.config_maps.get(name)?.value;
    Some(map.data.iter().map(|(key, value)| (key.as_str(), Some(value.as_str()))).collect())
}

fn of_key(
    manifests: &Manifests,
    kind: &'static str,
    key: &KeyRef,
    facts: &PodFacts,
) -> Result<Option<String>, EnvironmentError> {
    let name = ObjectName::new(&facts.namespace, &key.name);
    let Some(values) = texts(manifests, kind, &name) else {
        return if key.optional { Ok(None) } else { Err(EnvironmentError::Missing { kind, name }) };
    };
    match values.into_iter().find(|(found, _)| *found == key.key) {
        Some((_, Some(value))) => Ok(Some(value.to_owned())),
        Some((_, None)) => Err(EnvironmentError::NotText { kind, name, key: key.key.clone() }),
        None if key.optional => Ok(None),
        None => Err(EnvironmentError::NoKey { kind, name, key: key.key.clone() }),
    }
}
