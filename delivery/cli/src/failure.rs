use std::{fmt, process::ExitCode};

/// Exit codes, all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Something failed.
    Failed = 1,
    /// The command line or its input makes no sense.
    Usage = 2,
    /// The engine refused, or what was asked about is not well.
    No = 3,
}

/// An error that knows its exit code and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
        Self { exit: Exit::Usage, message: message.into(), hint: None }.into()
    }

    pub(crate) fn no(message: impl Into<String>) -> anyhow::Error {
        Self { exit: Exit::No, message: message.into(), hint: None }.into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Says what went wrong on standard error; a reader that went away is no failure.
#[expect(clippy::print_stderr, reason = "this is the one place that talks about failures")]
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let broken_pipe = error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    });
    if broken_pipe {
        return ExitCode::SUCCESS;
    }
    let (text, exit) = render(error);
    eprint!("{text}");
    ExitCode::from(exit as u8)
}

fn render(error: &anyhow::Error) -> (String, Exit) {
    let mut text = format!("error: {error}\n");
    let mut before = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // A transparent error says what its cause says.
        if cause != before {
            text.push_str(&format!("cause: {cause}\n"));
        }
        before = cause;
    }
    let failure = error.downcast_ref::<Failure>();
    let hint = failure.and_then(|failure| failure.hint.clone()).or_else(|| {
        let client = error.downcast_ref::<mercurious_api::ClientError>()?;
        match client {
            mercurious_api::ClientError::NotRunning { .. } => Some(
                "start it with `mercurious up -f MANIFESTS`, or name its directory with --data-dir"
                    .to_owned(),
            ),
            mercurious_api::ClientError::Problem(problem) if problem.code == "no-auto-deploy" => {
                Some("`mercurious status` lists all".to_owned())
            }
            _ => None,
        }
    });
    if let Some(hint) = hint {
        text.push_str(&format!("\nhint: {hint}\n"));
    }
    let refused = error
        .downcast_ref::<mercurious_api::ClientError>()
        .is_some_and(|error| matches!(error, mercurious_api::ClientError::Problem(problem) if problem.status == 409));
    let exit = match failure {
        Some(failure) => failure.exit,
        None if refused => Exit::No,
        None => Exit::Failed,
    };
    (text, exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_error_causes_and_hint() {
        let inner = std::io::Error::other("disk is gone");
        let (text, exit) = render(&anyhow::Error::new(inner).context("cannot write"));
        assert_eq!(
            (text.as_str(), exit),
            ("error: cannot write\ncause: disk is gone\n", Exit::Failed)
        );
        let (text, exit) = render(&Failure::usage("no such thing"));
        assert_eq!((text.as_str(), exit), ("error: no such thing\n", Exit::Usage));
    }
}
