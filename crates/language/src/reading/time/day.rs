//! Days named from today: weekdays, tomorrow, this week, the weekend, the end of the month, and parts of a day.

use super::atom::{Atom, Days, Kind, Named, Part, one};
use crate::reading::text::Text;
use jiff::{
    ToSpan,
    civil::{Date, Weekday},
};

pub(super) const WEEKDAYS: [(&str, i8); 27] = [
    ("monday", 0),
    ("mon", 0),
    ("tuesday", 1),
    ("tues", 1),
    ("tue", 1),
    ("wednesday", 2),
    ("weds", 2),
    ("wed", 2),
    ("thursday", 3),
    ("thurs", 3),
    ("thur", 3),
    ("thu", 3),
    ("friday", 4),
    ("fri", 4),
    ("saturday", 5),
    ("sat", 5),
    ("sunday", 6),
    ("sun", 6),
    ("monday's", 0),
    ("tuesday's", 1),
    ("wednesday's", 2),
    ("thursday's", 3),
    ("friday's", 4),
    ("saturday's", 5),
    ("sunday's", 6),
    ("wednes", 2),
    ("wendesday", 2),
];
const CHINESE_WEEK: [&str; 3] = ["周", "星期", "礼拜"];
const CHINESE_DAYS: [(&str, i8); 8] =
    [("一", 0), ("二", 1), ("三", 2), ("四", 3), ("五", 4), ("六", 5), ("日", 6), ("天", 6)];

pub(super) fn read(text: &Text, place: usize, today: Date) -> Vec<Atom> {
    joined(text, place, today)
        .or_else(|| end_of(text, place, today))
        .or_else(|| relative(text, place, today))
        .or_else(|| span(text, place, today))
        .or_else(|| weekday(text, place, today))
        .or_else(|| part(text, place).map(|(part, end)| one(place, end, Kind::Part(part))))
        .or_else(|| past(text, place))
        .unwrap_or_default()
}

fn days(start: usize, end: usize, first: Date, days: i32, named: Named) -> Vec<Atom> {
    one(start, end, Kind::Days(Days { first, days, named }))
}

fn plus(date: Date, days: i32) -> Option<Date> {
    date.checked_add(days.days()).ok()
}

/// The Monday of the week.
fn monday(date: Date) -> Option<Date> {
    plus(date, -i32::from(date.weekday().to_monday_zero_offset()))
}

/// "tonight", "今晚", "明早": a day and a part in one word.
fn joined(text: &Text, place: usize, today: Date) -> Option<Vec<Atom>> {
    const WORDS: [(&str, i32, Part); 24] = [
        ("tonight", 0, Part::Evening),
        ("tonite", 0, Part::Evening),
        ("tonight's", 0, Part::Evening),
        ("this evening", 0, Part::Evening),
        ("this afternoon", 0, Part::Afternoon),
        ("this morning", 0, Part::Morning),
        ("今天晚上", 0, Part::Evening),
        ("今晚", 0, Part::Evening),
        ("今夜", 0, Part::Evening),
        ("今早", 0, Part::Morning),
        ("今晨", 0, Part::Morning),
        ("明天晚上", 1, Part::Evening),
        ("明晚", 1, Part::Evening),
        ("明早", 1, Part::Morning),
        ("明晨", 1, Part::Morning),
        ("后天晚上", 2, Part::Evening),
        ("后晚", 2, Part::Evening),
        ("当晚", 0, Part::Evening),
        ("今天夜里", 0, Part::Evening),
        ("今天上午", 0, Part::Morning),
        ("今天下午", 0, Part::Afternoon),
        ("今天早上", 0, Part::Morning),
        ("今天中午", 0, Part::Noon),
        ("今儿晚上", 0, Part::Evening),
    ];
    let (after, part, end) =
        WORDS.iter().find_map(|(words, after, part)| Some((*after, *part, text.word(place, words)?)))?;
    let day = Kind::Days(Days { first: plus(today, after)?, days: 1, named: Named::Whole });
    Some(vec![Atom { start: place, end: place, kind: day }, Atom { start: place, end, kind: Kind::Part(part) }])
}

