//! Whoever says `{"image": "ghcr.io/team/app:tag@sha256:…"}`, or only that something happened.

use crate::notice::{Body, Delivery, Malformed, News, Notice, Told};

pub(super) fn read(notice: &Notice<'_>) -> Result<Delivery, Malformed> {
    let id = notice.header("idempotency-key");
    if notice.body.trim_ascii().is_empty() {
        return Ok(Delivery::new(id, News::All));
    }
    // Flux takes any body here: what is no JSON, or says nothing of an image, says that something happened.
    let told = Body::of(notice.body).ok().and_then(|body| image(&body));
    Ok(match told {
        Some(told) => Delivery::image(id, told?),
        None => Delivery::new(id, News::All),
    })
}

/// An image that is named by `image`, or by `repository` with `tag` and `digest`.
pub(super) fn image(body: &Body) -> Option<Result<Told, Malformed>> {
    if let Some(image) = body.text("/image") {
        return Some(Told::of_reference("image", image));
    }
    let first = |names: &[&str]| names.iter().find_map(|name| body.text(name)).map(str::to_owned);
    let repository = first(&["/repository", "/repositoryName"])?;
    let registry = first(&["/registry", "/registryUrl"]);
    let place = match registry {
        Some(registry) => {
            let host = registry.split_once("://").map_or(&*registry, |(_, rest)| rest);
            format!("{}/{repository}", host.trim_end_matches('/'))
        }
        None => repository,
    };
    let (tag, digest) = (first(&["/tag", "/imageTag"]), first(&["/digest", "/imageDigest"]));
    Some(Told::new("repository", &place, tag.as_deref(), digest.as_deref()))
}
