//! Quay: tags of a repository were updated. There is neither signature nor id, and two pushes of one tag are told in
//! the same words, so that none is taken for another.

use crate::notice::{Delivery, Malformed, News, Notice, Told};

pub(super) fn read(notice: &Notice<'_>) -> Result<Delivery, Malformed> {
    let body = notice.json()?;
    let place = body.text("/docker_url");
    let Some(tags) = body.at("/updated_tags") else {
        // Builds and scans are told by other events, which name the repository too.
        body.needed("/docker_url")?;
        return Ok(Delivery::nothing(
            "no `updated_tags`: only the event \"Push to Repository\" matters",
        ));
    };
    let place = place.ok_or_else(|| Malformed::Missing("docker_url".to_owned()))?;
    // Older versions write an object with the tags as keys.
    let tags: Vec<&str> = match tags {
        serde_json::Value::Array(tags) => tags.iter().filter_map(|tag| tag.as_str()).collect(),
        serde_json::Value::Object(tags) => tags.keys().map(String::as_str).collect(),
        _ => return Err(Malformed::NoList("updated_tags".to_owned())),
    };
    let told = |tag| Told::new("docker_url", place, tag, None);
    let images = if tags.is_empty() {
        vec![told(None)?]
    } else {
        tags.into_iter().map(|tag| told(Some(tag))).collect::<Result<_, _>>()?
    };
    Ok(Delivery::new(None::<String>, News::Images(images)))
}
