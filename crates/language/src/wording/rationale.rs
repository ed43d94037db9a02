//! Why a forecast is what it is, in words.

use super::{
    Clock, amount_of, duration,
    founded::{Dimension, Facts, dimension_of, unfounded_by},
    quantity::resource_of,
    share,
};
use crate::Language::{self, En, Zh};
use apportion_core::{
    Rationale,
    rationale::{Influence, Lift, Rhythm, Stretch},
};
use jiff::tz::TimeZone;

/// A stretch is named where it counts for at least this part of the greatest, and only so many are.
const WORTH_NAMING: f64 = 0.3;
const MOST_NAMED: usize = 3;
/// A shift of less than this part of what moves goes both ways: no direction is told.
const ONE_WAY: f64 = 0.5;

/// What a forecast expects, of which parts it is made, and what drove it: `cpu_cores of checkout: ...`. Times are told in `zone`.
#[must_use]
pub fn explain_forecast(rationale: &Rationale, language: Language, zone: &TimeZone) -> String {
    let told = Told { of: rationale, language, clock: Clock::new(language, zone.clone(), rationale.at) };
    let rhythm = || if language == En { "It follows no rhythm.".to_owned() } else { "看不出周期。".to_owned() };
    let mut sentences = vec![told.level(), rationale.rhythm.as_ref().map_or_else(rhythm, |rhythm| told.rhythm(rhythm))];
    sentences.extend(rationale.lift.as_ref().map(|lift| told.lift(lift)));
    sentences.push(told.past());
    sentences.push(told.calendar());
    sentences.join(if language == En { " " } else { "" })
}

/// The numbers, times, dates and weekdays in `text` that are not in the record, as [`super::unfounded`] finds them for decisions.
#[must_use]
pub fn unfounded_forecast(text: &str, rationale: &Rationale, zone: &TimeZone) -> Vec<String> {
    unfounded_by(text, &facts(rationale, zone))
}

fn facts(rationale: &Rationale, zone: &TimeZone) -> Facts {
    let mut facts = Facts::default();
    let amount = resource_of(&rationale.metric).map_or(Dimension::Plain, dimension_of);
    let mut names = [rationale.workload.as_str(), rationale.metric.as_str(), &rationale.by];
    // A name may be part of another.
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    names.iter().for_each(|name| facts.quote(name));
    let lift = rationale.lift.iter().flat_map(|lift| [(lift.from, lift.usual), (lift.to, lift.announced)]);
    let rhythm = rationale.rhythm.iter().flat_map(|rhythm| [rhythm.low, rhythm.high]);
    for (at, value) in lift.chain(rhythm) {
        facts.time(at, zone);
        facts.number(amount, value);
    }
    for stretch in &rationale.past {
        [stretch.from, stretch.to].iter().for_each(|at| facts.time(*at, zone));
        facts.number(Dimension::Share, stretch.share);
    }
    let parts = rationale.past.iter().map(|stretch| stretch.influence);
    let parts = parts.chain(rationale.rhythm.iter().map(|rhythm| rhythm.influence)).chain([rationale.calendar]);
    let moved = parts.flat_map(|influence| [influence.shift.abs(), influence.size]);
    moved.chain([rationale.level, rationale.recent]).for_each(|value| facts.number(amount, value));
    let period = rationale.rhythm.iter().map(|rhythm| rhythm.period_s);
    period.chain([rationale.horizon_s, rationale.recent_s]).for_each(|span| facts.number(Dimension::Seconds, span));
    facts
}

struct Told<'a> {
    of: &'a Rationale,
    language: Language,
    clock: Clock,
}

