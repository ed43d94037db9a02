//! An answer in the words of a larger text model. It is given our own words line by line, names replaced, and each line that comes back
//! is held against the record of the line it stands for; where one says what its record does not hold, all of them are dropped.
//!
//! Figures, times and names are checked by exact code, and so are negations and words for up and down. Other sense is not: our own words
//! are shown beside these.

use super::{Findings, facts, word};
use crate::{
    opinion::Aliases,
    reading::{is_deceptive, question::Question},
    wording::{Clock, founded::unfounded_by},
};
use apportion_core::Time;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Value, json};

/// What a larger model is told before the answer.
pub const TASK: &str = include_str!("reword.txt");

/// A line may grow to this many times its own length, and by so many characters.
const GROWS: (usize, usize) = (2, 80);

/// Words in place of digits, and times that are told from now: our words have none, so they are in no record.
const SPELLED: &[&str] = &[
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "fifteen",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "ninety",
    "hundred",
    "hundreds",
    "thousand",
    "thousands",
    "million",
    "billion",
    "dozen",
    "couple",
    "half",
    "third",
    "thirds",
    "quarter",
    "quarters",
    "twice",
    "thrice",
    "double",
    "doubled",
    "triple",
    "tripled",
    "once",
    "twofold",
    "percent",
    "yesterday",
    "today",
    "tomorrow",
    "tonight",
    "ago",
    "noon",
    "midnight",
    "零",
    "二",
    "两",
    "三",
    "四",
    "五",
    "六",
    "七",
    "八",
    "九",
    "十",
    "百",
    "千",
    "万",
    "亿",
    "半",
    "倍",
    "一次",
    "一个",
    "一小时",
    "一分",
    "一天",
    "一周",
    "一核",
    "一半",
    "昨",
    "今",
    "明天",
    "明晚",
    "前天",
    "后天",
    "上周",
    "下周",
    "凌晨",
    "中午",
    "上午",
    "下午",
    "傍晚",
    "午夜",
];
/// Words that turn a line round, beside those with "n't": theirs has as many as ours, up to its first figure and in all.
const NOT: &[&str] = &[
    "not", "no", "never", "none", "nothing", "without", "cannot", "nobody", "neither", "nor", "不", "没", "未", "无",
    "非", "别",
];
/// Words for one way; theirs has them only where ours has.
const WAYS: [&[&str]; 2] = [
    &[
        "raise",
        "raised",
        "raises",
        "increase",
        "increased",
        "increases",
        "grew",
        "grow",
        "grown",
        "rose",
        "risen",
        "more",
        "higher",
        "above",
        "over",
        "exceeded",
        "exceeds",
        "up",
        "升",
        "提",
        "增",
        "高",
        "涨",
        "超",
        "加",
    ],
    &[
        "lower",
        "lowered",
        "lowers",
        "reduce",
        "reduced",
        "reduces",
        "decrease",
        "decreased",
        "decreases",
        "cut",
        "cuts",
        "fell",
        "shrunk",
        "less",
        "fewer",
        "below",
        "under",
        "down",
        "降",
        "减",
        "低",
        "少",
        "跌",
        "缩",
    ],
];

/// Why a model's words are dropped.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewordError {
    /// It breaks off, is no JSON, or has not a line for each of ours.
    #[error("its answer is not JSON of the schema ({0})")]
    Format(String),
    /// A figure, a time or a date that the line's record does not hold.
    #[error("it says {0:?}, which is in no record of that line")]
    Unfounded(String),
    /// Another figure, or in another order.
    #[error("it says {0:?} where our words have another figure")]
    Figure(String),
    /// A name that the line does not have, or one that is missing.
    #[error("it names other workloads: {0:?}")]
    Name(String),
    /// Yes for no, or up for down.
    #[error("it turns round what is said ({0:?})")]
    Turned(String),
    /// Too long, empty, or with characters that no line of words has.
    #[error("it is no line of words ({0})")]
    Line(&'static str),
}

/// The lines of an answer on their way to a model and back.
#[derive(Clone, Debug)]
pub struct Rewording<'a> {
    findings: &'a Findings,
    zone: &'a TimeZone,
    /// One for each record.
    ours: Vec<String>,
    names: &'a [String],
    hosts: &'a [String],
    aliases: Aliases,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    lines: Vec<String>,
}

