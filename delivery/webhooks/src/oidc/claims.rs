use std::collections::BTreeMap;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::Jwk};
use mercurious_core::printable::printable;
use mercurious_runtime::Clock;
use serde::Deserialize;
use serde_json::Value;

use super::{Issuer, TokenError, key_ring::KeyRing, verifier};

/// Clocks differ by so many seconds.
const LEEWAY: i64 = 60;
/// No issuer's token is longer.
const LONGEST: usize = 16 * 1024;

#[derive(Deserialize)]
struct Claims {
    exp: i64,
    nbf: Option<i64>,
    iat: Option<i64>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// Whether the token is the issuer's, for this audience, of this time, with these claims.
pub(crate) async fn check(
    token: Option<&str>,
    issuer: &Issuer,
    keys: &KeyRing,
    clock: &dyn Clock,
) -> Result<(), TokenError> {
    let token = token.ok_or(TokenError::None)?;
    if token.len() > LONGEST {
        return Err(TokenError::Unreadable(format!("{} bytes", token.len())));
    }
    let unreadable =
        |error: jsonwebtoken::errors::Error| TokenError::Unreadable(printable(&error.to_string()));
    let header = decode_header(token).map_err(unreadable)?;
    // The key tells the algorithm, not the token.
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
        return Err(TokenError::Unreadable(format!("algorithm {:?}", header.alg)));
    }
    let key = header.kid.as_deref().ok_or(TokenError::NoSuchKey)?;
    let key = keys.of(&issuer.keys).key(key).await?;
    verify(token, header.alg, &key, issuer, clock)
}

fn verify(
    token: &str,
    algorithm: Algorithm,
    key: &Jwk,
    issuer: &Issuer,
    clock: &dyn Clock,
) -> Result<(), TokenError> {
    verifier::install();
    let invalid =
        |error: jsonwebtoken::errors::Error| TokenError::Invalid(printable(&error.to_string()));
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[&issuer.audience]);
    validation.set_issuer(&issuer.issuers);
    validation.set_required_spec_claims(&["aud", "iss"]);
    // By the clock that everything here goes by.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let key = DecodingKey::from_jwk(key).map_err(invalid)?;
    let claims = decode::<Claims>(token, &key, &validation).map_err(invalid)?.claims;
    let now = clock.now().as_second();
    let begin = claims.nbf.into_iter().chain(claims.iat).max().unwrap_or(now);
    if claims.exp.saturating_add(LEEWAY) < now || begin > now.saturating_add(LEEWAY) {
        return Err(TokenError::Time);
    }
    for (name, wanted) in &issuer.claims {
        let fits = claims.others.get(name).is_some_and(|value| is(value, wanted));
        if !fits {
            return Err(TokenError::Claim(name.clone()));
        }
    }
    Ok(())
}

fn is(value: &Value, wanted: &str) -> bool {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => return false,
    };
    match wanted.strip_suffix('*') {
        Some(begin) => text.starts_with(begin),
        None => text == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_compared_whole_or_to_the_star() {
        assert!(is(&Value::from("refs/heads/main"), "refs/heads/main"));
        assert!(!is(&Value::from("refs/heads/main-2"), "refs/heads/main"));
        assert!(is(&Value::from("refs/tags/v1"), "refs/tags/*"));
        assert!(is(&Value::from(true), "true"));
        assert!(!is(&Value::Null, "*"));
    }
}
