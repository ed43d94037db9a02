//! The time that a question asks about. Questions look back: "Monday" is the one before today, "at 8pm yesterday" half an hour to
//! each side, "last night" from 18:00 to 06:00. Atoms are those of [`super::window`]; only their direction is another.

use super::{
    atom::{Atom, Days, Kind, Named, Part, atoms},
    day::{chinese_weekday, english_weekday},
    moment::{Moment, Role, moments},
    window::clock_minutes,
};
use crate::reading::text::Text;
use jiff::{Span, ToSpan, Zoned, civil::Date, civil::Weekday};

/// An hour that is asked about stands for so much time to each side, minutes.
const AROUND_MINUTES: i32 = 30;
/// The night, in minutes after the midnight before the day it began on.
const NIGHT: (i32, i32) = (18 * 60, 30 * 60);

/// A span of the past, its end not included.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Past {
    pub(crate) from: Zoned,
    pub(crate) to: Zoned,
}

/// The past that a sentence speaks of at `now`; `None` where it speaks of none.
pub(crate) fn past(text: &Text, now: &Zoned, taken: &[(usize, usize)]) -> Option<Past> {
    let found = night(text, now)
        .or_else(|| lasting(text, now, taken))
        .or_else(|| spoken(text, now, taken))
        .or_else(|| so_far(text, now))?;
    let to = found.to.min(now.clone());
    (found.from < to).then_some(Past { from: found.from, to })
}

/// "last night", "overnight", "昨晚": where no hour is said with it.
fn night(text: &Text, now: &Zoned) -> Option<Past> {
    const WORDS: [&str; 9] =
        ["last night", "overnight", "yesterday night", "昨晚", "昨夜", "昨天晚上", "昨天夜里", "一夜", "夜里"];
    let hour = atoms(text, now.date(), &[]).iter().any(|atom| matches!(atom.kind, Kind::Clock(_)));
    let said = !hour && (0..text.len()).any(|place| text.any_word(place, &WORDS).is_some());
    let eve = now.date().yesterday().ok().filter(|_| said)?;
    Some(Past { from: at(now, eve, NIGHT.0)?, to: at(now, eve, NIGHT.1)? })
}

/// "in the last 3 hours", "过去24小时"; "3 hours ago" is the time around that.
fn lasting(text: &Text, now: &Zoned, taken: &[(usize, usize)]) -> Option<Past> {
    const LAST: [&str; 9] = ["last", "past", "previous", "过去", "近", "这", "前", "之前的", "刚过去的"];
    const ONE: [(&str, i64); 9] = [
        ("last hour", 60),
        ("past hour", 60),
        ("last half hour", 30),
        ("last day", 1_440),
        ("past day", 1_440),
        ("past week", 10_080),
        ("past month", 43_200),
        ("近一周", 10_080),
        ("刚才", 60),
    ];
    let back = |span: Span| Some(Past { from: now.checked_sub(span).ok()?, to: now.clone() });
    if let Some(minutes) = (0..text.len()).find_map(|place| one_of(text, place, &ONE)) {
        return back(minutes.minutes());
    }
    for atom in atoms(text, now.date(), taken) {
        let Kind::Length(span) = atom.kind else { continue };
        let before = text.slice(atom.start.saturating_sub(16), atom.start);
        let after = text.slice(atom.end, (atom.end + 10).min(text.len()));
        let after = after.trim_start();
        if ["ago", "前", "之前", "以前"].iter().any(|word| after.starts_with(word)) {
            return around(&now.checked_sub(span).ok()?);
        }
        let led = LAST.iter().any(|word| before.trim_end().ends_with(word));
        if led || ["来", "以来", "内", "里", "之内"].iter().any(|word| after.starts_with(word)) {
            return back(span);
        }
    }
    None
}