impl Told<'_> {
    fn amount(&self, value: f64) -> String {
        amount_of(&self.of.metric, value, self.language)
    }
    fn duration(&self, seconds: f64) -> String {
        let span = duration(seconds, self.language);
        if self.language == En { span.strip_prefix("1 ").map(ToOwned::to_owned).unwrap_or(span) } else { span }
    }

    fn level(&self) -> String {
        let Rationale { workload, metric, by, .. } = self.of;
        let (level, recent) = (self.amount(self.of.level), self.amount(self.of.recent));
        let (ahead, behind) = (self.duration(self.of.horizon_s), self.duration(self.of.recent_s));
        match self.language {
            En => format!(
                "{metric} of {workload}, forecast by {by}: {level} on average over the next {ahead}, after {recent} in the last \
                 {behind}."
            ),
            Zh => {
                format!("{workload} 的 {metric}，由 {by} 预测：未来 {ahead} 平均 {level}，过去 {behind} 为 {recent}。")
            }
        }
    }

    fn rhythm(&self, rhythm: &Rhythm) -> String {
        let period = self.duration(rhythm.period_s);
        let [(low_at, low), (high_at, high)] =
            [rhythm.low, rhythm.high].map(|(at, value)| (self.clock.moment(at), self.amount(value)));
        let without = self.amount(rhythm.influence.size);
        match self.language {
            En => format!(
                "It repeats every {period}: lowest on {low_at} at {low}, highest on {high_at} at {high}; without that rhythm in \
                 the past it would be {without} away."
            ),
            Zh => format!(
                "每 {period} 重复一次：最低在{low_at}，{low}；最高在{high_at}，{high}；若过去没有这一周期，预测会相差 {without}。"
            ),
        }
    }

    fn lift(&self, lift: &Lift) -> String {
        let [from, to] = [lift.from, lift.to].map(|at| self.clock.moment(at));
        let (usual, announced) = (self.amount(lift.usual), self.amount(lift.announced));
        match self.language {
            En => format!("What is announced takes it from {usual} to {announced} between {from} and {to}."),
            Zh => format!("已宣布的事件使它在{from}至{to}由 {usual} 变为 {announced}。"),
        }
    }

    fn past(&self) -> String {
        let foremost = self.of.foremost(WORTH_NAMING, MOST_NAMED);
        let all: Vec<String> = foremost.into_iter().map(|stretch| self.stretch(stretch)).collect();
        match (self.language, all.is_empty()) {
            (En, true) => "No single stretch of the past moves it.".to_owned(),
            (Zh, true) => "过去任何一段单独都不影响它。".to_owned(),
            (En, false) => format!("Of the past, most rests on {}.", all.join("; then on ")),
            (Zh, false) => format!("过去之中最重要的是{}。", all.join("；其次是")),
        }
    }

    fn stretch(&self, stretch: &Stretch) -> String {
        let [from, to] = [stretch.from, stretch.to].map(|at| self.clock.moment(at));
        let (part, moves) = (share(stretch.share), self.moves(stretch.influence));
        match self.language {
            En => format!("{from} to {to} ({part} of all that moves; without it the forecast would be {moves})"),
            Zh => format!("{from}至{to}（占全部影响的 {part}；若没有它，预测会{moves}）"),
        }
    }

    /// How the forecast would be without a part.
    fn moves(&self, influence: Influence) -> String {
        let one_way = influence.shift.abs() >= ONE_WAY * influence.size;
        let value = self.amount(if one_way { influence.shift.abs() } else { influence.size });
        match (self.language, one_way, influence.shift > 0.0) {
            (En, true, true) => format!("{value} lower"),
            (En, true, false) => format!("{value} higher"),
            (En, false, _) => format!("{value} away, up here and down there"),
            (Zh, true, true) => format!("低 {value}"),
            (Zh, true, false) => format!("高 {value}"),
            (Zh, false, _) => format!("有高有低，相差 {value}"),
        }
    }

    fn calendar(&self) -> String {
        let influence = self.of.calendar;
        match (self.language, influence.size > 0.0) {
            (En, true) => format!("Without time of day and day of week it would be {}.", self.moves(influence)),
            (Zh, true) => format!("若不知道时刻与星期，预测会{}。", self.moves(influence)),
            (En, false) => "Time of day and day of week, as such, play no part.".to_owned(),
            (Zh, false) => "时刻与星期本身不起作用。".to_owned(),
        }
    }
}
