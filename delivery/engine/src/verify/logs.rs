use mercurious_core::policy::Pattern;

use super::{Subject, VerifiedBox, answer};

/// So many of the newest lines are read.
pub(super) const LINES: usize = 2000;

const LOGS: &str = "the logs are free of errors";

/// So many matching lines are shown; the rest are counted.
const SHOWN: usize = 5;

/// What makes a line of a log an error: a level, as loggers write it, or the beginning of a crash's report.
const ERROR_LINE: &str = concat!(
    r#"(^|[^A-Za-z_])(ERROR|FATAL|PANIC|CRITICAL|EMERGENCY)([^A-Za-z_=]|$)"#,
    r#"|(?i:(^|[^a-z_])(level|severity|lvl)"?\s*[=:]\s*"?(error|fatal|panic|critical)([^a-z]|$))"#,
    r#"|"level"\s*:\s*[56]0([^0-9]|$)"#,
    r#"|(?i:^\s*(uncaught |unhandled )?(error|fatal|panic)(:|\s*$| \[))"#,
    r#"|(?i:panicked at|traceback \(most recent call last\)|unhandled ?(promise ?)?rejection|uncaught exception)"#,
    r#"|^\s*([A-Za-z_.]+\.)?[A-Z][A-Za-z]*(Error|Exception): "#,
);

impl Subject<'_> {
    pub(super) fn logs(&self, lines: &[String]) -> VerifiedBox {
        let denied = self
            .view
            .object
            .spec
            .checks
            .iter()
            .filter_map(|check| Pattern::parse(&check.logs.as_ref()?.deny).ok());
        let patterns: Vec<Pattern> = Pattern::parse(ERROR_LINE).into_iter().chain(denied).collect();
        // A line begins with the replica's name, which is no part of what it says.
        let is_bad = |line: &&String| {
            let said = line.split_once(": ").map_or(line.as_str(), |(_, said)| said);
            patterns.iter().any(|pattern| pattern.is_match(said))
        };
        if self.view.workload.updated == 0 {
            let nothing = "no new replica has started: there is nothing to read".to_owned();
            return answer("logs", LOGS, Err(nothing));
        }
        let bad: Vec<&String> = lines.iter().filter(is_bad).collect();
        let mut evidence = vec![format!(
            "{} lines of the new replicas read, {} of errors",
            lines.len(),
            bad.len()
        )];
        evidence.extend(bad.iter().take(SHOWN).map(|line| (*line).clone()));
        if bad.len() > SHOWN {
            evidence.push(format!("and {} more", bad.len() - SHOWN));
        }
        VerifiedBox {
            code: "logs".to_owned(),
            title: LOGS.to_owned(),
            passed: bad.is_empty(),
            evidence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_errors_are_told_from_lines_about_errors() {
        let pattern = Pattern::parse(ERROR_LINE).unwrap();
        for line in [
            "2026-01-01T00:00:00Z ERROR cannot connect",
            "[ERROR] boom",
            r#"{"level":"error","msg":"boom"}"#,
            r#"{"level":50,"msg":"boom"}"#,
            "time=1 level=fatal msg=boom",
            "Error: connect ECONNREFUSED",
            "error: no such file",
            "thread 'main' panicked at src/main.rs:1:1",
            "Traceback (most recent call last):",
            "KafkaJSConnectionClosedError: Closed connection",
            "panic: runtime error: index out of range",
            "UnhandledPromiseRejection: x",
        ] {
            assert!(pattern.is_match(line), "{line}");
        }
        for line in [
            "listening on 8080",
            "0 errors, 3 warnings",
            "ERROR_LOG=/dev/null",
            r#"{"level":"info","error":null}"#,
            r#"{"level":30,"msg":"error budget is fine"}"#,
            "registered the error handler",
            "level=info msg=\"no error\"",
        ] {
            assert!(!pattern.is_match(line), "{line}");
        }
    }
}
