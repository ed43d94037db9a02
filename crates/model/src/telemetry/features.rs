//! From a window of a series to the network's input: one row of features and one set of candidate forecasts a token.
//!
//! Token i has seen patches 0..=i and forecasts patch i + 1. A patch that is not visible (the horizon, or a stretch
//! hidden in training) adds nothing: its token forecasts from what was seen before it. All a row holds is either seen by
//! then or known ahead (seasonal lags, calendar, announced events), so that row i never depends on what comes later.
//!
//! Two scales. *Local*: median and mean deviation of the last 64 values, in which forecasts are made. *Global*: running
//! mean and deviation, slowly changing, so that a token can compare today's level with yesterday's. Both are squashed by
//! asinh: linear near the level, logarithmic far from it. An announced multiplier is divided out of the past and
//! multiplied into the forecast; the features only tell of it.

use super::phase_window::{PhaseWindow, SEASONS_BACK, first_season_back};
use super::season::SeasonFinder;
use super::sorted_window::SortedWindow;
use super::tokens::{Candidates, Tokens, Window};
use super::{LEVELS, PATCH};
use crate::layers::activation::ln;
use crate::layers::vectorized;

/// Features of one token; see `FeatureRow` for their places.
pub(crate) const FEATURES: usize = 8 * PATCH + 2 * LEVELS + SCALARS;
const SCALARS: usize = 24;
const RECENT: usize = 64;
const LONG: usize = 288;
/// The local scale is at least this share of the global deviation.
const LEAST_LOCAL: f64 = 0.05;
/// ... and this share of the level: about what an f32 can still tell apart.
const LEAST_RELATIVE: f64 = 1e-6;

/// Makes token rows; holds the buffers that one window needs.
#[derive(Clone, Debug)]
pub(crate) struct FeatureMaker {
    pub(crate) finder: SeasonFinder,
    /// What has been seen, events divided out; NaN where missing or not yet seen.
    clean: Vec<f64>,
    recent: SortedWindow,
    long: SortedWindow,
    /// (step, value) of the last `RECENT` seen values.
    tail: Vec<(f64, f64)>,
    running: Running,
    season_error: [Ema; 2],
    /// Mean of (value − value a first season before).
    drift: Ema,
    /// Where the last token left it: the next one goes on from there.
    phase: Option<PhaseWindow>,
    seen_end: usize,
}

/// The line through the last values: its value at step `end`, the last seen one's, and how much it rises a step.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    level: f64,
    slope: f64,
    end: f64,
}

/// Running mean and variance (Welford).
#[derive(Clone, Copy, Debug, Default)]
struct Running {
    count: f64,
    mean: f64,
    sum_of_squares: f64,
}

impl Running {
    fn push(&mut self, value: f64) {
        self.count += 1.0;
        let from_old = value - self.mean;
        self.mean += from_old / self.count;
        self.sum_of_squares += from_old * (value - self.mean);
    }

    fn deviation(&self) -> f64 {
        if self.count < 2.0 { 0.0 } else { (self.sum_of_squares / (self.count - 1.0)).sqrt() }
    }
}

/// Exponential average of a patch's mean error, half the weight on the newest patch.
#[derive(Clone, Copy, Debug, Default)]
struct Ema(Option<f64>);

impl Ema {
    fn push(&mut self, value: f64) {
        self.0 = Some(self.0.map_or(value, |old| 0.5 * (old + value)));
    }
}

/// The two scales at one token.
#[derive(Clone, Copy, Debug)]
struct Scales {
    centre: f64,
    scale: f64,
    /// Mean deviation of the last values: the scale before its bounds.
    deviation: f64,
    global_centre: f64,
    global_scale: f64,
}

impl Scales {
    /// In the local scale, not yet squashed.
    fn scaled(&self, value: f64) -> f32 {
        ((value - self.centre) / self.scale) as f32
    }

    fn local(&self, value: f64) -> f32 {
        squash(self.scaled(value))
    }

