//! A reading told back in words, with resolved times: what a person confirms. Reading these words again gives the same
//! reading (a test holds us to it).

use super::figure;
use crate::{
    Language,
    reading::{Direction, Effect, Kind, Level, Reading, Repeat, Topic, Unit},
};
use apportion_core::{instruction::InstructionKind, time::DAY_S};
use jiff::Zoned;

/// What a reading means, in the language of the sentence: `From 2026-11-23 20:00 until 2026-11-23 22:00, expect 3x the
/// usual requests on checkout.`
#[must_use]
pub fn describe(reading: &Reading) -> String {
    let said = match reading.language {
        Language::En => english(reading),
        Language::Zh => chinese(reading),
    };
    let mut letters = said.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn english(reading: &Reading) -> String {
    let (when, names) = (english_window(reading), list(&reading.workloads, " and ", "all workloads"));
    let topic = english_topic(reading.resource);
    match reading.kind {
        Kind::Event => format!("{when}expect {} on {names}.", english_need(reading, topic)),
        Kind::Rule => {
            let bound = if reading.effect == Some(Effect::AtLeast) { "at least" } else { "at most" };
            let of = if reading.unit == Some(Unit::Replicas) || reading.unit == Some(Unit::Cores) {
                String::new()
            } else {
                format!(" of {topic}")
            };
            format!("{when}{names} must have {bound} {}{of}.", amount(reading))
        }
        Kind::Hold if reading.resource == Some(Topic::All) => format!("{when}do not change {names}."),
        Kind::Hold => format!("{when}do not change the {topic} of {names}."),
        Kind::Priority => format!("{when}{names} has {} priority.", english_level(reading.level)),
        Kind::Report => english_report(reading, &when, &names, topic),
        Kind::Undo if reading.workloads.is_empty() => format!("undo the last {}.", english_kind(reading.undoes)),
        Kind::Undo => format!("undo the last {} for {names}.", english_kind(reading.undoes)),
        Kind::Question => "this is a question; nothing changes.".to_owned(),
        Kind::None => "this is no instruction; nothing changes.".to_owned(),
    }
}

fn english_need(reading: &Reading, topic: &str) -> String {
    match reading.effect {
        Some(Effect::Multiply) => format!("{}x the usual {topic}", number(reading.amount)),
        Some(_) if reading.unit.is_none() => format!("{} more requests per second", number(reading.amount)),
        Some(_) if matches!(reading.unit, Some(Unit::Cores | Unit::Replicas)) => {
            let (count, unit) =
                (number(reading.amount), if reading.unit == Some(Unit::Cores) { "cores" } else { "replicas" });
            format!("{count} more {unit}")
        }
        Some(_) => format!("{} more {topic}", amount(reading)),
        None if reading.resource == Some(Topic::All) => "higher load".to_owned(),
        None => format!("more {topic} load"),
    }
}

fn english_report(reading: &Reading, when: &str, names: &str, topic: &str) -> String {
    let severity = match reading.level {
        Some(Level::Critical) => "urgently ",
        Some(Level::High) => "badly ",
        Some(Level::Low) => "slightly ",
        _ => "",
    };
    let down = reading.direction == Some(Direction::Down);
    let needs = match reading.effect {
        Some(Effect::Multiply) => format!("{}x the {topic}", number(reading.amount)),
        Some(_) => format!("{} {} {topic}", amount(reading), if down { "less" } else { "more" }),
        None => format!("{} {topic}", if down { "less" } else { "more" }),
    };
    format!("{when}{names} {severity}needs {needs}.")
}

const fn english_topic(topic: Option<Topic>) -> &'static str {
    match topic {
        Some(Topic::Cpu) => "cpu",
        Some(Topic::Memory) => "memory",
        Some(Topic::Storage) => "disk",
        Some(Topic::Network) => "bandwidth",
        Some(Topic::Requests) => "requests",
        Some(Topic::Replicas) => "replicas",
        Some(Topic::All) | None => "resources",
    }
}

const fn english_level(level: Option<Level>) -> &'static str {
    match level {
        Some(Level::Critical) => "critical",
        Some(Level::High) => "high",
        Some(Level::Low) => "low",
        Some(Level::Normal) | None => "normal",
    }
}

