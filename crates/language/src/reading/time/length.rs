//! Lengths of time: `90 minutes`, `two and a half hours`, `an hour`, `半小时`, `一个半小时`, `3天`.

use super::atom::{Atom, Days, Kind, Named, one};
use crate::reading::{
    number::{self, Number},
    text::Text,
};
use jiff::{Span, ToSpan, civil::Date};

/// Minutes of a day.
const DAY: f64 = 1_440.0;

pub(super) fn read(text: &Text, place: usize, today: Date) -> Vec<Atom> {
    let Some((lasts, end)) = length(text, place) else { return Vec::new() };
    from_a_day(text, end, today, &lasts)
        .map_or_else(|| one(place, end, Kind::Length(lasts.span())), |(days, end)| one(place, end, Kind::Days(days)))
}

/// "a week from today": that day.
fn from_a_day(text: &Text, end: usize, today: Date, lasts: &Lasts) -> Option<(Days, usize)> {
    let (from, end) = [("from today", today), ("from tomorrow", today.tomorrow().ok()?)]
        .iter()
        .find_map(|(words, from)| Some((*from, text.word(text.skip_spaces(end), words)?)))?;
    let first = from.checked_add(lasts.span()).ok().filter(|_| lasts.in_days)?;
    Some((Days { first, days: 1, named: Named::Whole }, end))
}

/// A length of time, as it was said.
#[derive(Clone, Copy)]
struct Lasts {
    minutes: f64,
    /// In days or what is made of them, which keep their hour across a change of the clock; hours are exact.
    in_days: bool,
}

impl Lasts {
    #[allow(clippy::cast_possible_truncation, reason = "bounded by the check")]
    fn span(&self) -> Span {
        let minutes = self.minutes.clamp(0.0, DAY * 3_660.0);
        let days = if self.in_days { (minutes / DAY).floor() } else { 0.0 };
        let rest = ((minutes - days * DAY) * 60.0).round();
        (days as i32).days().seconds(rest as i64)
    }
}

/// A length and its end; "1 hour 30 minutes" is one.
fn length(text: &Text, place: usize) -> Option<(Lasts, usize)> {
    let (mut lasts, mut end) = minutes(text, place)?;
    let next = text.skip_spaces(end);
    let next = text.word(next, "and").map_or(next, |after| text.skip_spaces(after));
    let smaller = |rest: &Lasts| rest.minutes < lasts.minutes && rest.minutes < DAY;
    if let Some((rest, after)) = minutes(text, next).filter(|(rest, _)| smaller(rest)) {
        lasts.minutes += rest.minutes;
        end = after;
    }
    Some((lasts, end))
}

fn minutes(text: &Text, place: usize) -> Option<(Lasts, usize)> {
    const FIXED: [(&str, f64); 17] = [
        ("next half hour", 30.0),
        ("next hour", 60.0),
        ("coming hour", 60.0),
        ("following hour", 60.0),
        ("quarter hour", 15.0),
        ("half an hour", 30.0),
        ("half-hour", 30.0),
        ("an hour and a half", 90.0),
        ("a day and a half", 2_160.0),
        ("quarter of an hour", 15.0),
        ("a quarter of an hour", 15.0),
        ("a fortnight", 20_160.0),
        ("一个半小时", 90.0),
        ("一个半钟头", 90.0),
        ("一刻钟", 15.0),
        ("半个月", 21_600.0),
        ("half a day", 720.0),
    ];
    if let Some((minutes, end)) = FIXED.iter().find_map(|(words, minutes)| Some((*minutes, text.word(place, words)?))) {
        return Some((Lasts { minutes, in_days: minutes >= DAY }, end));
    }
    let found = number::number(text, place).or_else(|| article(text, place))?;
    let found = range(text, found);
    let next = text.skip_spaces(found.end);
    let next = if text.at(next) == '-' { next + 1 } else { next };
    let next = text.literal(next, "个").unwrap_or(next);
    let (half, next) = match text.literal(next, "半") {
        Some(after) => (0.5, after),
        None => (0.0, next),
    };
    let (unit, end) = unit(text, next)?;
    let (more, end) = match text.word(text.skip_spaces(end), "and a half") {
        Some(after) => (0.5, after),
        None => (0.0, end),
    };
    Some((Lasts { minutes: (found.value + half + more) * unit, in_days: unit >= DAY }, end))
}

