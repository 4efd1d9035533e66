use mercurious_core::image::Repository;

use super::docker_config::{DockerConfig, Match};

/// What a Docker configuration says about one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerConfigLook {
    /// The keys of `auths` that match, most specific first.
    pub keys: Vec<String>,
    /// The credential helpers that are asked.
    pub helpers: Vec<String>,
    /// All that could end up in a log.
    pub debug: String,
}

/// Reads a `config.json`, or a `.dockercfg` where it is none; the error is the message.
pub fn docker_config(bytes: &[u8], repository: &Repository) -> Result<DockerConfigLook, String> {
    let config = DockerConfig::parse("fuzz", bytes)
        .or_else(|_| DockerConfig::parse_legacy("fuzz", bytes))
        .map_err(|error| error.to_string())?;
    let matches = config.matches(repository);
    let mut look = DockerConfigLook {
        keys: Vec::new(),
        helpers: Vec::new(),
        debug: format!("{config:?} {matches:?}"),
    };
    for found in matches {
        match found {
            Match::Ready { key, .. } | Match::Broken { key, .. } => look.keys.push(key),
            Match::Helper { name, .. } => look.helpers.push(name),
        }
    }
    Ok(look)
}
