//! Google Artifact Registry and Container Registry: the topic `gcr`, pushed by Pub/Sub, wrapped or not.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::notice::{Body, Delivery, Malformed, Notice, Told};

pub(super) fn read(notice: &Notice<'_>) -> Result<Delivery, Malformed> {
    let envelope = notice.json()?;
    let mut id = envelope.text("/message/messageId").map(str::to_owned);
    let message = if envelope.at("/message").is_some() {
        let data = envelope.needed("/message/data")?;
        let data = STANDARD.decode(data).map_err(|_| Malformed::Base64("message.data"))?;
        Body::of(&data)?
    } else {
        id = notice.header("x-goog-pubsub-message-id").map(str::to_owned);
        envelope
    };
    let action = message.needed("/action")?;
    if action != "INSERT" {
        return Ok(Delivery::other("action", action));
    }
    let of = |field: &str| {
        let text = message.text(&format!("/{field}"))?;
        text.contains('/').then(|| Told::of_reference(field, text))
    };
    let (tag, digest) = (of("tag").transpose()?, of("digest").transpose()?);
    let told = match (tag, digest) {
        (Some(tag), Some(digest)) => {
            Told { digest: digest.digest.filter(|_| digest.repository == tag.repository), ..tag }
        }
        (Some(told), None) | (None, Some(told)) => told,
        (None, None) => return Err(Malformed::Missing("tag` or `digest".to_owned())),
    };
    Ok(Delivery::image(id, told))
}
