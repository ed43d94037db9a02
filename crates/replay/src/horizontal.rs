//! A policy of this house on a series of requests: how many replicas, by `planner::scale`, with this house's forecasts.

use crate::{
    Options, TraceSeries,
    engine::{Engine, Told},
    replicas::Served,
    seldom::Seldom,
    world::Decided,
};
use apportion_core::{
    Announced, Forecast, Forecaster as _, History, Metric, Series, Time, Window, WorkloadId, by_hours, metric::name,
    traits::ForecastInput, without_announced,
};
use apportion_planner::scale::{Look, Scaling, Terms};

/// Grid of forecasts: a week of five-minute steps behind, a day ahead.
const GRID_S: u32 = 300;
const STEP_S: i64 = GRID_S as i64;
const CONTEXT: usize = 2_016;
const HORIZON: usize = 288;
const HORIZON_S: i64 = 288 * STEP_S;
/// Steps behind before there is a forecast: a day.
const ENOUGH: usize = 288;
/// The level of a forecast that counts as its most.
const LEVEL: f32 = 0.9;

/// Plays one series, asked for each of some shares over; gives the allotments that are asked for, in the metric's own unit.
pub(crate) fn play(series: &TraceSeries, engine: &Engine<'_>, asked: &[f64], options: &Options) -> Vec<Vec<Decided>> {
    let (step_s, start_s) = (whole(series.step_s), whole(options.replica_start_s));
    let scaling = |asked: &f64| {
        let violation_share = options.standing(&series.workload, *asked).violation_share;
        Scaling::new(Terms { violation_share, step_s, start_s, ..Terms::default() })
    };
    let mut all: Vec<(Scaling, Vec<Decided>)> = asked.iter().map(|asked| (scaling(asked), Vec::new())).collect();
    let mut served = Served::new(series.first_s());
    let mut ahead = Ahead::new(series, engine, &[name::REQUESTS]);
    for (time_s, demand) in series.samples() {
        ahead.push(time_s, demand);
        let Some(served_by_one) = served.observe(time_s, demand) else { continue };
        let span_s = options.replica_start_s + series.step_s;
        let (forecast, announced) = (ahead.most(time_s, span_s), ahead.announced(time_s, span_s));
        for (scaling, decided) in &mut all {
            let count = scaling.look(&Look { demand, served_by_one, forecast, announced });
            let allocation = f64::from(count.replicas) * served_by_one;
            if decided.last().is_none_or(|last| last.allocation != allocation) {
                decided.push(Decided { time_s, allocation });
            }
        }
    }
    all.into_iter().map(|(_, decided)| decided).collect()
}

pub(crate) fn whole(span_s: i64) -> u32 {
    u32::try_from(span_s.max(0)).unwrap_or(u32::MAX)
}

/// What is to come of a series of requests: the past on the grid of forecasts, the newest forecast, and what is announced.
pub(crate) struct Ahead<'a> {
    told: Option<&'a Told>,
    forecaster: Seldom<'a>,
    workload: WorkloadId,
    metric: Metric,
    /// Metrics of which an announcement is one of requests.
    announced_of: &'static [&'static str],
    /// Finished steps, the last one ending at the end of the step before the one in `sum`.
    past: Vec<f32>,
    /// End of the step under way, sum and number of its samples.
    sum: (i64, f64, u32),
    forecast: Option<Forecast>,
}

