//! Finds the way in: what was accepted last time, then every credential that matches, then none.
//!
//! **Flow.** A request is sent as the last one to this repository was accepted. Only when that is refused, or
//! nothing is known, the challenge is read and the credentials are tried in order; what works is kept.
//!
//! **Guarantees.** A credential goes to the registry itself or to the token service that it names (see
//! [`crate::token::realm`]), and nowhere else. All refusals are told together.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use mercurious_core::image::Repository;
use tokio::time::Instant;

use crate::{
    Attempt, Challenge, Keychain, RegistryError,
    credentials::Credential,
    hosts::Endpoint,
    parse_challenges,
    request::{Answer, Refusal, Reply, Request},
    session::{Actions, Session, SessionKey, Sessions},
    token::{self, TokenReply},
    transport::Transport,
};

/// GHCR's challenge for `/v2/` itself names this, whatever repository is meant.
const PLACEHOLDER: &str = "repository:user/image:pull";

/// Where a request goes and with whose rights.
#[derive(Clone, Copy)]
pub(crate) struct Access<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) repository: &'a Repository,
    pub(crate) actions: &'a Actions,
    pub(crate) keychain: &'a Keychain,
}

/// Something that a challenge can be answered with.
struct Pass {
    header: HeaderValue,
    expires: Option<Instant>,
}

enum PassReply {
    Pass(Pass),
    Refused(String),
}

/// One walk through the credentials, for one request.
struct Walk<'a> {
    transport: &'a Transport,
    sessions: &'a Sessions,
    access: Access<'a>,
    request: &'a Request,
    key: SessionKey,
    challenges: Arc<Vec<Challenge>>,
    attempts: Vec<Attempt>,
    /// A 404 that a credential with fewer rights may have got.
    absent: Option<(Refusal, Pass)>,
}

/// Sends a request with what the registry wants to see.
pub(crate) async fn send(
    transport: &Transport,
    sessions: &Sessions,
    access: Access<'_>,
    request: &Request,
) -> Result<Answer, RegistryError> {
    let key = SessionKey {
        host: access.endpoint.host.clone(),
        path: access.repository.path().to_owned(),
        actions: access.actions.clone(),
        keychain: access.keychain.fingerprint(),
    };
    let mut refused = None;
    let known = sessions.get(&key);
    if let Some(session) = &known {
        match transport.send(request, session.header.as_ref()).await? {
            Reply::Good(answer) => return Ok(*answer),
            Reply::Refused(refusal) if refusal.is_about_access() => refused = Some(refusal),
            Reply::Refused(refusal) => return Err(refusal.into_error(&request.what)),
        }
    }
    let _turn = sessions.gate(&key).await;
    // Somebody else may have found the way in meanwhile.
    if let Some(session) = sessions.get(&key)
        && known.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &session))
    {
        match transport.send(request, session.header.as_ref()).await? {
            Reply::Good(answer) => return Ok(*answer),
            Reply::Refused(refusal) if refusal.is_about_access() => refused = Some(refusal),
            Reply::Refused(refusal) => return Err(refusal.into_error(&request.what)),
        }
    }
    sessions.forget(&key);
    let walk = Walk {
        transport,
        sessions,
        access,
        request,
        key,
        challenges: Arc::default(),
        attempts: Vec::new(),
        absent: None,
    };
    walk.run(refused).await
}

