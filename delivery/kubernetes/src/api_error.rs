use kube::Error;

/// What the API server said, as people need it: a refusal by RBAC names the rule that is missing.
pub fn explain(error: &Error) -> String {
    match error {
        Error::Api(status) => match status.code {
            403 => format!(
                "the API server refuses: {}; grant it to the service account, or correct the Role",
                status.message
            ),
            401 => "the API server does not know who asks: the token or certificate is not valid (any more)"
                .to_owned(),
            429 => format!("the API server asks to wait: {}", status.message),
            _ if status.message.is_empty() => format!("the API server answered {}", status.code),
            _ => status.message.clone(),
        },
        other => {
            let mut text = match other {
                Error::Service(_) | Error::HyperError(_) => "the API server cannot be reached".to_owned(),
                _ => other.to_string(),
            };
            let mut source = std::error::Error::source(other);
            while let Some(cause) = source {
                let cause_text = cause.to_string();
                if !text.ends_with(&cause_text) {
                    text.push_str(": ");
                    text.push_str(&cause_text);
                }
                source = cause.source();
            }
            text
        }
    }
}

/// The HTTP status of an answer; nothing where there was none.
pub(crate) fn code(error: &Error) -> Option<u16> {
    match error {
        Error::Api(status) => Some(status.code),
        _ => None,
    }
}

pub(crate) fn is_not_found(error: &Error) -> bool {
    code(error) == Some(404)
}

pub(crate) fn is_conflict(error: &Error) -> bool {
    code(error) == Some(409)
}
