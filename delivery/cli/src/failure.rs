use std::{fmt, io::Write as _, process::ExitCode};

use mercurious_api::ClientError;

/// Exit codes, all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well, or the reader went away.
    Done = 0,
    /// Something failed.
    Failed = 1,
    /// The command line or its input makes no sense.
    Usage = 2,
    /// The engine refused, or what was asked about is not well.
    No = 3,
    /// The time was up; what was waited for goes on.
    Late = 4,
}

impl Exit {
    pub(crate) const ALL: [Self; 5] = [Self::Done, Self::Failed, Self::Usage, Self::No, Self::Late];

    /// What it means, for `--help` and the README.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Usage => "wrong use or input",
            Self::No => "refused or not well",
            Self::Late => "the time was up",
        }
    }

    /// All of them in one line.
    pub(crate) fn all_in_words() -> String {
        let words = Self::ALL.map(|exit| format!("{} {}", exit as u8, exit.meaning()));
        format!("Exit codes: {}", words.join(", "))
    }
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

    pub(crate) fn late(message: impl Into<String>) -> anyhow::Error {
        Self { exit: Exit::Late, message: message.into(), hint: None }.into()
    }

    pub(crate) fn failed(message: impl Into<String>) -> anyhow::Error {
        Self { exit: Exit::Failed, message: message.into(), hint: None }.into()
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
    // Who does not listen need not be told.
    let _ = std::io::stderr().write_all(text.as_bytes());
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
        match error.downcast_ref::<ClientError>()? {
            ClientError::NotRunning { .. } => Some(
                "start it with `mercurious up -f MANIFESTS`, or name its directory with --data-dir",
            ),
            ClientError::Problem(problem) => match problem.code.as_str() {
                "no-auto-deploy" => Some("`mercurious status` lists all"),
                "no-release" => Some("`mercurious explain NAME` lists the tags that there are"),
                "token" => Some("run this as the person whom the data directory belongs to"),
                "still-waiting" => Some("`mercurious status -w` shows how it goes on"),
                _ => None,
            },
            _ => None,
        }
        .map(str::to_owned)
    });
    if let Some(hint) = hint {
        text.push_str(&format!("\nhint: {hint}\n"));
    }
    let exit = match (failure, error.downcast_ref::<ClientError>()) {
        (Some(failure), _) => failure.exit,
        (None, Some(ClientError::Problem(problem))) => match problem.status {
            409 => Exit::No,
            400 | 404 => Exit::Usage,
            504 => Exit::Late,
            _ => Exit::Failed,
        },
        (None, Some(ClientError::Late(_))) => Exit::Late,
        (None, _) => Exit::Failed,
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

    #[test]
    fn exit_codes_are_what_help_and_readme_say() {
        let words = Exit::all_in_words();
        assert_eq!(
            words,
            "Exit codes: 0 done, 1 failed, 2 wrong use or input, 3 refused or not well, 4 the time was up"
        );
        let numbers = Exit::ALL.map(|exit| exit as u8);
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
        let readme = include_str!("../../../README.md");
        assert!(readme.contains(&words), "the README must say: {words}");
        let help = <crate::cli::Cli as clap::CommandFactory>::command().render_long_help();
        assert!(help.to_string().contains(&words));
    }
}
