//! Proof that words say nothing that the record does not: every number, time, date and weekday in a text is looked up in
//! the decision it is about, within the precision that it is printed with. Shares no code with the printing.

use super::moment::{MONTHS, zoned};
use apportion_core::{
    Binding, Counterfactual, Decision, Outcome, Refusal, Resource, Setting, Time, Verdict,
    plan::{Expected, Used},
};
use jiff::{Zoned, tz::TimeZone};
use std::ops::Range;

/// The numbers, times, dates and weekdays in `text` that are not in the record, as they are written there; empty for a text
/// that may be shown. Names of percentiles (`p95`) are names.
#[must_use]
pub fn unfounded(text: &str, decision: &Decision, zone: &TimeZone) -> Vec<String> {
    unfounded_by(text, &Facts::of(decision, zone))
}

/// The same against facts that were put together.
pub(super) fn unfounded_by(text: &str, facts: &Facts) -> Vec<String> {
    let mut rest = facts.without_quotations(text);
    let mut missing = Vec::new();
    for read in READERS {
        while let Some((place, found)) = read(&rest) {
            if !facts.knows(&found) {
                missing.push(text_at(&rest, &place));
            }
            rest.replace_range(place.clone(), &" ".repeat(place.len()));
        }
    }
    missing
}

type Reader = fn(&str) -> Option<(Range<usize>, Found)>;

/// Tried in this order: what a reader has read is gone for the next one.
const READERS: [Reader; 6] =
    [read_time, read_iso_date, read_english_date, read_chinese_date, read_weekday, read_number];

/// Something in a text that has to be in the record.
enum Found {
    Time {
        hour: i8,
        minute: i8,
    },
    Date {
        year: Option<i16>,
        month: i8,
        day: i8,
    },
    Weekday(i8),
    Number {
        value: f64,
        precision: f64,
        dimension: Dimension,
    },
    /// A number in a word, like "v2".
    Unreadable,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Dimension {
    Cores,
    Bytes,
    BytesPerSecond,
    Seconds,
    Share,
    Plain,
}

/// What a record holds, by dimension.
#[derive(Default)]
pub(super) struct Facts {
    numbers: Vec<(Dimension, f64)>,
    times: Vec<Zoned>,
    quotations: Vec<String>,
}

impl Facts {
    pub(super) fn of(decision: &Decision, zone: &TimeZone) -> Self {
        let mut facts = Self::default();
        facts.quote(decision.change.workload.as_str());
        facts.count(decision.id.0);
        facts.time(decision.time, zone);
        facts.add_reason(decision, zone);
        facts.add_verdict(decision);
        facts
    }

    /// What was used, with its times.
    pub(super) fn add_used(&mut self, used: &Used, amount: Dimension, zone: &TimeZone) {
        self.numbers.extend([used.p50, used.p95, used.max].map(|value| (amount, value)));
        self.numbers.extend([(Dimension::Seconds, used.window_s), (Dimension::Share, used.present_share)]);
        self.time(used.max_at, zone);
    }

    /// What is expected, with its times.
    pub(super) fn add_expected(&mut self, expected: &Expected, amount: Dimension, zone: &TimeZone) {
        self.quote(&expected.by);
        self.numbers.extend(expected.peak.map(|value| (amount, value)));
        self.numbers.push((Dimension::Seconds, expected.horizon_s));
        self.numbers.extend(expected.score.map(|score| (Dimension::Plain, score)));
        self.time(expected.peak_at, zone);
    }

    /// What a lower size would have cost.
    pub(super) fn add_lower(&mut self, lower: &Counterfactual, amount: Dimension) {
        self.numbers.push((amount, lower.value));
        let spans = [lower.window_s, lower.over_s, lower.worst_day_over_s];
        self.numbers.extend(spans.map(|span| (Dimension::Seconds, span)));
        self.times.extend(lower.worst_day.map(|day| zoned(day, &TimeZone::UTC)));
    }

    fn add_reason(&mut self, decision: &Decision, zone: &TimeZone) {
        let (reason, amount) = (&decision.change.reason, dimension(decision));
        if let Some(used) = &reason.used {
            self.add_used(used, amount, zone);
        }
        if let Some(expected) = &reason.expected {
            self.add_expected(expected, amount, zone);
        }
        if let Some(lower) = &reason.counterfactual {
            self.add_lower(lower, amount);
        }
        self.numbers.extend([(Dimension::Share, reason.quantile), (Dimension::Plain, reason.margin)]);
        if let Some(asked) = &reason.asked {
            let harm = reason.margin / asked.factor;
            self.numbers.extend([
                (Dimension::Plain, asked.factor),
                (Dimension::Plain, harm),
                (amount, asked.added.abs()),
            ]);
        }
        self.numbers.extend(reason.bound.map(|bound| (amount, bound)));
        reason.said.iter().for_each(|said| self.count(said.0.unsigned_abs()));
        self.add_binding(&reason.binding, amount);
    }