impl<'a> Rewording<'a> {
    /// What is to be reworded: the records of an answer at `now`, in `zone`, to a question asked as `text`. `names` are the workloads
    /// that are known in every form, `hosts` the names of machines; both are replaced in what leaves.
    #[must_use]
    pub fn new(
        (question, text): (&Question, &str),
        findings: &'a Findings,
        (names, hosts): (&'a [String], &'a [String]),
        (now, zone): (Time, &'a TimeZone),
    ) -> Self {
        let clock = Clock::new(question.language, zone.clone(), now);
        // A line for each record: what a record says in several is one here.
        let flat = |words: String| words.split_whitespace().collect::<Vec<_>>().join(" ");
        let ours: Vec<String> = findings.records.iter().map(|record| flat(word(record, question, &clock))).collect();
        let numbered = ours.iter().enumerate().map(|(at, line)| format!("{}: {line}", at + 1));
        let sent = std::iter::once(format!("question: {}", flat(text.to_owned()))).chain(numbered);
        let aliases = Aliases::of(&sent.collect::<Vec<_>>().join("\n"), names, hosts);
        Self { findings, zone, ours, names, hosts, aliases }
    }

    /// What leaves the machine.
    #[must_use]
    pub fn sent(&self) -> &str {
        self.aliases.text()
    }

    /// The JSON schema that the model's answer is held to: as many lines as there are.
    #[must_use]
    pub fn schema(&self) -> Value {
        let lines = self.ours.len();
        json!({
            "type": "object",
            "properties": { "lines": {
                "type": "array", "minItems": lines, "maxItems": lines, "items": { "type": "string" },
            } },
            "required": ["lines"],
            "additionalProperties": false,
        })
    }

    /// The answer in the model's words, a line for each record, with the names put back.
    ///
    /// # Errors
    /// [`RewordError`]: then our own words are all there is.
    pub fn read(&self, answer: &str) -> Result<String, RewordError> {
        let said: Said = serde_json::from_str(answer.trim()).map_err(|error| RewordError::Format(error.to_string()))?;
        if said.lines.len() != self.ours.len() {
            return Err(RewordError::Format(format!("{} lines for {}", said.lines.len(), self.ours.len())));
        }
        let lines: Result<Vec<String>, _> = (0..).zip(&said.lines).map(|(at, line)| self.line(at, line)).collect();
        Ok(lines?.join("\n"))
    }

    /// One line, held against ours and against its record.
    fn line(&self, at: usize, theirs: &str) -> Result<String, RewordError> {
        let ours = &self.ours[at];
        is_words(theirs.trim(), ours)?;
        let theirs = self.aliases.restored(theirs.trim()).map_err(RewordError::Name)?;
        let named = |line: &str| Aliases::of(line, self.names, self.hosts);
        let (wanted, found) = (named(ours), named(&theirs));
        if let Some(name) = found.names().symmetric_difference(&wanted.names()).next() {
            return Err(RewordError::Name(name.clone()));
        }
        let facts = facts::of(&self.findings.records[at], self.zone);
        if let Some(what) = unfounded_by(&theirs, &facts).into_iter().next() {
            return Err(RewordError::Unfounded(what));
        }
        same_figures(found.bare(), wanted.bare())?;
        same_sense(found.bare(), wanted.bare())?;
        Ok(theirs)
    }
}

fn is_words(theirs: &str, ours: &str) -> Result<(), RewordError> {
    let most = ours.chars().count() * GROWS.0 + GROWS.1;
    let odd = |c: char| c.is_control() || is_deceptive(c) || (!c.is_ascii() && c.is_numeric());
    match theirs {
        "" => Err(RewordError::Line("it is empty")),
        _ if theirs.chars().count() > most => Err(RewordError::Line("it is much longer than ours")),
        _ if theirs.contains(odd) => Err(RewordError::Line("characters that no line of words has")),
        _ => Ok(()),
    }
}

/// Digits as they stand in ours and in that order, so that two figures of a record cannot change places; and no figure in letters.
fn same_figures(theirs: &str, ours: &str) -> Result<(), RewordError> {
    let mut left = figures(ours);
    for figure in figures(theirs) {
        if !left.by_ref().any(|known| known == figure) {
            return Err(RewordError::Figure(figure.to_owned()));
        }
    }
    let (theirs, ours) = (without_weekdays(theirs), without_weekdays(ours));
    match SPELLED.iter().find(|word| has(&theirs, word) && !has(&ours, word)) {
        Some(word) => Err(RewordError::Figure((*word).to_owned())),
        None => Ok(()),
    }
}

/// 周三 is held against the record, and its 三 is no figure.
fn without_weekdays(line: &str) -> String {
    ["一", "二", "三", "四", "五", "六", "日"]
        .iter()
        .fold(line.to_owned(), |line, day| line.replace(&format!("周{day}"), " ").replace(&format!("星期{day}"), " "))
}

fn figures(line: &str) -> impl Iterator<Item = &str> {
    let runs = line.split(|c: char| !c.is_ascii_digit() && c != '.').map(|run| run.trim_matches('.'));
    runs.filter(|run| !run.is_empty())
}

fn same_sense(theirs: &str, ours: &str) -> Result<(), RewordError> {
    let turned = |word: &str| Err(RewordError::Turned(word.to_owned()));
    if negations(theirs, theirs) != negations(ours, theirs) {
        let word = NOT.iter().find(|word| count(theirs, word) != count(ours, word));
        return turned(word.copied().unwrap_or("not"));
    }
    let first = |words: &[&'static str], line: &str| words.iter().find(|word| has(line, word)).copied();
    let other = |words: &&[&'static str]| first(words, theirs).filter(|_| first(words, ours).is_none());
    WAYS.iter().find_map(other).map_or(Ok(()), turned)
}

/// How many words turn round what stands in a line before the first figure of `theirs`, and in all: of what else is said they may
/// stand before a figure or behind it ("with 1.65 cores it would not have been").
fn negations(line: &str, theirs: &str) -> (usize, usize) {
    let short = |words: &str| words.to_lowercase().split_whitespace().filter(|word| word.contains("n't")).count();
    let of = |words: &str| NOT.iter().map(|word| count(words, word)).sum::<usize>() + short(words);
    let first = figures(theirs).next();
    let before = first.map_or(line, |first| up_to(line, first));
    (of(before), of(line))
}

/// What stands before a figure.
fn up_to<'a>(line: &'a str, wanted: &str) -> &'a str {
    let mut end = 0;
    for figure in figures(line) {
        end += line[end..].find(figure).unwrap_or(0);
        if figure == wanted {
            return &line[..end];
        }
        end += figure.len();
    }
    line
}

fn has(line: &str, word: &str) -> bool {
    count(line, word) > 0
}

/// How often a word stands in a line in any case, an English one as a whole.
fn count(line: &str, word: &str) -> usize {
    let lower = line.to_lowercase();
    let edge = |c: Option<char>| !c.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '\''));
    let whole = |at: usize| edge(lower[..at].chars().next_back()) && edge(lower[at + word.len()..].chars().next());
    lower.match_indices(word).filter(|(at, _)| !word.is_ascii() || whole(*at)).count()
}

#[cfg(test)]
mod tests;
