use std::{path::PathBuf, time::Duration};

use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig},
};
use tower::limit::ConcurrencyLimitLayer;

/// Connecting takes no longer.
const CONNECT: Duration = Duration::from_secs(5);
/// So many questions are open at a time; a watch is one until it begins to answer.
const QUESTIONS: usize = 8;

/// Where the cluster is, as a person says it.
#[derive(Clone, Debug, Default)]
pub struct ConnectionSettings {
    /// A kubeconfig; where it and the context are left out, the service account of the pod.
    pub kubeconfig: Option<PathBuf>,
    /// A context of it; the current one where it is left out.
    pub context: Option<String>,
}

/// A cluster that can be asked. Nothing was sent yet.
#[derive(Clone)]
pub struct Connection {
    /// Asks it, a few questions at a time: hundreds of repositories that are due at once are no storm for the API server.
    pub client: Client,
    /// Asks it and waits behind nobody: the Lease is renewed in time whatever else is being asked.
    pub urgent: Client,
    /// The pod's own namespace, or the context's.
    pub namespace: String,
}

/// Why there is no cluster to ask.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The kubeconfig.
    #[error("the kubeconfig cannot be used; name one with --kubeconfig and --context")]
    Kubeconfig(#[source] Box<kube::config::KubeconfigError>),
    /// The pod's service account.
    #[error("the pod's service account cannot be used; is automountServiceAccountToken off?")]
    InCluster(#[source] Box<kube::config::InClusterError>),
    /// TLS or the like.
    #[error("no client can be made for the API server")]
    Client(#[source] Box<kube::Error>),
}

impl Connection {
    /// Reads the settings and makes a client.
    pub async fn open(settings: &ConnectionSettings) -> Result<Self, ConnectionError> {
        let mut config = match (&settings.kubeconfig, &settings.context) {
            (None, None) => {
                Config::incluster().map_err(|error| ConnectionError::InCluster(Box::new(error)))?
            }
            (path, context) => {
                let wrong = |error| ConnectionError::Kubeconfig(Box::new(error));
                let options =
                    KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
                match path {
                    Some(path) => {
                        let kubeconfig = Kubeconfig::read_from(path).map_err(wrong)?;
                        Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(wrong)?
                    }
                    None => Config::from_kubeconfig(&options).await.map_err(wrong)?,
                }
            }
        };
        config.connect_timeout = Some(CONNECT);
        let namespace = config.default_namespace.clone();
        let unusable = |error| ConnectionError::Client(Box::new(error));
        let urgent = Client::try_from(config.clone()).map_err(unusable)?;
        let client = ClientBuilder::try_from(config)
            .map_err(unusable)?
            .with_layer(&ConcurrencyLimitLayer::new(QUESTIONS))
            .build();
        Ok(Self { client, urgent, namespace })
    }
}
