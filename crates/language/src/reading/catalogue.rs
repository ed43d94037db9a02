//! Which names of a catalogue are names for certain. A workload may be called anything, also "everything", "tonight", "cores" or "16": such a
//! name is one for certain only in quotes, so that nobody who names a workload decides what a sentence means.

use super::{amount::amounts, doubt, lexicon, model::names_at, text::Text, time, unit::WORD_UNITS};
use jiff::Zoned;

/// Classes of the words that make a sentence, as no workload's name has to.
const MAKING: &[&str] = &[
    "cpu",
    "memory",
    "resources",
    "least",
    "most",
    "below",
    "exceed",
    "not",
    "must",
    "more",
    "less",
    "hold",
    "whole",
    "times",
];
const LITTLE: &[&str] = &[
    "a", "an", "the", "to", "at", "of", "on", "in", "by", "for", "with", "from", "until", "and", "or", "but", "be",
    "is", "it", "this", "that", "except", "than",
];
const ALL: &[&str] = &["all", "any", "every", "each", "others", "全部", "其他", "其余", "大家", "服务"];

/// What a catalogue says of a sentence.
pub(super) struct Known {
    /// Where names stand for certain.
    pub(super) places: Vec<(usize, usize)>,
    /// Names that stand there too and that say when, or all of them.
    pub(super) twofold: Vec<String>,
}

pub(super) fn known(text: &Text, now: &Zoned, catalogue: &[String]) -> Known {
    let (ordinary, certain): (Vec<String>, Vec<String>) =
        catalogue.iter().cloned().partition(|name| says_all(name) || says_when(name, now) || makes(name));
    let mut names = certain;
    names.extend(ordinary.iter().filter(|name| is_quoted(text, name)).cloned());
    let twofold =
        |name: &String| !is_quoted(text, name) && (says_all(name) || says_when(name, now)) && stands(text, name);
    Known { places: names_at(text, &names), twofold: ordinary.into_iter().filter(twofold).collect() }
}

fn stands(text: &Text, name: &String) -> bool {
    !names_at(text, std::slice::from_ref(name)).is_empty()
}

fn is_quoted(text: &Text, name: &str) -> bool {
    let words = text.slice(0, text.len());
    ['"', '\''].iter().any(|mark| words.contains(&format!("{mark}{name}{mark}")))
}

fn says_all(name: &str) -> bool {
    ALL.contains(&name) || lexicon::is_of(name, &["all names"])
}

fn says_when(name: &str, now: &Zoned) -> bool {
    let text = Text::new(name);
    let whole = |(start, end): &(usize, usize)| *start == 0 && *end == text.len();
    doubt::is_time(name) || time::read(&text, now, &[]).places.iter().any(whole)
}

/// A number, an amount, a unit, or a word that sentences are made of.
fn makes(name: &str) -> bool {
    let text = Text::new(name);
    let number = super::number::number(&text, 0).is_some_and(|number| number.end == text.len());
    let amount = amounts(&text).iter().any(|amount| amount.start == 0 && amount.end == text.len());
    let unit = || amounts(&Text::new(&format!("2 {name}"))).first().is_some_and(|amount| amount.end == text.len() + 2);
    let word = || WORD_UNITS.iter().any(|(word, _)| *word == name) || LITTLE.contains(&name);
    number || amount || unit() || word() || lexicon::is_of(name, MAKING)
}