impl<'a> Ahead<'a> {
    pub(crate) fn new(series: &TraceSeries, engine: &'a Engine<'a>, announced_of: &'static [&'static str]) -> Self {
        let (workload, metric) = (WorkloadId::new(&series.workload), Metric::new(&series.metric));
        let (told, forecaster) = (engine.told.as_ref(), Seldom::new(&*engine.forecaster, engine.forecast_every_s));
        Self { told, forecaster, workload, metric, announced_of, past: Vec::new(), sum: (0, 0.0, 0), forecast: None }
    }

    #[allow(clippy::cast_possible_truncation, reason = "usage as f32")]
    pub(crate) fn push(&mut self, time_s: i64, demand: f64) {
        let end_s = (time_s + STEP_S - 1).div_euclid(STEP_S) * STEP_S;
        let (open_s, sum, count) = self.sum;
        if end_s == open_s {
            self.sum = (open_s, sum + demand, count + 1);
            return;
        }
        if count > 0 {
            self.past.push((sum / f64::from(count)) as f32);
            let gap = usize::try_from((end_s - open_s) / STEP_S - 1).unwrap_or(0).min(CONTEXT);
            self.past.extend(std::iter::repeat_n(f32::NAN, gap));
            self.look_ahead(end_s - STEP_S);
        }
        self.sum = (end_s, demand, 1);
    }

    /// Forecasts from the end of the last finished step; the forecaster says itself whether that is worth doing anew.
    fn look_ahead(&mut self, end_s: i64) {
        if self.past.len() < ENOUGH {
            return;
        }
        let values = self.past[self.past.len().saturating_sub(CONTEXT)..].to_vec();
        let start_s = end_s - STEP_S * (i64::try_from(values.len()).unwrap_or(1) - 1);
        let ahead = Window { from_s: end_s + STEP_S, to_s: end_s + STEP_S + HORIZON_S, step_s: GRID_S };
        let announced = self.said(name::REQUESTS, ahead);
        let past = Series { start_s, step_s: GRID_S, values };
        let past = without_announced(past, &|window| self.said(name::REQUESTS, window), &|_| self.hours(end_s));
        let input = ForecastInput {
            workload: self.workload.clone(),
            metric: self.metric.clone(),
            past,
            announced: announced.factors.clone(),
        };
        let made = self.forecaster.forecast(&[input], HORIZON).pop();
        self.forecast = made.map(|made| announced.add_to(made));
    }

    /// All of the past by hours; its last step ends at `end_s`.
    fn hours(&self, end_s: i64) -> Option<Series> {
        let start_s = end_s - STEP_S * (i64::try_from(self.past.len()).unwrap_or(1) - 1);
        by_hours(&Series { start_s, step_s: GRID_S, values: self.past.clone() })
    }

    /// What people announced of a metric over a window.
    fn said(&self, metric: &str, window: Window) -> Announced {
        let announced = |told: &Told| {
            let at_work = told.at(Time::from_s(window.from_s));
            at_work.announced(&Nothing, &self.workload, &Metric::new(metric), window)
        };
        self.told.map_or_else(Announced::default, announced)
    }

    /// The greatest factor that is announced for the next `span_s`.
    pub(crate) fn announced(&self, now_s: i64, span_s: i64) -> f64 {
        let step_s = span_s.clamp(1, 60);
        let steps = (span_s + step_s - 1) / step_s;
        let ahead = Window { from_s: now_s + step_s, to_s: now_s + step_s * (steps + 1), step_s: whole(step_s) };
        let factors = self.announced_of.iter().flat_map(|metric| self.said(metric, ahead).factors);
        factors.map(f64::from).reduce(f64::max).unwrap_or(1.0)
    }

    /// The most that is forecast for the next `span_s`.
    pub(crate) fn most(&self, now_s: i64, span_s: i64) -> Option<f64> {
        let forecast = self.forecast.as_ref()?;
        let first = forecast.index_at(Time::from_s(now_s))?;
        let last = forecast.index_at(Time::from_s(now_s + span_s)).unwrap_or(forecast.len() - 1);
        (first..=last).filter_map(|index| forecast.at(index, LEVEL).map(f64::from)).max_by(f64::total_cmp)
    }
}

/// No past: requests are announced as such.
struct Nothing;

impl History for Nothing {
    fn series(&self, _: &WorkloadId, _: &Metric, _: Window) -> Option<Series> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{peers::testing, replicas::in_service, world::in_force};
    use apportion_core::{
        Instructed, Instruction, InstructionId,
        instruction::{Effect, InstructionKind},
    };

    /// Three times the requests are announced: as many replicas serve from the first sample of it on, and not long before, however long
    /// one takes to start.
    #[test]
    fn replicas_serve_when_an_announced_event_begins() {
        let (step_s, begin_s) = (60, 6_000);
        let series = testing::series("requests_per_min", step_s, &[100.0; 200]);
        let event = Instruction {
            workloads: vec!["w".to_owned()],
            effect: Some(Effect::Multiply),
            amount: Some(3.0),
            start: Some(Time::from_s(begin_s)),
            end: Some(Time::from_s(begin_s + 1_800)),
            ..Instruction::new(InstructionKind::Event, "sale")
        };
        let said = Instructed { id: InstructionId(0), time: Time::from_s(0), revoked: None, instruction: event };
        let told = Some(Told { said: vec![said], offset_s: |_, _| 0 });
        let engine = Engine { told, ..Engine::apportion("recent", 3_600).unwrap() };
        for replica_start_s in [0, 60, 90, 300] {
            let options = Options { replica_start_s, ..Options::default() };
            let serving = in_service(&play(&series, &engine, &[0.01], &options)[0], replica_start_s);
            let at = |time_s: i64| in_force(&serving, time_s).unwrap();
            assert!(at(begin_s + step_s) >= 300.0, "{replica_start_s}: {serving:?}");
            assert!(at(begin_s - 2 * step_s) < 300.0, "{replica_start_s}: {serving:?}");
        }
    }
}