    fn global(&self, value: f64) -> f32 {
        squash(((value - self.global_centre) / self.global_scale) as f32)
    }
}

fn squash_all(values: &mut [f32]) {
    vectorized(|| values.iter_mut().for_each(|x| *x = squash(*x)));
}

/// asinh, odd, by the formula on |x| that loses nothing to cancellation; NaN stays NaN.
#[inline(always)]
fn squash(x: f32) -> f32 {
    let a = if x.abs() > 1e15 { 1e15 } else { x.abs() };
    let size = ln(a + (a * a + 1.0).sqrt());
    if x.is_nan() { x } else { size.copysign(x) }
}

impl FeatureMaker {
    pub(crate) fn new() -> Self {
        Self {
            finder: SeasonFinder::new(),
            clean: Vec::new(),
            recent: SortedWindow::new(RECENT),
            long: SortedWindow::new(LONG),
            tail: Vec::with_capacity(2 * RECENT),
            running: Running::default(),
            season_error: [Ema::default(); 2],
            drift: Ema::default(),
            phase: None,
            seen_end: 0,
        }
    }

    /// Appends one row for every patch but the last.
    pub(crate) fn append(&mut self, window: &Window<'_>, tokens: &mut Tokens) {
        self.start(window);
        for token in 0..window.visible.len().saturating_sub(1) {
            if window.visible[token] {
                self.see(window, token);
            }
            self.row(window, token, tokens);
        }
    }

    fn start(&mut self, window: &Window<'_>) {
        self.clean.clear();
        self.clean.resize(window.values.len(), f64::NAN);
        for (clean, value) in self.clean.iter_mut().zip(&window.values[..window.lead]) {
            *clean = f64::from(*value);
        }
        self.recent.clear();
        self.long.clear();
        self.tail.clear();
        self.running = Running::default();
        self.season_error = [Ema::default(); 2];
        self.drift = Ema::default();
        self.phase = None;
        self.seen_end = window.lead;
    }

    /// Takes in the values of a visible patch.
    fn see(&mut self, window: &Window<'_>, patch: usize) {
        let start = window.lead + patch * PATCH;
        for step in start..start + PATCH {
            let value = f64::from(window.values[step]) / window.multiplier(step);
            if !value.is_finite() {
                continue;
            }
            self.clean[step] = value;
            self.recent.push(value);
            self.long.push(value);
            self.running.push(value);
            self.tail.push((step as f64, value));
        }
        let surplus = self.tail.len().saturating_sub(RECENT);
        self.tail.drain(..surplus);
        for which in 0..2 {
            self.judge_season(window.seasons[which], which, start);
        }
        self.seen_end = start + PATCH;
    }

    /// How well the value a season ago told this patch.
    fn judge_season(&mut self, season: Option<usize>, which: usize, start: usize) {
        let Some(season) = season else { return };
        let changes = (start.max(season)..start + PATCH).map(|step| self.clean[step] - self.clean[step - season]);
        let (sum, size, count) = changes
            .filter(|change| change.is_finite())
            .fold((0.0, 0.0, 0.0), |(sum, size, count), change| (sum + change, size + change.abs(), count + 1.0));
        if count == 0.0 {
            return;
        }
        self.season_error[which].push(size / count);
        if which == 0 {
            self.drift.push(sum / count);
        }
    }

    fn scales(&self) -> Scales {
        let Some(recent) = self.recent.quantiles() else {
            return Scales { centre: 0.0, scale: 1.0, deviation: 0.0, global_centre: 0.0, global_scale: 1.0 };
        };
        let centre = recent[LEVELS / 2];
        let global = self.running.deviation();
        let floor = LEAST_RELATIVE * centre.abs().max(self.running.mean.abs());
        let deviation = self.recent.mean_deviation(centre);
        let scale = deviation.max(LEAST_LOCAL * global).max(floor);
        // A series of zeros has no scale of its own.
        let or_one = |scale: f64| if scale > 0.0 { scale } else { 1.0 };
        Scales {
            centre,
            scale: or_one(scale),
            deviation,
            global_centre: self.running.mean,
            global_scale: or_one(global.max(floor)),
        }
    }

