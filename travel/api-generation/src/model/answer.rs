//! What a chat completion says, if it says anything.

use serde::Deserialize;
use thiserror::Error;

use mercurious_planning::writer::Texts;

/// Why an answer is of no use.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AnswerError {
    /// It is no chat completion.
    #[error("the answer is not a chat completion: {0}")]
    NoCompletion(String),
    /// It has no choices, or nothing in them.
    #[error("the answer is empty")]
    Empty,
    /// The model does not want to.
    #[error("the model refuses")]
    Refused,
    /// It ends in the middle.
    #[error("the answer is cut off at the limit of tokens")]
    Truncated,
    /// It was held back.
    #[error("the answer was filtered")]
    Filtered,
    /// It calls tools, and there are none.
    #[error("the model calls tools that do not exist")]
    Tools,
    /// It is not the JSON that was asked for.
    #[error("the answer is not the JSON that was asked for: {0}")]
    Shape(String),
}

#[derive(Deserialize)]
struct Completion {
    #[serde(default)]
    choices: Option<Vec<Choice>>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    message: Option<Message>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<serde_json::Value>>,
}

/// What the model wrote.
pub(super) fn content(body: &[u8]) -> Result<String, AnswerError> {
    let completion: Completion = serde_json::from_slice(body)
        .map_err(|error| AnswerError::NoCompletion(error.to_string()))?;
    let choice = completion.choices.unwrap_or_default().into_iter().next();
    let choice = choice.ok_or(AnswerError::Empty)?;
    let finish = choice.finish_reason.as_deref();
    let message = choice.message.ok_or(AnswerError::Empty)?;
    if message.refusal.is_some_and(|refusal| !refusal.is_empty()) {
        return Err(AnswerError::Refused);
    }
    match finish {
        Some("length") => return Err(AnswerError::Truncated),
        Some("content_filter") => return Err(AnswerError::Filtered),
        _ => {}
    }
    if message.tool_calls.is_some_and(|calls| !calls.is_empty()) {
        return Err(AnswerError::Tools);
    }
    message.content.filter(|content| !content.trim().is_empty()).ok_or(AnswerError::Empty)
}

/// What was asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Written {
    pub(super) title: String,
    pub(super) summary: String,
    pub(super) days: Vec<WrittenDay>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WrittenDay {
    pub(super) day: u32,
    pub(super) title: String,
    pub(super) text: String,
    /// The ids of the places that title and text speak of.
    pub(super) places: Vec<String>,
}

impl From<Written> for Texts {
    fn from(written: Written) -> Self {
        let trimmed = |text: String| text.trim().to_owned();
        Self {
            title: trimmed(written.title),
            summary: trimmed(written.summary),
            days: (written.days.into_iter())
                .map(|day| (trimmed(day.title), trimmed(day.text)))
                .collect(),
        }
    }
}

/// The JSON in what the model wrote: alone, in a fence, or between words.
pub(super) fn read(content: &str) -> Result<Written, AnswerError> {
    let shape = |error: serde_json::Error| AnswerError::Shape(error.to_string());
    let first = serde_json::from_str(content.trim()).map_err(shape);
    let (Err(_), Some(start), Some(end)) = (&first, content.find('{'), content.rfind('}')) else {
        return first;
    };
    match content.get(start..=end) {
        Some(inside) => serde_json::from_str(inside).map_err(shape),
        None => first,
    }
}
