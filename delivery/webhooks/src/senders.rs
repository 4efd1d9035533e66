//! What each sender writes, read leniently: only what says which image is meant must be there.

mod acr;
mod cloud_events;
mod distribution;
mod docker_hub;
mod ecr;
mod gcr;
mod generic;
mod gitea;
mod github;
mod gitlab;
mod harbor;
mod quay;

use crate::{
    Sender,
    notice::{Delivery, Malformed, Notice},
};

/// What this sender says.
pub(crate) fn read(sender: Sender, notice: &Notice<'_>) -> Result<Delivery, Malformed> {
    match sender {
        Sender::GitHub => github::read(notice),
        Sender::DockerHub => docker_hub::read(notice),
        Sender::Harbor => harbor::read(notice),
        Sender::Quay => quay::read(notice),
        Sender::Distribution => distribution::read(notice),
        Sender::GitLab => gitlab::read(notice),
        Sender::Gitea => gitea::read(notice),
        Sender::Acr => acr::read(notice),
        Sender::Ecr => ecr::read(notice),
        Sender::Gcr => gcr::read(notice),
        Sender::CloudEvents => cloud_events::read(notice),
        Sender::GitHubActions | Sender::Generic => generic::read(notice),
    }
}
