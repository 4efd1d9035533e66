use std::{fmt, str::FromStr};

use crate::printable::printable;

/// An operating system and processor, as image indexes name them: `linux/amd64`, `linux/arm/v7`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// `linux`
    pub os: String,
    /// `amd64`
    pub architecture: String,
    /// `v7`, where the architecture has variants.
    pub variant: Option<String>,
}

/// Why a text is not a platform.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "`{text}` is not a platform: expected os/architecture or os/architecture/variant, as linux/amd64"
)]
pub struct PlatformError {
    text: String,
}

impl Platform {
    /// The platform that this program was built for.
    pub fn of_this_program() -> Self {
        let (architecture, variant) = match std::env::consts::ARCH {
            "x86_64" => ("amd64", None),
            "aarch64" => ("arm64", Some("v8")),
            "arm" => ("arm", Some("v7")),
            "powerpc64" => ("ppc64le", None),
            other => (other, None),
        };
        Self {
            os: std::env::consts::OS.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_owned),
        }
    }

    /// `unknown/unknown`: how BuildKit marks attestations inside an index.
    pub fn is_unknown(&self) -> bool {
        self.os == "unknown" || self.architecture == "unknown"
    }

    /// Whether an image for `self` runs on a machine of `machine`. A missing variant matches any, and
    /// `arm64` without a variant is `arm64/v8`.
    pub fn runs_on(&self, machine: &Self) -> bool {
        let variants_agree = match (&self.variant, &machine.variant) {
            (Some(own), Some(other)) => own == other,
            _ => true,
        };
        self.os == machine.os && self.architecture == machine.architecture && variants_agree
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('/').map(str::to_owned);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(os), Some(architecture), variant, None)
                if !os.is_empty()
                    && !architecture.is_empty()
                    && variant.as_ref().is_none_or(|variant| !variant.is_empty()) =>
            {
                Ok(Self { os, architecture, variant })
            }
            _ => Err(PlatformError { text: printable(text) }),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(formatter, "/{variant}"),
            None => Ok(()),
        }
    }
}

super::serde_as_string!(Platform);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_variant_matches_any() {
        let platform = |text: &str| text.parse::<Platform>().unwrap();
        assert!(platform("linux/arm64").runs_on(&platform("linux/arm64/v8")));
        assert!(!platform("linux/arm/v6").runs_on(&platform("linux/arm/v7")));
        assert!(!platform("linux/amd64").runs_on(&platform("linux/arm64")));
        assert!("linux".parse::<Platform>().is_err());
        assert!("linux//".parse::<Platform>().is_err());
    }
}
