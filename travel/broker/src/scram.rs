//! Who comes in: SCRAM-SHA-256 and SCRAM-SHA-512, for one user.
//!
//! Only keys derived from the password are kept. The exchange itself is the crate `rsasl`'s.

use std::sync::Arc;

use hmac::Mac as _;
use rsasl::{
    callback::{Context, Request, SessionCallback, SessionData},
    config::SASLConfig,
    mechanisms::scram::properties::ScramStoredPassword,
    prelude::{Mechname, SASLError, SASLServer, Session, SessionError, State, Validation},
    property::{AuthId, AuthzId},
    validate::{Validate, ValidationError},
};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256, Sha512};

use crate::settings::Credentials;

/// The mechanisms that are offered.
pub(crate) const MECHANISMS: [&str; 2] = ["SCRAM-SHA-512", "SCRAM-SHA-256"];

/// As many as Kafka's own default; a client repeats them at each connection.
const ITERATIONS: u32 = 4096;

/// Checks clients.
#[derive(Clone)]
pub(crate) struct Scram {
    config: Arc<SASLConfig>,
}

/// One client's attempt.
pub(crate) struct Attempt {
    session: Session<Admitted>,
}

/// What comes of a step of an attempt.
pub(crate) enum Step {
    /// The client has to go on.
    More(Vec<u8>),
    /// The client is who it says.
    Admitted(Vec<u8>),
    /// The client is refused; what is wrong is not said to it.
    Refused,
}

/// The proof that a client was admitted: whether its user is the one that it wants to act for.
struct Admitted;

impl Validation for Admitted {
    type Value = bool;
}

struct Keys {
    salt: Vec<u8>,
    stored: Vec<u8>,
    server: Vec<u8>,
}

struct OneUser {
    username: String,
    sha256: Keys,
    sha512: Keys,
}

impl Scram {
    pub(crate) fn new(credentials: &Credentials) -> Result<Self, SASLError> {
        let salt: [u8; 32] = std::array::from_fn(|_| fastrand::u8(..));
        let user = OneUser {
            username: credentials.username.clone(),
            sha256: sha256_keys(credentials, &salt),
            sha512: sha512_keys(credentials, &salt),
        };
        let config = SASLConfig::builder().with_defaults().with_callback(user)?;
        Ok(Self { config })
    }

    /// Begins an attempt, unless the mechanism is none of those that are offered.
    pub(crate) fn begin(&self, mechanism: &str) -> Option<Attempt> {
        if !MECHANISMS.contains(&mechanism) {
            return None;
        }
        let name = Mechname::parse(mechanism.as_bytes()).ok()?;
        let server = SASLServer::<Admitted>::new(Arc::clone(&self.config));
        Some(Attempt { session: server.start_suggested(name).ok()? })
    }
}

impl Attempt {
    pub(crate) fn step(&mut self, message: &[u8]) -> Step {
        let mut answer = Vec::new();
        match self.session.step(Some(message), &mut answer) {
            Ok(State::Running) => Step::More(answer),
            Ok(State::Finished(_)) if self.session.validation() == Some(true) => {
                Step::Admitted(answer)
            }
            Ok(State::Finished(_)) | Err(_) => Step::Refused,
        }
    }
}

impl SessionCallback for OneUser {
    fn callback(
        &self,
        session: &SessionData,
        context: &Context<'_>,
        request: &mut Request<'_>,
    ) -> Result<(), SessionError> {
        if context.get_ref::<AuthId>() != Some(self.username.as_str()) {
            return Ok(());
        }
        let keys = match session.mechanism().mechanism.as_str() {
            "SCRAM-SHA-256" => &self.sha256,
            "SCRAM-SHA-512" => &self.sha512,
            _ => return Ok(()),
        };
        let stored = ScramStoredPassword::new(ITERATIONS, &keys.salt, &keys.stored, &keys.server);
        request.satisfy::<ScramStoredPassword<'_>>(&stored)?;
        Ok(())
    }

    fn validate(
        &self,
        _session: &SessionData,
        context: &Context<'_>,
        validate: &mut Validate<'_>,
    ) -> Result<(), ValidationError> {
        validate.with::<Admitted, _>(|| {
            let user = context.get_ref::<AuthId>() == Some(self.username.as_str());
            let itself = context
                .get_ref::<AuthzId>()
                .is_none_or(|name| name.is_empty() || name == self.username);
            Ok(user && itself)
        })?;
        Ok(())
    }
}

fn sha256_keys(credentials: &Credentials, salt: &[u8]) -> Keys {
    let password = credentials.password.expose_secret().as_bytes();
    let salted: [u8; 32] = pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(password, salt, ITERATIONS);
    let of = |text: &[u8]| {
        let mut mac = hmac::Hmac::<Sha256>::new_from_slice(&salted)
            .unwrap_or_else(|_| unreachable!("a key for an HMAC may have any length"));
        mac.update(text);
        mac.finalize().into_bytes().to_vec()
    };
    Keys {
        salt: salt.to_vec(),
        stored: Sha256::digest(of(b"Client Key")).to_vec(),
        server: of(b"Server Key"),
    }
}

fn sha512_keys(credentials: &Credentials, salt: &[u8]) -> Keys {
    let password = credentials.password.expose_secret().as_bytes();
    let salted: [u8; 64] = pbkdf2::pbkdf2_hmac_array::<Sha512, 64>(password, salt, ITERATIONS);
    let of = |text: &[u8]| {
        let mut mac = hmac::Hmac::<Sha512>::new_from_slice(&salted)
            .unwrap_or_else(|_| unreachable!("a key for an HMAC may have any length"));
        mac.update(text);
        mac.finalize().into_bytes().to_vec()
    };
    Keys {
        salt: salt.to_vec(),
        stored: Sha512::digest(of(b"Client Key")).to_vec(),
        server: of(b"Server Key"),
    }
}