    /// The last finite value at whole seasons before `step`, among those seen.
    fn lagged(&self, season: Option<usize>, step: usize) -> Option<f64> {
        let season = season?;
        let back = first_season_back(step, self.seen_end, season);
        (back..back + SEASONS_BACK)
            .map_while(|k| step.checked_sub(k * season))
            .map(|at| self.clean[at])
            .find(|x| x.is_finite())
    }

    fn line(&self) -> Line {
        let n = self.tail.len() as f64;
        let Some((end, last)) = self.tail.last().copied() else { return Line::default() };
        let (mean_t, mean) = self.tail.iter().fold((0.0, 0.0), |(a, b), (t, x)| (a + t / n, b + x / n));
        let (tt, tx) = self
            .tail
            .iter()
            .fold((0.0, 0.0), |(tt, tx), (t, x)| (tt + (t - mean_t) * (t - mean_t), tx + (t - mean_t) * (x - mean)));
        if tt <= 0.0 {
            return Line { level: last, slope: 0.0, end };
        }
        Line { level: mean + tx / tt * (end - mean_t), slope: tx / tt, end }
    }

    fn row(&mut self, window: &Window<'_>, token: usize, tokens: &mut Tokens) {
        let scales = self.scales();
        let line = self.line();
        let ahead = window.lead + (token + 1) * PATCH;
        tokens.centre.push(scales.centre);
        // What has only ever been constant is forecast to stay so: it tells nothing of how far it might move.
        let constant = scales.deviation == 0.0 && self.running.deviation() == 0.0;
        tokens.scale.push(if constant { 0.0 } else { scales.scale });
        self.candidates(window, &scales, line, ahead, &mut tokens.candidates);
        self.features(window, &scales, line, token, tokens);
        let known = self.running.count >= 4.0;
        tokens.targets.extend((ahead..ahead + PATCH).map(|step| {
            let value = f64::from(window.values[step]) / window.multiplier(step);
            if known && value.is_finite() { scales.scaled(value) } else { f32::NAN }
        }));
        let targets = tokens.targets.len();
        squash_all(&mut tokens.targets[targets - PATCH..]);
    }

    fn candidates(&mut self, window: &Window<'_>, scales: &Scales, line: Line, ahead: usize, out: &mut Candidates) {
        let none = [scales.centre; LEVELS];
        let recent = self.recent.quantiles().unwrap_or(none).map(|value| scales.local(value));
        out.recent.extend(recent);
        out.long.extend(self.long.quantiles().unwrap_or(none).map(|value| scales.local(value)));
        out.last.push(self.tail.last().map_or(0.0, |(_, value)| scales.local(*value)));
        for step in ahead..ahead + PATCH {
            let lag = |season| self.lagged(season, step).map_or(0.0, |value| scales.scaled(value));
            out.lag.push(lag(window.seasons[0]));
            out.other_lag.push(lag(window.seasons[1]));
            out.trend.push(scales.scaled(line.level + line.slope * (step as f64 - line.end)));
        }
        for steps in [&mut out.lag, &mut out.other_lag, &mut out.trend] {
            let end = steps.len();
            squash_all(&mut steps[end - PATCH..]);
        }
        self.seasonal_candidates(window.seasons[0], scales, ahead, recent, out);
    }

