//! What a workload should have of one knob.
//!
//! ```text
//! wanted = round up( bounds( asked( margin * burst * max( announced( track(risk) ), forecast(level) ) + growth ) ) )
//! ```
//!
//! - `risk` is the share of time over that people allow (`violation_share`). It is what harm costs against waste: a share `v` is the
//!   least-cost one where a unit of unmet demand costs `(1 - v) / v` times a unused unit (newsvendor). The killing memory limit
//!   is sized for a tenth of it, since a kill costs at least ten times a slow-down.
//! - `track` is the allotment that kept the share in the past (`track`), `forecast` is what is forecast for the next hour at a level
//!   between 0.2 and 0.8 that rises as risk falls: it raises ahead of what is announced or beyond all that was used in a week, and never cuts.
//! - Where the last step used just what is allotted, the limit was met and demand is hidden: `track` is then at least half as much
//!   again as is allotted.
//! - `announced` is what people said of demand for the coming hour: a factor and an amount on what is usual. The track is of
//!   usual demand: what was announced for a time is taken out of the past of that time as far as it came, so that an event is neither counted
//!   twice while it lasts nor remembered as usual when it is over. An announced drop takes nothing away that is in use.
//! - `asked` is what people reported to lack or to have too much, as a factor and an amount; never below the last hour's use.
//! - Of a new workload (less than a day seen) look-alikes tell (`kin`) in place of the track, until it uses more than they ever did.
//! - `margin` is what earlier harm adds; not where the track has counted all that hurt and found it within `risk`.
//! - `burst` is how far the finer samples rise above the steps that are sized for; 1 where there are none.
//! - `growth`, for the killing memory limit only: what memory grew by over the last hour, again.

use super::{
    kin::told,
    reason::{NEXT_LOWER, counterfactual, expected, used},
    source::Tracks,
    track::{Track, served_risk},
};
use apportion_core::{
    Announced, Assessment, Binding, Forecast, History, Knob, Metric, Reason, Series, Setting, Time, Want, Window,
    WorkloadId, WorkloadState, knob, plan::Used, traits::AssessInput, without_announced, workload::Asked,
};

/// The killing limit is sized for this part of the risk.
const KILL_RISK: f64 = 0.1;
/// The killing limit is at least this factor above the slowing one.
const KILL_ABOVE_SLOW: f64 = 1.1;
/// How far ahead the forecast is looked at, seconds: an allotment should stand for an hour.
pub(crate) const AHEAD_S: i64 = 3_600;
/// What the past tells is known to a track, its rhythm too: a forecast tells something new where it is beyond all that was used in
/// a week, and beyond what this risk would be allotted. The same for all, so that more risk never gives more.
const KNOWN_RISK: f64 = 0.001;
/// The window of `Used`, and of the counterfactual, seconds.
const USED_S: i64 = 86_400;
const LOOK_BACK_S: i64 = 7 * 86_400;
/// Below this span of history a workload is new, seconds.
const NEW_S: f64 = 86_400.0;
/// What was last read longer ago than this is not measured any more, seconds: as long as readings may be apart and still join up.
const UNMEASURED_S: f64 = 900.0;
/// Where use met the limit, this is given on top, as a factor.
const PAST_LIMIT: f64 = 1.5;
/// The window in which finer samples are held against steps, seconds; the finest grid; and the most that may be added for them.
const BURST_S: i64 = 7_200;
const FINEST_S: u32 = 10;
const MOST_BURST: f64 = 2.0;

/// What a track says of a series.
struct Sized {
    kept: f64,
    /// What `KNOWN_RISK` would be allotted, and the greatest use in a week.
    known: f64,
    seen: u64,
    /// Demand was over no more often than people allow.
    is_kept: bool,
    daily: bool,
    step_s: u32,
}

/// What one workload should have of every knob that can be set and whose demand is known.
pub(crate) fn assess(tracks: &Tracks, input: &AssessInput<'_>) -> Assessment {
    let knobs = knob::ALL.into_iter().filter(|knob| is_worth_saying(input, *knob));
    let sized = |knob| want(tracks, input, knob).filter(|_| !is_unmeasured(input, knob));
    let of = |knob| sized(knob).or_else(|| bound_alone(input, knob));
    let mut wants: Vec<Want> = knobs.filter_map(of).collect();
    keep_apart(&mut wants, input);
    Assessment { made: input.now, wants }
}

