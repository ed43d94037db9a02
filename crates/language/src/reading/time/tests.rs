//! Times by tables (`cases_*.txt`), and across zones, changes of the clock, year ends and leap days.

use super::{TimeReading, read, window::Window};
use crate::reading::text::Text;
use jiff::{Timestamp, Zoned};
use proptest::prelude::*;

fn shown(time: Option<&Zoned>, now: &Zoned) -> String {
    let format = |time: &Zoned| {
        let other_year = time.year() != now.year();
        time.strftime(if other_year { "%Y-%m-%d %H:%M" } else { "%m-%d %H:%M" }).to_string()
    };
    time.map_or_else(|| "-".to_owned(), format)
}

fn window(sentence: &str, now: &str) -> String {
    let now: Zoned = now.parse().unwrap();
    let window = read(&Text::new(sentence), &now, &[]).window;
    let repeat = window.repeat.map_or_else(String::new, |repeat| format!(" {repeat:?}").to_lowercase());
    format!("{} .. {}{repeat}", shown(window.start.as_ref(), &now), shown(window.end.as_ref(), &now))
}

fn check_all(cases: &str) {
    let lines = cases.lines().filter(|line| !line.starts_with('#'));
    let wrong: Vec<String> = lines
        .filter_map(|line| {
            let (sentence, expected) = line.split_once(" => ").expect("sentence => window");
            let found = window(sentence, "2026-11-23T09:00:00+08:00[Asia/Shanghai]");
            (found != expected).then(|| format!("{sentence}: want {expected}, got {found}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn english() {
    check_all(include_str!("cases_en.txt"));
}

#[test]
fn chinese() {
    check_all(include_str!("cases_zh.txt"));
}

#[test]
fn other_nows() {
    let check =
        |sentence: &str, now: &str, expected: &str| assert_eq!(window(sentence, now), expected, "{sentence} {now}");
    let (new_year, leap) = ("2026-12-31T22:30:00+08:00[Asia/Shanghai]", "2028-02-28T12:00:00+08:00[Asia/Shanghai]");
    check("tomorrow 9-11am", new_year, "2027-01-01 09:00 .. 2027-01-01 11:00");
    check("明天上午9点到11点", new_year, "2027-01-01 09:00 .. 2027-01-01 11:00");
    check("until the end of the month", new_year, "- .. 2027-01-01 00:00");
    check("for the next two hours", new_year, "- .. 2027-01-01 00:30");
    check("5 January", new_year, "2027-01-05 00:00 .. 2027-01-06 00:00");
    check("tomorrow", leap, "02-29 00:00 .. 03-01 00:00");
    check("后天", leap, "03-01 00:00 .. 03-02 00:00");
    check("29 February 8:00-9:00", leap, "02-29 08:00 .. 02-29 09:00");
    check("until month end", leap, "- .. 03-01 00:00");
    check("next Friday", "2026-11-27T09:00:00+08:00[Asia/Shanghai]", "12-04 00:00 .. 12-05 00:00");
    check("Friday", "2026-11-27T09:00:00+08:00[Asia/Shanghai]", "12-04 00:00 .. 12-05 00:00");
    check("this weekend", "2026-11-28T09:00:00+08:00[Asia/Shanghai]", "- .. 11-30 00:00");
    check("weekdays 9-18", "2026-11-27T10:00:00+08:00[Asia/Shanghai]", "11-30 09:00 .. 11-30 18:00 weekdays");
}

#[test]
fn a_window_that_runs_does_not_begin_next_year() {
    let check = |sentence: &str, day: &str, expected: &str| {
        assert_eq!(
            window(sentence, &format!("2026-{day}T09:00:00+08:00[Asia/Shanghai]")),
            expected,
            "{sentence} {day}"
        );
    };
    check("Nov 20-30", "11-23", "- .. 12-01 00:00");
    check("Nov 28-30", "11-29", "- .. 12-01 00:00");
    check("from Nov 20 to Nov 30", "11-23", "- .. 12-01 00:00");
    check("Nov 28 - Dec 3", "11-29", "- .. 12-04 00:00");
    check("28 Nov to 3 Dec", "11-29", "- .. 12-04 00:00");
    check("11月23日到27日", "11-25", "- .. 11-28 00:00");
    check("11月23日到12月2日", "11-25", "- .. 12-03 00:00");
    check("23号到27号", "11-25", "- .. 11-28 00:00");
    check("28号到3号", "11-29", "- .. 12-04 00:00");
    check("the 23rd to the 27th", "11-25", "- .. 11-28 00:00");
    check("12月28日到3日", "12-30", "- .. 2027-01-04 00:00");
    check("Nov 10-20", "11-23", "2027-11-10 00:00 .. 2027-11-21 00:00");
    check("23号到27号", "11-28", "12-23 00:00 .. 12-28 00:00");
}

#[test]
fn hours_are_those_of_the_zone_that_is_said() {
    let check = |sentence: &str, expected: &str| {
        assert_eq!(window(sentence, "2026-11-23T09:00:00+08:00[Asia/Shanghai]"), expected, "{sentence}");
    };
    check("20:00-22:00 UTC", "11-24 04:00 .. 11-24 06:00");
    check("20:00-22:00 UTC+8", "11-23 20:00 .. 11-23 22:00");
    check("20:00-22:00 UTC+9", "11-23 19:00 .. 11-23 21:00");
    check("tomorrow 20:00-22:00 utc-5", "11-25 09:00 .. 11-25 11:00");
    check("tomorrow 20:00-22:00 GMT+1", "11-25 03:00 .. 11-25 05:00");
    check("tomorrow 20:00-22:00 (UTC+05:30)", "11-24 22:30 .. 11-25 00:30");
    check("北京时间今晚8点到10点", "11-23 20:00 .. 11-23 22:00");
    check("08:00 UTC - 10:00 UTC", "11-23 16:00 .. 11-23 18:00");
}

#[test]
fn what_repeats_keeps_the_zone_and_the_days_that_were_said() {
    let check = |sentence: &str, now: &str, start: &str, end: &str| {
        let window = read(&Text::new(sentence), &now.parse().unwrap(), &[]).window;
        let told = |time: Option<Zoned>| time.unwrap().to_string();
        assert_eq!((told(window.start), told(window.end)), (start.to_owned(), end.to_owned()), "{sentence}");
    };
    let friday = "2026-11-27T09:00:00+08:00[Asia/Shanghai]";
    check("every weekday 22:00-23:00 UTC", friday, "2026-11-27T22:00:00+00:00[UTC]", "2026-11-27T23:00:00+00:00[UTC]");
    let berlin = "2027-03-20T12:00:00+01:00[Europe/Berlin]";
    check("every day 20:00-21:00 UTC", berlin, "2027-03-20T20:00:00+00:00[UTC]", "2027-03-20T21:00:00+00:00[UTC]");
    let local = "2027-03-20T20:00:00+01:00[Europe/Berlin]";
    check("every day 20:00-21:00", berlin, local, "2027-03-20T21:00:00+01:00[Europe/Berlin]");
}

#[test]
fn a_length_from_a_day_is_a_day() {
    let check = |sentence: &str, expected: &str| {
        assert_eq!(window(sentence, "2026-11-23T09:00:00+08:00[Asia/Shanghai]"), expected, "{sentence}");
    };
    check("a week from today", "11-30 00:00 .. 12-01 00:00");
    check("2 weeks from today 20:00-22:00", "12-07 20:00 .. 12-07 22:00");
    check("for a week from now on", "- .. 11-30 09:00");
}

#[test]
fn changes_of_the_clock() {
    let check = |sentence: &str, now: &str, hours: i64| {
        let now: Zoned = now.parse().unwrap();
        let window = read(&Text::new(sentence), &now, &[]).window;
        let start = window.start.map_or_else(|| now.timestamp(), |start| start.timestamp());
        let end: Timestamp = window.end.expect("an end").timestamp();
        assert_eq!(end.duration_since(start).as_secs(), hours * 3_600, "{sentence}");
    };
    // New York loses an hour on 14 March 2027 and gains one on 7 November 2027.
    check("tomorrow", "2027-03-13T12:00:00-05:00[America/New_York]", 23);
    check("tomorrow", "2027-11-06T12:00:00-04:00[America/New_York]", 25);
    check("tomorrow 1am to 4am", "2027-03-13T12:00:00-05:00[America/New_York]", 2);
    check("for the next 24 hours", "2027-03-13T12:00:00-05:00[America/New_York]", 24);
    check("for a day", "2027-03-13T12:00:00-05:00[America/New_York]", 23);
    check("for 12 hours", "2027-03-13T20:00:00-05:00[America/New_York]", 12);
    check("tomorrow", "2027-03-13T12:00:00+08:00[Asia/Shanghai]", 24);
}

proptest! {
    /// Whatever is read ends after it begins, and after now where it is not said to be over; nothing panics.
    #[test]
    fn windows_are_in_order(words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 1..9), at in 0_i64..4_000_000_000) {
        let now = Timestamp::from_second(at).unwrap().in_tz("Europe/Berlin").unwrap();
        let TimeReading { window: Window { start, end, .. }, over, .. } = read(&Text::new(&words.join(" ")), &now, &[]);
        prop_assert_eq!(end.as_ref().is_some_and(|end| *end <= now), !over.is_empty(), "{:?} {:?}", words, end);
        if let Some((start, end)) = start.as_ref().zip(end.as_ref()) {
            prop_assert!(start < end, "{words:?} {start} {end}");
        }
        if let Some(start) = start.filter(|_| over.is_empty()) {
            prop_assert!(start >= now, "{words:?} {start}");
        }
    }
}

const WORDS: [&str; 64] = [
    "tonight",
    "tomorrow",
    "from",
    "to",
    "until",
    "for",
    "8",
    "9",
    "11",
    "12",
    "25",
    "pm",
    "am",
    "20:00",
    "23:59",
    "noon",
    "midnight",
    "Friday",
    "Monday",
    "next",
    "week",
    "every",
    "day",
    "weekdays",
    "weekends",
    "28",
    "Nov",
    "Feb",
    "29",
    "30",
    "31",
    "two",
    "hours",
    "minutes",
    "half",
    "an",
    "hour",
    "and",
    "between",
    "by",
    "after",
    "before",
    "the",
    "end",
    "of",
    "month",
    "今晚",
    "明天",
    "8点",
    "到",
    "10点",
    "每天",
    "工作日",
    "周三",
    "下周",
    "两小时",
    "内",
    "前",
    "起",
    "UTC",
    "-",
    ",",
    "since",
    "in",
];
