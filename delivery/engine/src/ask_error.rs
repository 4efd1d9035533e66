use mercurious_core::resources::ObjectName;

use crate::ports::{LookError, StoreError};

/// Why a person's wish could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is no such auto-deploy.
    #[error("there is no auto-deploy {name}{}", among(.name, .known))]
    NoAutoDeploy {
        /// What was asked for.
        name: String,
        /// Those that there are.
        known: Vec<ObjectName>,
    },
    /// The name fits several auto-deploys.
    #[error("{name} may mean several auto-deploys: {}; give the namespace as well", list(.candidates))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// Those that it fits.
        candidates: Vec<ObjectName>,
    },
    /// No release is known by this name.
    #[error(
        "no release `{text}` of {repository}: give a tag, a commit, a digest or a reference of this repository"
    )]
    NoRelease {
        /// What was asked for.
        text: String,
        /// Where it was looked for.
        repository: String,
    },
    /// The reference names another repository than the policy's (invariant 1).
    #[error("{reference} is not in {repository}, the repository of this auto-deploy's policy")]
    ForeignRepository {
        /// What was asked for.
        reference: String,
        /// The policy's own.
        repository: String,
    },
    /// The registry did not answer.
    #[error("the registry could not be asked")]
    Look(#[source] LookError),
    /// State could not be written.
    #[error("the request could not be written down")]
    Store(#[source] StoreError),
    /// The engine is stopping.
    #[error("the engine is stopping")]
    Stopping,
}

fn list(names: &[ObjectName]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The one that was probably meant; else all that there are.
fn among(name: &str, known: &[ObjectName]) -> String {
    let wanted = name.rsplit('/').next().unwrap_or(name);
    let distance = |known: &ObjectName| strsim::osa_distance(wanted, &known.name);
    match known.iter().min_by_key(|known| distance(known)) {
        None => "; there are none".to_owned(),
        Some(nearest) if distance(nearest) <= wanted.len().div_ceil(3) => {
            format!("; did you mean {nearest}?")
        }
        Some(_) => format!("; there are: {}", list(known)),
    }
}
