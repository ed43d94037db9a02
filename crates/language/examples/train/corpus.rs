//! Reads `corpus/*.txt`: a `## labels` line holds for the sentences below it; `{name}` marks a workload; `(a|b|)` is a choice.

use anyhow::{Context, Result, bail};
use apportion_language::reading::{
    Direction, Effect, Kind, Labels, Level, Topic,
    learn::{Random, Sample},
};
use serde::de::DeserializeOwned;
use std::path::Path;

/// One line of the corpus, choices and marks still in it.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) labels: Labels,
    pub(crate) chinese: bool,
}

/// Every line of every file, in order of the files' names.
pub(crate) fn read(folder: &Path) -> Result<Vec<Line>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("no corpus in {}", folder.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt") && !path.ends_with("names.txt"))
        .collect();
    files.sort();
    let mut lines = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file)?;
        let chinese = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("zh"));
        parse(&text, chinese, &mut lines).with_context(|| file.display().to_string())?;
    }
    Ok(lines)
}

fn parse(text: &str, chinese: bool, lines: &mut Vec<Line>) -> Result<()> {
    let mut labels = None;
    for (number, line) in text.lines().enumerate() {
        if let Some(header) = line.strip_prefix("## ") {
            labels = Some(header_labels(header).with_context(|| format!("line {}", number + 1))?);
        } else if !line.trim().is_empty() && !line.starts_with('#') {
            let Some(labels) = labels else { bail!("line {}: a sentence before the first ## line", number + 1) };
            lines.push(Line { text: line.trim().to_owned(), labels, chinese });
        }
    }
    Ok(())
}

fn header_labels(header: &str) -> Result<Labels> {
    let mut words = header.split_whitespace();
    let kind = word::<Kind>(words.next().unwrap_or_default()).context("the kind comes first")?;
    let mut labels = Labels { kind, topic: None, effect: None, direction: None, level: None };
    for text in words {
        if let Some(topic) = word::<Topic>(text) {
            labels.topic = Some(topic);
        } else if let Some(effect) = word::<Effect>(text) {
            labels.effect = Some(effect);
        } else if let Some(direction) = word::<Direction>(text) {
            labels.direction = Some(direction);
        } else if let Some(level) = word::<Level>(text) {
            labels.level = Some(level);
        } else {
            bail!("unknown label {text}");
        }
    }
    Ok(labels)
}

fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).ok()
}

impl Line {
    /// The line with its first choices and its own names.
    pub(crate) fn plain(&self) -> Sample {
        self.with(&mut |_| 0, &mut str::to_owned)
    }

    /// The line with choices drawn, and names drawn where `swap` gives another.
    pub(crate) fn drawn(&self, random: &mut Random, swap: &mut dyn FnMut(&mut Random, &str) -> String) -> Sample {
        let mut names = random.clone();
        names.bits();
        let sample = self.with(&mut |count| random.below(count), &mut |name| swap(&mut names, name));
        random.bits();
        sample
    }

    fn with(&self, choose: &mut dyn FnMut(usize) -> usize, rename: &mut dyn FnMut(&str) -> String) -> Sample {
        let chosen = choices(&self.text, choose);
        let (mut text, mut names) = (String::new(), Vec::new());
        let mut rest = chosen.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            let name = rename(name);
            text.push_str(before);
            text.push_str(&name);
            let name = name.to_lowercase();
            if !names.contains(&name) {
                names.push(name);
            }
            rest = after;
        }
        text.push_str(rest);
        Sample { text: text.split_whitespace().collect::<Vec<_>>().join(" "), labels: self.labels, names }
    }
}

/// Resolves `(a|b|)`, innermost first.
fn choices(text: &str, choose: &mut dyn FnMut(usize) -> usize) -> String {
    let mut text = text.to_owned();
    while let Some(close) = text.find(')') {
        let Some(open) = text[..close].rfind('(') else { break };
        let options: Vec<&str> = text[open + 1..close].split('|').collect();
        let chosen = options[choose(options.len())].to_owned();
        text.replace_range(open..=close, &chosen);
    }
    text
}
