use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use mercurious_core::{
    image::Release,
    policy::Pattern,
    resources::{CheckSpec, HttpCheck, LogsCheck},
};
use mercurious_engine::{
    Target,
    ports::{Checker, Workloads},
};

use crate::{image_source::chain, network::Network};

/// Asks checks from this machine: a Service's name in a URL means the Service's port here.
pub struct LocalChecker {
    client: reqwest::Client,
    network: Network,
    workloads: Arc<dyn Workloads>,
}

/// A body is read no further than this.
const BODY_LIMIT: usize = 1024 * 1024;

/// So many of the newest lines are read for a logs check.
const LINES: usize = 1000;

impl LocalChecker {
    pub(crate) fn new(
        network: Network,
        workloads: Arc<dyn Workloads>,
    ) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(2))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { client, network, workloads })
    }

    async fn http(&self, check: &HttpCheck, release: &Release) -> Result<(), String> {
        let url = self.network.resolve(&check.url)?;
        let mut response = self
            .client
            .get(url)
            .timeout(check.timeout.0)
            .send()
            .await
            .map_err(|error| format!("{}: {}", check.url, chain(&error.without_url())))?;
        let status = response.status();
        let expected = check.status.map_or(status.is_success(), |wanted| status.as_u16() == wanted);
        if !expected {
            let wanted = check.status.map_or("2xx".to_owned(), |wanted| wanted.to_string());
            return Err(format!("{} answered {}, wanted {wanted}", check.url, status.as_u16()));
        }
        let Some(template) = &check.contains else { return Ok(()) };
        let wanted = fill(template, release)?;
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| format!("{}: {}", check.url, chain(&error.without_url())))?
        {
            body.extend_from_slice(&chunk);
            if body.len() > BODY_LIMIT {
                break;
            }
        }
        let body = String::from_utf8_lossy(&body);
        if body.contains(&wanted) {
            Ok(())
        } else {
            let begin: String = body.chars().take(80).collect();
            Err(format!("{} does not contain `{wanted}`; it begins `{}`", check.url, begin.trim()))
        }
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

/// Fills in `{{ release.commit }}`, `{{ release.tag }}` and `{{ release.digest }}`.
fn fill(template: &str, release: &Release) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else {
            return Err(format!("`{template}` has `{{{{` without `}}}}`"));
        };
        filled.push_str(before);
        let value = match name.trim() {
            "release.commit" => release.commit.as_ref().map(ToString::to_string),
            "release.tag" => release.tag.as_ref().map(ToString::to_string),
            "release.digest" => Some(release.digest.to_string()),
            other => {
                return Err(format!(
                    "`{other}` is not known; there are release.commit, release.tag and release.digest"
                ));
            }
        };
        let Some(value) = value else {
            return Err(format!("{} of {} is not known", name.trim(), release.image()));
        };
        filled.push_str(&value);
        rest = behind;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use mercurious_core::image::Digest;

    use super::*;

    #[test]
    fn templates_are_filled_or_refused() {
        let release = Release {
            repository: "h.io/a".parse().unwrap(),
            digest: Digest::of(b""),
            tag: Some("v1".parse().unwrap()),
            commit: None,
            built_at: None,
            platforms: std::collections::BTreeSet::new(),
        };
        assert_eq!(fill("is {{ release.tag }}!", &release).unwrap(), "is v1!");
        assert_eq!(fill("plain", &release).unwrap(), "plain");
        assert!(fill("{{ release.commit }}", &release).unwrap_err().contains("not known"));
        assert!(fill("{{ other }}", &release).unwrap_err().contains("release.tag"));
        assert!(fill("{{ open", &release).unwrap_err().contains("without"));
    }
}
