//! Hours: `20:00`, `7pm`, `noon`, `half past eight`, `8点半`, `零点`, and ranges of them (`9-11pm`, `3 to 5`, `8点到10点`).

use super::atom::{Atom, Clock, Kind, one};
use crate::reading::{number, text::Text};
use jiff::civil::Date;

/// An hour with its end; bare when it was a number and nothing else.
#[derive(Clone, Copy)]
struct Read {
    clock: Clock,
    end: usize,
    bare: bool,
}

pub(super) fn read(text: &Text, place: usize, _: Date) -> Vec<Atom> {
    let found = hour(text, place).filter(|read| !read.bare || is_announced(text, place, read.end));
    found.map(|read| one(place, read.end, Kind::Clock(read.clock))).unwrap_or_default()
}

/// Two hours that share what is written once: "9-11pm", "from 3 to 5", "9到18点".
pub(super) fn read_range(text: &Text, place: usize, _: Date) -> Vec<Atom> {
    range(text, place).unwrap_or_default()
}

fn range(text: &Text, place: usize) -> Option<Vec<Atom>> {
    let first = hour(text, place)?;
    let (mark, next) = range_mark(text, first.end)?;
    let second = hour(text, text.skip_spaces(next))?;
    if second.bare && is_of_a_date(text, text.skip_spaces(second.end)) {
        return None;
    }
    if second.bare && first.bare && !is_range_of_hours(text, place, second.end, mark) {
        return None;
    }
    let clock = share_half(first, second)?;
    let start = text.skip_spaces(next);
    Some(vec![
        Atom { start: place, end: first.end, kind: Kind::Clock(clock) },
        Atom { start, end: second.end, kind: Kind::Clock(second.clock) },
    ])
}

/// A number before a month or 号 is a day, not an hour.
fn is_of_a_date(text: &Text, place: usize) -> bool {
    super::calendar::month(text, place).is_some() || matches!(text.at(place), '月' | '号' | '日' | '年' | '天' | '个')
}

/// "9-11pm" begins at 9 pm, "11-1pm" at 11 am, "9-18" at 9.
fn share_half(first: Read, second: Read) -> Option<Clock> {
    let mut clock = first.clock;
    if first.bare && second.clock.fixed && !second.bare && clock.hour <= 12 {
        let afternoon = second.clock.hour > 12 && clock.hour < 12 && clock.hour + 12 < second.clock.hour;
        let evening_to_midnight = second.clock.hour % 24 == 0 && clock.hour < 12;
        if afternoon || evening_to_midnight {
            clock.hour += 12;
        }
        clock.fixed = true;
    }
    (0..=24).contains(&clock.hour).then_some(clock)
}

fn range_mark(text: &Text, end: usize) -> Option<(&'static str, usize)> {
    let next = text.skip_spaces(end);
    for mark in ["--", "-", "~", "到", "至"] {
        if let Some(after) = text.literal(next, mark) {
            return Some((mark, after));
        }
    }
    for mark in ["to", "until", "till", "til", "through", "and"] {
        if let Some(after) = text.word(next, mark) {
            return Some((mark, after));
        }
    }
    None
}

/// Words of days that a bare hour may follow.
const DAY_WORDS: [&str; 38] = [
    "tmrw",
    "tmr",
    "day",
    "days",
    "night",
    "nights",
    "tonight",
    "morning",
    "mornings",
    "afternoon",
    "evening",
    "tomorrow",
    "today",
    "weekend",
    "weekends",
    "weekdays",
    "week",
    "daily",
    "nightly",
    "mon",
    "tue",
    "wed",
    "thu",
    "fri",
    "sat",
    "sun",
    "noon",
    "天",
    "日",
    "晚",
    "午",
    "上",
    "晨",
    "号",
    "末",
    "间",
    "早",
    "每周",
];
/// Words that may follow an hour.
const AFTER_HOURS: [&str; 16] = [
    "on", "tonight", "tomorrow", "today", "this", "every", "each", "daily", "in the", "o'clock", "we", "while", "when",
    "for", "sharp", "and",
];

/// What stands before a place, without trailing space.
fn before(text: &Text, place: usize) -> String {
    text.slice(place.saturating_sub(24), place).trim_end().to_owned()
}

fn ends_with_word(words: &str, word: &str) -> bool {
    let rest = words.strip_suffix(word);
    rest.is_some_and(|rest| !word.is_ascii() || !rest.ends_with(|c: char| c.is_ascii_alphanumeric()))
}

