//! A larger text model: as a second opinion on what the reader read, and for other words of an answer. An opinion may agree, differ (then a
//! person is asked) or fail (then the reader's result stands); it changes no reading. It runs beside no turn of the loop.

mod endpoint;
mod local;

pub use endpoint::{Endpoint, EndpointError};
pub use local::Local;

use crate::{
    ask::Answered,
    tell::{self, Note, Told},
};
use anyhow::{Context as _, ensure};
use apportion_core::{Time, WorkloadId};
use apportion_language::{
    Language,
    opinion::{self, Aliases, Difference, Opinion},
    reading::question::Question,
    wording::answer::{
        Findings, Record,
        reword::{self, Rewording},
    },
};
use jiff::Zoned;
use serde::Serialize;
use serde_json::Value;

/// An opinion has about 60 tokens; models that think aloud are cut off.
pub const OPINION_MOST_TOKENS: u32 = 256;
/// An answer about several workloads in other words.
const REWORDING_MOST_TOKENS: u32 = 2_048;

/// What a model is asked.
#[derive(Clone, Copy, Debug)]
pub struct Prompt<'a> {
    /// What it is to do.
    pub task: &'a str,
    /// With what, its names replaced.
    pub text: &'a str,
    /// The JSON schema of its answer.
    pub schema: &'a Value,
    /// A longer answer is none.
    pub most_tokens: u32,
}

/// Something that answers a task in JSON of a schema.
pub trait TextModel {
    /// The answer's text.
    ///
    /// # Errors
    /// In words for a person: what went wrong, and what to do.
    fn answer(&self, prompt: Prompt<'_>) -> anyhow::Result<String>;
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
    let schema = opinion::schema(&aliases);
    let (task, most_tokens) = (opinion::TASK, OPINION_MOST_TOKENS);
    let answer = model.answer(Prompt { task, text: aliases.text(), schema: &schema, most_tokens });
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

/// An answer given at `now` in the words of a model, a line for each of its records. `names` are the workloads that are known, and are
/// replaced by aliases with those of the question, of the records and of hosts.
///
/// # Errors
/// There is nothing to reword, the model gave no answer, or its words say what the records do not: then our own words are all there is.
pub fn reworded(model: &dyn TextModel, answered: &Answered, now: &Zoned, names: &[String]) -> anyhow::Result<String> {
    let question: Question = serde_json::from_value(answered.question.clone()).context("the question")?;
    let records: Result<Vec<Record>, _> = answered.records.iter().cloned().map(serde_json::from_value).collect();
    let findings = Findings { records: records.context("the records")?, missing: Vec::new() };
    ensure!(!findings.records.is_empty(), "there is nothing to reword");
    let mentioned: Vec<WorkloadId> =
        findings.records.iter().flat_map(Record::workloads).map(|name| WorkloadId::new(&name)).collect();
    let mut names = [names, &question.workloads].concat();
    names.extend(tell::names(&mentioned));
    let (hosts, at) = ([host()], Time(now.timestamp().as_millisecond()));
    let rewording = Rewording::new((&question, &answered.text), &findings, (&names, &hosts), (at, now.time_zone()));
    let schema = rewording.schema();
    let (task, most_tokens) = (reword::TASK, REWORDING_MOST_TOKENS);
    let answer = model.answer(Prompt { task, text: rewording.sent(), schema: &schema, most_tokens })?;
    Ok(rewording.read(&answer)?)
}

/// This machine's name.
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
