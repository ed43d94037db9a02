//! A larger text model as a second opinion on what the reader read. It may agree, differ (then a person is asked) or fail (then
//! the reader's result stands); it changes no reading, and runs beside no turn of the loop.

mod endpoint;
mod local;

pub use endpoint::{Endpoint, EndpointError, MOST_TOKENS};
pub use local::Local;

use crate::tell::{Note, Told};
use apportion_language::{
    Language,
    opinion::{self, Aliases, Difference, Opinion},
};
use serde::Serialize;
use serde_json::Value;

/// Something that answers a task in JSON of a schema.
pub trait TextModel {
    /// The answer's text.
    ///
    /// # Errors
    /// In words for a person: what went wrong, and what to do.
    fn answer(&self, task: &str, sentence: &str, schema: &Value) -> anyhow::Result<String>;
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Second {
    /// It reads the sentence as the reader does.
    Agrees,
    /// It reads these fields otherwise: a person is asked.
    Differs(Vec<Difference>),
    /// It gave no opinion, for this reason.
    Fails(String),
}

impl Second {
    /// True where only a person can say what was meant.
    #[must_use]
    pub const fn asks(&self) -> bool {
        matches!(self, Self::Differs(_))
    }

    /// What a person is told of it.
    #[must_use]
    pub fn note(&self, language: Language) -> Option<Note> {
        let words = match self {
            Self::Agrees => return None,
            Self::Differs(differences) => opinion::describe(differences, language),
            Self::Fails(why) if language == Language::Zh => format!("大模型没有给出意见（{why}）；以上理解不变"),
            Self::Fails(why) => format!("no second opinion ({why}); the reading above stands"),
        };
        Some(Note { blocks: false, words })
    }
}

/// Asks a model about a reading (as JSON) of a sentence; nothing where the reading changes nothing. `names` are the workloads
/// that are known, and are replaced by aliases with those of the reading and of hosts.
///
/// # Errors
/// The reading is not one.
pub fn second(model: &dyn TextModel, text: &str, reading: &Value, names: &[String]) -> anyhow::Result<Option<Second>> {
    let ours: Opinion = serde_json::from_value(reading.clone())?;
    if !ours.kind.acts() {
        return Ok(None);
    }
    let names: Vec<String> = names.iter().chain(&ours.workloads).cloned().collect();
    let aliases = Aliases::of(text, &names, &[host()]);
    let answer = model.answer(opinion::TASK, aliases.text(), &opinion::schema(&aliases));
    let theirs = answer.and_then(|answer| Ok(Opinion::parse(&answer, &aliases)?));
    Ok(Some(match theirs {
        Err(why) => Second::Fails(format!("{why:#}")),
        Ok(theirs) => match theirs.differences(&ours) {
            differences if differences.is_empty() => Second::Agrees,
            differences => Second::Differs(differences),
        },
    }))
}

/// The same of a sentence that was told; what it says is added to the notes.
///
/// # Errors
/// As [`second`].
pub fn weigh(model: &dyn TextModel, told: &mut Told, names: &[String]) -> anyhow::Result<Option<Second>> {
    let second = second(model, &told.text, &told.reading, names)?;
    told.notes.extend(second.as_ref().and_then(|second| second.note(told.language())));
    Ok(second)
}

/// This machine's name.
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
