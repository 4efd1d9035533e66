use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    ResponseError,
    messages::{
        SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
        SaslHandshakeResponse,
    },
    protocol::StrBytes,
};

use super::{Caller, Request, RequestError, Standing};
use crate::{
    broker::Broker,
    scram::{MECHANISMS, Step},
};

/// Agrees on a mechanism. Version 0 would go on outside of the protocol, which is not offered.
pub(super) fn handshake(
    broker: &Broker,
    caller: &mut Caller,
    request: &Request,
) -> Result<BytesMut, RequestError> {
    let asked: SaslHandshakeRequest = request.body()?;
    let attempt = broker
        .scram
        .as_ref()
        .filter(|_| request.version > 0)
        .and_then(|scram| scram.begin(&asked.mechanism));
    let error = match attempt {
        Some(attempt) => {
            caller.standing = Standing::Proving(Box::new(attempt));
            0
        }
        None => ResponseError::UnsupportedSaslMechanism.code(),
    };
    let mechanisms = if broker.scram.is_some() { &MECHANISMS[..] } else { &[] };
    request.answer(
        &SaslHandshakeResponse::default().with_error_code(error).with_mechanisms(
            mechanisms.iter().map(|name| StrBytes::from_static_str(name)).collect(),
        ),
    )
}

/// One step of saying who it is. A client that fails is told so and its connection closed.
pub(super) fn authenticate(
    caller: &mut Caller,
    request: &Request,
) -> Result<BytesMut, RequestError> {
    let asked: SaslAuthenticateRequest = request.body()?;
    let refused = |error: ResponseError, reason: &'static str| {
        let answer = SaslAuthenticateResponse::default()
            .with_error_code(error.code())
            .with_error_message(Some(StrBytes::from_static_str(reason)));
        request.answer(&answer).map_or_else(Err, |bytes| Err(RequestError::Refused(bytes)))
    };
    let Standing::Proving(attempt) = &mut caller.standing else {
        return refused(ResponseError::IllegalSaslState, "a handshake comes first");
    };
    let answer = match attempt.step(&asked.auth_bytes) {
        Step::More(answer) => answer,
        Step::Admitted(answer) => {
            caller.standing = Standing::Admitted;
            answer
        }
        Step::Refused => {
            caller.standing = Standing::Stranger;
            let error = ResponseError::SaslAuthenticationFailed;
            return refused(error, "the user's name or password is wrong");
        }
    };
    request.answer(&SaslAuthenticateResponse::default().with_auth_bytes(Bytes::from(answer)))
}
