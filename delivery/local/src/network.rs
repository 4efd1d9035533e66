use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use mercurious_core::resources::ObjectName;
use mercurious_manifests::{Ingress, Manifests, PathType, PortRef, Service};
use mercurious_proxy::{FrontProxy, HostPattern, PathPattern, Pool, PoolName, Route, Routes};
use serde::{Deserialize, Serialize};

use crate::{FileStore, HomeError};

/// Where a Service, or the Ingresses, are reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    /// `Service app/api-gateway:80`, or `Ingress`.
    pub name: String,
    /// The front proxy's port.
    pub address: SocketAddr,
    /// Whether HTTP is spoken there.
    pub is_http: bool,
}

/// Services and Ingresses as ports of the front proxy.
#[derive(Clone)]
pub(crate) struct Network {
    inner: Arc<Inner>,
}

struct Inner {
    proxy: FrontProxy,
    services: BTreeMap<ObjectName, Served>,
    ingress: Option<SocketAddr>,
}

struct Served {
    service: Service,
    ports: Vec<(u16, SocketAddr)>,
}

/// The ports that a Service was given: kept, so that an address stays what it was.
#[derive(Default, Serialize, Deserialize)]
struct Given {
    ports: BTreeMap<u16, u16>,
}

impl Network {
    /// Opens a port for each Service port, and one for all Ingresses.
    ///
    /// A Service's port is its `nodePort` where it has one, else the port it was given the last time, else a
    /// free one.
    pub(crate) fn open(
        proxy: FrontProxy,
        manifests: &Manifests,
        listen: SocketAddr,
        store: &FileStore,
    ) -> Result<Self, HomeError> {
        let mut services = BTreeMap::new();
        for (name, sourced) in &manifests.services {
            let service = sourced.value.clone();
            let mut given: Given =
                store.read("services", name).map_err(HomeError::Store)?.unwrap_or_default();
            let mut ports = Vec::new();
            for port in &service.ports {
                let pool = pool_name(name, port.port);
                let wanted = port.node_port.or_else(|| given.ports.get(&port.port).copied());
                let address = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
                let open = |number: u16| {
                    if port.is_http {
                        proxy.listen_service(address(number), pool.clone())
                    } else {
                        proxy.listen_connections(address(number), pool.clone())
                    }
                };
                let opened = match open(wanted.unwrap_or(0)) {
                    Ok(opened) => opened,
                    // A port that was only given by us may be taken by somebody else by now.
                    Err(error) if port.node_port.is_none() && wanted.is_some() => {
                        let opened = open(0).map_err(HomeError::Listen)?;
                        let (service, service_port) = (name.to_string(), port.port);
                        tracing::warn!(
                            service, service_port, port = opened.port(), error = %error,
                            "the port that this Service had is taken: it has another now; nodePort fixes one"
                        );
                        opened
                    }
                    Err(error) => return Err(HomeError::Listen(error)),
                };
                given.ports.insert(port.port, opened.port());
                ports.push((port.port, opened));
            }
            store.write("services", name, &given).map_err(HomeError::Store)?;
            services.insert(name.clone(), Served { service, ports });
        }
        let mut ingress = None;
        if !manifests.ingresses.is_empty() {
            let routes =
                manifests.ingresses.values().flat_map(|sourced| routes(&sourced.value, manifests));
            proxy.set_routes(Routes::new(routes));
            ingress = Some(proxy.listen_hosts(listen).map_err(HomeError::Listen)?);
        }
        Ok(Self { inner: Arc::new(Inner { proxy, services, ingress }) })
    }

    /// The address of each Service port, and of the Ingresses.
    pub(crate) fn addresses(&self) -> Vec<Address> {
        let services = self.inner.services.iter().flat_map(|(name, served)| {
            let is_http = |number: u16| {
                served.service.port(&PortRef::Number(number)).is_none_or(|port| port.is_http)
            };
            served.ports.iter().map(move |(port, address)| Address {
                name: format!("Service {name}:{port}"),
                address: *address,
                is_http: is_http(*port),
            })
        });
        let ingress = self.inner.ingress.map(|address| Address {
            name: "Ingress".to_owned(),
            address,
            is_http: true,
        });
        services.chain(ingress).collect()
    }