impl Walk<'_> {
    async fn run(mut self, refused: Option<Refusal>) -> Result<Answer, RegistryError> {
        let candidates = self.access.keychain.candidates(self.access.repository).await;
        let mut anonymous_done = false;
        if let Some(refusal) = refused {
            self.challenges = Arc::new(challenges_of(&refusal.headers));
        } else if let Some(challenges) = self.sessions.challenge(&self.key.host) {
            self.challenges = challenges;
        } else {
            anonymous_done = true;
            match self.transport.send(self.request, None).await? {
                Reply::Good(answer) => {
                    self.sessions.keep(self.key, Session { header: None, expires: None });
                    return Ok(*answer);
                }
                Reply::Refused(refusal) if refusal.is_about_access() => {
                    self.challenges = Arc::new(challenges_of(&refusal.headers));
                    if self.bearer().is_none() {
                        self.note(Attempt::ANONYMOUS, refusal.outcome());
                    }
                }
                // Some registries hide what one may not see.
                Reply::Refused(refusal)
                    if refusal.status == StatusCode::NOT_FOUND && !candidates.is_empty() =>
                {
                    self.challenges = self.ping().await?;
                    if self.challenges.is_empty() {
                        return Err(refusal.into_error(&self.request.what));
                    }
                }
                Reply::Refused(refusal) => return Err(refusal.into_error(&self.request.what)),
            }
        }
        if self.challenges.is_empty() {
            self.challenges = self.ping().await?;
        }
        for candidate in candidates {
            let credential = match candidate.obtain().await {
                Ok(Some(credential)) => credential,
                Ok(None) => continue,
                Err(error) => {
                    self.note(&candidate.name, error.to_string());
                    continue;
                }
            };
            if let Some(answer) = self.attempt(&candidate.name, Some(&credential)).await? {
                return Ok(answer);
            }
        }
        if let Some((refusal, pass)) = self.absent.take() {
            // Looking again for what is not there yet must not cost the whole walk.
            self.keep(pass);
            return Err(refusal.into_error(&self.request.what));
        }
        if (self.bearer().is_some() || !anonymous_done)
            && let Some(answer) = self.attempt(Attempt::ANONYMOUS, None).await?
        {
            return Ok(answer);
        }
        if let Some((refusal, pass)) = self.absent.take() {
            self.keep(pass);
            return Err(refusal.into_error(&self.request.what));
        }
        self.sessions.forget_challenge(&self.key.host);
        Err(RegistryError::Denied { what: self.request.what.clone(), attempts: self.attempts })
    }

    /// Tries one credential, or none. `Ok(None)` where it was refused.
    async fn attempt(
        &mut self,
        name: &str,
        credential: Option<&Credential>,
    ) -> Result<Option<Answer>, RegistryError> {
        let mut demanded = None;
        // Twice: a registry may want another scope than the one that was asked for.
        for _ in 0..2 {
            let pass = match self.pass(credential, demanded.as_deref()).await {
                Ok(Some(PassReply::Pass(pass))) => Some(pass),
                Ok(Some(PassReply::Refused(outcome))) => {
                    self.note(name, outcome);
                    return Ok(None);
                }
                // Nothing to show, and no token to be had: ask as nobody.
                Ok(None) if credential.is_none() => None,
                Ok(None) => {
                    self.note(name, "the registry offers no way to use it".to_owned());
                    return Ok(None);
                }
                Err(error) => {
                    // What was remembered of the token service may be out of date.
                    self.sessions.forget_challenge(&self.key.host);
                    return Err(error);
                }
            };
            let header = pass.as_ref().map(|pass| &pass.header);
            match self.transport.send(self.request, header).await? {
                Reply::Good(answer) => {
                    match pass {
                        Some(pass) => self.keep(pass),
                        None => self
                            .sessions
                            .keep(self.key.clone(), Session { header: None, expires: None }),
                    }
                    return Ok(Some(*answer));
                }
                Reply::Refused(refusal) if refusal.is_about_access() => {
                    let challenges = challenges_of(&refusal.headers);
                    let next = scope_of(&challenges)
                        .filter(|scope| !self.scopes(demanded.as_deref()).contains(scope));
                    if demanded.is_none() && credential.is_some() | pass.is_some() && next.is_some()
                    {
                        self.challenges = Arc::new(challenges);
                        demanded = next;
                        continue;
                    }
                    self.note(name, refusal.outcome());
                    return Ok(None);
                }
                Reply::Refused(refusal) if refusal.status == StatusCode::NOT_FOUND => {
                    match pass {
                        Some(pass) => self.absent = Some((refusal, pass)),
                        None => return Err(refusal.into_error(&self.request.what)),
                    }
                    return Ok(None);
                }
                Reply::Refused(refusal) => return Err(refusal.into_error(&self.request.what)),
            }
        }
        self.note(name, "the registry went on asking for another scope".to_owned());
        Ok(None)
    }

    /// What answers the challenge; `None` where nothing does.
    async fn pass(
        &self,
        credential: Option<&Credential>,
        demanded: Option<&str>,
    ) -> Result<Option<PassReply>, RegistryError> {
        if let Some(Credential::RegistryToken(token)) = credential {
            return Ok(
                token::bearer(token).map(|header| PassReply::Pass(Pass { header, expires: None }))
            );
        }
        let offers_basic = self.challenges.iter().any(|one| one.scheme == "basic");
        if let Some(challenge) = self.bearer() {
            let realm = match token::realm(challenge, self.access.endpoint) {
                Ok(realm) => Some(realm),
                Err(_) if offers_basic => None,
                Err(error) => return Err(error),
            };
            if let Some(realm) = realm {
                let reply = token::fetch(
                    self.transport,
                    &realm,
                    challenge.parameter("service"),
                    &self.scopes(demanded),
                    credential,
                    &format!("{}/{}", self.key.host, self.key.path),
                )
                .await?;
                return Ok(Some(match reply {
                    TokenReply::Token(token) => PassReply::Pass(Pass {
                        header: token.header,
                        expires: token.lasts.map(|lasts| Instant::now() + lasts),
                    }),
                    TokenReply::Refused(outcome) => PassReply::Refused(outcome),
                }));
            }
        }
        // With no challenge at all Basic is the one thing that may work.
        let basic_may_work = offers_basic || self.challenges.is_empty();
        Ok(match credential {
            Some(Credential::Basic { username, password }) if basic_may_work => {
                let header = token::basic(username, password);
                Some(PassReply::Pass(Pass { header, expires: None }))
            }
            _ => None,
        })
    }

    /// Scopes to ask for: what the registry demands stands first, as some look at the first one only.
    fn scopes(&self, demanded: Option<&str>) -> Vec<String> {
        let mut scopes = self.access.actions.scopes(self.access.repository.path());
        if let Some(demanded) = demanded
            && !scopes.iter().any(|scope| scope == demanded)
        {
            scopes.insert(0, demanded.to_owned());
        }
        scopes
    }

    fn bearer(&self) -> Option<&Challenge> {
        self.challenges.iter().find(|one| one.scheme == "bearer")
    }

    fn keep(&self, pass: Pass) {
        if self.bearer().is_some() {
            self.sessions.keep_challenge(&self.key.host, self.challenges.clone());
        }
        let session = Session { header: Some(pass.header), expires: pass.expires };
        self.sessions.keep(self.key.clone(), session);
    }

    fn note(&mut self, credential: &str, outcome: String) {
        self.attempts.push(Attempt { credential: credential.to_owned(), outcome });
    }

    /// Asks `/v2/` for a challenge, where the request itself brought none.
    async fn ping(&self) -> Result<Arc<Vec<Challenge>>, RegistryError> {
        let url = self.access.endpoint.url("");
        let request = Request::new(Method::GET, url, self.access.endpoint.host.clone());
        Ok(Arc::new(match self.transport.send(&request, None).await? {
            Reply::Good(_) => Vec::new(),
            Reply::Refused(refusal) => challenges_of(&refusal.headers),
        }))
    }
}

fn challenges_of(headers: &HeaderMap) -> Vec<Challenge> {
    headers
        .get_all(header::WWW_AUTHENTICATE)
        .iter()
        .take(8)
        .filter_map(|value| value.to_str().ok())
        .flat_map(parse_challenges)
        .collect()
}

/// The scope that a registry demands, unless it is GHCR's placeholder.
fn scope_of(challenges: &[Challenge]) -> Option<String> {
    let bearer = challenges.iter().find(|one| one.scheme == "bearer")?;
    bearer
        .parameter("scope")
        .filter(|scope| !scope.is_empty() && *scope != PLACEHOLDER)
        .map(str::to_owned)
}
