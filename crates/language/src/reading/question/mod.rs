//! Questions to typed queries. Exact: the words of a question pick one of a dozen things that can be asked, names and amounts are those
//! in the sentence, times look back ([`super::time::past`]). What fits none is [`About::Unclear`] and asked back.

mod rules;
mod words;

use super::{
    Reader,
    amount::{Amount, Counts, Sense, amounts},
    encoded::Added,
    lexicon,
    model::names_at,
    text::Text,
    time,
    token::{Token, TokenKind, tokens},
    veto,
};
use crate::Language;
use apportion_core::{Resource, Time, edits};
use jiff::Zoned;
use serde::{Deserialize, Serialize};

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Why an allotment is what it is, was changed or was not.
    Why,
    /// When and why a workload was held back by its CPU limit.
    Throttled,
    /// When and why a workload was killed for want of memory.
    Killed,
    /// How much was used.
    Used,
    /// What is forecast.
    Forecast,
    /// What is allotted now, and since when.
    Allotted,
    /// What changed, and by whom.
    Changed,
    /// Which workloads use most.
    MostUsed,
    /// Which workloads are allotted most beyond what they use.
    MostWasted,
    /// Which workloads are near or over their limit.
    AtRisk,
    /// What was saved.
    Saved,
    /// Which instructions stand.
    Said,
    /// What a smaller size would have cost.
    Smaller,
    /// What the machine has left.
    Free,
    /// How a workload stands as a whole.
    State,
    /// What can be asked and told.
    Help,
    /// What would be with other demand: a replay knows, the ledger does not.
    OtherDemand,
    /// Nothing that can be asked.
    Unclear,
}

/// "Now" is this long, seconds.
const NOW_S: i64 = 300;

/// A size that a question supposes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// So much, in the resource's unit.
    Amount(f64),
    /// This part of what it has.
    Part(f64),
}

/// A span of time that is asked about, its end not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// From when.
    pub from: Time,
    /// Until when.
    pub to: Time,
}

/// A question as it was understood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// What is asked.
    pub about: About,
    /// Names and wildcards as they stand in the sentence, lower case; empty for all.
    pub workloads: Vec<String>,
    /// Of what, where said.
    pub resource: Option<Resource>,
    /// When, where said.
    pub when: Option<Span>,
    /// A size that is supposed.
    pub size: Option<Size>,
    /// The decision that is asked about, by number.
    pub decision: Option<u64>,
    /// The language it was asked in.
    pub language: Language,
    /// Why it was not read at all, where it was not.
    pub unread: Option<String>,
}

impl Reader {
    /// Reads a question at `now`, whose zone is the asker's. `catalogue` holds the workloads that are known. It acts on nothing, so
    /// what is not understood is only asked back.
    #[must_use]
    pub fn question(&self, sentence: &str, now: &Zoned, catalogue: &[String]) -> Question {
        let language = super::language(sentence);
        let nothing = |reason: &str| Question { unread: Some(reason.to_owned()), ..Question::unclear(language) };
        if let Some(reason) = veto::unreadable(sentence) {
            return nothing(reason);
        }
        let text = Text::new(sentence);
        if veto::is_abuse(&text) {
            return nothing("asks for what no question may have");
        }
        let catalogue: Vec<String> = catalogue.iter().map(|name| name.to_lowercase()).collect();
        Seen::new(self, &text, now, &catalogue).question(now, language)
    }
}

impl Question {
    /// A question of which nothing was understood.
    #[must_use]
    pub const fn unclear(language: Language) -> Self {
        Self {
            about: About::Unclear,
            workloads: Vec::new(),
            resource: None,
            when: None,
            size: None,
            decision: None,
            language,
            unread: None,
        }
    }
}

struct Seen<'a> {
    text: &'a Text,
    names: Vec<String>,
    amounts: Vec<Amount>,
    taken: Vec<(usize, usize)>,
    classes: Vec<&'static str>,
    words: String,
}

