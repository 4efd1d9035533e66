//! CloudEvents 1.0 over HTTP: structured, binary and batched. What is understood inside: Harbor's and ECR's events,
//! CDEvents of artifacts, and data that names an image.

use serde_json::{Map, Value};

use super::{ecr, generic, harbor};
use crate::notice::{Body, Delivery, Malformed, News, Notice, Told};

/// Whether the headers say that it is one.
pub(super) fn is_one(notice: &Notice<'_>) -> bool {
    notice.header("ce-specversion").is_some()
        || notice.content_type().starts_with("application/cloudevents")
}

pub(super) fn read(notice: &Notice<'_>) -> Result<Delivery, Malformed> {
    if notice.header("ce-specversion").is_some() {
        return one(&binary(notice)?);
    }
    if notice.content_type() != "application/cloudevents-batch+json" {
        return one(&notice.json()?);
    }
    let (mut ids, mut images, mut why) = (Vec::new(), Vec::new(), "an empty batch".to_owned());
    for event in notice.json()?.list("")? {
        let delivery = one(&event)?;
        match delivery.news {
            News::Images(told) => {
                images.extend(told);
                ids.extend(delivery.id);
            }
            News::Nothing(reason) => why = reason,
            News::All => {}
        }
    }
    if images.is_empty() {
        return Ok(Delivery::nothing(why));
    }
    Ok(Delivery::new(Some(ids.join(" ")), News::Images(images)))
}

/// The event of the binary mode, as the structured mode writes it.
fn binary(notice: &Notice<'_>) -> Result<Body, Malformed> {
    let mut event = Map::new();
    for (name, value) in notice.headers {
        if let (Some(name), Ok(value)) = (name.as_str().strip_prefix("ce-"), value.to_str()) {
            event.insert(name.to_owned(), Value::from(value));
        }
    }
    let empty = notice.body.trim_ascii().is_empty();
    let data = if empty { Body::within(&Value::Null) } else { notice.json()? };
    event.insert("data".to_owned(), data.at("").cloned().unwrap_or_default());
    Ok(Body::within(&Value::Object(event)))
}

fn one(event: &Body) -> Result<Delivery, Malformed> {
    let kind = event.needed("/type")?;
    let (source, id) = (event.needed("/source")?, event.needed("/id")?);
    event.needed("/specversion")?;
    // Source and id together are unique, says the specification.
    let id = Some(format!("{source} {id}"));
    let data = Body::within(event.at("/data").unwrap_or(&Value::Null));
    if kind.starts_with("harbor.") {
        return match kind {
            "harbor.artifact.pushed" => Ok(Delivery::new(id, News::Images(harbor::pushed(&data)?))),
            other => Ok(Delivery::other("type", other)),
        };
    }
    let told = if kind.starts_with("dev.cdevents.artifact.") {
        if !kind.starts_with("dev.cdevents.artifact.published.") {
            return Ok(Delivery::other("type", kind));
        }
        Some(of_purl(data.needed("/subject/id")?)?)
    } else if let Some(place) = ecr_place(event, &data) {
        let (tag, digest) = (data.text("/imageTag"), data.text("/imageDigest"));
        let subject = event.text("/subject").and_then(|text| Some(text.rsplit_once(':')?.1));
        Some(Told::new("data.repositoryName", &place, tag.or(subject), digest)?)
    } else {
        generic::image(&data).transpose()?
    };
    Ok(match told {
        Some(told) => Delivery::image(id, told),
        None => Delivery::nothing("neither `data.image` nor `data.repository` names an image"),
    })
}

/// `urn:aws:ecr:REGION:ACCOUNT:repository/NAME`.
fn ecr_place(event: &Body, data: &Body) -> Option<String> {
    let mut parts = event.text("/source")?.splitn(6, ':');
    let (_, aws, ecr) = (parts.next()?, parts.next()?, parts.next()?);
    if (aws, ecr) != ("aws", "ecr") {
        return None;
    }
    let (region, account) = (parts.next()?, parts.next()?);
    let named = parts.next().and_then(|rest| rest.strip_prefix("repository/"));
    let path = data.text("/repositoryName").or(named)?;
    Some(format!("{}/{path}", ecr::registry(account, region)))
}

/// `pkg:oci/app@sha256%3A…?repository_url=ghcr.io/team/app&tag=latest`.
fn of_purl(purl: &str) -> Result<Told, Malformed> {
    let missing = || Malformed::Missing("data.subject.id: pkg:oci/…?repository_url=…".to_owned());
    let rest = purl.strip_prefix("pkg:oci/").ok_or_else(missing)?;
    let (name, query) = rest.split_once('?').ok_or_else(missing)?;
    let query: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let value = |key: &str| query.iter().find(|(name, _)| name == key).map(|(_, value)| &**value);
    let place = value("repository_url").ok_or_else(missing)?;
    let digest = name.split_once('@').map(|(_, version)| {
        percent_encoding::percent_decode_str(version).decode_utf8_lossy().into_owned()
    });
    Told::new("data.subject.id", place, value("tag"), digest.as_deref())
}
