use mercurious_core::image::Repository;
use mercurious_registry::fuzzing::docker_config as read;
use serde_json::Value;

use crate::text::assert_fit_to_print;

/// A repository on the first line, a Docker configuration below: what matches is for that registry, and no secret shows.
pub fn docker_config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((repository, config)) = text.split_once('\n') else { return };
    let Ok(repository) = repository.parse::<Repository>() else { return };
    let look = match read(config.as_bytes(), &repository) {
        Ok(look) => look,
        Err(message) => return assert_fit_to_print(&message),
    };
    assert_eq!(Ok(&look), read(config.as_bytes(), &repository).as_ref());
    for key in &look.keys {
        assert_is_for(key, &repository);
    }
    let mut secrets = Vec::new();
    if let Ok(config) = serde_json::from_str(config) {
        collect_secrets(&config, &mut secrets);
    }
    // One that stands elsewhere too (as a host) may be shown from there.
    for secret in secrets.iter().filter(|secret| secret.len() >= 8) {
        if text.matches(secret.as_str()).count() == 1 {
            assert!(!look.debug.contains(secret.as_str()), "a secret is shown: {}", look.debug);
        }
    }
}

/// A key without wildcards matches the registry that it names, and no other.
fn assert_is_for(key: &str, repository: &Repository) {
    let bare = key.trim();
    let bare = bare.split_once("://").map_or(bare, |(_, rest)| rest);
    let host = bare.split('/').next().unwrap_or_default().to_ascii_lowercase();
    let is_docker_hub = repository.host() == "docker.io"
        && ["docker.io", "index.docker.io", "registry-1.docker.io"].contains(&host.as_str());
    let has_wildcards = host.contains(['*', '?', '[']);
    assert!(
        has_wildcards || host == repository.host() || is_docker_hub,
        "`{key}` is used for {repository}"
    );
    // Wildcards stand for parts of a name: dots and the port are there in both.
    if has_wildcards && !host.contains('[') && !is_docker_hub && repository.host() != "docker.io" {
        let dots = |text: &str| text.matches('.').count();
        assert_eq!(dots(&host), dots(repository.host()), "`{key}` is used for {repository}");
    }
}

fn collect_secrets(value: &Value, secrets: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text)
                        if ["auth", "password", "identitytoken", "registrytoken"]
                            .contains(&name.as_str()) =>
                    {
                        secrets.push(text.clone());
                    }
                    other => collect_secrets(other, secrets),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_secrets(item, secrets)),
        _ => {}
    }
}