/// True where the words end with a day: "every day", "Friday", "周三".
fn ends_with_day(words: &str) -> bool {
    let words = words.trim_end_matches([',', ' ', ':', '(']);
    let weekday = ["周", "星期", "礼拜"].iter().any(|week| {
        ["一", "二", "三", "四", "五", "六", "日", "天"]
            .iter()
            .any(|day| words.strip_suffix(day).is_some_and(|rest| rest.ends_with(week)))
    });
    weekday
        || words.ends_with("day")
        || words.ends_with("days")
        || DAY_WORDS.iter().any(|word| ends_with_word(words, word))
}

/// Two bare numbers are hours where something around them says so.
fn is_range_of_hours(text: &Text, place: usize, end: usize, mark: &str) -> bool {
    let before = before(text, place);
    let lead = ["from", "between", "at", "hours"].into_iter().find(|word| ends_with_word(&before, word));
    let of_a_day = ends_with_day(lead.map_or(before.as_str(), |lead| &before[..before.len() - lead.len()]));
    let next = text.skip_spaces(end);
    let followed = next >= text.len()
        || matches!(text.at(next), ',' | '.' | ';' | ':' | '(' | ')' | '!')
        || text.any_word(next, &AFTER_HOURS).is_some()
        || super::day::english_weekday(text, next).is_some();
    let joined = mark != "and" || lead == Some("between");
    let apart = text.at(end) != '%' && !crate::reading::text::is_han(text.at(if of_a_day { end } else { next }));
    let on = text.word(next, "on").map_or(next, |after| text.skip_spaces(after));
    let day_next = text.any_word(next, &["tonight", "tomorrow", "today", "this", "every", "each", "daily"]).is_some()
        || text.any_word(on, &["weekdays", "weekends", "workdays"]).is_some()
        || super::day::english_weekday(text, on).is_some();
    joined && apart && (of_a_day || day_next || (lead.is_some() && followed) || (lead == Some("from") && mark != "to"))
}

/// A bare number is an hour behind these words: "at 9 tonight", "until 6", "by 5".
fn is_announced(text: &Text, place: usize, end: usize) -> bool {
    let before = before(text, place);
    let next = text.skip_spaces(end);
    let day_next =
        text.any_word(next, &["tonight", "tomorrow", "today", "this", "on", "sharp", "every", "in the"]).is_some()
            || super::day::english_weekday(text, next).is_some();
    let stop = next >= text.len()
        || matches!(text.at(next), ',' | '.' | ';' | '!' | ')')
        || text.any_word(next, &["and", "onwards", "on", "we", "please", "because", "sharp", "then"]).is_some();
    let ends = |words: &[&str]| words.iter().any(|word| ends_with_word(&before, word));
    let day_before = ["at", "@", "around", "about"]
        .iter()
        .any(|word| ends_with_word(&before, word) && ends_with_day(&before[..before.len() - word.len()]));
    let timed = ends(&["until", "till", "til", "before", "after", "from", "by", "starting", "starts", "begins"])
        || ends(&["starting at", "begins at", "opens at", "starts at"]);
    day_before || (timed && (stop || day_next)) || (ends(&["at", "around", "@"]) && day_next)
}

fn hour(text: &Text, place: usize) -> Option<Read> {
    let behind = matches!(text.at(place.saturating_sub(1)), '-' | 't' | '.') || number::behind_letters(text, place);
    if !text.is_start(place) && !behind {
        return None;
    }
    word_hour(text, place)
        .or_else(|| chinese(text, place))
        .or_else(|| with_minutes(text, place))
        .or_else(|| with_half_day(text, place))
        .or_else(|| military(text, place))
        .or_else(|| bare(text, place))
        .or_else(|| past_hour(text, place))
        .filter(|read| {
            read.clock.minute < 60
                && (0..=24).contains(&read.clock.hour)
                && (read.clock.hour < 24 || read.clock.minute == 0)
        })
}

fn fixed(hour: i8, minute: i8, end: usize) -> Option<Read> {
    Some(Read { clock: Clock { hour, minute, fixed: true }, end, bare: false })
}

fn word_hour(text: &Text, place: usize) -> Option<Read> {
    const WORDS: [(&str, i8); 17] = [
        ("12 noon", 12),
        ("noon", 12),
        ("midday", 12),
        ("mid-day", 12),
        ("12 midnight", 24),
        ("midnight", 24),
        ("正午", 12),
        ("中午12点", 12),
        ("中午十二点", 12),
        ("午夜12点", 24),
        ("午夜十二点", 24),
        ("晚上12点", 24),
        ("晚上十二点", 24),
        ("半夜12点", 24),
        ("夜里12点", 24),
        ("午夜", 24),
        ("晚12点", 24),
    ];
    let (hour, end) = WORDS.iter().find_map(|(words, hour)| Some((*hour, text.word(place, words)?)))?;
    let end = text.literal(end, "整").unwrap_or(end);
    fixed(hour, 0, end)
}

