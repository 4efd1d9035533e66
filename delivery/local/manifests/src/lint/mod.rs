//! What is legal and deserves a look: pitfalls of a rollout without lost requests, credentials in the wrong place, values that
//! are probably not meant.

mod delivery;
mod values;
mod workload;

pub(crate) use delivery::{auto_deploy, image_policy};
pub(crate) use values::{config_map, ingress, secret, service};
pub(crate) use workload::{deployment, unpinned};

use crate::{Sourced, Warning, WarningKind};

/// Where remarks on one object go.
pub(crate) struct Remarks<'read> {
    /// `Deployment app/api`
    pub(crate) subject: &'read str,
    pub(crate) warnings: &'read mut Vec<Warning>,
}

impl Remarks<'_> {
    fn add<T>(
        &mut self,
        kind: WarningKind,
        object: &Sourced<T>,
        field: &str,
        message: impl Into<String>,
    ) {
        self.warnings.push(Warning {
            kind,
            origin: object.at(field),
            subject: format!("{}: {field}", self.subject),
            message: message.into(),
        });
    }
}

/// Whether a setting of this name is one that nobody should read in passing.
fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_uppercase().replace(['-', '.'], "_");
    let about_a_file =
        name.ends_with("_FILE") || name.ends_with("_PATH") || name.ends_with("_NAME");
    let telling = ["PASSWORD", "PASSWD", "SECRET", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY"];
    !about_a_file && telling.iter().any(|word| name.contains(word))
}

/// Whether a text is a URL with a password in it.
fn has_password(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ' ']).next().unwrap_or_default();
        authority
            .rsplit_once('@')
            .and_then(|(user, _)| user.split_once(':'))
            .is_some_and(|(_, password)| !password.is_empty() && !password.starts_with("$("))
    })
}
