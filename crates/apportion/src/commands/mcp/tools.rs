//! The tools: what each is called, takes and answers. One named like a command answers what that says, except
//! `forecast` (the loop's newest forecast) and `interpret` (what `tell` would show).

use crate::{
    args::{self, Global},
    commands::{
        ask,
        control::segment,
        desk::{Desk, Said},
        explain, history, instructions,
        proposals::{Proposal, Proposals},
        status, tell,
    },
    daemon,
};
use anyhow::Context as _;
use jiff::Zoned;
use rmcp::model::JsonObject;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

/// Decisions in one answer.
const MOST_DECISIONS: usize = 200;

/// A tool.
pub(super) struct Described {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Whether it leaves everything as it is.
    pub(super) reads_only: bool,
    /// Name, type, whether it must be given, and what it is.
    parameters: &'static [(&'static str, &'static str, bool, &'static str)],
    pub(super) call: fn(&Global, JsonObject) -> anyhow::Result<String>,
}

impl Described {
    /// The JSON schema of its parameters.
    pub(super) fn schema(&self) -> JsonObject {
        let property = |(name, kind, _, about): &(&str, &str, bool, &str)| {
            ((*name).to_owned(), json!({ "type": kind, "description": about }))
        };
        let properties: JsonObject = self.parameters.iter().map(property).collect();
        let required: Vec<&str> = self.parameters.iter().filter(|given| given.2).map(|given| given.0).collect();
        let schema = json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false,
        });
        schema.as_object().cloned().unwrap_or_default()
    }
}

const SENTENCE: (&str, &str, bool, &str) =
    ("sentence", "string", true, "what the operator says, in English or Chinese");