fn english_window(reading: &Reading) -> String {
    let (start, end) = (reading.start.as_ref(), reading.end.as_ref());
    if let (Some(repeat), Some(start)) = (reading.repeat, start) {
        let (begins, zone) = (start.strftime("%H:%M"), zone_said(start));
        let hours = end.map_or_else(
            || format!("at {begins}{zone}"),
            |end| {
                let day = if is_over_a_day(start, end) { format!("{} ", end.strftime("%A")) } else { String::new() };
                format!("from {begins} to {day}{}{zone}", last_hour(start, end))
            },
        );
        let whole = repeat != Repeat::Weekends && whole_days(start, end, 1);
        let days = match repeat {
            Repeat::Daily => "every day".to_owned(),
            Repeat::Weekdays => "every weekday".to_owned(),
            Repeat::Weekends if whole_days(start, end, 2) => return "every weekend ".to_owned(),
            Repeat::Weekends => "on weekends".to_owned(),
            Repeat::Weekly => format!("every {}", start.strftime("%A")),
        };
        return if whole { format!("{days} ") } else { format!("{days} {hours} ") };
    }
    match (start, end) {
        (Some(start), Some(end)) => format!("from {} until {}, ", moment(start), moment(end)),
        (Some(start), None) => format!("from {} on, ", moment(start)),
        (None, Some(end)) => format!("until {}, ", moment(end)),
        (None, None) => String::new(),
    }
}

fn chinese(reading: &Reading) -> String {
    let (when, names) = (chinese_window(reading), list(&reading.workloads, "、", "所有服务"));
    let topic = chinese_topic(reading.resource);
    match reading.kind {
        Kind::Event => format!("{when}预计 {names} 的{}。", chinese_need(reading, topic)),
        Kind::Rule => {
            let bound = if reading.effect == Some(Effect::AtLeast) { "至少" } else { "最多" };
            format!("{when}{names} 的{topic}{bound} {}。", amount(reading))
        }
        Kind::Hold if reading.resource == Some(Topic::All) => format!("{when}不要调整 {names}。"),
        Kind::Hold => format!("{when}不要调整 {names} 的{topic}。"),
        Kind::Priority => format!("{when}{names} 为{}优先级。", chinese_level(reading.level)),
        Kind::Report => chinese_report(reading, &when, &names, topic),
        Kind::Undo if reading.workloads.is_empty() => format!("撤销上一条{}。", chinese_kind(reading.undoes)),
        Kind::Undo => format!("撤销 {names} 的上一条{}。", chinese_kind(reading.undoes)),
        Kind::Question => "这是提问，不做改动。".to_owned(),
        Kind::None => "这不是指令，不做改动。".to_owned(),
    }
}

fn chinese_need(reading: &Reading, topic: &str) -> String {
    match reading.effect {
        Some(Effect::Multiply) => format!("{topic}会是平时的 {} 倍", number(reading.amount)),
        Some(_) if reading.unit.is_none() => format!("请求会多 {} QPS", number(reading.amount)),
        Some(_) => format!("{topic}会多用 {}", amount(reading)),
        None => format!("{topic}会增加"),
    }
}

fn chinese_report(reading: &Reading, when: &str, names: &str, topic: &str) -> String {
    let severity = match reading.level {
        Some(Level::Critical) => "严重不足，紧急",
        Some(Level::High) => "压力很大",
        Some(Level::Low) => "稍微",
        _ => "",
    };
    let down = reading.direction == Some(Direction::Down);
    let change = match (reading.effect, down) {
        (Some(Effect::Multiply), _) => format!("{topic}改为现在的 {} 倍", number(reading.amount)),
        (Some(_), false) => format!("{topic}再加 {}", amount(reading)),
        (Some(_), true) => format!("{topic}收回 {}", amount(reading)),
        (None, false) => format!("{topic}不够，加一些"),
        (None, true) => format!("{topic}用不完，收回一些"),
    };
    let mark = if severity.is_empty() { "" } else { "，" };
    format!("{when}{names} {severity}{mark}{change}。")
}

const fn chinese_topic(topic: Option<Topic>) -> &'static str {
    match topic {
        Some(Topic::Cpu) => "CPU",
        Some(Topic::Memory) => "内存",
        Some(Topic::Storage) => "磁盘",
        Some(Topic::Network) => "带宽",
        Some(Topic::Requests) => "请求",
        Some(Topic::Replicas) => "副本数",
        Some(Topic::All) | None => "资源",
    }
}

const fn chinese_level(level: Option<Level>) -> &'static str {
    match level {
        Some(Level::Critical) => "最高",
        Some(Level::High) => "高",
        Some(Level::Low) => "低",
        Some(Level::Normal) | None => "普通",
    }
}

fn chinese_window(reading: &Reading) -> String {
    let (start, end) = (reading.start.as_ref(), reading.end.as_ref());
    if let (Some(repeat), Some(start)) = (reading.repeat, start) {
        let (begins, zone) = (start.strftime("%H:%M"), zone_said(start));
        let hours = end.map_or_else(
            || format!("{begins}{zone}"),
            |end| {
                let day = if is_over_a_day(start, end) { format!("周{}", weekday(end)) } else { String::new() };
                format!("{begins}到{day}{}{zone}", last_hour(start, end))
            },
        );
        let whole = whole_days(start, end, if repeat == Repeat::Weekends { 2 } else { 1 });
        let days = match repeat {
            Repeat::Daily => "每天".to_owned(),
            Repeat::Weekdays => "工作日".to_owned(),
            Repeat::Weekends => "每个周末".to_owned(),
            Repeat::Weekly => format!("每周{}", weekday(start)),
        };
        return if whole { format!("{days} ") } else { format!("{days}{hours} ") };
    }
    match (start, end) {
        (Some(start), Some(end)) => format!("{} 到 {}，", moment(start), moment(end)),
        (Some(start), None) => format!("从 {} 起，", moment(start)),
        (None, Some(end)) => format!("到 {} 为止，", moment(end)),
        (None, None) => String::new(),
    }
}

