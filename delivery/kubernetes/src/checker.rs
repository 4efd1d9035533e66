use std::{net::SocketAddr, time::Duration};

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Service;
use kube::{Client, api::Api};
use mercurious_adapters::HttpQuestion;
use mercurious_core::{
    image::Release,
    policy::Pattern,
    resources::{CheckSpec, HttpCheck, LogsCheck},
};
use mercurious_engine::{
    Target,
    ports::{Checker, Workloads as _},
};

use crate::{ClusterWorkloads, workloads::bounded};

/// So many of the newest lines are read for a logs check.
const LINES: usize = 1000;
/// A name that is not resolved by then is not.
const RESOLVING: Duration = Duration::from_secs(2);

/// Asks checks from where the engine runs.
///
/// `http://NAME.NAMESPACE.svc` is resolved by the cluster's DNS; where that is not to be had, as outside the cluster,
/// the Service's own address is asked for.
pub struct ClusterChecker {
    http: reqwest::Client,
    client: Client,
    workloads: ClusterWorkloads,
}

impl ClusterChecker {
    /// A checker of this cluster.
    pub fn new(client: Client, workloads: ClusterWorkloads) -> Result<Self, reqwest::Error> {
        Ok(Self { http: HttpQuestion::client().build()?, client, workloads })
    }

    async fn http(&self, check: &HttpCheck, release: &Release) -> Result<(), String> {
        let url: reqwest::Url =
            check.url.parse().map_err(|error| format!("`{}` is not a URL: {error}", check.url))?;
        let question = HttpQuestion { check, release };
        let Some((name, namespace)) = url.host_str().and_then(service) else {
            return question.ask(&self.http, url).await;
        };
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = url.port_or_known_default().unwrap_or(80);
        let named = tokio::net::lookup_host((host.as_str(), port));
        if let Ok(Ok(_)) = tokio::time::timeout(RESOLVING, named).await {
            return question.ask(&self.http, url).await;
        }
        let api: Api<Service> = Api::namespaced(self.client.clone(), namespace);
        let service = bounded(api.get(name)).await.map_err(|message| {
            format!(
                "{}: {host} is not known to DNS, and Service {namespace}/{name}: {message}",
                check.url
            )
        })?;
        let address = service
            .spec
            .and_then(|spec| spec.cluster_ip)
            .and_then(|address| address.parse().ok())
            .ok_or_else(|| format!("Service {namespace}/{name} has no address of its own"))?;
        let client = HttpQuestion::client()
            .resolve(&host, SocketAddr::new(address, port))
            .build()
            .map_err(|error| error.to_string())?;
        question.ask(&client, url).await
    }

    async fn logs(&self, check: &LogsCheck, target: &Target) -> Result<(), String> {
        let pattern =
            Pattern::parse(&check.deny).map_err(|error| format!("`{}`: {error}", check.deny))?;
        let lines = self.workloads.log_lines(target, LINES).await;
        match lines.iter().find(|line| pattern.is_match(line)) {
            Some(line) => Err(format!("a log line matches `{}`: {line}", check.deny)),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Checker for ClusterChecker {
    async fn ask(
        &self,
        check: &CheckSpec,
        target: &Target,
        release: &Release,
    ) -> Result<(), String> {
        if let Some(http) = &check.http {
            self.http(http, release).await?;
        }
        if let Some(logs) = &check.logs {
            self.logs(logs, target).await?;
        }
        Ok(())
    }
}

/// The Service that a host names: `api-gateway.app.svc`, with or without the cluster's domain.
fn service(host: &str) -> Option<(&str, &str)> {
    let mut parts = host.trim_end_matches('.').split('.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(name), Some(namespace), Some("svc")) => Some((name, namespace)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_services_name_is_told_from_any_other_host() {
        assert_eq!(service("web.app.svc"), Some(("web", "app")));
        assert_eq!(service("web.app.svc.cluster.local"), Some(("web", "app")));
        assert_eq!(service("api2.gotravelyzer.com"), None);
        assert_eq!(service("localhost"), None);
    }
}
