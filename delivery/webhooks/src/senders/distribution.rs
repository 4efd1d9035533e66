//! Notifications of the CNCF's distribution (registry:2, registry:3, GitLab's registry): batches of events, blobs
//! among them.

use crate::notice::{Body, Delivery, Malformed, News, Notice, Told};

pub(super) fn read(notice: &Notice<'_>) -> Result<Delivery, Malformed> {
    let mut images = Vec::new();
    let mut ids = Vec::new();
    let events = notice.json()?.list("/events")?;
    for event in &events {
        let is_manifest = event
            .text("/target/mediaType")
            .is_none_or(|kind| kind.contains("manifest") || kind.contains("image.index"));
        if event.text("/action") != Some("push") || !is_manifest {
            continue;
        }
        images.push(pushed(event)?);
        ids.extend(event.text("/id").map(str::to_owned));
    }
    if images.is_empty() {
        return Ok(Delivery::nothing(format!(
            "none of {} events is a push of a manifest",
            events.len()
        )));
    }
    // A batch is sent again whole.
    let id = (ids.len() == images.len()).then(|| ids.join(" "));
    Ok(Delivery::new(id, News::Images(images)))
}

/// The registry often knows itself by another name than those who pull: the path counts.
fn pushed(event: &Body) -> Result<Told, Malformed> {
    let path = event.needed("/target/repository")?;
    let host = event.text("/request/host").map(str::to_owned).or_else(|| {
        let url: url::Url = event.text("/target/url")?.parse().ok()?;
        let host = url.host_str()?.to_owned();
        Some(url.port().map_or(host.clone(), |port| format!("{host}:{port}")))
    });
    let host = host.filter(|host| host.contains(['.', ':'])).unwrap_or("localhost".to_owned());
    let (tag, digest) = (event.text("/target/tag"), event.text("/target/digest"));
    Ok(Told::new("target.repository", &format!("{host}/{path}"), tag, digest)?.by_hearsay())
}