/// "two to three hours": the longer one.
fn range(text: &Text, first: Number) -> Number {
    let next = text.skip_spaces(first.end);
    let after = ["-", "~", "到", "至"]
        .iter()
        .find_map(|mark| text.literal(next, mark))
        .or_else(|| text.any_word(next, &["to", "or"]));
    let second = after.and_then(|after| {
        let place = text.skip_spaces(after);
        number::digits(text, place).or_else(|| number::chinese(text, place)).or_else(|| number::english(text, place))
    });
    second.filter(|second| second.value > first.value).unwrap_or(first)
}

fn article(text: &Text, place: usize) -> Option<Number> {
    let end = text.any_word(place, &["an", "a", "one more", "another"])?;
    unit(text, text.skip_spaces(end)).map(|_| Number { value: 1.0, end, digits: false })
}

fn unit(text: &Text, place: usize) -> Option<(f64, usize)> {
    const WORDS: [(&str, f64); 37] = [
        ("minutes", 1.0),
        ("minute", 1.0),
        ("mins", 1.0),
        ("min", 1.0),
        ("hours", 60.0),
        ("hour", 60.0),
        ("hrs", 60.0),
        ("hr", 60.0),
        ("h", 60.0),
        ("days", 1_440.0),
        ("day", 1_440.0),
        ("weeks", 10_080.0),
        ("week", 10_080.0),
        ("months", 43_200.0),
        ("month", 43_200.0),
        ("seconds", 1.0 / 60.0),
        ("second", 1.0 / 60.0),
        ("secs", 1.0 / 60.0),
        ("分钟", 1.0),
        ("小时", 60.0),
        ("钟头", 60.0),
        ("天", 1_440.0),
        ("周", 10_080.0),
        ("星期", 10_080.0),
        ("礼拜", 10_080.0),
        ("个月", 43_200.0),
        ("月", 43_200.0),
        ("秒钟", 1.0 / 60.0),
        ("秒", 1.0 / 60.0),
        ("刻钟", 15.0),
        ("昼夜", 1_440.0),
        ("整天", 1_440.0),
        ("d", 1_440.0),
        ("分", 1.0),
        ("日", 1_440.0),
        ("日内", 1_440.0),
        ("fortnight", 20_160.0),
    ];
    let found = WORDS.iter().filter(|(words, _)| !matches!(*words, "分" | "日" | "月" | "日内")).filter_map(
        |(words, minutes)| {
            let end = if words.is_ascii() { text.word_end(place, words) } else { text.literal(place, words) }?;
            Some((*minutes, end))
        },
    );
    found.max_by_key(|(_, end)| *end)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LengthRole {
    /// The window lasts so long.
    For,
    /// It begins after so long.
    Off,
}

/// What a length is to the window; none where it speaks of the past or of something else.
pub(super) fn length_role(text: &Text, atom: &Atom) -> Option<LengthRole> {
    let before = text.slice(atom.start.saturating_sub(28), atom.start);
    let before = before.trim_end();
    let after = text.slice(atom.end, (atom.end + 16).min(text.len()));
    let after = after.trim_start();
    let ends = |words: &[&str]| words.iter().any(|word| before.ends_with(word));
    let begins = |words: &[&str]| words.iter().any(|word| after.starts_with(word));
    let over = ends(&[
        "past",
        "last",
        "previous",
        "over the last",
        "过去",
        "最近",
        "近",
        "之前的",
        "已经",
        "已",
        "连续",
        "提前",
        "every",
        "每",
        "每隔",
        "持续了",
        "within the last",
        "超过",
        "about every",
        "上",
        "前",
    ]) || begins(&[
        "ago",
        "early",
        "earlier",
        "ahead",
        "前",
        "之前",
        "以前",
        "一次",
        "old",
        "behind",
        "in advance",
        "of history",
        "of backlog",
        "late",
        "long-running",
        "来",
        "以来",
    ]) || (before.contains("been") || before.contains("已经")) && !ends(&["next", "coming"]);
    if over {
        return None;
    }
    let off = (begins(&["from now"]) && !before.ends_with("for"))
        || begins(&["后", "之后", "以后", "later", "过后"])
        || ends(&[" in", " in about", "再过", "过"])
        || before == "in";
    Some(if off { LengthRole::Off } else { LengthRole::For })
}
