//! GitHub's events `package` and `registry_package`: one for each manifest of a push, each with one tag at most.

use std::borrow::Cow;

use crate::notice::{Body, Delivery, Malformed, Notice, Told};

pub(super) fn read(notice: &Notice<'_>) -> Result<Delivery, Malformed> {
    let event = notice.needed_header("x-github-event")?;
    let key = match event {
        "package" => "package",
        "registry_package" => "registry_package",
        other => return Ok(Delivery::other("event", other)),
    };
    let body = Body::of(&payload(notice)?)?;
    let action = body.needed("/action")?;
    if !matches!(action, "published" | "updated") {
        return Ok(Delivery::other("action", action));
    }
    let at = |field: &str| format!("/{key}/{field}");
    let kind = body.text(&at("package_type")).or_else(|| body.text(&at("ecosystem")));
    if let Some(kind) = kind
        && !kind.eq_ignore_ascii_case("container")
        && !kind.eq_ignore_ascii_case("docker")
    {
        return Ok(Delivery::other("package type", kind));
    }
    let version = |field: &str| at(&format!("package_version/{field}"));
    let tag = body.text(&version("container_metadata/tag/name"));
    let digest = body
        .text(&version("container_metadata/tag/digest"))
        .or_else(|| body.text(&version("version")))
        .or_else(|| body.text(&version("name")));
    // `ghcr.io/team/app:tag`, where the tag may be empty.
    let url = body.text(&version("package_url")).or_else(|| body.text(&at("package_url")));
    let of_url = url.map(|url| url.trim_end_matches(':')).filter(|url| url.contains('/'));
    let told = if let Some(url) = of_url {
        let mut told = Told::of_reference("package_url", url)?;
        let also = Told::new("package_url", "x/x", tag, digest)?;
        told.tag = told.tag.or(also.tag);
        told.digest = told.digest.or(also.digest);
        told
    } else {
        let name = body.needed(&at("name"))?;
        let owner = body.text(&at("namespace")).or_else(|| body.text(&at("owner/login")));
        let owner = owner.ok_or_else(|| Malformed::Missing(format!("{key}.owner.login")))?;
        Told::new("name", &format!("ghcr.io/{owner}/{name}"), tag, digest)?
    };
    Ok(Delivery::image(notice.header("x-github-delivery"), told))
}

/// The JSON, also where the hook's content type is the form, which is GitHub's default.
fn payload<'a>(notice: &Notice<'a>) -> Result<Cow<'a, [u8]>, Malformed> {
    if notice.content_type() != "application/x-www-form-urlencoded" {
        return Ok(Cow::Borrowed(notice.body));
    }
    url::form_urlencoded::parse(notice.body)
        .find(|(name, _)| name == "payload")
        .map(|(_, value)| Cow::Owned(value.into_owned().into_bytes()))
        .ok_or(Malformed::NoPayload)
}
