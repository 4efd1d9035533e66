use std::sync::Arc;

use async_trait::async_trait;
use mercurious_adapters::HttpQuestion;
use mercurious_core::{
    image::Release,
    policy::Pattern,
    resources::{CheckSpec, HttpCheck, LogsCheck},
};
use mercurious_engine::{
    Target,
    ports::{Checker, Workloads},
};

use crate::network::Network;

/// Asks checks from this machine: a Service's name in a URL means the Service's port here.
pub struct LocalChecker {
    client: reqwest::Client,
    network: Network,
    workloads: Arc<dyn Workloads>,
}

/// So many of the newest lines are read for a logs check.
const LINES: usize = 1000;

impl LocalChecker {
    pub(crate) fn new(
        network: Network,
        workloads: Arc<dyn Workloads>,
    ) -> Result<Self, reqwest::Error> {
        let client = HttpQuestion::client().build()?;
        Ok(Self { client, network, workloads })
    }

    async fn http(&self, check: &HttpCheck, release: &Release) -> Result<(), String> {
        let url = self.network.resolve(&check.url)?;
        HttpQuestion { check, release }.ask(&self.client, url).await
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
impl Checker for LocalChecker {
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
