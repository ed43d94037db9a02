//! Beginnings and ends that are no time: at once, until further notice.

use super::atom::{Atom, Kind, one};
use crate::reading::text::Text;
use jiff::civil::Date;

pub(super) fn read(text: &Text, place: usize, _: Date) -> Vec<Atom> {
    const NOW: [&str; 16] = [
        "right now",
        "from now on",
        "from now",
        "starting now",
        "now",
        "immediately",
        "effective immediately",
        "at once",
        "as of now",
        "from this moment",
        "从现在起",
        "从现在开始",
        "现在起",
        "即日起",
        "从即刻起",
        "立即",
    ];
    const OPEN: [&str; 35] = [
        "until further notice",
        "till further notice",
        "until i say so",
        "until i say otherwise",
        "till i say so",
        "until told otherwise",
        "until i tell you otherwise",
        "till i tell you otherwise",
        "until we say so",
        "until we say otherwise",
        "until you hear from me",
        "until you hear otherwise",
        "until i lift it",
        "until i release it",
        "until i'm back",
        "until i am back",
        "until i give the word",
        "until i give the all clear",
        "until i give the all-clear",
        "until revoked",
        "indefinitely",
        "permanently",
        "for good",
        "forever",
        "等我通知",
        "直到我通知",
        "另行通知",
        "直到另行通知",
        "永久",
        "一直",
        "长期",
        "always",
        "at all times",
        "不限时间",
        "始终",
    ];
    if let Some(end) = text.any_word(place, &OPEN) {
        return one(place, end, Kind::Open);
    }
    text.any_word(place, &NOW).map(|end| one(place, end, Kind::Now)).unwrap_or_default()
}

/// "until" and its like with no time behind them in their clause: the end is not known.
pub(super) fn ends_without_time(text: &Text, atoms: &[Atom]) -> Vec<String> {
    const WORDS: [&str; 8] = ["until", "till", "直到", "直至", "持续到", "截止到", "截至", "一直到"];
    let read = |from: usize, word: usize, stop: usize| {
        atoms.iter().any(|atom| (word..stop).contains(&atom.start) || (atom.start <= from && word <= atom.end))
    };
    let unread = |place: usize| {
        let end = text.any_word(place, &WORDS)?;
        let stop = (end..text.len()).find(|at| matches!(text.at(*at), ',' | ';' | '!' | '?')).unwrap_or(text.len());
        (!read(place, end, stop)).then(|| text.slice(place, stop).trim_end_matches('.').to_owned())
    };
    (0..text.len()).filter_map(unread).collect()
}