impl<'a> Seen<'a> {
    fn new(reader: &Reader, text: &'a Text, now: &Zoned, catalogue: &[String]) -> Self {
        let known = names_at(text, catalogue);
        let outside = |start: usize| !known.iter().any(|(from, to)| (*from..*to).contains(&start));
        let amounts: Vec<Amount> = amounts(text).into_iter().filter(|amount| outside(amount.start)).collect();
        let mut taken = known.clone();
        taken.extend(amounts.iter().map(|amount| (amount.start, amount.end)));
        let times = time::read(text, now, &taken).places;
        let tokens = tokens(text, &amounts, &times, &known);
        let named = reader.embedded.model.names(&tokens, &Added::default());
        let is_name = |token: &Token, share: f32| {
            let slip = || known.is_empty() && is_slip(&token.text, catalogue);
            known.contains(&(token.start, token.end)) || is_new_name(token, share, known.is_empty()) || slip()
        };
        let are_names: Vec<bool> = tokens.iter().zip(&named).map(|(token, share)| is_name(token, *share)).collect();
        let of =
            |wanted: bool| tokens.iter().zip(&are_names).filter(move |(_, is)| **is == wanted).map(|(token, _)| token);
        let mut names: Vec<String> = Vec::new();
        for token in of(true) {
            let name = token.text.trim_end_matches(['.', ':']).to_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let plain: Vec<&str> = of(false).map(|token| token.text.as_str()).collect();
        let classes = lexicon::classes(&plain);
        // A name is no word of the question.
        let mut chars = text.chars.clone();
        for token in of(true) {
            chars[token.start..token.end].fill('_');
        }
        Self { text, names, amounts, taken, classes, words: chars.into_iter().collect() }
    }

    fn question(&self, now: &Zoned, language: Language) -> Question {
        let (size, of) = self.size().unzip();
        let decision = rules::decision(&self.words);
        let about = match decision {
            Some(_) => About::Why,
            None => rules::about(&self.words, &rules::Facts { size: size.is_some(), named: !self.names.is_empty() }),
        };
        Question {
            about,
            workloads: self.names.clone(),
            resource: self.resource().or(of.flatten()),
            when: self.when(about, now),
            size,
            decision,
            language,
            unread: None,
        }
    }

    fn resource(&self) -> Option<Resource> {
        let mut said = [
            ("cpu", Resource::Cpu),
            ("memory", Resource::Memory),
            ("network", Resource::Network),
            ("storage", Resource::Storage),
        ]
        .into_iter()
        .filter(|(class, _)| self.classes.contains(class));
        said.next().map(|(_, resource)| resource)
    }

    /// The size that is supposed, and of what where its unit tells.
    fn size(&self) -> Option<(Size, Option<Resource>)> {
        self.amounts.iter().find_map(|amount| match (amount.counts, amount.sense) {
            (Counts::Cores, _) => Some((Size::Amount(amount.value), Some(Resource::Cpu))),
            (Counts::Bytes, _) => Some((Size::Amount(amount.value), Some(Resource::Memory))),
            (Counts::BytesPerSecond, _) => Some((Size::Amount(amount.value), None)),
            (Counts::Factor, _) if amount.value < 1.0 => Some((Size::Part(amount.value), None)),
            (Counts::Percent, Sense::Less) => Some((Size::Part(1.0 - amount.value / 100.0), None)),
            (Counts::Percent, Sense::To) => Some((Size::Part(amount.value / 100.0), None)),
            _ => None,
        })
    }

    fn when(&self, about: About, now: &Zoned) -> Option<Span> {
        let time = |at: &Zoned| Time(at.timestamp().as_millisecond());
        let past = || time::past(self.text, now, &self.taken).map(|past| (past.from, past.to));
        let ahead = || {
            let read = time::read(self.text, now, &self.taken);
            let window = Some(read.window).filter(|_| read.over.is_empty()).unwrap_or_default();
            let from = window.start.clone().unwrap_or_else(|| now.clone());
            let hour = || window.start.as_ref().and_then(|start| around(start, now));
            window.end.as_ref().map(|end| (from, end.clone())).or_else(hour)
        };
        let now_alone = || {
            let from = now.checked_sub(jiff::SignedDuration::from_secs(NOW_S)).ok()?;
            (about == About::Used && rules::is_now(&self.words)).then(|| (from, now.clone()))
        };
        let said = if about == About::Forecast { ahead() } else { past().or_else(ahead) };
        let (from, to) = said.or_else(now_alone)?;
        Some(Span { from: time(&from), to: time(&to) })
    }
}

/// An hour to come stands for half an hour to each side, as one that is over does.
fn around(hour: &Zoned, now: &Zoned) -> Option<(Zoned, Zoned)> {
    let side = jiff::SignedDuration::from_mins(30);
    Some((hour.checked_sub(side).ok()?.max(now.clone()), hour.checked_add(side).ok()?))
}

/// A word that is a name although the catalogue has it not: a wildcard, or one that looks like a name. Where a known one is named,
/// only what can be nothing else.
fn is_new_name(token: &Token, share: f32, alone: bool) -> bool {
    let text = token.text.as_str();
    let odd = text.contains(['-', '_', '.', '/']) || text.chars().any(|c| c.is_ascii_digit());
    let word = token.kind == TokenKind::Word && text.chars().count() > 1;
    word && (text.contains('*') || (share > 0.5 && (odd || (alone && !rules::is_common(text)))))
}

/// A known name with a slip of the finger.
fn is_slip(word: &str, catalogue: &[String]) -> bool {
    let near = |name: &String| name.len() >= 4 && edits(word, name) <= name.len() / 3;
    !rules::is_common(word) && catalogue.iter().any(near)
}

#[cfg(test)]
mod tests;