    fn add_binding(&mut self, binding: &Binding, amount: Dimension) {
        match binding {
            Binding::Share { wanted, capacity } => self.numbers.extend([(amount, *wanted), (amount, *capacity)]),
            Binding::Announced { usual } => self.numbers.push((amount, *usual)),
            Binding::TakeBack { of } | Binding::RolledBack { of } | Binding::BoundOver { of } => self.count(of.0),
            Binding::Rule(name) => self.quote(name),
            _ => {}
        }
    }

    fn add_verdict(&mut self, decision: &Decision) {
        let mut settings = vec![decision.change.from, decision.change.to];
        match &decision.verdict {
            Verdict::Admitted { to, outcome } => {
                settings.push(*to);
                match outcome {
                    Outcome::Applied { read_back: found } | Outcome::Drifted { found } => settings.push(*found),
                    Outcome::Failed { error } => self.quote(error),
                    Outcome::Unchanged | Outcome::DryRun => {}
                }
            }
            Verdict::Refused { why } => self.add_refusal(why, &mut settings),
        }
        let amount = dimension(decision);
        self.numbers.extend(settings.into_iter().filter_map(Setting::value).map(|value| (amount, value)));
    }

    fn add_refusal(&mut self, why: &Refusal, settings: &mut Vec<Setting>) {
        match why {
            Refusal::ForeignChange { expected, found } => settings.extend([*expected, *found]),
            Refusal::Held { why } => self.quote(why),
            Refusal::Stale { metric, age_s } => {
                self.quote(metric);
                self.numbers.extend(age_s.map(|age_s| (Dimension::Seconds, age_s)));
            }
            Refusal::DeadBand { share } => self.numbers.push((Dimension::Share, *share)),
            Refusal::TooYoung { seen_s, needed_s } => {
                self.numbers.extend([(Dimension::Seconds, *seen_s), (Dimension::Seconds, *needed_s)]);
            }
            Refusal::Failing { error, left_s } => {
                self.quote(error);
                self.numbers.push((Dimension::Seconds, *left_s));
            }
            Refusal::CoolDown { left_s } => self.numbers.push((Dimension::Seconds, *left_s)),
            Refusal::BlastRadius { changed, allowed } => {
                self.count(*changed as u64);
                self.count(*allowed as u64);
            }
            _ => {}
        }
    }

    /// With all that other facts hold.
    pub(super) fn join(&mut self, other: Self) {
        self.numbers.extend(other.numbers);
        self.times.extend(other.times);
        self.quotations.extend(other.quotations);
    }
    pub(super) fn number(&mut self, dimension: Dimension, value: f64) {
        self.numbers.push((dimension, value));
    }
    pub(super) fn quote(&mut self, words: &str) {
        self.quotations.push(words.trim_end_matches('.').to_owned());
    }
    #[allow(clippy::cast_precision_loss, reason = "a count beyond 2^53 does not occur")]
    pub(super) fn count(&mut self, value: u64) {
        self.numbers.push((Dimension::Plain, value as f64));
    }
    pub(super) fn time(&mut self, time: Time, zone: &TimeZone) {
        self.times.push(zoned(time, zone));
    }

    /// The text with the record's own strings blanked. A string that is nothing but a number stays, and counts as one.
    fn without_quotations(&self, text: &str) -> String {
        let mut rest = text.to_owned();
        let mut quotations: Vec<&String> = self.quotations.iter().collect();
        quotations.sort_by_key(|quotation| std::cmp::Reverse(quotation.len()));
        for quotation in quotations.into_iter().filter(|words| words.chars().any(char::is_alphabetic)) {
            rest = rest.replace(quotation.as_str(), &" ".repeat(quotation.len()));
        }
        rest
    }