/// A knob that can be set, or that could be if the workload had a group of its own: what it would be allotted is shown all the same.
fn is_worth_saying(input: &AssessInput<'_>, knob: Knob) -> bool {
    let forecast = || input.forecasts.contains_key(&Metric::new(knob.demand_metric()));
    input.settings.contains_key(&knob) || (knob != Knob::MemoryHigh && forecast())
}

fn want(tracks: &Tracks, input: &AssessInput<'_>, knob: Knob) -> Option<Want> {
    let metric = Metric::new(knob.demand_metric());
    let risk = risk(knob, input.standing.violation_share);
    let sized = |track: &Track, step_s: u32| Sized {
        kept: f64::from(track.allotment(risk)),
        known: f64::from(track.allotment(KNOWN_RISK).max(track.greatest())),
        seen: track.seen(),
        is_kept: track.is_kept(risk),
        daily: track.is_daily(risk),
        step_s,
    };
    let usual = Usual { history: input.history, announced: input.announced };
    let Sized { kept, known, seen, is_kept, daily, step_s } =
        tracks.with(&usual, (input.workload, &metric), input.now, sized)?;
    let past = past(input, &metric, step_s)?;
    let recent = past.tail(steps(USED_S, step_s));
    let finer = burst(input.history, input.workload, &metric, &past, input.now);
    // Where nothing finer is measured, the track has counted all that hurt: what people allow is no reason to widen.
    let margin = if finer.is_none() && step_s > FINEST_S && is_kept { 1.0 } else { (input.margin)(knob).max(1.0) };
    let ahead = (input.announced)(&metric, ahead(input.now, step_s));
    let at_limit = past_limit(knob, input.settings.get(&knob).copied(), &past);
    let coming = input.forecasts.get(&metric).and_then(|forecast| coming(forecast, input.now, risk));
    let coming = coming.filter(|coming| *coming > known || !ahead.is_empty()).unwrap_or(0.0);
    let wide = margin * finer.unwrap_or(1.0);
    let enough = |kept: f64| clear_of_use(knob, kept, &past).max(at_limit);
    let usual = round_up(knob, enough(kept) * wide);
    let seen_s = seen as f64 * f64::from(step_s);
    let is_new = seen_s < NEW_S;
    let most_used = past.present().map(f64::from).fold(0.0, f64::max);
    let kin = if is_new { told(input, &metric, risk).filter(|kin| most_used <= kin.greatest) } else { None };
    let kept = enough(announced(kin.map_or(kept, |kin| kin.enough.max(most_used)), &ahead, &past));
    let needed = kept.max(coming) * wide + if knob == Knob::MemoryMax { growth(&past) } else { 0.0 };
    let asked = input.standing.asked.get(&knob).copied().unwrap_or_default();
    let needed = as_asked(knob, needed, asked, &past);
    let bounds = input.standing.bounds.get(&knob).copied().unwrap_or_default();
    let value = bounds.hold(round_up(knob, needed.min(f64::from(f32::MAX))));
    let binding = match () {
        () if value > needed && value <= bounds.min => Binding::Floor,
        () if value < needed => Binding::Ceiling,
        () if !ahead.is_empty() => Binding::Announced { usual },
        () if coming > kept || (daily && kin.is_none()) => Binding::Forecast,
        () if is_new => kin.map_or(Binding::ColdStart, |kin| Binding::LookAlikes { count: kin.count }),
        () => Binding::Recent,
    };
    let bound = match binding {
        Binding::Floor => Some(bounds.min),
        Binding::Ceiling => bounds.max,
        _ => None,
    };
    let reason = Reason {
        used: used(&recent).map(|used| Used { seen_s: seen_s.max(used.seen_s), ..used }),
        expected: input.forecasts.get(&metric).and_then(|forecast| expected(forecast, input.now)),
        quantile: 1.0 - served_risk(risk),
        margin: margin * asked.factor,
        binding,
        counterfactual: counterfactual(&past, round_up(knob, value * NEXT_LOWER)),
        asked: (asked != Asked::default()).then_some(asked),
        bound,
        said: input.standing.said.get(&knob).cloned().unwrap_or_default(),
    };
    let least = past.present().last().map_or(0.0, f64::from).min(value);
    Some(Want { knob, value, least, reason })
}