/// "end of the month", "月底", "EOD": a point, the midnight that ends it.
fn end_of(text: &Text, place: usize, today: Date) -> Option<Vec<Atom>> {
    const WORDS: [(&[&str], char); 4] = [
        (
            &[
                "end of the day",
                "end of day",
                "eod",
                "the day is over",
                "close of business",
                "cob",
                "今天结束",
                "今天之内",
                "今天内",
                "当天结束",
                "下班",
            ],
            'd',
        ),
        (&["end of the week", "end of this week", "end of week", "eow", "本周结束", "这周结束", "本周底"], 'w'),
        (
            &[
                "end of the month",
                "end of this month",
                "end of month",
                "month end",
                "month's end",
                "eom",
                "本月底",
                "这个月底",
                "月底",
                "月末",
                "本月末",
            ],
            'm',
        ),
        (
            &[
                "end of the year",
                "end of this year",
                "end of year",
                "year end",
                "year's end",
                "eoy",
                "年底",
                "年末",
                "今年底",
            ],
            'y',
        ),
    ];
    if let Some(end) = text
        .any_word(place, &["last day of the month", "月底最后一天", "月末最后一天", "本月最后一天", "这个月最后一天"])
    {
        return Some(days(place, end, today.last_of_month(), 1, Named::Whole));
    }
    let (of, end) = WORDS.iter().find_map(|(words, of)| Some((*of, text.any_word(place, words)?)))?;
    let first_of_next = match of {
        'd' => plus(today, 1)?,
        'w' => plus(monday(today)?, 7)?,
        'm' => today.first_of_month().checked_add(1.month()).ok()?,
        _ => Date::new(today.year().checked_add(1)?, 1, 1).ok()?,
    };
    Some(one(place, end, Kind::EndOf(first_of_next)))
}

fn relative(text: &Text, place: usize, today: Date) -> Option<Vec<Atom>> {
    const WORDS: [(&str, i32); 23] = [
        ("the day after tomorrow", 2),
        ("day after tomorrow", 2),
        ("tomorrow's", 1),
        ("tomorrow", 1),
        ("tmrw", 1),
        ("tmr", 1),
        ("tomorow", 1),
        ("tommorow", 1),
        ("tommorrow", 1),
        ("today's", 0),
        ("today", 0),
        ("the rest of the day", 0),
        ("rest of the day", 0),
        ("大后天", 3),
        ("后天", 2),
        ("明天", 1),
        ("明日", 1),
        ("次日", 1),
        ("今天", 0),
        ("今日", 0),
        ("今儿", 0),
        ("明儿", 1),
        ("当天", 0),
    ];
    let (after, end) = WORDS.iter().find_map(|(words, after)| Some((*after, text.word(place, words)?)))?;
    let of_yesterday = place > 0 && text.at(place - 1) == '前' && text.literal(place, "天").is_some();
    (!of_yesterday).then(|| plus(today, after)).flatten().map(|first| days(place, end, first, 1, Named::Whole))
}

const SPANS: [(&[&str], &str); 9] = [
    (&["next weekend", "the weekend after", "下周末", "下个周末", "下星期末"], "next weekend"),
    (
        &[
            "this coming weekend",
            "this weekend",
            "the coming weekend",
            "the weekend",
            "weekend",
            "over the weekend",
            "这个周末",
            "本周末",
            "这周末",
            "周末两天",
            "周末",
        ],
        "weekend",
    ),
    (
        &[
            "the rest of this week",
            "the rest of the week",
            "rest of the week",
            "this week",
            "本周内",
            "这周内",
            "本周",
            "这周",
            "这个星期",
            "这一周",
            "这星期",
        ],
        "week",
    ),
    (&["the week after next", "week after next", "下下周", "下下个星期"], "second week"),
    (&["the whole of next week", "all of next week", "next week", "下周", "下星期", "下个星期", "下礼拜"], "next week"),
    (&["the rest of the month", "rest of the month", "this month", "本月", "这个月", "当月"], "month"),
    (&["next month", "下个月", "下月"], "next month"),
    (&["this year", "the rest of the year", "今年"], "year"),
    (&["next year", "明年"], "next year"),
];