    fn knows(&self, found: &Found) -> bool {
        match found {
            Found::Time { hour, minute } => {
                self.times.iter().any(|time| (time.hour(), time.minute()) == (*hour % 24, *minute))
            }
            Found::Date { year, month, day } => self.times.iter().any(|time| {
                (time.month(), time.day()) == (*month, *day) && year.is_none_or(|year| year == time.year())
            }),
            Found::Weekday(weekday) => self.times.iter().any(|time| time.weekday().to_monday_zero_offset() == *weekday),
            Found::Number { value, precision, dimension } => {
                let near = |known: f64| (known - value).abs() <= precision * 1.000_001;
                let quoted = *dimension == Dimension::Plain
                    && self.quotations.iter().any(|words| words.parse::<f64>().is_ok_and(|known| known == *value));
                quoted || self.numbers.iter().any(|(unit, known)| unit == dimension && near(*known))
            }
            Found::Unreadable => false,
        }
    }
}

fn dimension(decision: &Decision) -> Dimension {
    dimension_of(decision.change.knob.resource())
}

/// What an amount of a resource is counted in.
pub(super) const fn dimension_of(resource: Resource) -> Dimension {
    match resource {
        Resource::Cpu => Dimension::Cores,
        Resource::Memory => Dimension::Bytes,
        Resource::Storage | Resource::Network => Dimension::BytesPerSecond,
    }
}

fn text_at(rest: &str, place: &Range<usize>) -> String {
    rest.get(place.clone()).unwrap_or_default().trim().to_owned()
}

/// The next run of digits (with a fraction where there is one) from `from` on.
fn digits(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let start = from + bytes.get(from..)?.iter().position(u8::is_ascii_digit)?;
    let mut end = start;
    while bytes.get(end).is_some_and(|byte| {
        byte.is_ascii_digit() || (*byte == b'.' && bytes.get(end + 1).is_some_and(u8::is_ascii_digit))
    }) {
        end += 1;
    }
    Some(start..end)
}

fn all_digits(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    std::iter::successors(digits(text, 0), |before| digits(text, before.end))
}

fn parse<T: std::str::FromStr>(text: &str, place: Range<usize>) -> Option<T> {
    text.get(place)?.parse().ok()
}

fn read_time(text: &str) -> Option<(Range<usize>, Found)> {
    all_digits(text).find_map(|hour| {
        let minute = text.get(hour.end..)?.strip_prefix(':').and_then(|_| digits(text, hour.end + 1))?;
        let touching = minute.start == hour.end + 1 && minute.len() == 2;
        let found = Found::Time { hour: parse(text, hour.clone())?, minute: parse(text, minute.clone())? };
        touching.then_some((hour.start..minute.end, found))
    })
}

fn read_iso_date(text: &str) -> Option<(Range<usize>, Found)> {
    all_digits(text).find_map(|year| {
        let part = |from: usize| text.get(from..)?.strip_prefix('-').and_then(|_| digits(text, from + 1));
        let month = part(year.end).filter(|month| month.start == year.end + 1 && year.len() == 4)?;
        let day = part(month.end).filter(|day| day.start == month.end + 1)?;
        let found = Found::Date {
            year: Some(parse(text, year.clone())?),
            month: parse(text, month)?,
            day: parse(text, day.clone())?,
        };
        Some((year.start..day.end, found))
    })
}

fn read_english_date(text: &str) -> Option<(Range<usize>, Found)> {
    all_digits(text).find_map(|day| {
        let after = text.get(day.end..)?.strip_prefix(' ')?;
        let month = MONTHS.iter().position(|month| after.starts_with(month))?;
        let end = day.end + 1 + MONTHS[month].len();
        let year = digits(text, end).filter(|year| year.start == end + 1 && year.len() == 4);
        let found = Found::Date {
            year: year.clone().and_then(|year| parse(text, year)),
            month: i8::try_from(month).ok()? + 1,
            day: parse(text, day.clone())?,
        };
        Some((day.start..year.map_or(end, |year| year.end), found))
    })
}

fn read_chinese_date(text: &str) -> Option<(Range<usize>, Found)> {
    all_digits(text).find_map(|first| {
        let after = text.get(first.end..)?;
        let year = after.strip_prefix('年').and(digits(text, first.end));
        let month = if year.is_some() { year.clone()? } else { first.clone() };
        text.get(month.end..)?.strip_prefix('月')?;
        let day = digits(text, month.end)?;
        text.get(day.end..)?.strip_prefix('日')?;
        let found = Found::Date {
            year: year.and_then(|_| parse(text, first.clone())),
            month: parse(text, month)?,
            day: parse(text, day.clone())?,
        };
        Some((first.start..day.end + '日'.len_utf8(), found))
    })
}

fn read_weekday(text: &str) -> Option<(Range<usize>, Found)> {
    const NAMES: [(&str, &str, &str); 7] = [
        ("Monday", "周一", "星期一"),
        ("Tuesday", "周二", "星期二"),
        ("Wednesday", "周三", "星期三"),
        ("Thursday", "周四", "星期四"),
        ("Friday", "周五", "星期五"),
        ("Saturday", "周六", "星期六"),
        ("Sunday", "周日", "星期日"),
    ];
    (0_i8..).zip(NAMES).find_map(|(weekday, (english, chinese, formal))| {
        [english, chinese, formal]
            .into_iter()
            .find_map(|name| text.find(name).map(|start| (start..start + name.len(), Found::Weekday(weekday))))
    })
}

/// Units of a number, longest name first where one begins another.
const UNITS: [(&str, Dimension, f64); 31] = [
    ("KiB", Dimension::Bytes, 1024.0),
    ("MiB", Dimension::Bytes, 1_048_576.0),
    ("GiB", Dimension::Bytes, 1_073_741_824.0),
    ("TiB", Dimension::Bytes, 1_099_511_627_776.0),
    ("kB/s", Dimension::BytesPerSecond, 1e3),
    ("MB/s", Dimension::BytesPerSecond, 1e6),
    ("GB/s", Dimension::BytesPerSecond, 1e9),
    ("TB/s", Dimension::BytesPerSecond, 1e12),
    ("B/s", Dimension::BytesPerSecond, 1.0),
    ("kB", Dimension::Bytes, 1e3),
    ("MB", Dimension::Bytes, 1e6),
    ("GB", Dimension::Bytes, 1e9),
    ("TB", Dimension::Bytes, 1e12),
    ("B", Dimension::Bytes, 1.0),
    ("cores", Dimension::Cores, 1.0),
    ("core", Dimension::Cores, 1.0),
    ("核", Dimension::Cores, 1.0),
    ("seconds", Dimension::Seconds, 1.0),
    ("second", Dimension::Seconds, 1.0),
    ("minutes", Dimension::Seconds, 60.0),
    ("minute", Dimension::Seconds, 60.0),
    ("hours", Dimension::Seconds, 3_600.0),
    ("hour", Dimension::Seconds, 3_600.0),
    ("days", Dimension::Seconds, 86_400.0),
    ("day", Dimension::Seconds, 86_400.0),
    ("秒", Dimension::Seconds, 1.0),
    ("分钟", Dimension::Seconds, 60.0),
    ("小时", Dimension::Seconds, 3_600.0),
    ("天", Dimension::Seconds, 86_400.0),
    ("%", Dimension::Share, 0.01),
    ("％", Dimension::Share, 0.01),
];
const PERCENTILES: [&str; 4] = ["p10", "p50", "p90", "p95"];

fn read_number(text: &str) -> Option<(Range<usize>, Found)> {
    let number = all_digits(text).find(|number| !is_percentile(text, number))?;
    let wordy = text.as_bytes()[..number.start].last().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    if wordy {
        return Some((number, Found::Unreadable));
    }
    let decimals = text[number.clone()].split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let (end, dimension, scale) = unit_after(text, number.end);
    let Some(value) = parse::<f64>(text, number.clone()) else { return Some((number, Found::Unreadable)) };
    let precision = 0.5 * 0.1_f64.powi(i32::try_from(decimals).unwrap_or(i32::MAX)) * scale;
    Some((number.start..end, Found::Number { value: value * scale, precision, dimension }))
}

fn is_percentile(text: &str, number: &Range<usize>) -> bool {
    number.start.checked_sub(1).and_then(|start| text.get(start..number.end)).is_some_and(|word| {
        let before = text[..number.start - 1].chars().next_back();
        PERCENTILES.contains(&word) && !before.is_some_and(|letter| letter.is_ascii_alphanumeric())
    })
}

fn unit_after(text: &str, end: usize) -> (usize, Dimension, f64) {
    let after = &text[end..];
    let space = after.len() - after.trim_start_matches(' ').len();
    let word = &after[space..];
    let complete = |name: &str| {
        !word[name.len()..].starts_with(|next: char| name.is_ascii() && (next.is_ascii_alphanumeric() || next == '/'))
    };
    UNITS
        .iter()
        .find(|(name, ..)| space <= 1 && word.starts_with(name) && complete(name))
        .map_or((end, Dimension::Plain, 1.0), |(name, dimension, scale)| (end + space + name.len(), *dimension, *scale))
}
