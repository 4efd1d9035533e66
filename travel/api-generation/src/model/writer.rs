//! Asks, judges, asks once more, keeps.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use lru::LruCache;
use mercurious_contracts::trip::Itinerary;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::{Client, Prompt, answer, client::ClientError, judge};
use mercurious_planning::writer::Texts;

/// What became of asking a model.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It wrote.
    Written(Texts),
    /// It did not: a code and a sentence.
    Not(&'static str, String),
}

/// How long texts are kept, and how many.
const FRESH: Duration = Duration::from_hours(1);
const KEPT: usize = 128;

/// Writes with a model.
#[derive(Debug)]
pub struct ModelWriter {
    client: Client,
    kept: Mutex<LruCache<[u8; 32], (Texts, Instant)>>,
}

impl ModelWriter {
    /// With a client.
    pub fn new(client: Client) -> Self {
        let size = NonZeroUsize::new(KEPT).unwrap_or(NonZeroUsize::MIN);
        Self { client, kept: Mutex::new(LruCache::new(size)) }
    }

    /// The model's name.
    pub fn model(&self) -> &str {
        self.client.model()
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The texts of `itinerary` in `language`.
    pub async fn write(&self, itinerary: &Itinerary, language: &str) -> Outcome {
        let prompt = Prompt::new(itinerary, language);
        let key = self.key(&prompt);
        if let Some(texts) = self.kept(&key) {
            return Outcome::Written(texts);
        }
        let faults = match self.once(&prompt, itinerary, language).await {
            Ok(texts) => return self.keep(key, texts),
            Err(Fault::Useless(faults)) => faults,
            Err(Fault::Failed(error)) => return failed(&error),
        };
        tracing::info!(faults = faults.len(), "the model's answer is asked for once more");
        match self.once(&prompt.repaired(&faults), itinerary, language).await {
            Ok(texts) => self.keep(key, texts),
            Err(Fault::Useless(faults)) => {
                let first = faults.first().cloned().unwrap_or_default();
                Outcome::Not(
                    "model_answer_refused",
                    format!("the model's texts are not used: {first}"),
                )
            }
            Err(Fault::Failed(error)) => failed(&error),
        }
    }

    async fn once(
        &self,
        prompt: &Prompt,
        itinerary: &Itinerary,
        language: &str,
    ) -> Result<Texts, Fault> {
        let content = match self.client.ask(prompt).await {
            Ok(content) => content,
            // What was said is of no use, and may be better said.
            Err(ClientError::Answer(error)) => return Err(Fault::Useless(vec![error.to_string()])),
            Err(error) => return Err(Fault::Failed(error)),
        };
        let written = answer::read(&content);
        let written = written.map_err(|error| Fault::Useless(vec![error.to_string()]))?;
        let faults = judge::faults(&written, itinerary, language);
        if faults.is_empty() { Ok(written.into()) } else { Err(Fault::Useless(faults)) }
    }

    fn key(&self, prompt: &Prompt) -> [u8; 32] {
        let schema = prompt.schema.to_string();
        let mut hash = Sha256::new();
        for part in [self.model(), &prompt.system, &prompt.data, &schema] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        hash.finalize().into()
    }

    fn kept(&self, key: &[u8; 32]) -> Option<Texts> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (texts, until) = kept.get(key)?;
        (Instant::now() < *until).then(|| texts.clone())
    }

    fn keep(&self, key: [u8; 32], texts: Texts) -> Outcome {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.put(key, (texts.clone(), Instant::now() + FRESH));
        Outcome::Written(texts)
    }
}

enum Fault {
    Useless(Vec<String>),
    Failed(ClientError),
}

fn failed(error: &ClientError) -> Outcome {
    tracing::warn!(error = %error, "the model has no answer; templates write");
    Outcome::Not("model_unavailable", format!("the model did not write: {error}"))
}
