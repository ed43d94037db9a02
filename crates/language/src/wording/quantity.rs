//! Amounts, spans of time and shares in units that people use. Three significant digits, no trailing zeros.

use crate::Language::{self, En, Zh};
use apportion_core::{Knob, Metric, Resource, Setting};

/// A scaled unit: its name and how many base units it holds.
type Unit = (&'static str, f64);

const MEMORY_UNITS: [Unit; 5] =
    [("B", 1.0), ("KiB", 1024.0), ("MiB", 1_048_576.0), ("GiB", 1_073_741_824.0), ("TiB", 1_099_511_627_776.0)];
const RATE_UNITS: [Unit; 5] = [("B/s", 1.0), ("kB/s", 1e3), ("MB/s", 1e6), ("GB/s", 1e9), ("TB/s", 1e12)];

/// An amount in the knob's unit, in words: `0.5 cores`, `1.2 GiB`, `3.4 MB/s`; `0.5 核` in Chinese.
///
/// ```
/// use apportion_core::Knob;
/// use apportion_language::{Language, wording::amount};
/// assert_eq!(amount(Knob::MemoryMax, 1_288_490_189.0, Language::En), "1.2 GiB");
/// assert_eq!(amount(Knob::CpuQuota, 0.5, Language::Zh), "0.5 核");
/// ```
#[must_use]
pub fn amount(knob: Knob, value: f64, language: Language) -> String {
    resource_amount(knob.resource(), value, language)
}

/// The same by resource: cores, bytes of memory, bytes per second of storage and network.
#[must_use]
pub fn resource_amount(resource: Resource, value: f64, language: Language) -> String {
    match resource {
        Resource::Cpu => cores(value, language),
        Resource::Memory => scaled(value, &MEMORY_UNITS, language),
        Resource::Storage | Resource::Network => scaled(value, &RATE_UNITS, language),
    }
}

/// The same by metric, whose name ends in its unit; a plain figure where that is none of these.
#[must_use]
pub(super) fn amount_of(metric: &Metric, value: f64, language: Language) -> String {
    resource_of(metric).map_or_else(|| figure(value), |resource| resource_amount(resource, value, language))
}

/// The resource that is measured in the unit that a metric's name ends in.
pub(super) fn resource_of(metric: &Metric) -> Option<Resource> {
    const UNITS: [(&str, Resource); 3] =
        [("_cores", Resource::Cpu), ("_bytes", Resource::Memory), ("_bytes_per_s", Resource::Network)];
    UNITS.into_iter().find(|(unit, _)| metric.as_str().ends_with(unit)).map(|(_, resource)| resource)
}

/// What a knob is set to, in words.
#[must_use]
pub fn setting(knob: Knob, setting: Setting, language: Language) -> String {
    match (setting, language) {
        (Setting::Value(value), _) => amount(knob, value, language),
        (Setting::Unlimited, En) => "unlimited".to_owned(),
        (Setting::Unlimited, Zh) => "不限".to_owned(),
    }
}

/// A span of time: `45 seconds`, `38 minutes`, `1.5 hours`, `7 days`; `38 分钟` in Chinese.
#[must_use]
pub fn duration(seconds: f64, language: Language) -> String {
    const UNITS: [(f64, &str, &str); 4] =
        [(1.0, "second", "秒"), (60.0, "minute", "分钟"), (3_600.0, "hour", "小时"), (86_400.0, "day", "天")];
    if !seconds.is_finite() {
        return not_a_number(language);
    }
    let (scale, english, chinese) =
        UNITS.into_iter().rev().find(|(scale, ..)| shown(seconds, *scale) >= 1.0).unwrap_or(UNITS[0]);
    let value = figure(seconds / scale);
    match language {
        En if value == "1" => format!("1 {english}"),
        En => format!("{value} {english}s"),
        Zh => format!("{value} {chinese}"),
    }
}

/// A share of one as percent: `0.99` is `99%`.
#[must_use]
pub fn share(value: f64) -> String {
    format!("{}%", figure(value * 100.0))
}

/// A number with three significant digits (more where it is 1000 or above), no trailing zeros.
#[must_use]
pub fn figure(value: f64) -> String {
    let size = value.abs();
    let decimals = match size {
        _ if size >= 99.95 => 0,
        _ if size >= 9.995 => 1,
        _ if size >= 0.0995 => 2,
        _ if size >= 0.0005 || size == 0.0 => 3,
        _ => 6,
    };
    let text = format!("{value:.decimals$}");
    let trimmed = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if trimmed == "-0" { "0".to_owned() } else { trimmed.to_owned() }
}

fn cores(value: f64, language: Language) -> String {
    if !value.is_finite() {
        return not_a_number(language);
    }
    match (figure(value), language) {
        (figure, En) if figure == "1" => "1 core".to_owned(),
        (figure, En) => format!("{figure} cores"),
        (figure, Zh) => format!("{figure} 核"),
    }
}

fn scaled(value: f64, units: &[Unit], language: Language) -> String {
    if !value.is_finite() {
        return not_a_number(language);
    }
    let (name, scale) = units.iter().rev().find(|(_, scale)| shown(value, *scale) >= 1.0).unwrap_or(&units[0]);
    format!("{} {name}", figure(value / scale))
}

/// The figure as a reader would take it, so that 1023.9 MiB moves on to 1 GiB instead of reading 1024 MiB.
fn shown(value: f64, scale: f64) -> f64 {
    figure(value.abs() / scale).parse().unwrap_or(0.0)
}

fn not_a_number(language: Language) -> String {
    match language {
        En => "not a number".to_owned(),
        Zh => "非数值".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        let check = |knob, value, english: &str, chinese: &str| {
            assert_eq!((amount(knob, value, En), amount(knob, value, Zh)), (english.to_owned(), chinese.to_owned()));
        };
        check(Knob::CpuQuota, 1.0, "1 core", "1 核");
        check(Knob::CpuQuota, 0.5, "0.5 cores", "0.5 核");
        check(Knob::CpuQuota, 0.0123, "0.012 cores", "0.012 核");
        check(Knob::CpuQuota, 0.0, "0 cores", "0 核");
        check(Knob::CpuQuota, 12.345, "12.3 cores", "12.3 核");
        check(Knob::CpuQuota, 1280.0, "1280 cores", "1280 核");
        check(Knob::CpuQuota, f64::NAN, "not a number", "非数值");
        check(Knob::MemoryMax, 1.2 * 1_073_741_824.0, "1.2 GiB", "1.2 GiB");
        check(Knob::MemoryHigh, 512.0 * 1_048_576.0, "512 MiB", "512 MiB");
        check(Knob::MemoryMax, 1_073_741_000.0, "1 GiB", "1 GiB");
        check(Knob::MemoryMax, 100.0, "100 B", "100 B");
        check(Knob::IoReadMax, 3.4e6, "3.4 MB/s", "3.4 MB/s");
        check(Knob::NetworkSendMax, 999_960.0, "1 MB/s", "1 MB/s");
        check(Knob::IoWriteMax, 0.0, "0 B/s", "0 B/s");
    }

    #[test]
    fn durations() {
        let check = |seconds, english: &str, chinese: &str| {
            assert_eq!((duration(seconds, En), duration(seconds, Zh)), (english.to_owned(), chinese.to_owned()));
        };
        check(0.0, "0 seconds", "0 秒");
        check(1.0, "1 second", "1 秒");
        check(59.999, "1 minute", "1 分钟");
        check(2_280.0, "38 minutes", "38 分钟");
        check(5_400.0, "1.5 hours", "1.5 小时");
        check(86_400.0, "1 day", "1 天");
        check(604_800.0, "7 days", "7 天");
    }

    #[test]
    fn shares() {
        for (value, text) in [(0.99, "99%"), (0.995, "99.5%"), (1.0, "100%"), (0.0, "0%"), (0.0512, "5.12%")] {
            assert_eq!(share(value), text);
        }
    }
}