fn small(text: &Text, place: usize) -> Option<(i8, usize)> {
    let length = (0..3).take_while(|k| text.at(place + k).is_ascii_digit()).count();
    (1..=2).contains(&length).then_some(())?;
    Some((text.slice(place, place + length).parse().ok()?, place + length))
}

/// "20:00", "8:30pm", "20:00:00", "01:00Z".
fn with_minutes(text: &Text, place: usize) -> Option<Read> {
    let (hour, end) = small(text, place)?;
    let dotted = text.at(end) == '.';
    let (minute, end) =
        small(text, end + 1).filter(|(_, last)| *last == end + 3 && matches!(text.at(end), ':' | '.'))?;
    let end = seconds(text, end);
    let half = half_day(text, end);
    if dotted && half.is_none() || text.at(end).is_ascii_digit() {
        return None;
    }
    match half {
        Some((afternoon, end)) => fixed(in_half(hour, afternoon)?, minute, end),
        None => {
            let fixed = hour >= 13 || hour == 0 || text.at(place) == '0';
            Some(Read { clock: Clock { hour, minute, fixed }, end, bare: false })
        }
    }
}

fn seconds(text: &Text, end: usize) -> usize {
    small(text, end + 1).filter(|(_, last)| text.at(end) == ':' && *last == end + 3).map_or(end, |(_, last)| last)
}

/// "7am", "7 pm", "7 p.m.", "7 in the evening", "seven pm".
fn with_half_day(text: &Text, place: usize) -> Option<Read> {
    let (hour, end) = small(text, place).or_else(|| spelled(text, place))?;
    let (afternoon, end) = half_day(text, end)?;
    fixed(in_half(hour, afternoon)?, 0, end)
}

fn spelled(text: &Text, place: usize) -> Option<(i8, usize)> {
    let found = number::english(text, place)
        .filter(|found| (1.0..=12.0).contains(&found.value) && found.value.fract() == 0.0)?;
    #[allow(clippy::cast_possible_truncation, reason = "checked to be 1 to 12")]
    Some((found.value as i8, found.end)).filter(|_| text.at(place) != 'a' && text.at(place) != 'h')
}

fn half_day(text: &Text, end: usize) -> Option<(bool, usize)> {
    let next = text.skip_spaces(end);
    for (words, afternoon) in [("a.m.", false), ("p.m.", true), ("a.m", false), ("p.m", true)] {
        if let Some(after) = text.literal(next, words) {
            return Some((afternoon, after));
        }
    }
    for (words, afternoon) in [
        ("am", false),
        ("pm", true),
        ("in the morning", false),
        ("in the afternoon", true),
        ("in the evening", true),
        ("at night", true),
        ("o'clock in the morning", false),
        ("o'clock in the evening", true),
        ("o'clock in the afternoon", true),
        ("o'clock tonight", true),
    ] {
        let found = text.literal(next, words).filter(|after| !text.at(*after).is_ascii_alphanumeric());
        if let Some(after) = found {
            let end = if words.ends_with("tonight") { after - "tonight".len() } else { after };
            return Some((afternoon, end));
        }
    }
    None
}

fn in_half(hour: i8, afternoon: bool) -> Option<i8> {
    match (hour, afternoon) {
        (12, false) => Some(0),
        (12, true) => Some(12),
        (1..=11, true) => Some(hour + 12),
        (0..=11, false) | (13..=24, true) => Some(hour),
        _ => None,
    }
}

/// "1900h", "0300 hours", "22h", "8 o'clock".
fn military(text: &Text, place: usize) -> Option<Read> {
    let length = (0..5).take_while(|k| text.at(place + k).is_ascii_digit()).count();
    let end = place + length;
    if length == 4 {
        let after = text
            .any_word(end, &["h", "hrs", "z"])
            .or_else(|| ["h", "hrs"].iter().find_map(|words| text.word_end(end, words)))
            .or_else(|| {
                text.any_word(text.skip_spaces(end), &["hours", "hrs", "utc", "gmt"]).map(|after| {
                    if text.any_word(text.skip_spaces(end), &["utc", "gmt"]).is_some() { end } else { after }
                })
            })?;
        return fixed(text.slice(place, place + 2).parse().ok()?, text.slice(place + 2, end).parse().ok()?, after);
    }
    let (hour, end) = small(text, place).or_else(|| spelled(text, place))?;
    if let Some(after) = text.word(text.skip_spaces(end), "o'clock") {
        return Some(Read { clock: Clock { hour, minute: 0, fixed: hour > 12 }, end: after, bare: false });
    }
    let led = ["at", "from", "until", "till", "by", "to", "before", "after", "-", "and"]
        .iter()
        .any(|word| ends_with_word(&before(text, place), word));
    text.word_end(end, "h").filter(|_| length == 2 && led).and_then(|after| fixed(hour, 0, after))
}

