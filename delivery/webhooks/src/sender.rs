use std::{fmt, str::FromStr};

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    /// GitHub, for packages of GHCR.
    GitHub,
    /// Docker Hub.
    DockerHub,
    /// Harbor.
    Harbor,
    /// Quay.
    Quay,
    /// The CNCF's distribution, and what is built on it.
    Distribution,
    /// GitLab.
    GitLab,
    /// Gitea and Forgejo.
    Gitea,
    /// Azure Container Registry.
    Acr,
    /// Amazon ECR by way of EventBridge.
    Ecr,
    /// Google Artifact Registry by way of Pub/Sub.
    Gcr,
    /// Anybody who sends CloudEvents.
    CloudEvents,
    /// A workflow of GitHub Actions with its own identity.
    GitHubActions,
    /// Anybody.
    Generic,
}

/// How a sender proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A keyed hash of the body, in a header.
    Signature,
    /// The secret itself, in a header.
    Header,
    /// The secret itself, in the path.
    Path,
    /// A signed token of an identity provider.
    Oidc,
}

impl Sender {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::GitHub,
        Self::DockerHub,
        Self::Harbor,
        Self::Quay,
        Self::Distribution,
        Self::GitLab,
        Self::Gitea,
        Self::Acr,
        Self::Ecr,
        Self::Gcr,
        Self::CloudEvents,
        Self::GitHubActions,
        Self::Generic,
    ];

    /// As settings and metrics write it; the names that Flux has are Flux's.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::DockerHub => "dockerhub",
            Self::Harbor => "harbor",
            Self::Quay => "quay",
            Self::Distribution => "distribution",
            Self::GitLab => "gitlab",
            Self::Gitea => "gitea",
            Self::Acr => "acr",
            Self::Ecr => "ecr",
            Self::Gcr => "gcr",
            Self::CloudEvents => "cloudevents",
            Self::GitHubActions => "github-actions",
            Self::Generic => "generic",
        }
    }

    /// How it can prove who it is, the usual way first.
    pub fn proofs(self) -> &'static [Proof] {
        match self {
            Self::GitHub | Self::Gitea => &[Proof::Signature],
            Self::DockerHub | Self::Quay => &[Proof::Path],
            Self::Harbor | Self::Distribution | Self::GitLab | Self::Acr | Self::Ecr => {
                &[Proof::Header, Proof::Path]
            }
            Self::Gcr => &[Proof::Oidc, Proof::Path],
            Self::CloudEvents => &[Proof::Header, Proof::Signature, Proof::Path],
            Self::GitHubActions => &[Proof::Oidc],
            Self::Generic => &[Proof::Signature, Proof::Header, Proof::Path],
        }
    }

    /// Whether what it says leaves open which image is meant, so that every repository must be named.
    pub(crate) fn means_all(self) -> bool {
        self == Self::GitLab
    }
}

impl FromStr for Sender {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "ghcr" => Ok(Self::GitHub),
            "forgejo" => Ok(Self::Gitea),
            "gar" => Ok(Self::Gcr),
            "generic-hmac" => Ok(Self::Generic),
            text => Self::ALL.into_iter().find(|sender| sender.as_str() == text).ok_or(()),
        }
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Proof {
    const ALL: [Self; 4] = [Self::Signature, Self::Header, Self::Path, Self::Oidc];

    /// As settings write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Header => "header",
            Self::Path => "path",
            Self::Oidc => "oidc",
        }
    }
}

impl FromStr for Proof {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|proof| proof.as_str() == text).ok_or(())
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
