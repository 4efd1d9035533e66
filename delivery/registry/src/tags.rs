use std::collections::BTreeSet;

use http::Method;
use mercurious_core::image::{Repository, Tag};
use serde::Deserialize;
use url::Url;

use crate::{
    Keychain, RegistryClient, RegistryError,
    answer_text::{errors_of, looks_like_html},
    hosts::{Endpoint, same_origin},
    link::next_page,
    request::{Answer, Redirects, Request, Want},
    session::Actions,
};

/// What ECR takes at most; registries with smaller pages send a link.
const PAGE: u32 = 1000;
/// Some registries answer with everything at once, with times and sizes.
const MOST_OF_A_PAGE: u64 = 32 * 1024 * 1024;
/// The largest repository met in reports had 160 pages of a thousand.
const MOST_PAGES: usize = 1000;
const MOST_TAGS: usize = 1_000_000;

#[derive(Deserialize)]
struct Page {
    /// May be null where there are none, but not left out: `{}` is no list.
    #[serde(deserialize_with = "Option::deserialize")]
    tags: Option<Vec<String>>,
}

impl RegistryClient {
    /// All tags of a repository, in byte order, each once: registries' own orders differ and mean nothing.
    ///
    /// Names that are no tags by the specification are left out. Anything that keeps the list from being
    /// read to its end is an error: half a list would look like tags that were deleted.
    pub async fn tags(
        &self,
        repository: &Repository,
        keychain: &Keychain,
    ) -> Result<Vec<Tag>, RegistryError> {
        let endpoint = self.endpoint(repository)?;
        let mut url = endpoint.url(&format!("{}/tags/list", repository.path()));
        url.set_query(Some(&format!("n={PAGE}")));
        let mut tags: BTreeSet<Tag> = BTreeSet::new();
        let mut seen: BTreeSet<Url> = BTreeSet::new();
        let paging = |problem: &str| RegistryError::Paging {
            what: repository.to_string(),
            problem: problem.to_owned(),
        };
        for number in 0..MOST_PAGES {
            seen.insert(url.clone());
            let first = number == 0;
            let answer = self.page(repository, &endpoint, &url, first, keychain).await?;
            let names = read_page(repository, &answer)?;
            let before = tags.len();
            let empty = names.is_empty();
            tags.extend(names.into_iter().filter_map(|name| name.parse::<Tag>().ok()));
            if tags.len() > MOST_TAGS {
                return Err(paging("there are more than a million"));
            }
            let links = answer.headers.get_all(http::header::LINK);
            let Some(link) =
                links.iter().filter_map(|value| value.to_str().ok()).find_map(next_page)
            else {
                return Ok(tags.into_iter().collect());
            };
            if empty || tags.len() == before {
                return Err(paging("a page with nothing new says that there are more"));
            }
            let next = answer.url.join(link).map_err(|_| paging("the next page is not a URL"))?;
            if !same_origin(&next, &endpoint.base) {
                return Err(paging(&format!(
                    "the next page is at `{}`, outside the registry",
                    crate::hosts::origin(&next)
                )));
            }
            if seen.contains(&next) {
                return Err(paging("the pages repeat"));
            }
            url = next;
        }
        Err(paging("there are more than a thousand pages"))
    }

    async fn page(
        &self,
        repository: &Repository,
        endpoint: &Endpoint,
        url: &Url,
        first: bool,
        keychain: &Keychain,
    ) -> Result<Answer, RegistryError> {
        let what = format!("the tags of {repository}");
        let request = |url: Url| {
            Request::new(Method::GET, url, what.clone())
                .want(Want::Body { limit: MOST_OF_A_PAGE })
                .redirects(Redirects::SameOrigin)
        };
        let send = |request: Request| async move {
            self.send(repository, endpoint, &Actions::Pull, keychain, &request).await
        };
        match send(request(url.clone())).await {
            // A registry that does not like the page size is asked for its own.
            Err(RegistryError::Refused { status: 400 | 405 | 422, .. }) if first => {
                let mut plain = url.clone();
                plain.set_query(None);
                send(request(plain)).await
            }
            answer => answer,
        }
    }
}

fn read_page(repository: &Repository, answer: &Answer) -> Result<Vec<String>, RegistryError> {
    let bad = |problem: String| RegistryError::BadAnswer {
        what: format!("the tags of {repository}"),
        problem,
    };
    if let Some(message) = errors_of(&answer.body) {
        return Err(bad(format!("it is an error under status 200 ({message})")));
    }
    let page: Page = serde_json::from_slice(&answer.body).map_err(|_| {
        let text = String::from_utf8_lossy(&answer.body);
        bad(if looks_like_html(&text) {
            "it is an HTML page, not a list".to_owned()
        } else {
            "it is not a list of tags".to_owned()
        })
    })?;
    Ok(page.tags.unwrap_or_default())
}
