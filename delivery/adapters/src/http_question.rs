use std::time::Duration;

use mercurious_core::{image::Release, resources::HttpCheck};
use reqwest::{Client, ClientBuilder, Url};

use crate::chain;

/// A body is read no further than this.
const BODY_LIMIT: usize = 1024 * 1024;

/// One HTTP check, asked once.
#[derive(Clone, Copy, Debug)]
pub struct HttpQuestion<'a> {
    /// What is asked and wanted.
    pub check: &'a HttpCheck,
    /// The release that must answer.
    pub release: &'a Release,
}

impl HttpQuestion<'_> {
    /// The settings of a client that asks checks: it follows no redirect and uses no proxy.
    pub fn client() -> ClientBuilder {
        Client::builder()
            .connect_timeout(Duration::from_secs(2))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
    }

    /// Asks this URL, which is the check's own or where the home finds that. The error says what was wrong.
    pub async fn ask(&self, client: &Client, url: Url) -> Result<(), String> {
        let Self { check, release } = self;
        let failed =
            |error: reqwest::Error| format!("{}: {}", check.url, chain(&error.without_url()));
        let mut response = client.get(url).timeout(check.timeout.0).send().await.map_err(failed)?;
        let status = response.status();
        let expected = check.status.map_or(status.is_success(), |wanted| status.as_u16() == wanted);
        if !expected {
            let wanted = check.status.map_or("2xx".to_owned(), |wanted| wanted.to_string());
            return Err(format!("{} answered {}, wanted {wanted}", check.url, status.as_u16()));
        }
        let Some(template) = &check.contains else { return Ok(()) };
        let wanted = fill(template, release)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
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
            platforms: std::sync::Arc::default(),
        };
        assert_eq!(fill("is {{ release.tag }}!", &release).unwrap(), "is v1!");
        assert_eq!(fill("plain", &release).unwrap(), "plain");
        assert!(fill("{{ release.commit }}", &release).unwrap_err().contains("not known"));
        assert!(fill("{{ other }}", &release).unwrap_err().contains("release.tag"));
        assert!(fill("{{ open", &release).unwrap_err().contains("without"));
    }
}