/// True of the one knob that can be turned without its demand, where that is no longer measured: what would be sized by the past
/// would be refused as stale, and stand in the way of what people say.
fn is_unmeasured(input: &AssessInput<'_>, knob: Knob) -> bool {
    let age_s = |state: &WorkloadState| state.age_s(knob.demand_metric(), input.now).abs();
    let is_old = || input.workloads.get(input.workload).is_some_and(|state| age_s(state) > UNMEASURED_S);
    knob == Knob::NetworkSendMax && is_old()
}

/// The most that people allow, where nothing is known of what is sent: the one knob that can be turned where its demand is not measured.
fn bound_alone(input: &AssessInput<'_>, knob: Knob) -> Option<Want> {
    let can_be_set = knob == Knob::NetworkSendMax && input.settings.contains_key(&knob);
    let most = input.standing.bounds.get(&knob).filter(|_| can_be_set)?.max?;
    let said = input.standing.said.get(&knob).cloned().unwrap_or_default();
    let reason = Reason { bound: Some(most), said, ..Reason::only(Binding::Ceiling) };
    Some(Want { knob, value: most.max(knob.smallest()), least: 0.0, reason })
}

/// The past without what was announced for it.
struct Usual<'a> {
    history: &'a dyn History,
    announced: &'a dyn Fn(&Metric, Window) -> Announced,
}

impl History for Usual<'_> {
    fn series(&self, workload: &WorkloadId, metric: &Metric, window: Window) -> Option<Series> {
        let past = |window: Window| self.history.series(workload, metric, window);
        Some(without_announced(past(window)?, &|window| (self.announced)(metric, window), &past))
    }
}

/// The steps of the coming hour, the one that has begun first.
fn ahead(now: Time, step_s: u32) -> Window {
    let step = i64::from(step_s.max(1));
    let from_s = now.s().div_euclid(step) * step + step;
    Window { from_s, to_s: (now.s() + AHEAD_S).div_euclid(step) * step + step, step_s }
}

/// What enough for usual demand becomes with what is announced; a drop leaves what was used last.
fn announced(kept: f64, ahead: &Announced, past: &Series) -> f64 {
    let greatest = ahead.greatest(kept);
    let used = past.present().last().map_or(0.0, f64::from);
    if greatest < kept { greatest.max(used.min(kept)) } else { greatest }
}

/// What people asked for beyond what is needed; what they would do without is taken away down to the use of the last hour.
fn as_asked(knob: Knob, needed: f64, asked: Asked, past: &Series) -> f64 {
    let wanted = (needed * asked.factor + asked.added).max(0.0);
    if wanted >= needed {
        return wanted;
    }
    let used = past.tail(steps(AHEAD_S, past.step_s).max(1)).present().map(f64::from).fold(0.0, f64::max);
    wanted.max((used * clear(knob)).min(needed))
}

fn risk(knob: Knob, violation_share: f64) -> f64 {
    if knob == Knob::MemoryMax { violation_share * KILL_RISK } else { violation_share }
}

/// The past that reasons are told from.
fn past(input: &AssessInput<'_>, metric: &Metric, step_s: u32) -> Option<Series> {
    let window = Window::last(input.now, step_s, steps(LOOK_BACK_S, step_s).min(2_016));
    input.history.series(input.workload, metric, window)
}

fn steps(span_s: i64, step_s: u32) -> usize {
    usize::try_from(span_s / i64::from(step_s.max(1))).unwrap_or(0)
}

/// The most that is forecast for the next hour, at a level that rises from 0.2 (a risk of a tenth) to 0.8 (a thousandth).
#[allow(clippy::cast_possible_truncation, reason = "a level")]
fn coming(forecast: &Forecast, now: Time, risk: f64) -> Option<f64> {
    let level = 0.2 + 0.3 * (0.1 / risk.max(1e-9)).log10().clamp(0.0, 2.0);
    let first = forecast.index_at(now)?;
    let last = forecast.index_at(now.plus_s(AHEAD_S)).unwrap_or(forecast.len() - 1);
    let at = |index| forecast.at(index, level as f32).map(f64::from);
    (first..=last).filter_map(at).max_by(f64::total_cmp)
}