/// What an undo takes back.
const fn english_kind(kind: Option<InstructionKind>) -> &'static str {
    match kind {
        Some(InstructionKind::Event) => "event",
        Some(InstructionKind::Rule) => "rule",
        Some(InstructionKind::Hold) => "hold",
        Some(InstructionKind::Priority) => "priority",
        Some(InstructionKind::Report) => "report",
        Some(InstructionKind::Undo) | None => "instruction",
    }
}

const fn chinese_kind(kind: Option<InstructionKind>) -> &'static str {
    match kind {
        Some(InstructionKind::Event) => "事件",
        Some(InstructionKind::Rule) => "规则",
        Some(InstructionKind::Hold) => "冻结",
        Some(InstructionKind::Priority) => "优先级",
        Some(InstructionKind::Report) => "反馈",
        Some(InstructionKind::Undo) | None => "指令",
    }
}

fn moment(time: &Zoned) -> String {
    time.strftime("%Y-%m-%d %H:%M").to_string()
}

/// The hour at which a repeated window ends; midnight is the end of the day, where the day is not named.
fn last_hour(start: &Zoned, end: &Zoned) -> String {
    let text = end.strftime("%H:%M").to_string();
    if text == "00:00" && !is_over_a_day(start, end) { "24:00".to_owned() } else { text }
}

/// True for a window whose hours alone do not say how long it is.
fn is_over_a_day(start: &Zoned, end: &Zoned) -> bool {
    lasts_s(start, end) > DAY_S
}

/// How long a window is by the clock on the wall, seconds.
fn lasts_s(start: &Zoned, end: &Zoned) -> i64 {
    end.datetime().duration_since(start.datetime()).as_secs()
}

/// The zone of a repeated window's hours, where it was said: not the operator's own, which has a name.
fn zone_said(start: &Zoned) -> String {
    match start.time_zone().iana_name() {
        Some("UTC") => " UTC".to_owned(),
        Some(_) => String::new(),
        None if start.offset().seconds() % 3_600 == 0 => format!(" UTC{:+}", start.offset().seconds() / 3_600),
        None => start.strftime(" UTC%z").to_string(),
    }
}

fn weekday(time: &Zoned) -> &'static str {
    ["一", "二", "三", "四", "五", "六", "日"][usize::from(time.weekday().to_monday_zero_offset().unsigned_abs())]
}

/// True for a repetition of so many whole days.
fn whole_days(start: &Zoned, end: Option<&Zoned>, days: i64) -> bool {
    let midnight = (start.hour(), start.minute()) == (0, 0);
    midnight && end.is_some_and(|end| lasts_s(start, end) == days * DAY_S)
}

fn list(names: &[String], joint: &str, all: &str) -> String {
    if names.is_empty() { all.to_owned() } else { names.join(joint) }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// The amount with its unit, exactly.
fn amount(reading: &Reading) -> String {
    let value = reading.amount.unwrap_or_default();
    let zh = reading.language == Language::Zh;
    match reading.unit {
        Some(Unit::Cores) => format!("{value} {}", if zh { "核" } else { "cores" }),
        Some(Unit::Replicas) => format!("{value} {}", if zh { "个副本" } else { "replicas" }),
        Some(Unit::Bytes) => exact(value, ""),
        Some(Unit::BytesPerSecond) => exact(value, "/s"),
        Some(Unit::X) => format!("{value}x"),
        Some(Unit::Percent) => format!("{value}%"),
        None => figure(value),
    }
}

/// Bytes in the unit that writes them shortest without rounding.
fn exact(bytes: f64, per: &str) -> String {
    const UNITS: [(&str, f64); 9] = [
        ("TiB", 1_099_511_627_776.0),
        ("TB", 1e12),
        ("GiB", 1_073_741_824.0),
        ("GB", 1e9),
        ("MiB", 1_048_576.0),
        ("MB", 1e6),
        ("KiB", 1024.0),
        ("kB", 1e3),
        ("bytes", 1.0),
    ];
    let written = UNITS.iter().map(|(unit, scale)| (bytes / scale, unit, scale));
    let exact = written.filter(|(value, _, scale)| *value >= 0.001 && (value * *scale - bytes).abs() < f64::EPSILON);
    let texts = exact.map(|(value, unit, _)| (value.to_string(), unit));
    let shortest = texts.min_by_key(|(value, _)| value.len());
    shortest.map_or_else(|| format!("{bytes} bytes{per}"), |(value, unit)| format!("{value} {unit}{per}"))
}
