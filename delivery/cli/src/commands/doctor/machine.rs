use std::{collections::BTreeSet, path::Path};

use super::Examination;
use crate::settings;

/// Less than this is soon full.
const LITTLE_DISK: u64 = 1 << 30;

/// What this machine tells.
pub(super) fn examine(root: &Path, examination: &mut Examination) {
    disk(root, examination);
    logins(examination);
}

/// Images and layers are kept on the data directory's disk.
fn disk(root: &Path, examination: &mut Examination) {
    let Some(there) = root.ancestors().find(|path| path.exists()) else { return };
    let subject = format!("disk of {}", root.display());
    let remedy = "make room, or name a directory on another disk with --data-dir";
    match nix::sys::statvfs::statvfs(there) {
        Ok(found) => {
            let left = found.blocks_available().saturating_mul(found.fragment_size());
            let told = format!("{} MiB are left", left >> 20);
            if left < LITTLE_DISK {
                examination.warning(subject, format!("only {told}"), remedy);
            } else {
                examination.checked(format!("{subject}: {told}"));
            }
        }
        Err(error) => examination.warning(subject, format!("cannot be asked: {error}"), remedy),
    }
}

/// Login files that are there and cannot be read give no credentials, silently.
fn logins(examination: &mut Examination) {
    for path in settings::login_files() {
        let subject = path.display().to_string();
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                let remedy = "make it readable for you, or log in again";
                examination.error(subject, format!("cannot be read: {error}"), remedy);
                continue;
            }
        };
        match serde_json::from_slice::<serde_json::Value>(&bytes) {
            Ok(value) => {
                let hosts = value["auths"].as_object().map_or(0, serde_json::Map::len);
                examination.checked(format!("logins for {hosts} registries in {subject}"));
                helpers(&subject, &value, examination);
            }
            // The error may quote the file, which holds secrets: only its place is told.
            Err(error) => {
                let finding = format!("is not JSON from line {} on", error.line());
                examination.error(subject, finding, "log in again with docker, podman or skopeo");
            }
        }
    }
}

/// A credential helper that a login file names must be a program on the path.
#[expect(
    clippy::disallowed_methods,
    reason = "where helpers are looked for is no setting of this program"
)]
fn helpers(subject: &str, logins: &serde_json::Value, examination: &mut Examination) {
    let of_hosts = logins["credHelpers"].as_object().into_iter().flat_map(|map| map.values());
    let named: BTreeSet<&str> = of_hosts
        .chain(logins.get("credsStore"))
        .filter_map(serde_json::Value::as_str)
        .filter(|name| !name.is_empty())
        .collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    for name in named {
        let program = format!("docker-credential-{name}");
        let found =
            std::env::split_paths(&path).any(|directory| directory.join(&program).is_file());
        if found {
            examination.checked(format!("{program}, which {subject} names"));
        } else {
            let finding =
                format!("names the credential helper {name}; there is no {program} on the path");
            let remedy =
                "install it, or log in without it: its registries are asked with no password";
            examination.error(subject, finding, remedy);
        }
    }
}
