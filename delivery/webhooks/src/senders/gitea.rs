//! Gitea and Forgejo: the event `package`.

use crate::notice::{Delivery, Malformed, Notice, Told};

pub(super) fn read(notice: &Notice<'_>) -> Result<Delivery, Malformed> {
    let of_either = |gitea, forgejo| notice.header(forgejo).or_else(|| notice.header(gitea));
    let event = of_either("x-gitea-event", "x-forgejo-event")
        .ok_or(Malformed::NoHeader("x-gitea-event"))?;
    if event != "package" {
        return Ok(Delivery::other("event", event));
    }
    let body = notice.json()?;
    let action = body.needed("/action")?;
    if action != "created" {
        return Ok(Delivery::other("action", action));
    }
    if let Some(kind) = body.text("/package/type")
        && kind != "container"
    {
        return Ok(Delivery::other("package type", kind));
    }
    let name = body.needed("/package/name")?;
    let owner = ["login", "username"]
        .into_iter()
        .find_map(|field| body.text(&format!("/package/owner/{field}")))
        .ok_or_else(|| Malformed::Missing("package.owner.login".to_owned()))?;
    let host = body
        .text("/package/html_url")
        .or_else(|| body.text("/repository/html_url"))
        .and_then(|url| url.parse::<url::Url>().ok())
        .and_then(|url| Some((url.host_str()?.to_owned(), url.port())))
        .map_or("localhost".to_owned(), |(host, port)| match port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        });
    // The version is a tag, or the digest of what has none.
    let version = body.text("/package/version");
    let told = Told::new("package.name", &format!("{host}/{owner}/{name}"), version, None)?;
    let id = of_either("x-gitea-delivery", "x-forgejo-delivery");
    Ok(Delivery::image(id, told.by_hearsay()))
}
