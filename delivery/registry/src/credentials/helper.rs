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
    ask_within(name, server, DEADLINE).await
}

async fn ask_within(
    name: &str,
    server: &str,
    deadline: Duration,
) -> Result<Option<Credential>, CredentialsError> {
    let program = format!("docker-credential-{name}");
    let failed = |problem: String| CredentialsError::Helper { program: program.clone(), problem };
    if name.is_empty()
        || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    {
        return Err(failed("its name is not that of a program".to_owned()));
    }
    let (succeeded, output) = tokio::time::timeout(deadline, run(&program, server))
        .await
        .map_err(|_| CredentialsError::HelperTimeout { program: program.clone(), after: deadline })?
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
}
