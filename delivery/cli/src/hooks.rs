//! Notifications of registries: the file of receivers, its secrets, and the port.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use mercurious_runtime::{SystemClock, Tasks};
use mercurious_webhooks::{Ears, Receivers, SecretReader, SecretSource, Settings, Webhooks, serve};
use secrecy::SecretString;
use tokio::net::TcpListener;

use crate::{failure::Failure, hooks_args::HooksArgs, settings};

/// A secret that was changed counts after this.
const READ_AGAIN: Duration = Duration::from_secs(15);

/// What receives, and where.
pub(crate) struct Hooks {
    pub(crate) webhooks: Webhooks,
    /// The URL of each receiver, a token left out.
    #[cfg(feature = "home")]
    pub(crate) urls: Vec<String>,
}

/// What to do about a file that cannot be used at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// Say so to the person who named it.
    #[cfg(feature = "home")]
    Refused,
    /// Go on without receivers until it can: it is mounted, and comes when somebody makes it.
    Awaited,
}

/// Receivers that were read, before anything listens.
pub(crate) struct Prepared {
    address: SocketAddr,
    path: PathBuf,
    unusable: Unusable,
    receivers: Receivers,
}

/// Reads who may send, where that is asked for.
pub(crate) fn prepare(args: &HooksArgs, unusable: Unusable) -> anyhow::Result<Option<Prepared>> {
    let (Some(address), Some(path)) = (args.hooks_listen, args.hooks.clone()) else {
        return Ok(None);
    };
    let receivers = match read(&path) {
        Ok(receivers) => receivers,
        Err(_) if unusable == Unusable::Awaited && !path.exists() => Receivers::default(),
        Err(problem) if unusable == Unusable::Awaited => {
            tracing::warn!(file = %path.display(), error = problem, "no receivers until they can be read");
            Receivers::default()
        }
        Err(problem) => {
            return Err(Failure::usage(format!("--hooks: {}: {problem}", path.display())));
        }
    };
    Ok(Some(Prepared { address, path, unusable, receivers }))
}

impl Prepared {
    /// Starts receiving. Hints go to the ears.
    pub(crate) async fn start(self, ears: Arc<dyn Ears>, tasks: &Tasks) -> anyhow::Result<Hooks> {
        let Self { address, path, unusable, receivers } = self;
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("--hooks-listen: cannot listen on {address}"))?;
        #[cfg(feature = "home")]
        let urls = urls(&receivers, listener.local_addr()?);
        let webhooks = Webhooks::new(receivers, ears, Arc::new(SystemClock), tasks);
        let (router, stopping) = (webhooks.router(), tasks.stopping());
        tasks.spawn_critical("hooks", async move {
            if let Err(error) = serve(listener, router, stopping).await {
                tracing::error!(error = %error, "webhooks ended");
            }
        });
        tasks.spawn_critical("receivers", keep_up(path, unusable, webhooks.clone(), tasks.clone()));
        Ok(Hooks {
            webhooks,
            #[cfg(feature = "home")]
            urls,
        })
    }
}

#[cfg(feature = "home")]
fn urls(receivers: &Receivers, address: SocketAddr) -> Vec<String> {
    let url = |(_, sender, path)| format!("http://{address}{path}   ({sender})");
    receivers.describe().map(url).collect()
}

/// Reads the file and the secrets again and again: a Secret that is mounted changes in place.
async fn keep_up(path: PathBuf, unusable: Unusable, webhooks: Webhooks, tasks: Tasks) {
    let stopping = tasks.stopping();
    let mut said = String::new();
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(READ_AGAIN) => {}
        }
        if unusable == Unusable::Awaited && !path.exists() {
            continue;
        }
        let file = path.clone();
        let receivers = tokio::task::spawn_blocking(move || read(&file)).await;
        match receivers.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(receivers) => {
                webhooks.replace(receivers);
                said.clear();
            }
            Err(problem) if problem != said => {
                tracing::warn!(
                    file = %path.display(),
                    error = problem,
                    "receivers cannot be read; those of before stay"
                );
                said = problem;
            }
            Err(_) => {}
        }
    }
}

fn read(path: &Path) -> Result<Receivers, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    Settings::from_yaml(&text)
        .and_then(|settings| settings.receivers(&Secrets))
        .map_err(|error| error.to_string())
}

/// Files, and this program's environment.
struct Secrets;

impl SecretReader for Secrets {
    fn read(&self, source: &SecretSource) -> Result<SecretString, String> {
        match source {
            SecretSource::File(path) => {
                std::fs::read_to_string(path).map(Into::into).map_err(|error| error.to_string())
            }
            SecretSource::Variable(name) => {
                settings::secret(name).ok_or_else(|| "it is not set, or no text".to_owned())
            }
        }
    }
}
