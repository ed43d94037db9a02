//! Repetitions: `every day`, `weekdays`, `each Friday evening`, `nightly`, `每天`, `工作日`, `每周三`.

use super::{
    atom::{Atom, Kind, Part},
    day,
};
use crate::reading::text::Text;
use apportion_core::instruction::Repeat;
use jiff::civil::{Date, Weekday};

pub(super) fn read(text: &Text, place: usize, _: Date) -> Vec<Atom> {
    working_days(text, place)
        .or_else(|| every_weekday_name(text, place))
        .or_else(|| plain(text, place))
        .unwrap_or_default()
}

fn repeat(start: usize, end: usize, repeat: Repeat, on: Option<i8>) -> Option<Atom> {
    let weekday = on.and_then(|offset| Weekday::from_monday_zero_offset(offset).ok());
    Some(Atom { start, end, kind: Kind::Repeat(repeat, weekday) })
}

/// "Monday to Friday" beside an hour means every week; alone it is the next such days.
fn working_days(text: &Text, place: usize) -> Option<Vec<Atom>> {
    const WORDS: [&str; 7] = [
        "monday to friday",
        "monday through friday",
        "mon to fri",
        "周一到周五",
        "周一至周五",
        "星期一到星期五",
        "周一到五",
    ];
    let end = text.any_word(place, &WORDS)?;
    let next = text.skip_spaces(if text.at(end) == ',' { end + 1 } else { end });
    let next =
        text.any_word(next, &["from", "between", "at", "的", "每天"]).map_or(next, |after| text.skip_spaces(after));
    let before = text.slice(place.saturating_sub(4), place);
    let hour_before = before.trim_end().ends_with(|c: char| c.is_ascii_digit() || matches!(c, '点' | 'm'));
    let hour = text.at(next).is_ascii_digit() || hour_before || super::clock::chinese_hour(text, next).is_some();
    hour.then(|| repeat(place, end, Repeat::Weekdays, None).map(|atom| vec![atom]))?
}

/// "every Friday", "on Mondays", "每周三", "weekly on Tuesday".
fn every_weekday_name(text: &Text, place: usize) -> Option<Vec<Atom>> {
    let lead = [
        "every single",
        "every",
        "each",
        "weekly on",
        "every week on",
        "once a week on",
        "weekly,",
        "每逢",
        "每个",
        "每",
        "逢",
    ];
    if let Some(next) = lead.iter().find_map(|words| text.word(place, words)).map(|after| text.skip_spaces(after)) {
        let (on, end) = day::english_weekday(text, next).or_else(|| day::chinese_weekday(text, next))?;
        return Some(vec![repeat(place, end, Repeat::Weekly, Some(on))?]);
    }
    // "Mondays".
    let (on, plural) = day::WEEKDAYS.iter().filter(|(name, _)| name.ends_with("day")).find_map(|(name, on)| {
        Some((*on, text.word_end(text.literal(place, name).filter(|_| text.is_start(place))?, "s")?))
    })?;
    Some(vec![repeat(place, plural, Repeat::Weekly, Some(on))?])
}

/// Repetitions without a weekday, some with a part of the day.
const PLAIN: [(&str, Repeat, Option<Part>); 59] = [
    ("every single day", Repeat::Daily, None),
    ("every day", Repeat::Daily, None),
    ("everyday", Repeat::Daily, None),
    ("each day", Repeat::Daily, None),
    ("day in day out", Repeat::Daily, None),
    ("once a day", Repeat::Daily, None),
    ("every night", Repeat::Daily, Some(Part::Evening)),
    ("each night", Repeat::Daily, Some(Part::Evening)),
    ("every evening", Repeat::Daily, Some(Part::Evening)),
    ("each evening", Repeat::Daily, Some(Part::Evening)),
    ("every morning", Repeat::Daily, Some(Part::Morning)),
    ("each morning", Repeat::Daily, Some(Part::Morning)),
    ("every afternoon", Repeat::Daily, Some(Part::Afternoon)),
    ("each afternoon", Repeat::Daily, Some(Part::Afternoon)),
    ("every weekday", Repeat::Weekdays, None),
    ("each weekday", Repeat::Weekdays, None),
    ("every workday", Repeat::Weekdays, None),
    ("every working day", Repeat::Weekdays, None),
    ("every business day", Repeat::Weekdays, None),
    ("each business day", Repeat::Weekdays, None),
    ("each working day", Repeat::Weekdays, None),
    ("weekdays", Repeat::Weekdays, None),
    ("weekday", Repeat::Weekdays, None),
    ("workdays", Repeat::Weekdays, None),
    ("working days", Repeat::Weekdays, None),
    ("business days", Repeat::Weekdays, None),
    ("mon-fri", Repeat::Weekdays, None),
    ("mon to fri", Repeat::Weekdays, None),
    ("monday-friday", Repeat::Weekdays, None),
    ("mon - fri", Repeat::Weekdays, None),
    ("monday through friday", Repeat::Weekdays, None),
    ("mondays through fridays", Repeat::Weekdays, None),
    ("mondays to fridays", Repeat::Weekdays, None),
    ("every weekend", Repeat::Weekends, None),
    ("each weekend", Repeat::Weekends, None),
    ("weekends", Repeat::Weekends, None),
    ("at weekends", Repeat::Weekends, None),
    ("sat and sun", Repeat::Weekends, None),
    ("saturdays and sundays", Repeat::Weekends, None),
    ("每个工作日", Repeat::Weekdays, None),
    ("每工作日", Repeat::Weekdays, None),
    ("工作日", Repeat::Weekdays, None),
    ("每周一到周五", Repeat::Weekdays, None),
    ("每周一至周五", Repeat::Weekdays, None),
    ("每周一到五", Repeat::Weekdays, None),
    ("每周一至五", Repeat::Weekdays, None),
    ("每个周末", Repeat::Weekends, None),
    ("每周末", Repeat::Weekends, None),
    ("每逢周末", Repeat::Weekends, None),
    ("每周六日", Repeat::Weekends, None),
    ("每周六周日", Repeat::Weekends, None),
    ("每天晚上", Repeat::Daily, Some(Part::Evening)),
    ("每晚", Repeat::Daily, Some(Part::Evening)),
    ("每天", Repeat::Daily, None),
    ("每日", Repeat::Daily, None),
    ("天天", Repeat::Daily, None),
    ("每早", Repeat::Daily, Some(Part::Morning)),
    ("每夜", Repeat::Daily, Some(Part::Evening)),
    ("夜夜", Repeat::Daily, Some(Part::Evening)),
];

fn plain(text: &Text, place: usize) -> Option<Vec<Atom>> {
    let found = PLAIN
        .iter()
        .filter_map(|(words, repeat, part)| Some((*repeat, *part, text.word(place, words)?)))
        .max_by_key(|(.., end)| *end);
    if let Some((kind, part, end)) = found {
        let mut atoms = vec![repeat(place, end, kind, None)?];
        atoms.extend(part.map(|part| Atom { start: end, end, kind: Kind::Part(part) }));
        return Some(atoms);
    }
    const HABITS: [(&str, Repeat); 4] =
        [("nightly", Repeat::Daily), ("daily", Repeat::Daily), ("weekly", Repeat::Weekly), ("日常", Repeat::Daily)];
    let (kind, end) = HABITS.iter().find_map(|(words, kind)| Some((*kind, text.word(place, words)?)))?;
    Some(vec![Atom { start: place, end, kind: Kind::Habit(kind) }])
}