/// "half past eight", "quarter to 9".
fn past_hour(text: &Text, place: usize) -> Option<Read> {
    const WORDS: [(&str, i8); 5] =
        [("half past", 30), ("quarter past", 15), ("a quarter past", 15), ("quarter to", -15), ("a quarter to", -15)];
    let (minutes, end) = WORDS.iter().find_map(|(words, minutes)| Some((*minutes, text.word(place, words)?)))?;
    let next = text.skip_spaces(end);
    let (hour, end) = small(text, next).or_else(|| spelled(text, next))?;
    let half = half_day(text, end);
    let full = half.map_or(Some(hour), |(afternoon, _)| in_half(hour, afternoon))?;
    let (hour, minute) = if minutes < 0 { (full - 1, 60 + minutes) } else { (full, minutes) };
    Some(Read {
        clock: Clock { hour, minute, fixed: half.is_some() },
        end: half.map_or(end, |(_, end)| end),
        bare: false,
    })
}

/// "8点", "8点半", "8点30分", "20时", "十一点一刻", "零点", "8点钟". The part of the day before it moves it later.
fn chinese(text: &Text, place: usize) -> Option<Read> {
    let (hour, end) = chinese_hour(text, place)?;
    let (minute, end) = chinese_minute(text, end);
    let end = text.literal(end, "整").or_else(|| text.literal(end, "钟")).unwrap_or(end);
    Some(Read { clock: Clock { hour, minute, fixed: hour > 12 || hour == 0 }, end, bare: false })
}

/// The hour and the place behind 点 or 时.
pub(super) fn chinese_hour(text: &Text, place: usize) -> Option<(i8, usize)> {
    #[allow(clippy::cast_possible_truncation, reason = "checked to be an hour")]
    let (hour, end) = small(text, place).or_else(|| {
        number::chinese_whole(text, place)
            .filter(|(hour, _)| (0.0..=24.0).contains(hour))
            .map(|(hour, end)| (hour as i8, end))
    })?;
    let next = text.skip_spaces(end);
    let after = text.literal(next, "点").or_else(|| {
        text.literal(next, "时").filter(|after| !matches!(text.at(*after), '段' | '间' | '候' | '常' | '延'))
    })?;
    // "加一点", "有点", "一点点" are no hours.
    let little = text.at(place) == '一'
        && (matches!(text.at(after), '点' | '吧' | '儿' | '就' | '\0' | ',' | '.' | '!')
            || place > 0
                && matches!(
                    text.at(place - 1),
                    '加' | '多'
                        | '少'
                        | '大'
                        | '小'
                        | '高'
                        | '低'
                        | '快'
                        | '慢'
                        | '给'
                        | '差'
                        | '微'
                        | '早'
                        | '松'
                        | '紧'
                ));
    (!little).then_some((hour, after))
}

fn chinese_minute(text: &Text, end: usize) -> (i8, usize) {
    for (words, minute) in [("半", 30), ("一刻", 15), ("三刻", 45), ("钟", 0)] {
        if let Some(after) = text.literal(end, words) {
            return (minute, after);
        }
    }
    #[allow(clippy::cast_possible_truncation, reason = "checked to be a minute")]
    let minute = small(text, end).or_else(|| {
        number::chinese_whole(text, end)
            .filter(|(minute, _)| (1.0..60.0).contains(minute))
            .map(|(minute, end)| (minute as i8, end))
    });
    match minute.and_then(|(minute, end)| {
        Some((minute, text.literal(end, "分").filter(|after| text.literal(*after, "钟").is_none())?))
    }) {
        Some(found) => found,
        None => (0, end),
    }
}

/// A number and nothing else: an hour only where the words around it say so.
fn bare(text: &Text, place: usize) -> Option<Read> {
    let (hour, end) = small(text, place).or_else(|| spelled(text, place))?;
    let open = matches!(text.at(end), ':' | '%' | '_' | '/')
        || text.at(end).is_ascii_alphanumeric()
        || (text.at(end) == '.' && text.at(end + 1).is_ascii_digit());
    (!open).then_some(Read {
        clock: Clock { hour, minute: 0, fixed: hour > 12 || hour == 0 || (text.at(place) == '0') },
        end,
        bare: true,
    })
}