    fn seasonal_candidates(
        &mut self,
        season: Option<usize>,
        scales: &Scales,
        ahead: usize,
        otherwise: [f32; LEVELS],
        out: &mut Candidates,
    ) {
        let Some(season) = season else {
            (0..PATCH).for_each(|_| out.seasonal.extend_from_slice(&otherwise));
            (0..PATCH).for_each(|_| out.drifted.extend_from_slice(&otherwise));
            return;
        };
        let drift = self.drift.0.unwrap_or(0.0);
        // What has no value at its phase takes the recent quantiles, like a series without a season.
        let fallback = self.recent.quantiles().unwrap_or([scales.centre; LEVELS]);
        let kept = self.phase.take().filter(|phase| phase.is_at(season, ahead, self.seen_end));
        let mut phase = kept.unwrap_or_else(|| PhaseWindow::new(&self.clean, season, ahead, self.seen_end));
        for _ in 0..PATCH {
            let (levels, moved) = phase.quantiles().map_or((fallback, 0.0), |levels| (levels, drift));
            out.seasonal.extend(levels.map(|value| scales.scaled(value)));
            out.drifted.extend(levels.map(|value| scales.scaled(value + moved)));
            phase.advance(&self.clean, self.seen_end);
        }
        self.phase = Some(phase);
        for levels in [&mut out.seasonal, &mut out.drifted] {
            let end = levels.len();
            squash_all(&mut levels[end - PATCH * LEVELS..]);
        }
    }

    fn features(&self, window: &Window<'_>, scales: &Scales, line: Line, token: usize, tokens: &mut Tokens) {
        let (here, ahead) = (window.lead + token * PATCH, window.lead + (token + 1) * PATCH);
        let seen = &self.clean[here..here + PATCH];
        let or_centre = |value: &f64, centre: f64| if value.is_finite() { *value } else { centre };
        let rows = tokens.rows();
        let (f, c) = (&mut tokens.features, &tokens.candidates);
        let global = |value| ((value - scales.global_centre) / scales.global_scale) as f32;
        f.extend(seen.iter().map(|value| global(or_centre(value, scales.global_centre))));
        f.extend(seen.iter().map(|value| scales.scaled(or_centre(value, scales.centre))));
        let end = f.len();
        squash_all(&mut f[end - 2 * PATCH..]);
        f.extend(seen.iter().map(|value| f32::from(u8::from(value.is_finite()))));
        f.extend_from_slice(&c.lag[(rows - 1) * PATCH..]);
        let seasonal = c.seasonal[(rows - 1) * PATCH * LEVELS..].chunks_exact(LEVELS);
        f.extend(seasonal.clone().map(|levels| levels[LEVELS / 2]));
        f.extend(seasonal.map(|levels| levels[LEVELS - 1] - levels[0]));
        f.extend_from_slice(&c.other_lag[(rows - 1) * PATCH..]);
        if window.multipliers.is_empty() {
            f.extend([0.0; PATCH]);
        } else {
            f.extend((ahead..ahead + PATCH).map(|step| window.multiplier(step).max(1e-3).ln() as f32));
        }
        f.extend_from_slice(&c.recent[(rows - 1) * LEVELS..]);
        f.extend_from_slice(&c.long[(rows - 1) * LEVELS..]);
        f.extend(self.scalars(window, scales, line, ahead));
    }