/// Days, parts of days and hours.
fn spoken(text: &Text, now: &Zoned, taken: &[(usize, usize)]) -> Option<Past> {
    let mut atoms: Vec<Atom> = Vec::new();
    for atom in self::atoms(text, now.date(), taken) {
        let begun =
            atoms.iter().rev().find_map(|atom| if let Kind::Days(days) = atom.kind { Some(days.first) } else { None });
        atoms.extend(backward(text, atom, now.date(), begun));
    }
    let moments = moments(text, &atoms);
    let first = moments.iter().find(|moment| !moment.role.ends()).or(moments.first())?;
    let rest = || moments.iter().filter(|moment| moment.start != first.start);
    let begin = rest().filter(|moment| moment.role == Role::Plain).fold(*first, Moment::filled_from);
    let end = rest().find(|moment| moment.role.ends());
    let begin = end
        .filter(|_| begin.days.is_none() && begin.part.is_none())
        .map_or(begin, |end| begin.filled_from(&Moment { clock: None, ..*end }));
    let goes_on = end.is_none() && matches!(begin.role, Role::Past | Role::Onwards | Role::From | Role::After);
    let span = span(now, &begin, end)?;
    let exactly = goes_on && begin.clock.is_some();
    let from = if exactly { span.from.checked_add(AROUND_MINUTES.minutes()).ok()? } else { span.from };
    Some(Past { from, to: if goes_on { now.clone() } else { span.to } })
}

fn span(now: &Zoned, begin: &Moment, end: Option<&Moment>) -> Option<Past> {
    let days = begin.days.unwrap_or(Days { first: now.date(), days: 1, named: Named::Whole });
    let last = end.and_then(|end| end.days);
    let Some(clock) = begin.clock else {
        let until =
            last.map_or(days.first.checked_add(days.days.days()), |last| last.first.checked_add(last.days.days()));
        return match begin.part {
            Some(part) => hours(now, &days, part),
            None => Some(Past { from: at(now, days.first, 0)?, to: at(now, until.ok()?, 0)? }),
        };
    };
    let minutes = clock_minutes(clock, begin.part, true);
    let from = at(now, days.first, minutes)?;
    let Some(end_clock) = end.and_then(|end| end.clock) else {
        return around(&latest(from, now, begin)?);
    };
    let end_part = end.and_then(|end| end.part).or(begin.part);
    let to_minutes = clock_minutes(end_clock, end_part, false);
    let to_minutes = if to_minutes > minutes { to_minutes } else { to_minutes + 1_440 };
    let to = at(
        now,
        last.map_or(days.first, |last| last.first),
        if last.is_some() { to_minutes % 1_440 } else { to_minutes },
    )?;
    // Hours alone are the last such.
    let ahead = begin.days.is_none() && from > *now;
    Some(if ahead { Past { from: from.yesterday().ok()?, to: to.yesterday().ok()? } } else { Past { from, to } })
}

/// The last such hour that is over: hours said without a day, or without a part of the day, may be earlier or later ones.
fn latest(hour: Zoned, now: &Zoned, moment: &Moment) -> Option<Zoned> {
    let open = moment.clock.is_some_and(|clock| !clock.fixed && clock.hour <= 12) && moment.part.is_none();
    let half_day_on = hour.checked_add(12.hours()).ok().filter(|later| open && moment.days.is_none() && later <= now);
    match moment.days {
        None if hour > *now => hour.yesterday().ok(),
        _ => Some(half_day_on.unwrap_or(hour)),
    }
}

fn hours(now: &Zoned, days: &Days, part: Part) -> Option<Past> {
    let (from, to) = part.hours();
    Some(Past { from: at(now, days.first, i32::from(from) * 60)?, to: at(now, days.first, i32::from(to) * 60)? })
}

/// "since the cut", "today" without a word for it: none. "while I was away": none.
fn so_far(text: &Text, now: &Zoned) -> Option<Past> {
    const MIDNIGHT: [&str; 4] = ["since midnight", "零点以后", "零点以来", "零点到现在"];
    let said = (0..text.len()).any(|place| text.any_word(place, &MIDNIGHT).is_some());
    Some(Past { from: at(now, now.date(), 0).filter(|_| said)?, to: now.clone() })
}

