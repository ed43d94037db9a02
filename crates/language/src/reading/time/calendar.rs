//! Dates: `2026-11-28`, `28 Nov`, `Nov 28th`, `the 28th`, `12月10号`, `28号`, ranges of them, and feasts.

use super::atom::{Atom, Days, Kind, Named, one};
use crate::reading::{number, text::Text};
use jiff::{
    ToSpan,
    civil::{Date, Weekday},
};

const MONTHS: [(&str, i8); 25] = [
    ("january", 1),
    ("jan", 1),
    ("february", 2),
    ("feb", 2),
    ("march", 3),
    ("mar", 3),
    ("april", 4),
    ("apr", 4),
    ("may", 5),
    ("june", 6),
    ("jun", 6),
    ("july", 7),
    ("jul", 7),
    ("august", 8),
    ("aug", 8),
    ("september", 9),
    ("sept", 9),
    ("sep", 9),
    ("october", 10),
    ("oct", 10),
    ("november", 11),
    ("nov", 11),
    ("december", 12),
    ("dec", 12),
    ("nov.", 11),
];

pub(super) fn read(text: &Text, place: usize, today: Date) -> Vec<Atom> {
    iso(text, place)
        .or_else(|| day_before_month(text, place, today))
        .or_else(|| month_before_day(text, place, today))
        .or_else(|| chinese(text, place, today))
        .or_else(|| slashed(text, place, today))
        .or_else(|| ordinal(text, place, today))
        .or_else(|| feast(text, place, today))
        .map(|found| running(text, found, today))
        .unwrap_or_default()
}

/// "Nov 28 - Dec 3", "the 23rd to the 27th": a range whose last day is to come runs now where its first is over, and does not begin
/// next year or next month.
fn running(text: &Text, mut found: Vec<Atom>, today: Date) -> Vec<Atom> {
    let [Atom { kind: Kind::Days(days), end, start }] = &mut found[..] else { return found };
    let year_said = (*start..*end).any(|at| (at..at + 4).all(|at| text.at(at).is_ascii_digit()));
    let last = range_mark(text, *end).filter(|_| !year_said).and_then(|next| single(text, next, today));
    if let Some(last) = last.filter(|last| last.named == days.named && last.first < days.first) {
        let back = if days.named == Named::DayOfMonth { 1.month() } else { 1.year() };
        days.first = days.first.checked_sub(back).ok().filter(|first| *first <= last.first).unwrap_or(days.first);
    }
    found
}

/// The day that one date names.
fn single(text: &Text, place: usize, today: Date) -> Option<Days> {
    let place = text.word(place, "the").map_or(place, |after| text.skip_spaces(after));
    type DateReader = fn(&Text, usize, Date) -> Option<Vec<Atom>>;
    let readers: [DateReader; 5] = [day_before_month, month_before_day, chinese, slashed, ordinal];
    let found = readers.iter().find_map(|read| read(text, place, today))?;
    found.iter().find_map(|atom| if let Kind::Days(days) = atom.kind { Some(days) } else { None })
}

/// The latest such day of a month that is not after another.
fn latest_before(last: Date, of_month: i8) -> Option<Date> {
    let month = if of_month <= last.day() { last } else { last.first_of_month().yesterday().ok()? };
    month.with().day(of_month).build().ok()
}

/// A day of a month that there is not.
fn no_such_day(start: usize, end: usize, of_month: i8) -> Option<Vec<Atom>> {
    matches!(of_month, 30 | 31).then(|| one(start, end, Kind::Unread))
}

fn day(start: usize, end: usize, first: Date) -> Atom {
    Atom { start, end, kind: Kind::Days(Days { first, days: 1, named: Named::Whole }) }
}

/// The next such day, today included.
fn coming(today: Date, month: i8, day: i8) -> Option<Date> {
    (today.year()..=today.year().checked_add(8)?)
        .find_map(|year| Date::new(year, month, day).ok().filter(|date| *date >= today))
}

fn digits(text: &Text, place: usize, most: usize) -> Option<(i16, usize)> {
    let length = (0..most).take_while(|k| text.at(place + k).is_ascii_digit()).count();
    let whole = length > 0 && !text.at(place + length).is_ascii_digit();
    Some((text.slice(place, place + length).parse().ok()?, place + length)).filter(|_| whole)
}

fn small(text: &Text, place: usize) -> Option<(i8, usize)> {
    let (value, end) = digits(text, place, 2)?;
    Some((i8::try_from(value).ok()?, end))
}

