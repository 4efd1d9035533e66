//! `docker-credential-NAME get`: the server on standard input, JSON on standard output.

use std::{process::Stdio, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
};

use super::credential::{Credential, CredentialsError};

/// A helper may ask the person at the keyboard, but not for ever.
const DEADLINE: Duration = Duration::from_secs(15);
const MOST_OUTPUT: u64 = 64 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: Option<SecretString>,
}

/// The credential that the helper holds for a server; `None` where it has none.
pub(super) async fn ask(name: &str, server: &str) -> Result<Option<Credential>, CredentialsError> {
    let program = format!("docker-credential-{name}");
    // The name comes from a file: it must not lead out of the search path.
    if name.is_empty()
        || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    {
        let problem = "its name is not that of a program".to_owned();
        return Err(CredentialsError::Helper { program, problem });
    }
    ask_program(&program, server, DEADLINE).await
}

async fn ask_program(
    program: &str,
    server: &str,
    deadline: Duration,
) -> Result<Option<Credential>, CredentialsError> {
    let failed =
        |problem: String| CredentialsError::Helper { program: program.to_owned(), problem };
    let (succeeded, output) = tokio::time::timeout(deadline, run(program, server))
        .await
        .map_err(|_| CredentialsError::HelperTimeout {
            program: program.to_owned(),
            after: deadline,
        })?
        .map_err(|error| failed(error.to_string()))?;
    if !succeeded {
        let text = String::from_utf8_lossy(&output);
        // The one failure that is an answer: docker-credential-helpers, credentials/error.go.
        if text.contains("credentials not found") {
            return Ok(None);
        }
        return Err(failed("it ended with an error; run it by hand to see it".to_owned()));
    }
    let answer: Answer = serde_json::from_slice(&output)
        .map_err(|_| failed("its answer is not the JSON that it should be".to_owned()))?;
    let Some(secret) = answer.secret.filter(|secret| !secret.expose_secret().is_empty()) else {
        return Ok(None);
    };
    Ok(Some(if answer.username == "<token>" {
        Credential::IdentityToken(secret)
    } else {
        Credential::Basic { username: answer.username, password: secret }
    }))
}

async fn run(program: &str, server: &str) -> std::io::Result<(bool, Vec<u8>)> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A helper that ends without reading is judged by its exit alone.
        let _ = input.write_all(server.as_bytes()).await;
        let _ = input.shutdown().await;
    }
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(MOST_OUTPUT).read_to_end(&mut output).await?;
    }
    Ok((child.wait().await?.success(), output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_cannot_leave_the_path() {
        for name in ["", "../x", "a b", "a/b"] {
            assert!(matches!(ask(name, "h.io").await, Err(CredentialsError::Helper { .. })));
        }
    }

    #[tokio::test]
    async fn an_absent_helper_is_named() {
        let error = ask("of-nobody", "h.io").await.unwrap_err().to_string();
        assert!(error.contains("docker-credential-of-nobody"), "{error}");
    }

    async fn with_script(script: &str) -> Result<Option<Credential>, CredentialsError> {
        with_script_within(script, DEADLINE).await
    }

    /// A helper that runs this shell script.
    async fn with_script_within(
        script: &str,
        deadline: Duration,
    ) -> Result<Option<Credential>, CredentialsError> {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("docker-credential-test");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        // Another test's fork may hold the script open for writing for a moment: "text file busy".
        loop {
            let answer = ask_program(path.to_str().unwrap(), "https://h.io", deadline).await;
            match answer {
                Err(CredentialsError::Helper { problem, .. }) if problem.contains("busy") => {}
                answer => return answer,
            }
        }
    }

    #[tokio::test]
    async fn a_helper_is_given_the_server_and_its_answer_is_read() {
        let script = r#"[ "$1" = get ] && [ "$(cat)" = https://h.io ] && echo '{"ServerURL":"x","Username":"u","Secret":"p"}'"#;
        let Ok(Some(Credential::Basic { username, password })) = with_script(script).await else {
            panic!("the helper's answer was not read");
        };
        assert_eq!((username.as_str(), password.expose_secret()), ("u", "p"));
        let token = with_script(r#"echo '{"Username":"<token>","Secret":"t"}'"#).await.unwrap();
        assert!(matches!(token, Some(Credential::IdentityToken(_))));
    }

    #[tokio::test]
    async fn nothing_found_is_an_answer_and_failures_tell_no_secret() {
        let none = with_script("echo credentials not found in native keychain; exit 1").await;
        assert!(none.unwrap().is_none());
        for script in ["echo hunter2; exit 1", "echo hunter2", "kill -9 $$"] {
            let error = with_script(script).await.unwrap_err();
            assert!(matches!(error, CredentialsError::Helper { .. }), "{error:?}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
        let slow =
            with_script_within("exec sleep 60", Duration::from_millis(100)).await.unwrap_err();
        assert!(matches!(slow, CredentialsError::HelperTimeout { .. }), "{slow:?}");
    }
}