fn around(hour: &Zoned) -> Option<Past> {
    let side = AROUND_MINUTES.minutes();
    Some(Past { from: hour.checked_sub(side).ok()?, to: hour.checked_add(side).ok()? })
}

fn at(now: &Zoned, date: Date, minutes: i32) -> Option<Zoned> {
    let civil = date.at(0, 0, 0, 0).checked_add(i64::from(minutes).minutes()).ok()?;
    civil.to_zoned(now.time_zone().clone()).ok()
}

fn one_of(text: &Text, place: usize, words: &[(&str, i64)]) -> Option<i64> {
    words.iter().find_map(|(word, minutes)| text.word(place, word).map(|_| *minutes))
}

/// An atom as a question means it: what is named looks back from today; a past that is no day is dropped. "last night" is a day and
/// a part of it.
fn backward(text: &Text, atom: Atom, today: Date, begun: Option<Date>) -> Vec<Atom> {
    let days = match atom.kind {
        Kind::Past => over(text, &atom, today),
        Kind::Days(days) => before(text, &atom, days, today).map(|back| running(days, back, begun)),
        _ => return vec![atom],
    };
    let words = text.slice(atom.start, atom.end);
    let evening =
        matches!(words.as_str(), "last night" | "昨晚" | "昨夜" | "前晚").then_some(Kind::Part(Part::Evening));
    let kinds = days.map(Kind::Days).into_iter().chain(evening);
    kinds.map(|kind| Atom { kind, ..atom }).collect()
}

/// "Nov 20-30": the last day of a range that runs is to come.
fn running(days: Days, back: Days, begun: Option<Date>) -> Days {
    let named = days.named != Named::Weekday;
    if named && begun.is_some_and(|begun| back.first < begun && begun < days.first) { days } else { back }
}

/// "Monday" and "28 November" before today, where those to come were meant otherwise.
fn before(text: &Text, atom: &Atom, days: Days, today: Date) -> Option<Days> {
    if days.first <= today {
        return Some(days);
    }
    let written = text.slice(atom.start, atom.end).chars().any(|c| c.is_ascii_digit())
        || days.first > today.checked_add(60.days()).ok()?;
    let first = match days.named {
        Named::Weekday => days.first.checked_sub(7.days()).ok()?,
        Named::DayOfMonth => days.first.checked_sub(1.month()).ok()?,
        Named::Whole if written => days.first.checked_sub(1.year()).ok()?,
        Named::Whole => days.first,
    };
    Some(Days { first, ..days })
}

/// The day, week or month of a word for the past.
fn over(text: &Text, atom: &Atom, today: Date) -> Option<Days> {
    let words = text.slice(atom.start, atom.end);
    let monday = today.checked_sub(i64::from(today.weekday().to_monday_zero_offset()).days()).ok()?;
    let back = |days: i64| today.checked_sub(days.days()).ok();
    let week = |from: i64, days: i32| Some((monday.checked_sub(from.days()).ok()?, days));
    let month = today.first_of_month().checked_sub(1.month()).ok()?;
    let (first, days) = match words.as_str() {
        "yesterday" | "昨天" | "昨日" | "昨晚" | "昨夜" | "last night" | "前一天" => (back(1)?, 1),
        "the day before yesterday" | "前天" | "前晚" => (back(2)?, 1),
        "last week" | "上周" | "上星期" => week(7, 7)?,
        "last weekend" | "上周末" => week(2, 2)?,
        "last month" | "上个月" | "上月" => (month, i32::from(month.days_in_month())),
        "last year" | "去年" => {
            let first = today.first_of_year().checked_sub(1.year()).ok()?;
            (first, i32::from(first.days_in_year()))
        }
        "earlier today" => (today, 1),
        "earlier this week" => (monday, 7),
        "刚刚" | "刚才" => return None,
        _ => (named_day(text, atom, monday, today)?, 1),
    };
    Some(Days { first, days, named: Named::Whole })
}