pub(super) const TOOLS: &[Described] = &[
    Described {
        name: "status",
        about: "What each workload uses now, its forecast peak, what it would be allotted and what is set. Needs a running loop.",
        reads_only: true,
        parameters: &[],
        call: |global, given| {
            parsed::<Nothing>(given)?;
            status::table(status::now(global)?, global.words())
        },
    },
    Described {
        name: "workloads",
        about: "The workloads that are known, with the time at which each was last seen, as JSON.",
        reads_only: true,
        parameters: &[],
        call: |global, given| {
            parsed::<Nothing>(given)?;
            workloads(global)
        },
    },
    Described {
        name: "explain",
        about: "Why a workload's numbers are what they are, or why one decision was made: what was used, forecast and decided, and what the next size would have cost.",
        reads_only: true,
        parameters: &[("what", "string", true, "a workload's name or the number of a decision")],
        call: explain,
    },
    Described {
        name: "history",
        about: "Decisions, newest first, one a line.",
        reads_only: true,
        parameters: &[
            ("workload", "string", false, "only of this workload"),
            ("limit", "integer", false, "at most so many; 20 where left out, at most 200"),
            ("applied", "boolean", false, "leave refusals out"),
        ],
        call: history,
    },
    Described {
        name: "forecast",
        about: "The newest forecast of a workload's metric: nine quantiles a step, as JSON. Needs a running loop.",
        reads_only: true,
        parameters: &[
            ("workload", "string", true, "its name, as `workloads` gives it"),
            ("metric", "string", false, "cpu_cores (where left out), memory_bytes or another that is recorded"),
        ],
        call: forecast,
    },
    Described {
        name: "instructions",
        about: "What people said that stands or is to come, as JSON.",
        reads_only: true,
        parameters: &[("all", "boolean", false, "those that are past or revoked too")],
        call: |global, given| {
            let Listed { all } = parsed(given)?;
            Ok(serde_json::to_string(&instructions::listed(global, all)?)?)
        },
    },
    Described {
        name: "ask",
        about: "An answer to an operator's question (why, how much, what changed, what would have been, what stands), in words, with the records that it rests on, as JSON. Every number in it is in those records.",
        reads_only: true,
        parameters: &[("question", "string", true, "the question, in English or Chinese")],
        call: answer,
    },
    Described {
        name: "signals",
        about: "The hints in force from alerts and log lines: whose, of what, how much, until when, and their text, as JSON. Needs a running loop.",
        reads_only: true,
        parameters: &[],
        call: |global, given| {
            parsed::<Nothing>(given)?;
            Ok(status::control(global)?.get("/api/v1/signals")?.to_string())
        },
    },
    Described {
        name: "interpret",
        about: "What a sentence of an operator would mean and do, with resolved times, the workloads that it is for and what stands against it, as JSON. Keeps nothing.",
        reads_only: true,
        parameters: &[SENTENCE],
        call: |global, given| Ok(serde_json::to_string(&read(global, given)?.1)?),
    },
    Described {
        name: "tell",
        about: "Proposes what an operator said. Answers with its reading, what it would have done on the last days (`effect`) and a number; nothing is done until a person confirms that number at a terminal.",
        reads_only: false,
        parameters: &[SENTENCE],
        call: propose,
    },
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sentence {
    sentence: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    question: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Explained {
    what: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decided {
    workload: Option<String>,
    limit: Option<usize>,
    #[serde(default)]
    applied: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Forecast {
    workload: String,
    metric: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    #[serde(default)]
    all: bool,
}

fn parsed<T: DeserializeOwned>(given: JsonObject) -> anyhow::Result<T> {
    serde_json::from_value(given.into()).context("the arguments are not as the tool's schema says")
}

fn workloads(global: &Global) -> anyhow::Result<String> {
    let seen = global.open_to_read()?.workloads()?;
    let row =
        |seen: &apportion_host::store::Seen| json!({ "workload": seen.workload.id, "last_seen_s": seen.last.s() });
    Ok(serde_json::to_string(&seen.iter().map(row).collect::<Vec<_>>())?)
}

fn explain(global: &Global, given: JsonObject) -> anyhow::Result<String> {
    let Explained { what } = parsed(given)?;
    let words = explain::find(global, &what)?.iter().map(|decision| explain::words(global, decision)).collect();
    Ok(words)
}

fn history(global: &Global, given: JsonObject) -> anyhow::Result<String> {
    let Decided { workload, limit, applied } = parsed(given)?;
    let args = args::History { workload, limit: limit.unwrap_or(20).min(MOST_DECISIONS), applied, json: false };
    let lines: anyhow::Result<Vec<String>> =
        history::find(global, &args)?.iter().map(|decision| history::line(global, decision)).collect();
    Ok(lines?.join("\n"))
}

fn forecast(global: &Global, given: JsonObject) -> anyhow::Result<String> {
    let Forecast { workload, metric } = parsed(given)?;
    let metric = metric.unwrap_or_else(|| "cpu_cores".to_owned());
    let path = format!("/api/v1/workloads/{}/forecast?metric={}", segment(&workload), segment(&metric));
    Ok(status::control(global)?.get(&path)?.to_string())
}

fn answer(global: &Global, given: JsonObject) -> anyhow::Result<String> {
    let Asked { question } = parsed(given)?;
    let said = Said { text: question, now: Zoned::now(), also: Vec::new() };
    Ok(serde_json::to_string(&ask::answer(global, &said)?)?)
}

fn read(global: &Global, given: JsonObject) -> anyhow::Result<(Said, crate::tell::Told)> {
    let Sentence { sentence } = parsed(given)?;
    let said = Said { text: sentence, now: Zoned::now(), also: Vec::new() };
    let told = Desk::open_to_read(global)?.read(&said)?;
    Ok((said, told))
}

fn propose(global: &Global, given: JsonObject) -> anyhow::Result<String> {
    let (said, mut told) = read(global, given)?;
    told.effect = tell::effect(global, &said, &told);
    let mut answer = json!({ "told": told, "done": false, "proposal": null });
    answer["next"] = if told.can_confirm {
        let id = Proposals::beside(&global.store_path()).keep(&Proposal::new(&said, &told), daemon::now())?;
        answer["proposal"] = id.into();
        format!("nothing is done yet; within 15 minutes a person confirms with: apportion instructions confirm {id}")
    } else {
        "nothing is proposed: it was not understood for certain, or cannot be; tell the person why".to_owned()
    }
    .into();
    Ok(answer.to_string())
}
