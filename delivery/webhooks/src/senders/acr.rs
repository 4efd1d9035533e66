//! Azure Container Registry.

use crate::notice::{Delivery, Malformed, Notice, Told};

pub(super) fn read(notice: &Notice<'_>) -> Result<Delivery, Malformed> {
    let body = notice.json()?;
    let action = body.needed("/action")?;
    if action != "push" {
        return Ok(Delivery::other("action", action));
    }
    let host = body.needed("/request/host")?;
    let path = body.needed("/target/repository")?;
    let (tag, digest) = (body.text("/target/tag"), body.text("/target/digest"));
    let told = Told::new("target.repository", &format!("{host}/{path}"), tag, digest)?;
    Ok(Delivery::image(body.text("/id"), told))
}
