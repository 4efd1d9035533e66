//! Harbor, in both of its payload formats.

use super::cloud_events;
use crate::notice::{Body, Delivery, Malformed, News, Notice, Told};

pub(super) fn read(notice: &Notice<'_>) -> Result<Delivery, Malformed> {
    if cloud_events::is_one(notice) {
        return cloud_events::read(notice);
    }
    let body = notice.json()?;
    if body.text("/specversion").is_some() {
        return cloud_events::read(notice);
    }
    let event = body.needed("/type")?;
    if event != "PUSH_ARTIFACT" {
        return Ok(Delivery::other("event", event));
    }
    let data = Body::within(body.at("/event_data").unwrap_or(&serde_json::Value::Null));
    let images = pushed(&data)?;
    // Harbor gives no id: the second of the push and what was pushed tell deliveries apart.
    let id = body.at("/occur_at").map(|at| format!("{at} {images:?}"));
    Ok(Delivery::new(id, News::Images(images)))
}

/// The resources of an event's data.
pub(super) fn pushed(data: &Body) -> Result<Vec<Told>, Malformed> {
    let mut images = Vec::new();
    for resource in data.list("/resources")? {
        let tag = resource.text("/tag");
        let digest = resource.text("/digest");
        let url = resource.needed("/resource_url")?;
        let url = url.split_once("://").map_or(url, |(_, rest)| rest);
        let mut told = Told::of_reference("resource_url", url)?;
        let also = Told::new("resource_url", "x/x", tag, digest)?;
        told.tag = also.tag.or(told.tag);
        told.digest = also.digest.or(told.digest);
        images.push(told.by_hearsay());
    }
    Ok(images)
}
