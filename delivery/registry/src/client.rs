use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use mercurious_core::image::Repository;
use mercurious_runtime::{Clock, SystemClock};

use crate::{
    ClientCertificate, ForwardProxy, HostLimits, Keychain, RateLimit, RegistryError, Retries,
    Spent, Timeouts, TlsError,
    authorize::{self, Access},
    documents::{Documents, MOST_BYTES},
    hosts::{Endpoint, Hosts},
    limiter::Limiter,
    request::{Answer, Request},
    session::{Actions, Sessions},
    spent::Ledger,
    tls,
    transport::Transport,
};

/// A client of the OCI distribution API. Cheap to clone; clones share connections, tokens, limits and caches.
#[derive(Clone, Debug)]
pub struct RegistryClient {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    transport: Transport,
    sessions: Sessions,
    hosts: Hosts,
    documents: Documents,
}

/// So many connections to a host wait to be used again: each takes tens of kilobytes.
const IDLE_CONNECTIONS: usize = 4;

/// What a [`RegistryClient`] is made of; the defaults suit public registries and a local one.
#[derive(Clone, Debug)]
pub struct RegistryClientBuilder {
    user_agent: String,
    extra_cas: Vec<Vec<u8>>,
    identity: Option<ClientCertificate>,
    proxy: Option<ForwardProxy>,
    hosts: Hosts,
    timeouts: Timeouts,
    limits: HostLimits,
    retries: Retries,
    clock: Arc<dyn Clock>,
    cache: Option<PathBuf>,
    documents_in_memory: usize,
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// TLS.
    #[error("the registry client cannot be made")]
    Tls(#[from] TlsError),
    /// Anything else, a malformed user agent for one.
    #[error("the registry client cannot be made")]
    Http(#[source] reqwest::Error),
}

impl RegistryClient {
    /// Starts from the defaults.
    pub fn builder() -> RegistryClientBuilder {
        RegistryClientBuilder {
            user_agent: concat!("mercurious/", env!("CARGO_PKG_VERSION")).to_owned(),
            extra_cas: Vec::new(),
            identity: None,
            proxy: None,
            hosts: Hosts::default(),
            timeouts: Timeouts::default(),
            limits: HostLimits::default(),
            retries: Retries::default(),
            clock: Arc::new(SystemClock),
            cache: None,
            documents_in_memory: MOST_BYTES,
        }
    }

    /// Requests sent so far, by kind.
    pub fn spent(&self) -> Spent {
        self.shared.transport.ledger.spent()
    }

    /// The newest word of each registry on how many requests are left, by host.
    pub fn rate_limits(&self) -> BTreeMap<String, RateLimit> {
        self.shared.transport.ledger.limits()
    }

    pub(crate) fn endpoint(&self, repository: &Repository) -> Result<Endpoint, RegistryError> {
        self.shared.hosts.endpoint(repository.host())
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.shared.transport
    }

    pub(crate) fn documents(&self) -> &Documents {
        &self.shared.documents
    }

    /// Sends a request with what the registry wants to see.
    pub(crate) async fn send(
        &self,
        repository: &Repository,
        endpoint: &Endpoint,
        actions: &Actions,
        keychain: &Keychain,
        request: &Request,
    ) -> Result<Answer, RegistryError> {
        // A mirror has credentials of its own: those of the registry it stands for are not shown to it.
        let mirrored;
        let place = if endpoint.host == repository.host() {
            repository
        } else {
            let text = format!("{}/{}", endpoint.host, repository.path());
            mirrored = text.parse().map_err(|_| RegistryError::BadAnswer {
                what: repository.to_string(),
                problem: format!("its mirror `{}` is not a registry host", endpoint.host),
            })?;
            &mirrored
        };
        let access = Access { endpoint, repository: place, actions, keychain };
        authorize::send(&self.shared.transport, &self.shared.sessions, access, request).await
    }
}

impl RegistryClientBuilder {
    /// What registries see as the client's name.
    #[must_use]
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// Trusts this CA (PEM, one or more certificates) beside the system's.
    #[must_use]
    pub fn extra_ca(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.extra_cas.push(pem.into());
        self
    }

    /// Shows this certificate to registries that ask for one.
    #[must_use]
    pub fn client_certificate(mut self, certificate: ClientCertificate) -> Self {
        self.identity = Some(certificate);
        self
    }

    /// Asks registries through this proxy.
    #[must_use]
    pub fn proxy(mut self, proxy: ForwardProxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Speaks plain HTTP to this host (`registry.lan:5000`). Loopback hosts need no mention.
    #[must_use]
    pub fn plain_http(mut self, host: impl Into<String>) -> Self {
        self.hosts.plain.insert(host.into());
        self
    }

    /// Speaks TLS to this host though it is a loopback one.
    #[must_use]
    pub fn tls(mut self, host: impl Into<String>) -> Self {
        self.hosts.encrypted.insert(host.into());
        self
    }

    /// Asks `mirror` for everything under `host`. References keep the name `host`; credentials are those of
    /// the mirror.
    #[must_use]
    pub fn mirror(mut self, host: impl Into<String>, mirror: impl Into<String>) -> Self {
        self.hosts.mirrors.insert(host.into(), mirror.into());
        self
    }

    /// Deadlines.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// How hard one host may be asked.
    #[must_use]
    pub fn limits(mut self, limits: HostLimits) -> Self {
        self.limits = limits;
        self
    }

    /// What is done about failures that may pass.
    #[must_use]
    pub fn retries(mut self, retries: Retries) -> Self {
        self.retries = retries;
        self
    }

    /// The clock that build times and `Retry-After` dates are held against.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Keeps manifests and configurations in this directory too, so that a restart asks for nothing again.
    #[must_use]
    pub fn cache_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cache = Some(directory.into());
        self
    }

    /// Keeps so many bytes of manifests and configurations in memory, at most.
    #[must_use]
    pub fn documents_in_memory(mut self, bytes: usize) -> Self {
        self.documents_in_memory = bytes;
        self
    }

    /// Makes the client. Opens no connection.
    pub fn build(self) -> Result<RegistryClient, BuildError> {
        let http = reqwest::Client::builder()
            .user_agent(self.user_agent)
            .tls_backend_preconfigured(tls::configuration(&self.extra_cas, self.identity.as_ref())?)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(self.timeouts.connect)
            .read_timeout(self.timeouts.idle)
            .pool_idle_timeout(Duration::from_secs(90))
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .tcp_keepalive(Duration::from_secs(30));
        let http = match self.proxy {
            Some(proxy) => http.proxy(proxy.into_reqwest().map_err(BuildError::Http)?),
            None => http,
        };
        let http = http.build().map_err(BuildError::Http)?;
        Ok(RegistryClient {
            shared: Arc::new(Shared {
                transport: Transport {
                    http,
                    limiter: Limiter::new(self.limits),
                    ledger: Ledger::default(),
                    timeouts: self.timeouts,
                    retries: self.retries,
                    clock: self.clock,
                },
                sessions: Sessions::default(),
                hosts: self.hosts,
                documents: Documents::new(self.cache, self.documents_in_memory),
            }),
        })
    }
}