/// Weeks, weekends and months as a whole.
fn span(text: &Text, place: usize, today: Date) -> Option<Vec<Atom>> {
    let (what, end) = SPANS.iter().find_map(|(words, what)| Some((*what, text.any_word(place, words)?)))?;
    // "下周三", "本周五" are days.
    if what.contains("week") && chinese_day(text, end).is_some() && text.at(end - 1) != '末' && text.at(end - 1) != '内'
    {
        return None;
    }
    let week = monday(today)?;
    let (first, length) = match what {
        "weekend" => (plus(week, 5)?, 2),
        "next weekend" => (plus(week, 12)?, 2),
        "week" => (week, 7),
        "next week" => (plus(week, 7)?, 7),
        "second week" => (plus(week, 14)?, 7),
        "month" => (today.first_of_month(), i32::from(today.days_in_month())),
        "next month" => {
            let first = today.first_of_month().checked_add(1.month()).ok()?;
            (first, i32::from(first.days_in_month()))
        }
        "year" => (today.first_of_year(), i32::from(today.days_in_year())),
        _ => {
            let first = today.first_of_year().checked_add(1.year()).ok()?;
            (first, i32::from(first.days_in_year()))
        }
    };
    let end = ["期间", "里", "内"].iter().find_map(|words| text.literal(end, words)).unwrap_or(end);
    Some(days(place, end, first, length, Named::Whole))
}

fn chinese_day(text: &Text, place: usize) -> Option<(i8, usize)> {
    CHINESE_DAYS.iter().find_map(|(name, day)| Some((*day, text.literal(place, name)?)))
}

/// "Friday", "this Friday", "next Tuesday", "Thursday of next week", "周五", "下周三".
fn weekday(text: &Text, place: usize, today: Date) -> Option<Vec<Atom>> {
    let (prefix, next) = week_prefix(text, place);
    let (offset, mut end) = english_weekday(text, next).or_else(|| chinese_weekday(text, next))?;
    let mut weeks = prefix;
    if let Some(after) = text.any_word(text.skip_spaces(end), &["of next week", "next week"]) {
        (weeks, end) = (Some(1), after);
    } else if let Some(after) = text.any_word(text.skip_spaces(end), &["of this week", "this week"]) {
        (weeks, end) = (Some(0), after);
    } else if let Some(after) = text.any_word(text.skip_spaces(end), &["week"]).filter(|_| text.is_start(place)) {
        (weeks, end) = (Some(1), after);
    }
    let date = match weeks {
        Some(weeks) => plus(monday(today)?, weeks * 7 + i32::from(offset))?,
        None => next_weekday(today, offset)?,
    };
    if date < today {
        return Some(one(place, end, Kind::Past));
    }
    Some(days(place, end, date, 1, if weeks.is_none() { Named::Weekday } else { Named::Whole }))
}

/// The next such day after today.
pub(super) fn next_weekday(today: Date, offset: i8) -> Option<Date> {
    today.nth_weekday(1, Weekday::from_monday_zero_offset(offset).ok()?).ok()
}

fn week_prefix(text: &Text, place: usize) -> (Option<i32>, usize) {
    const WORDS: [(&str, Option<i32>); 8] = [
        ("this coming", None),
        ("coming", None),
        ("this", Some(0)),
        ("next", Some(1)),
        ("下下", Some(2)),
        ("下个", Some(1)),
        ("下", Some(1)),
        ("last", Some(-1)),
    ];
    const CHINESE_THIS: [(&str, Option<i32>); 4] =
        [("本", Some(0)), ("这个", Some(0)), ("这", Some(0)), ("上", Some(-1))];
    WORDS
        .iter()
        .chain(&CHINESE_THIS)
        .find_map(|(words, weeks)| Some((*weeks, text.skip_spaces(text.word(place, words)?))))
        .unwrap_or((None, place))
}

