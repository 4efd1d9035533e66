//! Which release a person means.

use mercurious_core::{
    image::{Digest, ImageReference, Release, Tag},
    resources::ObjectName,
};

use crate::{
    AskError, EngineHandle, Place,
    seats::{AppSeat, RepositorySeat},
};

impl EngineHandle {
    /// Finds a release by tag, commit, digest (each may be shortened to 7 digits), or full reference.
    pub async fn release(&self, name: &ObjectName, text: &str) -> Result<Release, AskError> {
        let seat = self.seat(name)?;
        let repository = self.repository(&seat)?;
        let own = &repository.place.repository;
        let reference = if text.contains('/') {
            let reference: ImageReference =
                text.parse().map_err(|_| no_release(text, &repository.place))?;
            if reference.repository() != own {
                return Err(AskError::ForeignRepository {
                    reference: text.to_owned(),
                    repository: own.to_string(),
                });
            }
            Some(reference)
        } else {
            None
        };
        let locator = reference.as_ref().map_or_else(|| text.to_owned(), ImageReference::locator);
        if let Some(release) = Self::known_release(&seat, &repository, &locator) {
            return Ok(release);
        }
        let source = &self.ports().source;
        for candidate in [locator.clone(), format!("sha-{locator}")] {
            if candidate.parse::<Tag>().is_err() && candidate.parse::<Digest>().is_err() {
                continue;
            }
            if let Some(digest) =
                source.head(&repository.place, &candidate).await.map_err(AskError::Look)?
            {
                let tag = candidate.parse::<Tag>().ok();
                let release = source
                    .resolve(&repository.place, &digest, tag.as_ref())
                    .await
                    .map_err(AskError::Look)?;
                return Ok(Release { tag, ..release });
            }
        }
        Err(no_release(text, &repository.place))
    }

    /// A release that was seen or deployed before, by tag, or by the beginning of its commit or digest.
    fn known_release(seat: &AppSeat, repository: &RepositorySeat, text: &str) -> Option<Release> {
        let seen = repository.state.borrow().seen.clone();
        let hex =
            text.strip_prefix("sha256:").or_else(|| text.strip_prefix("sha-")).unwrap_or(text);
        let is_named =
            |release: &Release| release.tag.as_ref().is_some_and(|it| it.as_str() == text);
        let begins = |release: &Release| {
            let commit = release.commit.as_ref();
            hex.len() >= 7
                && (release.digest.hex().starts_with(hex)
                    || commit.is_some_and(|commit| commit.as_str().starts_with(hex)))
        };
        let listed = seen.tags.iter().filter_map(|(tag, digest)| {
            let release = seen.releases.get(digest.as_ref()?)?;
            Some(Release { tag: Some(tag.clone()), ..Release::clone(release) })
        });
        let view = seat.view.borrow().clone();
        let history = view
            .iter()
            .filter_map(|view| view.object.status.as_ref())
            .flat_map(|status| status.history.iter().map(|attempt| attempt.release.clone()))
            .collect::<Vec<_>>();
        let known: Vec<Release> = listed.chain(history).collect();
        if let Some(named) = known.iter().find(|release| is_named(release)) {
            return Some(named.clone());
        }
        let mut begun: Vec<&Release> = known.iter().filter(|release| begins(release)).collect();
        // What begins like two releases names neither.
        begun.iter().all(|release| release.digest == begun[0].digest).then_some(())?;
        // A tag that moves tells less than one made for the commit.
        begun.sort_by_key(|release| {
            let tag = release.tag.as_ref().map(Tag::as_str);
            tag.is_none_or(|tag| !tag.starts_with("sha-"))
        });
        begun.first().map(|release| (*release).clone())
    }
}

fn no_release(text: &str, place: &Place) -> AskError {
    AskError::NoRelease { text: text.to_owned(), repository: place.repository.to_string() }
}
