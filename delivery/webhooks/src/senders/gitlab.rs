//! GitLab's project hooks say that something was built, not which image: every repository of the receiver is meant.
//! GitLab's registry itself sends what distribution sends.

use super::distribution;
use crate::notice::{Delivery, Malformed, News, Notice};

pub(super) fn read(notice: &Notice<'_>) -> Result<Delivery, Malformed> {
    if notice.content_type().starts_with("application/vnd.docker.distribution.events") {
        return distribution::read(notice);
    }
    let event = notice.needed_header("x-gitlab-event")?;
    let body = notice.json()?;
    let pointer = match event {
        "Pipeline Hook" => "/object_attributes/status",
        "Job Hook" => "/build_status",
        "Deployment Hook" => "/status",
        "Release Hook" => "/action",
        other => return Ok(Delivery::other("event", other)),
    };
    let status = body.needed(pointer)?;
    if !matches!(status, "success" | "create") {
        return Ok(Delivery::other("status", status));
    }
    let id = notice.header("idempotency-key").or_else(|| notice.header("x-gitlab-event-uuid"));
    Ok(Delivery::new(id, News::All))
}