fn iso(text: &Text, place: usize) -> Option<Vec<Atom>> {
    let (year, end) = digits(text, place, 4).filter(|(year, _)| *year >= 1970 && text.is_start(place))?;
    let mark = *['-', '/', '.'].iter().find(|mark| **mark == text.at(end))?;
    let (month, end) = small(text, end + 1)?;
    let (of_month, end) = small(text, end + 1).filter(|_| text.at(end) == mark)?;
    let end = if text.at(end) == 't' && text.at(end + 1).is_ascii_digit() { end + 1 } else { end };
    let date = Date::new(year, month, of_month);
    date.map_or_else(|_| no_such_day(place, end, of_month), |date| Some(vec![day(place, end, date)]))
}

pub(super) fn month(text: &Text, place: usize) -> Option<(i8, usize)> {
    MONTHS.iter().find_map(|(name, month)| Some((*month, text.word(place, name)?)))
}

/// The end of a day's number, with its "st", "nd", "rd" or "th".
fn with_ordinal(text: &Text, end: usize) -> usize {
    ["st", "nd", "rd", "th"].iter().find_map(|suffix| text.word_end(end, suffix)).unwrap_or(end)
}

fn range_mark(text: &Text, end: usize) -> Option<usize> {
    let next = text.skip_spaces(end);
    let after = ["-", "~", "到", "至"]
        .iter()
        .find_map(|mark| text.literal(next, mark))
        .or_else(|| text.any_word(next, &["to", "through", "until", "and"]))?;
    Some(text.skip_spaces(after))
}

fn year_after(text: &Text, end: usize) -> Option<(i16, usize)> {
    let next = text.skip_spaces(if text.at(end) == ',' { end + 1 } else { end });
    digits(text, next, 4).filter(|(year, after)| (1970..2200).contains(year) && text.at(*after) != ':')
}

fn dated(text: &Text, end: usize, today: Date, month: i8, of_month: i8) -> Option<(Date, usize)> {
    if let Some((year, end)) = year_after(text, end) {
        return Some((Date::new(year, month, of_month).ok()?, end));
    }
    Some((coming(today, month, of_month)?, end))
}

/// "28 Nov", "28th of November 2026", "28-30 Nov".
fn day_before_month(text: &Text, place: usize, today: Date) -> Option<Vec<Atom>> {
    let (first, first_end) = small(text, place).filter(|_| text.is_start(place))?;
    let first_end = with_ordinal(text, first_end);
    if let Some((last, last_end, last_start)) = range_mark(text, first_end)
        .and_then(|next| small(text, next).map(|(last, end)| (last, with_ordinal(text, end), next)))
        && let Some((month, end)) = after_of(text, last_end).and_then(|next| month(text, next))
    {
        let Some((last, end)) = dated(text, end, today, month, last) else { return no_such_day(place, end, last) };
        let first = last.with().day(first).build().ok()?;
        return Some(vec![day(place, first_end, first), day(last_start, end, last)]);
    }
    let (month, end) = after_of(text, first_end).and_then(|next| month(text, next))?;
    let Some((date, end)) = dated(text, end, today, month, first) else { return no_such_day(place, end, first) };
    Some(vec![day(place, end, date)])
}

fn after_of(text: &Text, end: usize) -> Option<usize> {
    let next = text.skip_spaces(end);
    Some(text.word(next, "of").map_or(next, |after| text.skip_spaces(after)))
}

/// "Nov 28", "November 28th, 2026", "Nov 28-30".
fn month_before_day(text: &Text, place: usize, today: Date) -> Option<Vec<Atom>> {
    let (month, end) = month(text, place)?;
    let next = text.skip_spaces(if text.at(end) == '.' { end + 1 } else { end });
    let next = text.word(next, "the").map_or(next, |after| text.skip_spaces(after));
    let (first, end) = small(text, next)?;
    let end = with_ordinal(text, end);
    if text.at(end) == ':' || text.at(end).is_ascii_alphanumeric() {
        return None;
    }
    let range = range_mark(text, end)
        .and_then(|next| small(text, next).map(|(last, end)| (last, with_ordinal(text, end), next)))
        .filter(|(last, last_end, _)| *last > first && is_day_end(text, *last_end));
    if let Some((last, last_end, last_start)) = range {
        let Some((last, last_end)) = dated(text, last_end, today, month, last) else {
            return no_such_day(place, last_end, last);
        };
        return Some(vec![day(place, end, last.with().day(first).build().ok()?), day(last_start, last_end, last)]);
    }
    let Some((date, end)) = dated(text, end, today, month, first) else { return no_such_day(place, end, first) };
    Some(vec![day(place, end, date)])
}