/// Use within this share of the limit met the limit. What is sent is counted before the card cuts it into packets, whose headers
/// the limit counts: up to 6 % (TCP over IPv6 in frames of 1,500 bytes).
const fn at_limit_share(knob: Knob) -> f64 {
    if matches!(knob, Knob::NetworkSendMax) { 0.07 } else { 0.01 }
}

/// The least factor above use at which use does not seem to have met the limit.
const fn clear(knob: Knob) -> f64 {
    1.0 + 1.1 * at_limit_share(knob)
}

/// `kept`, unless it lies so near the last use that use would seem to have met it.
fn clear_of_use(knob: Knob, kept: f64, past: &Series) -> f64 {
    let (used, share) = (past.values.last().map_or(0.0, |used| f64::from(*used)), at_limit_share(knob));
    let near = (1.0 - share..1.0 + share).contains(&(kept / used));
    if near { used * clear(knob) } else { kept }
}

/// More than is allotted, where the last step used just that; else 0.
fn past_limit(knob: Knob, setting: Option<Setting>, past: &Series) -> f64 {
    let limit = setting.and_then(Setting::value).filter(|limit| *limit > 0.0);
    let used = past.values.last().map(|used| f64::from(*used));
    let met = limit.zip(used).filter(|(limit, used)| (used / limit - 1.0).abs() <= at_limit_share(knob));
    met.map_or(0.0, |(limit, _)| limit * PAST_LIMIT)
}

/// How far the finer samples of the last hours rise above the steps that hold them: in nine of ten steps not further than this.
/// `None` without finer samples.
fn burst(history: &dyn History, workload: &WorkloadId, metric: &Metric, past: &Series, now: Time) -> Option<f64> {
    if past.step_s <= FINEST_S {
        return None;
    }
    let per_step = (past.step_s / FINEST_S) as usize;
    let window = Window::last(now, FINEST_S, steps(BURST_S, FINEST_S));
    let fine = history.series(workload, metric, window)?;
    let rise = |block: &[f32]| {
        let seen: Vec<f32> = block.iter().copied().filter(|value| value.is_finite()).collect();
        let mean = apportion_core::stats::mean(&seen)?;
        (seen.len() * 2 >= block.len() && mean > 0.0).then(|| seen.iter().copied().fold(0.0, f32::max) / mean)
    };
    let rises: Vec<f32> = fine.values.chunks(per_step).filter_map(rise).collect();
    apportion_core::stats::quantile(&rises, 0.9).map(|rise| f64::from(rise).clamp(1.0, MOST_BURST))
}

/// What the mean of the last hour is above that of the hour before.
fn growth(past: &Series) -> f64 {
    let hour = steps(AHEAD_S, past.step_s).max(1);
    let len = past.len();
    let mean = |from: usize, to: usize| apportion_core::stats::mean(past.values.get(from..to)?).map(f64::from);
    let now = mean(len.saturating_sub(hour), len);
    let before = mean(len.saturating_sub(2 * hour), len.saturating_sub(hour));
    now.zip(before).map_or(0.0, |(now, before)| (now - before).max(0.0))
}

/// Rounds up to a grain that a person would write: a hundredth of a core, a mebibyte, 64 kibibytes a second; three digits where
/// the value is small against that.
fn round_up(knob: Knob, value: f64) -> f64 {
    let grain = match knob {
        Knob::CpuQuota => 0.01,
        Knob::MemoryHigh | Knob::MemoryMax => 1_048_576.0,
        Knob::IoReadMax | Knob::IoWriteMax | Knob::NetworkSendMax => 65_536.0,
    };
    let fine = if value < 100.0 * grain { grain / 100.0 } else { grain };
    ((value / fine - 1e-6).ceil() * fine).max(knob.smallest())
}

/// The killing limit stays above the slowing one, as far as the bounds allow.
fn keep_apart(wants: &mut [Want], input: &AssessInput<'_>) {
    let Some(high) = wants.iter().find(|want| want.knob == Knob::MemoryHigh).map(|want| want.value) else { return };
    let bounds = input.standing.bounds.get(&Knob::MemoryMax).copied().unwrap_or_default();
    for want in wants.iter_mut().filter(|want| want.knob == Knob::MemoryMax && want.value < high * KILL_ABOVE_SLOW) {
        want.value = bounds.hold(round_up(Knob::MemoryMax, high * KILL_ABOVE_SLOW));
    }
}