/// "last Tuesday", "this Monday", "上周二", "本周一".
fn named_day(text: &Text, atom: &Atom, monday: Date, today: Date) -> Option<Date> {
    let places = || atom.start..atom.end;
    if let Some((offset, _)) = places().find_map(|place| english_weekday(text, place)) {
        return today.nth_weekday(-1, Weekday::from_monday_zero_offset(offset).ok()?).ok();
    }
    let last = text.literal(atom.start, "上").is_some();
    let offset = places().find_map(|place| chinese_weekday(text, place)).map(|(offset, _)| offset)?;
    monday.checked_add((i64::from(offset) - if last { 7 } else { 0 }).days()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thursday.
    fn now() -> Zoned {
        "2026-11-26T09:00:00+08:00[Asia/Shanghai]".parse().unwrap()
    }

    fn check(sentence: &str, from: &str, to: &str) {
        let found = past(&Text::new(sentence), &now(), &[]);
        let told = found.map(|past| {
            let told = |time: &Zoned| time.strftime("%d %H:%M").to_string();
            (told(&past.from), told(&past.to))
        });
        assert_eq!(told, Some((from.to_owned(), to.to_owned())), "{sentence}");
    }

    #[test]
    fn questions_look_back() {
        check("why was nginx throttled last night?", "25 18:00", "26 06:00");
        check("昨晚 nginx 为什么被限流？", "25 18:00", "26 06:00");
        check("what happened to cart at 8pm yesterday?", "25 19:30", "25 20:30");
        check("昨天晚上8点 cart 怎么了？", "25 19:30", "25 20:30");
        check("why did you throttle nginx around 3am on Sunday?", "22 02:30", "22 03:30");
        check("what changed on payment between 2 and 4 this morning?", "26 02:00", "26 04:00");
        check("今天凌晨2点到4点 payment 有什么变化？", "26 02:00", "26 04:00");
        check("has indexer been throttled in the last hour?", "26 08:00", "26 09:00");
        check("过去24小时 auth 有限流吗？", "25 09:00", "26 09:00");
        check("what did feed use last week?", "16 00:00", "23 00:00");
        check("上周省了多少？", "16 00:00", "23 00:00");
        check("what limits did you set on rsync last Tuesday", "24 00:00", "25 00:00");
        check("上周二给 rsync 设了什么限制", "17 00:00", "18 00:00");
        check("show payment's decisions since Sunday", "22 00:00", "26 09:00");
        check("周一9点以来的变更汇总", "23 09:00", "26 09:00");
        check("what was the p95 of session yesterday afternoon", "25 12:00", "25 18:00");
        check("has anything been changed since midnight?", "26 00:00", "26 09:00");
        check("what did you change today?", "26 00:00", "26 09:00");
        check("how busy was feed last night between 8 and 10?", "25 20:00", "25 22:00");
        check("tell me how much cpu trino had at 3am", "26 02:30", "26 03:30");
        check("tomcat 最近7天的内存使用", "19 09:00", "26 09:00");
        check("what was used on 3 November?", "03 00:00", "04 00:00");
        check("what happened 3 hours ago?", "26 05:30", "26 06:30");
        check("周日 mailer 为什么被减了", "22 00:00", "23 00:00");
        check("昨晚8点到10点 feed 忙不忙？", "25 20:00", "25 22:00");
        check("this week, who was cut?", "23 00:00", "26 09:00");
    }

    #[test]
    fn no_time_is_none() {
        for sentence in ["how many cores are free?", "内存够不够？", "why does search have only 2 cores"] {
            assert_eq!(past(&Text::new(sentence), &now(), &[]), None, "{sentence}");
        }
    }
}