pub(super) fn english_weekday(text: &Text, place: usize) -> Option<(i8, usize)> {
    if !text.is_start(place) {
        return None;
    }
    let found = WEEKDAYS.iter().filter_map(|(name, day)| {
        let end = text.literal(place, name)?;
        let ends = !text.at(end).is_ascii_alphanumeric() && text.at(end) != '_';
        // "sun-proxy" is a name, "Thu-Sun" is not.
        let name = text.at(end) == '-'
            && text.at(end + 1).is_ascii_alphabetic()
            && english_weekday(text, end + 1).is_none()
            && name.len() <= 4;
        (ends && !name).then_some((*day, end))
    });
    found.max_by_key(|(_, end)| *end)
}

pub(super) fn chinese_weekday(text: &Text, place: usize) -> Option<(i8, usize)> {
    let after = CHINESE_WEEK.iter().find_map(|week| text.literal(place, week))?;
    let (day, end) = chinese_day(text, after)?;
    (text.at(end) != '期' || text.literal(end, "期间").is_some()).then_some((day, end))
}

/// A part of a day by itself.
pub(super) fn part(text: &Text, place: usize) -> Option<(Part, usize)> {
    const WORDS: [(&str, Part); 33] = [
        ("mornings", Part::Morning),
        ("morning", Part::Morning),
        ("afternoons", Part::Afternoon),
        ("afternoon", Part::Afternoon),
        ("evenings", Part::Evening),
        ("evening", Part::Evening),
        ("nights", Part::Evening),
        ("night", Part::Evening),
        ("at night", Part::Evening),
        ("凌晨", Part::Small),
        ("清晨", Part::Morning),
        ("早上", Part::Morning),
        ("早晨", Part::Morning),
        ("上午", Part::Morning),
        ("早间", Part::Morning),
        ("中午", Part::Noon),
        ("午间", Part::Noon),
        ("午后", Part::Afternoon),
        ("下午", Part::Afternoon),
        ("傍晚", Part::Evening),
        ("晚上", Part::Evening),
        ("晚间", Part::Evening),
        ("夜里", Part::Small),
        ("夜间", Part::Evening),
        ("深夜", Part::Evening),
        ("半夜", Part::Small),
        ("入夜", Part::Evening),
        ("早", Part::Morning),
        ("晚", Part::Evening),
        ("上半夜", Part::Evening),
        ("后半夜", Part::Small),
        ("下半夜", Part::Small),
        ("夜晚", Part::Evening),
    ];
    let (word, part, end) = WORDS
        .iter()
        .filter_map(|(words, part)| Some((*words, *part, text.word(place, words)?)))
        .max_by_key(|(.., end)| *end)?;
    // 早 and 晚 alone are parts of a day only before an hour.
    let hour = text.at(end).is_ascii_digit() || super::clock::chinese_hour(text, end).is_some();
    let lone = matches!(word, "早" | "晚");
    (!lone || (hour && text.literal(place.saturating_sub(1), "最").is_none())).then_some((part, end))
}

/// Times that are over.
fn past(text: &Text, place: usize) -> Option<Vec<Atom>> {
    const WORDS: [&str; 36] = [
        "yesterday",
        "last night",
        "last week",
        "last weekend",
        "last month",
        "last year",
        "last time",
        "the other day",
        "earlier today",
        "earlier this week",
        "earlier",
        "ago",
        "昨天",
        "昨晚",
        "昨日",
        "昨夜",
        "前天",
        "前晚",
        "上周末",
        "上周",
        "上个月",
        "上月",
        "上星期",
        "去年",
        "前几天",
        "刚才",
        "刚刚",
        "之前说",
        "之前设",
        "此前",
        "上次",
        "前一天",
        "the day before yesterday",
        "早些时候",
        "前些天",
        "历史上",
    ];
    let end = text.any_word(place, &WORDS)?;
    let end = chinese_day(text, end).filter(|_| text.at(end - 1) == '周').map_or(end, |(_, end)| end);
    Some(one(place, end, Kind::Past))
}
