//! What is read from the environment: here and in the definitions of the command line, and nowhere else.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use mercurious_registry::Keychain;
use secrecy::SecretString;

use crate::cli::Globals;

#[expect(clippy::disallowed_methods, reason = "these are the settings of a program")]
fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// A secret that a file of settings names by its variable.
pub(crate) fn secret(name: &str) -> Option<SecretString> {
    variable(name)?.into_string().ok().map(Into::into)
}

/// The data directory: the flag, else the user's.
pub(crate) fn data_directory(globals: &Globals) -> anyhow::Result<PathBuf> {
    if let Some(directory) = &globals.data_dir {
        return Ok(directory.clone());
    }
    let base = match variable("XDG_DATA_HOME") {
        Some(base) => PathBuf::from(base),
        None => Path::new(
            &variable("HOME").context("HOME is not set: name a directory with --data-dir")?,
        )
        .join(".local/share"),
    };
    Ok(base.join("mercurious"))
}

/// Docker's and Podman's login files.
pub(crate) fn login_files() -> Vec<PathBuf> {
    let home = variable("HOME").map(PathBuf::from);
    let docker = variable("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| home.as_ref().map(|home| home.join(".docker")))
        .map(|directory| directory.join("config.json"));
    let podman = variable("REGISTRY_AUTH_FILE").map(PathBuf::from).or_else(|| {
        variable("XDG_RUNTIME_DIR")
            .map(|directory| Path::new(&directory).join("containers/auth.json"))
    });
    docker.into_iter().chain(podman).collect()
}

/// The person's own registry credentials.
pub(crate) fn keychain() -> Keychain {
    Keychain::of_files(login_files())
}

/// Who sits here, for the records.
pub(crate) fn person() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(variable)
        .map_or_else(|| "a person".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Whether this runs in a pod that may ask its cluster.
pub(crate) fn is_in_cluster() -> bool {
    variable("KUBERNETES_SERVICE_HOST").is_some()
}

/// What tells this engine from every other: the pod's or the machine's name, and the process.
pub(crate) fn instance() -> String {
    let host = variable("HOSTNAME")
        .map(|name| name.to_string_lossy().into_owned())
        .or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok())
        .map_or_else(|| "unknown".to_owned(), |name| name.trim().to_owned());
    format!("{host}_{}", std::process::id())
}