    fn scalars(&self, window: &Window<'_>, scales: &Scales, line: Line, ahead: usize) -> [f32; SCALARS] {
        let log_ratio = |a: f64, b: f64| ((a / b).max(1e-4).ln() * 0.5) as f32;
        let error = |which: usize| self.season_error[which].0.map_or(0.0, |error| log_ratio(error, scales.scale));
        let known = |value: bool| f32::from(u8::from(value));
        let hidden = ((ahead - self.seen_end) / PATCH) as f32;
        let last = self.tail.last().map_or(0.0, |(_, value)| scales.local(*value));
        let span = self.tail.first().map_or(0.0, |(step, _)| (self.seen_end as f64 - step) / RECENT as f64);
        let zero = if window.non_negative { scales.local(0.0) * 0.5 } else { 0.0 };
        let [time_known, day_sin, day_cos, week_sin, week_cos] = calendar(window, ahead - window.lead);
        let log_season = |which: usize| window.seasons[which].map_or(0.0, |lag| (lag as f32).ln() * 0.25);
        [
            log_ratio(scales.scale, scales.global_scale),
            scales.global(scales.centre),
            last,
            squash((line.slope * PATCH as f64 / scales.scale) as f32),
            hidden * 0.125,
            (1.0 + hidden).ln(),
            known(window.seasons[0].is_some()),
            known(self.season_error[0].0.is_some()),
            known(self.season_error[1].0.is_some()),
            log_season(0),
            log_season(1),
            error(0),
            error(1),
            ((1.0 + self.running.count).ln() * 0.25) as f32,
            zero,
            known(window.non_negative),
            squash((self.drift.0.unwrap_or(0.0) / scales.scale) as f32),
            self.recent.share_of(scales.centre),
            (span.max(1.0).ln()) as f32,
            time_known,
            day_sin,
            day_cos,
            week_sin,
            week_cos,
        ]
    }
}

/// Known flag, and the phase of day and of week in the middle of the patch that starts at `step`.
fn calendar(window: &Window<'_>, step: usize) -> [f32; 5] {
    let Some(start) = window.start_time_s else { return [0.0; 5] };
    let middle = start.saturating_add((step + PATCH / 2) as i64 * i64::from(window.step_s));
    let phase = |span: i64| middle.rem_euclid(span) as f32 / span as f32 * std::f32::consts::TAU;
    let (day, week) = (phase(86_400), phase(604_800));
    // A patch of half a day or more has no time of day.
    let day_known = f32::from(u8::from(u64::from(window.step_s) * PATCH as u64 <= 43_200));
    [1.0, day.sin() * day_known, day.cos() * day_known, week.sin(), week.cos()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squash_is_asinh() {
        for x in [-1e12_f32, -3.0, -1e-4, 0.0, 1e-6, 0.5, 40.0, 1e15] {
            let exact = f64::from(x).asinh();
            let found = f64::from(squash(x));
            assert!((found - exact).abs() <= 2e-7 + 2e-7 * exact.abs(), "asinh({x}) = {found}, not {exact}");
        }
        assert!(squash(f32::NAN).is_nan(), "missing stays missing");
        assert!(squash(f32::INFINITY) < 40.0);
    }

    /// What the first `seen` patches give must not depend on anything after them.
    #[test]
    fn the_future_never_changes_a_row() {
        let mut values: Vec<f32> = (0..20 * PATCH).map(|t| 5.0 + (t as f32 * 0.26).sin() + (t % 7) as f32).collect();
        let visible = [true; 20];
        let rows = |values: &[f32]| {
            let window = Window {
                values,
                lead: 0,
                visible: &visible,
                multipliers: &[],
                seasons: [Some(24), Some(100)],
                step_s: 300,
                start_time_s: Some(0),
                non_negative: true,
            };
            let mut tokens = Tokens::default();
            FeatureMaker::new().append(&window, &mut tokens);
            tokens
        };
        let before = rows(&values);
        values[12 * PATCH..].iter_mut().for_each(|x| *x = f32::NAN);
        let after = rows(&values);
        assert_eq!(before.features[..12 * FEATURES], after.features[..12 * FEATURES]);
        assert_eq!(before.candidates.seasonal[..12 * PATCH * LEVELS], after.candidates.seasonal[..12 * PATCH * LEVELS]);
        assert_eq!(before.candidates.drifted[..12 * PATCH * LEVELS], after.candidates.drifted[..12 * PATCH * LEVELS]);
        assert_eq!(before.centre[..12], after.centre[..12]);
        assert_ne!(before.features[12 * FEATURES..], after.features[12 * FEATURES..]);
        assert!(before.targets[11 * PATCH..12 * PATCH].iter().all(|x| x.is_finite()));
        assert!(after.targets[11 * PATCH..].iter().all(|x| x.is_nan()), "a missing target is not learnt");
    }
}
