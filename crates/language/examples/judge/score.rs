//! Readings held against labels, field by field.

use anyhow::{Context, Result, bail};
use apportion_language::reading::Reader;
use jiff::{Zoned, civil::DateTime, tz::TimeZone};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, path::Path};

const FIELDS: [&str; 11] =
    ["kind", "workloads", "resource", "effect", "amount", "unit", "direction", "start", "end", "repeat", "level"];

/// How the sentences of a file were read.
#[derive(Default)]
pub(crate) struct Tally {
    pub count: usize,
    pub right: usize,
    pub sure: usize,
    pub sure_right: usize,
    /// Not sure, and such that a person can be asked whether that is what they meant.
    pub asked: usize,
    pub asked_right: usize,
    fields: BTreeMap<&'static str, usize>,
    kinds: BTreeMap<String, [usize; 2]>,
    /// Inert ones that were read as acting.
    pub unsafe_ones: usize,
}

impl Tally {
    /// Reads every sentence of a file of `corpus/held-out/`; `show` prints those that were misread.
    pub(crate) fn of(reader: &Reader, file: &Path, show: bool) -> Result<Self> {
        let now: Zoned = "2026-11-23T09:00:00+08:00[Asia/Shanghai]".parse()?;
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let mut tally = Self::default();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            let place = || format!("{}, line {}", file.display(), number + 1);
            let (labels, sentence) = line.split_once(" :: ").with_context(place)?;
            let expected = labels_of(labels, &now).with_context(place)?;
            let reading = reader.interpret(sentence, &now, &[]);
            tally.add(sentence, &expected, &serde_json::to_value(&reading)?, reading.guess(sentence).is_some(), show);
        }
        Ok(tally)
    }

    fn add(&mut self, sentence: &str, expected: &Map<String, Value>, found: &Value, asked: bool, show: bool) {
        let wrong: Vec<&str> =
            FIELDS.into_iter().filter(|field| !same(field, &expected[*field], &found[*field])).collect();
        let sure = found["sure"] == json!(true);
        self.count += 1;
        self.right += usize::from(wrong.is_empty());
        self.sure += usize::from(sure);
        self.sure_right += usize::from(sure && wrong.is_empty());
        self.asked += usize::from(asked);
        self.asked_right += usize::from(asked && wrong.is_empty());
        for field in FIELDS.into_iter().filter(|field| !wrong.contains(field)) {
            *self.fields.entry(field).or_default() += 1;
        }
        let kind = expected["kind"].as_str().unwrap_or_default().to_owned();
        let inert = |kind: &Value| kind == &json!("none") || kind == &json!("question");
        self.unsafe_ones += usize::from(inert(&expected["kind"]) && !inert(&found["kind"]));
        let of_kind = self.kinds.entry(kind).or_default();
        of_kind[0] += usize::from(wrong.is_empty());
        of_kind[1] += 1;
        if show && !wrong.is_empty() {
            println!("{sentence}   (sure {sure}, {})", found["confidence"]);
            for field in wrong {
                println!("      {field}: want {}, got {}", expected[field], found[field]);
            }
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "small counts")]
    pub(crate) fn print(&self, file: &str) {
        let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
        let fields: Vec<String> = FIELDS
            .iter()
            .map(|field| {
                format!("{field} {:.3}", share(self.fields.get(field).copied().unwrap_or_default(), self.count))
            })
            .collect();
        let kinds: Vec<String> =
            self.kinds.iter().map(|(kind, [right, count])| format!("{kind} {right}/{count}")).collect();
        println!("{file}");
        println!("  exactly right {}/{} = {:.3}", self.right, self.count, share(self.right, self.count));
        println!(
            "  accepted without asking back {:.3}, of those right {:.3}; inert read as acting {}",
            share(self.sure, self.count),
            share(self.sure_right, self.sure),
            self.unsafe_ones
        );
        println!(
            "  a person can be asked whether that is meant {:.3}, of those right {:.3}",
            share(self.asked, self.count),
            share(self.asked_right, self.asked)
        );
        println!("  {}\n  {}", fields.join("  "), kinds.join("  "));
    }
}

/// The labels before `::` as the JSON that the reader should give.
fn labels_of(text: &str, now: &Zoned) -> Result<Map<String, Value>> {
    let mut labels: Map<String, Value> = FIELDS.iter().map(|field| ((*field).to_owned(), Value::Null)).collect();
    labels.insert("workloads".to_owned(), json!([]));
    for (place, word) in text.split_whitespace().enumerate() {
        let mut set = |field: &str, value: Value| labels.insert(field.to_owned(), value);
        match word {
            _ if place == 0 => set("kind", json!(word)),
            "all" | "cpu" | "memory" | "storage" | "network" | "requests" | "replicas" => set("resource", json!(word)),
            "up" | "down" => set("direction", json!(word)),
            "critical" | "high" | "normal" | "low" => set("level", json!(word)),
            "daily" | "weekdays" | "weekends" | "weekly" => set("repeat", json!(word)),
            _ => {
                if let Some(names) = word.strip_prefix('@') {
                    set("workloads", names.split(',').collect())
                } else if let Some((field @ ("from" | "to"), at)) = word.split_once('=') {
                    set(if field == "from" { "start" } else { "end" }, json!(moment(at, now)?.to_string()))
                } else if let Some((effect, rest)) = word.split_once('=') {
                    let (amount, unit) = rest.split_once(':').context("an amount has a colon")?;
                    set("unit", if unit.is_empty() { Value::Null } else { json!(unit) });
                    set("amount", json!(amount.parse::<f64>()?));
                    set("effect", json!(effect))
                } else {
                    bail!("no such label: {word}")
                }
            }
        };
    }
    Ok(labels)
}

/// "11-27T09:00", this year or, before the month that is now, next year.
fn moment(text: &str, now: &Zoned) -> Result<Zoned> {
    let month: i8 = text.split('-').next().unwrap_or_default().parse()?;
    let year = now.year() + i16::from(month < now.month());
    let at: DateTime = format!("{year}-{text}").parse()?;
    Ok(at.to_zoned(TimeZone::get("Asia/Shanghai")?)?)
}

fn same(field: &str, expected: &Value, found: &Value) -> bool {
    let time = |value: &Value| {
        let text = value.as_str()?;
        text.parse::<jiff::Timestamp>().ok().or_else(|| text.parse::<Zoned>().ok().map(|at| at.timestamp()))
    };
    match field {
        "start" | "end" => time(expected) == time(found),
        "amount" => match (expected.as_f64(), found.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-6 * a.abs().max(1.0),
            (a, b) => a == b,
        },
        "workloads" => sorted(expected) == sorted(found),
        _ => expected == found,
    }
}

fn sorted(names: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = names.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    names.sort_unstable();
    names
}
