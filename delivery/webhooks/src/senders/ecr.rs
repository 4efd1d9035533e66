//! Amazon ECR: EventBridge's event `ECR Image Action`, as an API destination passes it on.

use crate::notice::{Body, Delivery, Malformed, Notice, Told};

pub(super) fn read(notice: &Notice<'_>) -> Result<Delivery, Malformed> {
    let body = notice.json()?;
    let kind = body.needed("/detail-type")?;
    if kind != "ECR Image Action" {
        return Ok(Delivery::other("detail-type", kind));
    }
    for (pointer, wanted) in [("/detail/action-type", "PUSH"), ("/detail/result", "SUCCESS")] {
        let value = body.needed(pointer)?;
        if value != wanted {
            return Ok(Delivery::other(pointer.rsplit('/').next().unwrap_or(pointer), value));
        }
    }
    let path = body.needed("/detail/repository-name")?;
    let place = format!("{}/{path}", host(&body)?);
    let (tag, digest) = (body.text("/detail/image-tag"), body.text("/detail/image-digest"));
    let told = Told::new("detail.repository-name", &place, tag, digest)?;
    Ok(Delivery::image(body.text("/id"), told))
}

fn host(body: &Body) -> Result<String, Malformed> {
    Ok(registry(body.needed("/account")?, body.needed("/region")?))
}

/// The host of an account's registry in a region.
pub(super) fn registry(account: &str, region: &str) -> String {
    let china = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("{account}.dkr.ecr.{region}.amazonaws.com{china}")
}
