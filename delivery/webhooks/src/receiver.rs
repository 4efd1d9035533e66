use std::collections::BTreeSet;

use mercurious_core::image::Repository;
use subtle::ConstantTimeEq as _;

use crate::{Hint, RepositoryPattern, Sender, notice::Told, oidc::Issuer, secret::Secret};

/// One delivery speaks for no more images: who sends more is answered as if it had sent these.
const MOST_HINTS: usize = 64;

/// What one sender may speak for, and how it proves who it is.
#[derive(Debug)]
pub struct Receiver {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) sender: Sender,
    pub(crate) credential: Credential,
    pub(crate) repositories: Vec<RepositoryPattern>,
}

/// What the proof is checked with.
#[derive(Debug)]
pub(crate) enum Credential {
    Signature(Secret),
    Header(Secret),
    Path(Secret),
    Oidc(Issuer),
}

/// All receivers of a program.
#[derive(Debug, Default)]
pub struct Receivers(Vec<Receiver>);

impl Receivers {
    pub(crate) fn new(receivers: Vec<Receiver>) -> Self {
        Self(receivers)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What people are told of each: its name, who sends, and where to; a secret stands as `TOKEN`.
    pub fn describe(&self) -> impl Iterator<Item = (&str, Sender, String)> {
        self.0.iter().map(|receiver| {
            let end =
                if matches!(receiver.credential, Credential::Path(_)) { "/TOKEN" } else { "" };
            let path = format!("/hooks/{}{end}", receiver.name);
            (receiver.name.as_str(), receiver.sender, path)
        })
    }

    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.0.iter().map(|receiver| receiver.name.as_str()).collect()
    }

    pub(crate) fn has_keys(&self, url: &url::Url) -> bool {
        let is = |receiver: &Receiver| matches!(&receiver.credential, Credential::Oidc(issuer) if issuer.keys == *url);
        self.0.iter().any(is)
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Receiver> {
        self.0.iter().find(|receiver| receiver.name == name)
    }

    /// The one with this end of Flux's path. All are compared, so that the time says nothing.
    pub(crate) fn at_flux_path(&self, end: &str) -> Option<&Receiver> {
        let mut found = None;
        for receiver in &self.0 {
            if receiver.has_flux_path(end) {
                found = Some(receiver);
            }
        }
        found
    }
}

impl Receiver {
    fn has_flux_path(&self, end: &str) -> bool {
        match &self.credential {
            Credential::Signature(secret)
            | Credential::Header(secret)
            | Credential::Path(secret) => {
                let own = secret.flux_path(&self.name, &self.namespace);
                own.as_bytes().ct_eq(end.as_bytes()).into()
            }
            Credential::Oidc(_) => false,
        }
    }

    /// What it may say of all that it was told.
    pub(crate) fn admit(&self, told: &[Told]) -> BTreeSet<Hint> {
        told.iter().flat_map(|told| self.admit_one(told)).take(MOST_HINTS).collect()
    }

    fn admit_one(&self, told: &Told) -> Vec<Hint> {
        let fits = |repository: &Repository| {
            self.repositories.iter().any(|pattern| pattern.fits(repository))
        };
        let repositories = if fits(&told.repository) {
            vec![told.repository.clone()]
        } else if told.host_is_hearsay {
            let path = told.repository.path();
            self.repositories.iter().filter_map(|pattern| pattern.with_path(path)).collect()
        } else {
            Vec::new()
        };
        let hint =
            |repository| Hint { repository, tag: told.tag.clone(), digest: told.digest.clone() };
        repositories.into_iter().map(hint).collect()
    }

    /// Every repository that it names in full.
    pub(crate) fn all(&self) -> BTreeSet<Hint> {
        let one = |pattern: &RepositoryPattern| pattern.one().cloned();
        let hint = |repository| Hint { repository, tag: None, digest: None };
        self.repositories.iter().filter_map(one).map(hint).collect()
    }
}
