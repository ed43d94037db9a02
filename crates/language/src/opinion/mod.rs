//! A second opinion on a sentence from a larger text model, wherever it runs: what it is asked, and what its answer is held to.
//!
//! It is asked only for what the reader learnt (kind, names, resource, effect, direction, level); amounts and times are read
//! by exact code and by no model. Its answer is typed or dropped, and can do one thing: have a person asked.

mod alias;

pub use alias::Aliases;

use crate::{
    Language,
    reading::{Direction, Effect, Kind, Level, Topic},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a larger model is told before the sentence: the labelling rules.
pub const TASK: &str = include_str!("task.txt");

/// What a sentence is taken to mean, without its amounts and times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opinion {
    /// What it is.
    pub kind: Kind,
    /// Names and wildcards in the sentence, lower case; none for all.
    pub workloads: Vec<String>,
    /// What it is about.
    pub resource: Option<Topic>,
    /// How its amount is meant.
    pub effect: Option<Effect>,
    /// Which way a report asks to go.
    pub direction: Option<Direction>,
    /// How important or how bad.
    pub level: Option<Level>,
}

/// A field in which two opinions differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its name, as in a reading.
    pub field: &'static str,
    /// What the larger model says.
    pub theirs: String,
    /// What the reader says.
    pub ours: String,
}

/// Why an answer is not an opinion.
#[derive(Debug, thiserror::Error)]
pub enum OpinionError {
    /// It breaks off, or is no JSON.
    #[error("its answer is not JSON of the schema ({what}); it begins {beginning:?}")]
    Format {
        /// What was wrong.
        what: String,
        /// Its beginning.
        beginning: String,
    },
    /// It names what is not in the sentence.
    #[error("it names {name:?}, which is not in the sentence")]
    Invented {
        /// The name.
        name: String,
    },
}

impl Opinion {
    /// The answer to a sentence whose names were replaced by `aliases`, with the names put back.
    ///
    /// # Errors
    /// [`OpinionError`]: then there is no second opinion.
    pub fn parse(answer: &str, aliases: &Aliases) -> Result<Self, OpinionError> {
        let mut opinion: Self = serde_json::from_str(answer.trim()).map_err(|error| OpinionError::Format {
            what: error.to_string(),
            beginning: answer.trim().chars().take(60).collect(),
        })?;
        for name in &mut opinion.workloads {
            *name = aliases.name(name).ok_or_else(|| OpinionError::Invented { name: name.clone() })?.to_owned();
        }
        Ok(opinion)
    }

    /// Where this opinion differs from the reader's.
    #[must_use]
    pub fn differences(&self, ours: &Self) -> Vec<Difference> {
        let sorted = |opinion: &Self| {
            let mut names = opinion.workloads.clone();
            names.sort();
            names.dedup();
            json!(names)
        };
        let fields = [
            ("kind", json!(self.kind), json!(ours.kind)),
            ("workloads", sorted(self), sorted(ours)),
            ("resource", json!(self.resource), json!(ours.resource)),
            ("effect", json!(self.effect), json!(ours.effect)),
            ("direction", json!(self.direction), json!(ours.direction)),
            ("level", json!(self.level), json!(ours.level)),
        ];
        let differ = fields.into_iter().filter(|(_, theirs, ours)| theirs != ours);
        differ.map(|(field, theirs, ours)| Difference { field, theirs: plain(&theirs), ours: plain(&ours) }).collect()
    }
}

/// How a difference is told to a person.
#[must_use]
pub fn describe(differences: &[Difference], language: Language) -> String {
    let zh = language == Language::Zh;
    let one = |it: &Difference| match zh {
        true => format!("{} 为 {}，而非 {}", it.field, it.theirs, it.ours),
        false => format!("{} {}, not {}", it.field, it.theirs, it.ours),
    };
    let all: Vec<String> = differences.iter().map(one).collect();
    match zh {
        true => format!("大模型的理解不同：{}。请确认上面的理解才是本意。", all.join("；")),
        false => format!(
            "a larger model reads it otherwise: {}. Confirm only if the reading above is meant.",
            all.join("; ")
        ),
    }
}