/// "28-30" ends here, not "28-30 GB" nor "28 - 10:00".
fn is_day_end(text: &Text, end: usize) -> bool {
    let next = text.at(text.skip_spaces(end));
    !matches!(text.at(end), ':' | '%') && !text.at(end).is_ascii_alphanumeric() && !next.is_ascii_digit()
}

/// "12月10号", "12月10日至13日", "2026年12月10日", "28号", "十二月十号", "下个月5号".
fn chinese(text: &Text, place: usize, today: Date) -> Option<Vec<Atom>> {
    let (year, next) = match digits(text, place, 4).and_then(|(year, end)| Some((year, text.literal(end, "年")?))) {
        Some((year, end)) => (Some(year), end),
        None => (None, place),
    };
    let (month, next) =
        match chinese_number(text, next).and_then(|(month, end)| Some((month, text.literal(end, "月")?))) {
            Some((month, end)) => (Some(month), end),
            None => match next_month(text, next, today) {
                Some((month, end)) => (Some(month), end),
                None => (None, next),
            },
        };
    let (of_month, number_end) = chinese_number(text, next)?;
    let marked = ["号", "日"].iter().find_map(|mark| text.literal(number_end, mark));
    let bare_range = month.is_some().then(|| chinese_range(text, number_end)).flatten();
    let end = marked.or(bare_range.map(|_| number_end))?;
    if text.literal(end, "楼").is_some() || text.literal(end, "线").is_some() || text.literal(end, "机").is_some() {
        return None;
    }
    let named = if month.is_some() { Named::Whole } else { Named::DayOfMonth };
    let begin = |first: Date| Atom { start: place, end, kind: Kind::Days(Days { first, days: 1, named }) };
    if let Some((last, last_start, last_end)) = chinese_range(text, end) {
        let (year, month) = if last < of_month { month_after(year, month) } else { (year, month) };
        let Some(last_date) = chinese_date(today, year, month, last) else { return no_such_day(place, last_end, last) };
        let first = latest_before(last_date, of_month)?;
        return Some(vec![begin(first), day(last_start, last_end, last_date)]);
    }
    let date = chinese_date(today, year, month, of_month);
    date.map_or_else(|| no_such_day(place, end, of_month), |date| Some(vec![begin(date)]))
}

/// The month in which "12月28日到3日" ends, where a month is said.
fn month_after(year: Option<i16>, month: Option<i8>) -> (Option<i16>, Option<i8>) {
    match month {
        Some(12) => (year.map(|year| year + 1), Some(1)),
        month => (year, month.map(|month| month + 1)),
    }
}

fn chinese_number(text: &Text, place: usize) -> Option<(i8, usize)> {
    let starts = text.is_start(place) || crate::reading::text::is_han(text.at(place.saturating_sub(1)));
    if let Some(found) = small(text, place).filter(|_| starts) {
        return Some(found);
    }
    #[allow(clippy::cast_possible_truncation, reason = "checked to be a day or a month")]
    number::chinese_whole(text, place)
        .filter(|(value, _)| (1.0..=31.0).contains(value))
        .map(|(value, end)| (value as i8, end))
}

fn next_month(text: &Text, place: usize, today: Date) -> Option<(i8, usize)> {
    let next = today.checked_add(1.month()).ok()?.month();
    ["下个月", "下月"].iter().find_map(|words| Some((next, text.literal(place, words)?))).or_else(|| {
        ["这个月", "本月", "当月"].iter().find_map(|words| Some((today.month(), text.literal(place, words)?)))
    })
}

fn chinese_range(text: &Text, end: usize) -> Option<(i8, usize, usize)> {
    let start = range_mark(text, end)?;
    let (last, end) = chinese_number(text, start)?;
    let end = ["号", "日"].iter().find_map(|mark| text.literal(end, mark))?;
    Some((last, start, end))
}

fn chinese_date(today: Date, year: Option<i16>, month: Option<i8>, of_month: i8) -> Option<Date> {
    match (year, month) {
        (Some(year), Some(month)) => Date::new(year, month, of_month).ok(),
        (None, Some(month)) => coming(today, month, of_month),
        (_, None) => next_day_of_month(today, of_month),
    }
}

fn next_day_of_month(today: Date, of_month: i8) -> Option<Date> {
    (0..24).find_map(|months| {
        let first = today.first_of_month().checked_add(months.months()).ok()?;
        first.with().day(of_month).build().ok().filter(|date| *date >= today)
    })
}