    /// The pools that replicas with these labels belong to, with the container port that each sends to.
    pub(crate) fn pools_of(
        &self,
        namespace: &str,
        labels: &BTreeMap<String, String>,
    ) -> Vec<(Pool, PortRef)> {
        self.inner
            .services
            .iter()
            .filter(|(name, served)| {
                *name.namespace == *namespace && served.service.selects(labels)
            })
            .flat_map(|(name, served)| {
                served.service.ports.iter().map(|port| {
                    (self.inner.proxy.pool(pool_name(name, port.port)), port.target_port.clone())
                })
            })
            .collect()
    }

    /// The variables by which a container finds the Services of its namespace, as Kubernetes sets them.
    pub(crate) fn variables(&self, namespace: &str) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        for (name, served) in
            self.inner.services.iter().filter(|(name, _)| *name.namespace == *namespace)
        {
            let stem = name.name.to_ascii_uppercase().replace(['-', '.'], "_");
            if let Some((_, first)) = served.ports.first() {
                variables.insert(format!("{stem}_SERVICE_HOST"), first.ip().to_string());
                variables.insert(format!("{stem}_SERVICE_PORT"), first.port().to_string());
            }
        }
        variables
    }

    /// A URL with a Service's name in place of its host becomes one that can be asked from here.
    pub(crate) fn resolve(&self, text: &str) -> Result<reqwest::Url, String> {
        let mut url: reqwest::Url =
            text.parse().map_err(|error| format!("`{text}` is not a URL: {error}"))?;
        let Some(host) = url.host_str().map(str::to_owned) else {
            return Err(format!("`{text}` names no host"));
        };
        let mut parts = host.split('.');
        let name = parts.next().unwrap_or_default();
        let Some(namespace) = parts.next() else { return Ok(url) };
        if parts.next() != Some("svc") {
            return Ok(url);
        }
        let name = ObjectName::new(namespace, name);
        let Some(served) = self.inner.services.get(&name) else {
            return Err(format!("`{text}`: there is no Service {name}"));
        };
        let wanted = url.port_or_known_default().unwrap_or(80);
        let Some((_, address)) = served.ports.iter().find(|(port, _)| *port == wanted) else {
            return Err(format!("`{text}`: Service {name} has no port {wanted}"));
        };
        url.set_host(Some(&address.ip().to_string())).map_err(|error| error.to_string())?;
        url.set_port(Some(address.port())).map_err(|()| format!("`{text}` cannot have a port"))?;
        Ok(url)
    }
}

fn pool_name(service: &ObjectName, port: u16) -> PoolName {
    PoolName::new(&format!("{}.{}.{port}", service.namespace, service.name))
        .expect("an object's name with a port is a pool's name")
}

fn routes(ingress: &Ingress, manifests: &Manifests) -> Vec<Route> {
    let mut routes = Vec::new();
    for rule in &ingress.rules {
        for path in &rule.paths {
            let host = rule.host.as_deref().unwrap_or("*");
            let pattern = match path.path_type {
                PathType::Exact => PathPattern::exact(&path.path),
                PathType::Prefix => PathPattern::prefix(&path.path),
            };
            let backend = ObjectName::new(&ingress.name.namespace, &path.backend.service);
            let port = manifests
                .services
                .get(&backend)
                .and_then(|service| service.value.port(&path.backend.port))
                .map(|port| port.port);
            if let (Ok(host), Ok(path), Some(port)) = (HostPattern::parse(host), pattern, port) {
                routes.push(Route { host, path, pool: pool_name(&backend, port) });
            }
        }
    }
    if let Some(backend) = &ingress.default_backend {
        let name = ObjectName::new(&ingress.name.namespace, &backend.service);
        let port =
            manifests.services.get(&name).and_then(|service| service.value.port(&backend.port));
        if let (Some(port), Ok(host), Ok(path)) =
            (port, HostPattern::parse("*"), PathPattern::prefix("/"))
        {
            routes.push(Route { host, path, pool: pool_name(&name, port.port) });
        }
    }
    routes
}