/// A value without the marks of JSON; nothing is a dash.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(names) if names.is_empty() => "all".to_owned(),
        Value::Array(names) => names.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// The JSON schema that an answer is held to; only the aliases of the sentence can be named.
#[must_use]
pub fn schema(aliases: &Aliases) -> Value {
    let kinds = ["event", "rule", "hold", "priority", "report", "undo", "question", "none"];
    let names: Vec<&str> = aliases.workloads().collect();
    // An empty choice is no valid schema: without names there is nothing to choose.
    let names = match names.is_empty() {
        true => json!({ "type": "array", "maxItems": 0, "items": { "type": "string", "enum": ["-"] } }),
        false => json!({ "type": "array", "maxItems": names.len(), "items": { "type": "string", "enum": names } }),
    };
    let or_null = |values: &[&str]| json!({ "anyOf": [{ "type": "string", "enum": values }, { "type": "null" }] });
    json!({
        "type": "object",
        "properties": {
            "kind": { "type": "string", "enum": kinds },
            "workloads": names,
            "resource": or_null(&["all", "cpu", "memory", "storage", "network", "requests", "replicas"]),
            "effect": or_null(&["multiply", "add", "at_least", "at_most"]),
            "direction": or_null(&["up", "down"]),
            "level": or_null(&["critical", "high", "normal", "low"]),
        },
        "required": ["kind", "workloads", "resource", "effect", "direction", "level"],
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"{"kind":"event","workloads":["workload-1"],"resource":"requests","effect":"multiply","direction":null,"level":null}"#;

    fn aliases() -> Aliases {
        Aliases::of("expect 3x traffic on checkout", &["checkout".to_owned()], &[])
    }

    #[test]
    fn an_answer_is_typed_and_its_names_are_put_back() {
        let opinion = Opinion::parse(ANSWER, &aliases()).unwrap();
        assert_eq!((opinion.kind, opinion.workloads.as_slice()), (Kind::Event, &["checkout".to_owned()][..]));
        assert!(opinion.differences(&opinion).is_empty());
        let other = Opinion { kind: Kind::Rule, effect: None, ..opinion.clone() };
        let differences = other.differences(&opinion);
        let said = describe(&differences, Language::En);
        assert!(said.contains("kind rule, not event; effect -, not multiply"), "{said}");
    }

    #[test]
    fn what_is_no_opinion_is_an_error() {
        for (answer, says) in [
            (ANSWER.replace("workload-1", "workload-2"), "names \"workload-2\""),
            (ANSWER.replace("workload-1", "checkout"), "names \"checkout\""),
            (ANSWER.replace("event", "delete"), "unknown variant"),
            (ANSWER[..40].to_owned(), "EOF"),
            ("I would gladly help!".to_owned(), "begins \"I would gladly help!\""),
            (String::new(), "EOF"),
        ] {
            let error = Opinion::parse(&answer, &aliases()).unwrap_err().to_string();
            assert!(error.contains(says), "{answer}: {error}");
        }
    }

    #[test]
    fn the_schema_lists_every_value_that_a_reading_can_have() {
        let schema = schema(&aliases());
        let check = |field: &str, known: Value| {
            let values = schema["properties"][field].to_string();
            for value in known.as_array().unwrap() {
                assert!(values.contains(&value.to_string()), "{field}: {value}");
            }
        };
        use crate::reading::*;
        let kinds = [Kind::Event, Kind::Rule, Kind::Hold, Kind::Priority, Kind::Report, Kind::Undo, Kind::Question];
        check("kind", json!(kinds));
        check("resource", json!([Topic::All, Topic::Cpu, Topic::Memory, Topic::Storage, Topic::Network]));
        check("resource", json!([Topic::Requests, Topic::Replicas]));
        check("effect", json!([Effect::Multiply, Effect::Add, Effect::AtLeast, Effect::AtMost]));
        check("direction", json!([Direction::Up, Direction::Down]));
        check("level", json!([Level::Critical, Level::High, Level::Normal, Level::Low]));
        check("workloads", json!(["workload-1"]));
    }
}
