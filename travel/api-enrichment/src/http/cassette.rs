//! Answers that were recorded.
//!
//! A cassette is a JSON file: each question's key (see [`Question::key`]) with its address and its answer. No
//! header and no secret is in it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Answer, Http, HttpError, Question};

/// One recorded answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Take {
    /// What was asked, for readers.
    url: String,
    status: u16,
    body: serde_json::Value,
}

/// Why a cassette cannot be used.
#[derive(Debug, Error)]
pub enum CassetteError {
    /// Its file cannot be read or written.
    #[error("the cassette {} cannot be read or written", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What is wrong.
        source: std::io::Error,
    },
    /// It is no cassette.
    #[error("{} is not a cassette", path.display())]
    Format {
        /// Which one.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
}

/// Answers what was recorded; anything else is an error.
#[derive(Debug, Default)]
pub struct Cassette {
    takes: BTreeMap<String, Take>,
}

impl Cassette {
    /// The cassette in a file.
    pub fn open(path: &Path) -> Result<Self, CassetteError> {
        let text = std::fs::read(path)
            .map_err(|source| CassetteError::File { path: path.to_owned(), source })?;
        let takes = serde_json::from_slice(&text)
            .map_err(|source| CassetteError::Format { path: path.to_owned(), source })?;
        Ok(Self { takes })
    }
}

#[async_trait]
impl Http for Cassette {
    async fn ask(&self, question: &Question) -> Result<Answer, HttpError> {
        let key = question.key();
        let Some(take) = self.takes.get(&key) else {
            return Err(HttpError::NotRecorded { host: question.host().to_owned(), key });
        };
        let body = Bytes::from(take.body.to_string());
        Ok(Answer { status: take.status, body, retry_after: None })
    }
}

/// Asks somebody else and writes what they say into a cassette.
pub struct Recorder<H> {
    inner: H,
    path: PathBuf,
    takes: Mutex<BTreeMap<String, Take>>,
}

impl<H: Http> Recorder<H> {
    /// Adds to the cassette at `path`, or begins it.
    pub fn new(inner: H, path: PathBuf) -> Result<Self, CassetteError> {
        let takes = if path.exists() { Cassette::open(&path)?.takes } else { BTreeMap::new() };
        Ok(Self { inner, path, takes: Mutex::new(takes) })
    }

    fn record(&self, question: &Question, answer: &Answer) -> Result<(), CassetteError> {
        // An answer that is not JSON is of no use to any source.
        let Ok(body) = serde_json::from_slice(&answer.body) else { return Ok(()) };
        let take = Take { url: question.url.to_string(), status: answer.status, body };
        let mut takes = self.takes.lock().unwrap_or_else(PoisonError::into_inner);
        takes.insert(question.key(), take);
        let text = serde_json::to_vec_pretty(&*takes)
            .map_err(|source| CassetteError::Format { path: self.path.clone(), source })?;
        std::fs::write(&self.path, text)
            .map_err(|source| CassetteError::File { path: self.path.clone(), source })
    }
}

#[async_trait]
impl<H: Http> Http for Recorder<H> {
    async fn ask(&self, question: &Question) -> Result<Answer, HttpError> {
        let answer = self.inner.ask(question).await?;
        if let Err(error) = self.record(question, &answer) {
            tracing::warn!(error = %error, "the answer is not recorded");
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Echo;

    #[async_trait]
    impl Http for Echo {
        async fn ask(&self, question: &Question) -> Result<Answer, HttpError> {
            let body = Bytes::from(format!("{{\"path\":{:?}}}", question.url.path()));
            Ok(Answer { status: 200, body, retry_after: None })
        }
    }

    fn question(path: &str) -> Question {
        Question {
            url: format!("http://source.test/{path}").parse().unwrap(),
            headers: Vec::new(),
            secret: Some(("x-key", "secret-value".to_owned().into())),
            body: None,
            fresh: std::time::Duration::ZERO,
        }
    }

    #[tokio::test]
    async fn what_was_recorded_is_answered_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cassette.json");
        let recorder = Recorder::new(Echo, path.clone()).unwrap();
        let live = recorder.ask(&question("one")).await.unwrap();
        assert!(!std::fs::read_to_string(&path).unwrap().contains("secret-value"));
        let cassette = Cassette::open(&path).unwrap();
        assert_eq!(cassette.ask(&question("one")).await.unwrap().body, live.body);
        let miss = cassette.ask(&question("two")).await;
        assert!(matches!(miss, Err(HttpError::NotRecorded { .. })), "{miss:?}");
    }

    #[test]
    fn a_file_that_is_no_cassette_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cassette.json");
        assert!(Cassette::open(&path).unwrap_err().to_string().contains("cassette.json"));
        std::fs::write(&path, "[1]").unwrap();
        assert!(matches!(Cassette::open(&path), Err(CassetteError::Format { .. })));
    }
}
