use std::{collections::BTreeSet, net::SocketAddr, os::unix::fs::PermissionsExt as _, path::Path};

use anyhow::Context as _;
use mercurious_local::DataDirectory;
use mercurious_sandbox::run::detect_isolation;

use super::Examination;
use crate::{cli::DoctorArgs, commands::up, settings};

/// Less than this is soon full.
const LITTLE_DISK: u64 = 1 << 30;

/// What this machine tells.
pub(super) async fn examine(
    args: &DoctorArgs,
    root: &Path,
    running: bool,
    examination: &mut Examination,
) {
    data_directory(root, running, examination);
    disk(root, examination);
    let warning = match isolation().await {
        Ok(warning) => warning,
        Err(error) => Some(format!("{error:#}")),
    };
    match warning {
        None => examination.checked("bubblewrap works: images run in a sandbox"),
        Some(warning) => {
            let remedy = "install Debian's package `bubblewrap`, and allow user namespaces";
            examination.warning("sandbox", warning, remedy);
        }
    }
    if running {
        examination.checked("ports: in use by the running engine");
    } else {
        port("--registry-listen", args.registry_listen, examination);
        port("--listen", args.listen, examination);
    }
    logins(examination);
}

/// Why images would run with less than a sandbox, where they would.
async fn isolation() -> anyhow::Result<Option<String>> {
    let place = tempfile::tempdir().context("cannot make a temporary directory")?;
    let (_, warning) = detect_isolation(up::launcher()?, place.path()).await;
    Ok(warning)
}

fn data_directory(root: &Path, running: bool, examination: &mut Examination) {
    let subject = root.display().to_string();
    if !running {
        if !root.exists() {
            examination.checked(format!("data directory {subject}: `up` will make it"));
            return;
        }
        // Opening it is what `up` does first; the lock ends with this.
        match DataDirectory::open(root) {
            Ok(_) => examination.checked(format!("data directory {subject}")),
            Err(error) => {
                let cause = std::error::Error::source(&error);
                let finding = cause.map_or(error.to_string(), |cause| format!("{error}: {cause}"));
                let remedy = "name another directory with --data-dir, or give this one to yourself";
                examination.error(&subject, finding, remedy);
            }
        }
    }
    let token = DataDirectory::token_file(root);
    let Ok(found) = std::fs::metadata(&token) else { return };
    if found.permissions().mode() & 0o077 != 0 {
        let finding = "others may read the token, and so change what runs";
        let remedy = format!("rm {0} and start `mercurious up` anew", token.display());
        examination.error(token.display().to_string(), finding, remedy);
    }
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

fn port(flag: &str, address: SocketAddr, examination: &mut Examination) {
    match std::net::TcpListener::bind(address) {
        Ok(_) => examination.checked(format!("{address} is free for {flag}")),
        Err(error) => {
            let finding = format!("cannot listen on {address}: {error}");
            examination.error(
                flag,
                finding,
                format!("stop what uses it, or name another with {flag}"),
            );
        }
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
