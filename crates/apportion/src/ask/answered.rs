//! An answer as it is sent.

use apportion_language::wording::answer::Answer;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An answer to a question. Every number in its words is in its records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Answered {
    /// The question.
    pub text: String,
    /// The question as it was understood: what is asked (`about`), of which workloads, of what, when.
    #[schema(value_type = Object)]
    pub question: serde_json::Value,
    /// en or zh.
    pub language: String,
    /// The answer; one thing a line, what is missing last.
    pub words: String,
    /// What it rests on, by number, name and time.
    pub cited: Vec<String>,
    /// True where something was found; else the words say what is missing, or what can be asked.
    pub answered: bool,
    /// The records themselves.
    #[schema(value_type = Vec<Object>)]
    pub records: Vec<serde_json::Value>,
    /// What is missing, typed.
    #[schema(value_type = Vec<Object>)]
    pub missing: Vec<serde_json::Value>,
}

impl Answered {
    /// An answer to `text` as it is sent.
    #[must_use]
    pub fn new(text: &str, answer: &Answer) -> Self {
        let json = |value: serde_json::Result<serde_json::Value>| value.unwrap_or_default();
        let language = json(serde_json::to_value(answer.question.language));
        Self {
            text: text.to_owned(),
            question: json(serde_json::to_value(&answer.question)),
            language: language.as_str().unwrap_or_default().to_owned(),
            words: answer.words.clone(),
            cited: answer.cited.clone(),
            answered: answer.answered,
            records: answer.findings.records.iter().map(|record| json(serde_json::to_value(record))).collect(),
            missing: answer.findings.missing.iter().map(|missing| json(serde_json::to_value(missing))).collect(),
        }
    }
}
