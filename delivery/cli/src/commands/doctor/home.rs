use std::{net::SocketAddr, os::unix::fs::PermissionsExt as _, path::Path};

use anyhow::Context as _;
use mercurious_local::DataDirectory;
use mercurious_sandbox::run::detect_isolation;

use super::Examination;
use crate::{cli::DoctorArgs, commands::up};

/// Whether a home could run here, or why the one that does has trouble.
pub(super) async fn examine(
    args: &DoctorArgs,
    root: &Path,
    running: bool,
    examination: &mut Examination,
) {
    data_directory(root, running, examination);
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
