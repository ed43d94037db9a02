//! Answers to questions: words for what the store and the ledger gave, in the asker's language, each sentence of which is held against
//! its own record before it is shown. Pure: what was found is a parameter, and the same findings give the same words.

mod chinese;
mod english;
mod facts;
mod record;
pub mod reword;

pub use record::{
    Allotted, By, Counted, ExpectedOf, Free, Killed, Missing, Near, Ranked, Record, Said, Saved, Smaller, Throttled,
    UsedOver,
};

use super::{Clock, describe, founded::unfounded_by, moment::zoned};
use crate::{
    Language,
    reading::{Reading, question::Question},
};
use apportion_core::{Instruction, Time};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// What was found for a question, in the order in which it is told.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// What the answer rests on.
    pub records: Vec<Record>,
    /// What it lacks.
    pub missing: Vec<Missing>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The question as it was understood.
    pub question: Question,
    /// The answer, a sentence or more a line.
    pub words: String,
    /// What it rests on, by number, name and time.
    pub cited: Vec<String>,
    /// True where something was found.
    pub answered: bool,
    /// The records themselves, and what is missing.
    pub findings: Findings,
}

/// Words for what was found. A sentence that says what its record does not hold is left out, and its record only cited.
#[must_use]
pub fn answer(question: Question, findings: Findings, zone: &TimeZone, now: Time) -> Answer {
    let clock = Clock::new(question.language, zone.clone(), now);
    let mut lines = Vec::new();
    for record in &findings.records {
        let words = word(record, &question, &clock);
        if unfounded_by(&words, &facts::of(record, zone)).is_empty() {
            lines.push(words);
        } else {
            lines.push(cite(record, zone));
        }
    }
    for missing in &findings.missing {
        let words = match question.language {
            Language::En => english::missing(missing, &clock),
            Language::Zh => chinese::missing(missing, &clock),
        };
        if unfounded_by(&words, &facts::of_missing(missing, zone)).is_empty() {
            lines.push(words);
        }
    }
    let cited = findings.records.iter().map(|record| cite(record, zone)).collect();
    Answer { question, words: lines.join("\n"), cited, answered: !findings.records.is_empty(), findings }
}

/// The numbers, times and dates of an answer's words that are in none of its records; none where the words may be shown.
#[must_use]
pub fn unfounded_in(words: &str, findings: &Findings, zone: &TimeZone) -> Vec<String> {
    let mut all = super::founded::Facts::default();
    findings.records.iter().for_each(|record| all.join(facts::of(record, zone)));
    findings.missing.iter().for_each(|missing| all.join(facts::of_missing(missing, zone)));
    unfounded_by(words, &all)
}

fn word(record: &Record, question: &Question, clock: &Clock) -> String {
    match question.language {
        Language::En => english::record(record, question.about, clock),
        Language::Zh => chinese::record(record, question.about, clock),
    }
}

/// Where a record can be looked up.
fn cite(record: &Record, zone: &TimeZone) -> String {
    let at = |time: Time| zoned(time, zone).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    let over = |metric: &str, workload: &dyn std::fmt::Display, span: &crate::reading::question::Span| {
        format!("{metric} of {workload}, {}/{}", at(span.from), at(span.to))
    };
    match record {
        Record::Decision(decision) => format!("decision {} of {}", decision.id, at(decision.time)),
        Record::Harm { time, harm } => format!("harm of decision {} at {}", harm.of, at(*time)),
        Record::Throttled(of) => over(apportion_core::metric::name::CPU_THROTTLED_PERIODS, &of.workload, &of.span),
        Record::Killed(of) => over(apportion_core::metric::name::OOM_KILLS, &of.workload, &of.span),
        Record::Used(of) => over(&of.metric, &of.workload, &of.span),
        Record::Expected(of) => of
            .decision
            .map_or_else(|| format!("forecast {} of {}", of.expected.by, of.workload), |id| format!("decision {id}")),
        Record::Allotted(of) => of.since.map_or_else(
            || format!("{} of {} now", of.knob, of.workload),
            |(id, time)| format!("decision {id} of {}", at(time)),
        ),
        Record::Ranked(of) => over(&format!("{:?}", of.resource).to_lowercase(), &of.workload, &of.span),
        Record::Near(of) => over(&format!("{:?}", of.resource).to_lowercase(), &of.workload, &of.span),
        Record::Saved(of) => format!("applied decisions about {}, {}/{}", of.knob, at(of.span.from), at(of.span.to)),
        Record::Said(of) => format!("instruction {} of {}", of.said.id.0, at(of.said.time)),
        Record::Smaller(of) => format!("{} of {}, to {}", of.knob.demand_metric(), of.workload, at(of.peak_at)),
        Record::Free(of) => format!("{:?} of the machine", of.resource).to_lowercase(),
        Record::Counted(of) => format!("decisions, {}/{}", at(of.span.from), at(of.span.to)),
    }
}

/// An instruction in words, its times in the asker's zone.
fn said_words(instruction: &Instruction, clock: &Clock) -> String {
    describe(&Reading::of(instruction, clock.zone(), clock.language()))
}