/// "11/28" as month and day, or "28/11" where it can only be day and month.
fn slashed(text: &Text, place: usize, today: Date) -> Option<Vec<Atom>> {
    let (first, end) = small(text, place).filter(|(_, end)| text.is_start(place) && text.at(*end) == '/')?;
    let (second, end) = small(text, end + 1)?;
    let (month, of_month) = if first > 12 { (second, first) } else { (first, second) };
    let ends = !text.at(end).is_ascii_alphanumeric() && text.at(end) != '/';
    Some(vec![day(place, end, coming(today, month, of_month).filter(|_| ends)?)])
}

/// "the 28th", "on the 1st".
fn ordinal(text: &Text, place: usize, today: Date) -> Option<Vec<Atom>> {
    let (of_month, number_end) = small(text, place).filter(|_| text.is_start(place))?;
    let end = with_ordinal(text, number_end);
    let noun = text.any_word(text.skip_spaces(end), &["percentile", "of all", "replica", "time", "node"]).is_some();
    (end > number_end && !noun).then(|| {
        next_day_of_month(today, of_month)
            .map(|first| one(place, end, Kind::Days(Days { first, days: 1, named: Named::DayOfMonth })))
    })?
}

/// Feasts with a fixed date, and those that hang on a weekday.
fn feast(text: &Text, place: usize, today: Date) -> Option<Vec<Atom>> {
    const FIXED: [(&str, i8, i8, i32); 34] = [
        ("christmas eve", 12, 24, 1),
        ("xmas eve", 12, 24, 1),
        ("christmas day", 12, 25, 1),
        ("christmas", 12, 25, 1),
        ("xmas", 12, 25, 1),
        ("boxing day", 12, 26, 1),
        ("new year's eve", 12, 31, 1),
        ("new years eve", 12, 31, 1),
        ("nye", 12, 31, 1),
        ("new year's day", 1, 1, 1),
        ("new years day", 1, 1, 1),
        ("new year's", 1, 1, 1),
        ("valentine's day", 2, 14, 1),
        ("singles' day", 11, 11, 1),
        ("singles day", 11, 11, 1),
        ("double eleven", 11, 11, 1),
        ("double twelve", 12, 12, 1),
        ("halloween", 10, 31, 1),
        ("双十二", 12, 12, 1),
        ("双12", 12, 12, 1),
        ("双十一", 11, 11, 1),
        ("双11", 11, 11, 1),
        ("618", 6, 18, 1),
        ("平安夜", 12, 24, 1),
        ("圣诞节", 12, 25, 1),
        ("圣诞", 12, 25, 1),
        ("跨年夜", 12, 31, 1),
        ("跨年", 12, 31, 1),
        ("元旦", 1, 1, 1),
        ("情人节", 2, 14, 1),
        ("劳动节", 5, 1, 1),
        ("五一", 5, 1, 1),
        ("国庆节", 10, 1, 1),
        ("国庆", 10, 1, 1),
    ];
    if let Some((month, of_month, days, end)) =
        FIXED.iter().find_map(|(name, month, day, days)| Some((*month, *day, *days, text.word(place, name)?)))
    {
        let days = Days { first: coming(today, month, of_month)?, days, named: Named::Whole };
        return Some(one(place, end_of_feast(text, end), Kind::Days(days)));
    }
    const MOVING: [(&str, i32); 8] = [
        ("网一", 4),
        ("thanksgiving", 0),
        ("感恩节", 0),
        ("black friday", 1),
        ("黑色星期五", 1),
        ("黑五", 1),
        ("cyber monday", 4),
        ("网络星期一", 4),
    ];
    let (after, end) = MOVING.iter().find_map(|(name, after)| Some((*after, text.word(place, name)?)))?;
    let first = (today.year()..=today.year() + 1)
        .find_map(|year| after_thanksgiving(year, after).filter(|date| *date >= today))?;
    Some(one(place, end_of_feast(text, end), Kind::Days(Days { first, days: 1, named: Named::Whole })))
}

/// "双十二当天", "the day of Black Friday" are that day.
fn end_of_feast(text: &Text, end: usize) -> usize {
    ["当天", "当日", "那天"].iter().find_map(|words| text.literal(end, words)).unwrap_or(end)
}

/// The fourth Thursday of November, and days after it.
fn after_thanksgiving(year: i16, after: i32) -> Option<Date> {
    let thanksgiving = Date::new(year, 11, 1).ok()?.nth_weekday_of_month(4, Weekday::Thursday).ok()?;
    thanksgiving.checked_add(after.days()).ok()
}
