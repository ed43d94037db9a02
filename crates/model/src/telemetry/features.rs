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

use super::phase_table::{PhaseTable, SEASONS_BACK, runs};
use super::scale::{Scales, squash, squash_all};
use super::season::SeasonFinder;
use super::sorted_window::{Entry, SortedWindow};
use super::tokens::{Candidates, Tokens, Window};
use super::{LEVELS, PATCH};

/// Features of one token; `FeatureMaker::features` says which.
pub(crate) const FEATURES: usize = 8 * PATCH + 2 * LEVELS + SCALARS;
const SCALARS: usize = 24;
const RECENT: usize = 64;
const LONG: usize = 288;
/// The local scale is at least this share of the global deviation.
const LEAST_LOCAL: f64 = 0.05;
/// ... and this share of the level: about what an f32 can still tell apart.
const LEAST_RELATIVE: f64 = 1e-6;
/// The levels that tell a token how a distribution lies: lowest, median, highest.
const OUTLINE: [usize; 3] = [0, LEVELS / 2, LEVELS - 1];

/// Makes token rows; holds the buffers that one window needs.
#[derive(Clone, Debug)]
pub(crate) struct FeatureMaker {
    pub(crate) finder: SeasonFinder,
    /// What has been seen, events divided out; NaN where missing or not yet seen.
    clean: Vec<f64>,
    recent: SortedWindow,
    long: SortedWindow,
    /// What a patch adds to both.
    fresh: Vec<Entry>,
    /// (step, value) of the last `RECENT` seen values.
    tail: Vec<(f64, f64)>,
    running: Running,
    season_error: [Ema; 2],
    /// Mean of (value − value a first season before).
    drift: Ema,
    summary: Summary,
    /// Around the phases of the patch ahead of the token at work.
    phases: PhaseTable,
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

/// What the values seen so far say, the same for every token until more are seen.
#[derive(Clone, Copy, Debug)]
struct Summary {
    scales: Scales,
    line: Line,
    /// Quantiles of the last 64 values in the series' unit, and of the last 64 and the last 288 in the local scale.
    levels: [f64; LEVELS],
    recent: [f32; LEVELS],
    long: [f32; LEVELS],
    /// The last value in the local scale.
    last: f32,
}

/// The value one season before, for each step of the patch ahead, in the local scale; 0 where there is none.
type Lags = [f32; PATCH];

impl Summary {
    fn of(scales: Scales, line: Line, last: Option<f64>, recent: &SortedWindow, long: &SortedWindow) -> Self {
        let levels = |window: &SortedWindow| window.quantiles().unwrap_or([scales.centre; LEVELS]);
        let local = |levels: [f64; LEVELS]| levels.map(|value| scales.local(value));
        Self {
            scales,
            line,
            levels: levels(recent),
            recent: local(levels(recent)),
            long: local(levels(long)),
            last: last.map_or(0.0, |value| scales.local(value)),
        }
    }
}

impl FeatureMaker {
    pub(crate) fn new() -> Self {
        let (recent, long) = (SortedWindow::new(RECENT), SortedWindow::new(LONG));
        let summary = Summary::of(Scales::UNKNOWN, Line::default(), None, &recent, &long);
        Self {
            finder: SeasonFinder::new(),
            clean: Vec::new(),
            recent,
            long,
            fresh: Vec::with_capacity(PATCH),
            tail: Vec::with_capacity(2 * RECENT),
            running: Running::default(),
            season_error: [Ema::default(); 2],
            drift: Ema::default(),
            summary,
            phases: PhaseTable::new(),
            seen_end: 0,
        }
    }

    /// Appends one row for every patch but the last: features for all of them, the rest for the last `wanted` only, of
    /// which a forecast will be read.
    pub(crate) fn append(&mut self, window: &Window<'_>, wanted: usize, tokens: &mut Tokens) {
        self.start(window);
        let rows = window.visible.len().saturating_sub(1);
        for token in 0..rows {
            if window.visible[token] {
                self.see(window, token);
            }
            self.find_phases(window, token);
            self.features(window, token, &mut tokens.features);
            if token + wanted >= rows {
                self.candidates(window, token, &mut tokens.candidates);
                self.targets(window, token, tokens);
            }
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
        self.seen_end = window.lead;
        self.summary = self.summarise();
    }

    /// Takes in the values of a visible patch.
    fn see(&mut self, window: &Window<'_>, patch: usize) {
        let start = window.lead + patch * PATCH;
        self.fresh.clear();
        for step in start..start + PATCH {
            let value = f64::from(window.values[step]) / window.multiplier(step);
            if !value.is_finite() {
                continue;
            }
            self.clean[step] = value;
            self.fresh.push((value, self.running.count as u64));
            self.running.push(value);
            self.tail.push((step as f64, value));
        }
        self.fresh.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        self.recent.merge(&self.fresh);
        self.long.merge(&self.fresh);
        let surplus = self.tail.len().saturating_sub(RECENT);
        self.tail.drain(..surplus);
        for which in 0..2 {
            self.judge_season(window.seasons[which], which, start);
        }
        self.seen_end = start + PATCH;
        self.summary = self.summarise();
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
            return Scales::UNKNOWN;
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

    fn summarise(&self) -> Summary {
        let last = self.tail.last().map(|(_, value)| *value);
        Summary::of(self.scales(), self.line(), last, &self.recent, &self.long)
    }

    fn find_phases(&mut self, window: &Window<'_>, token: usize) {
        let ahead = window.lead + (token + 1) * PATCH;
        match window.seasons[0] {
            Some(season) => self.phases.fill(&self.clean, season, ahead, self.seen_end),
            None => self.phases.clear(),
        }
    }

    /// The last finite value at whole seasons before each step, among those seen.
    fn lags(&self, season: Option<usize>, ahead: usize) -> Lags {
        let mut lags = [0.0; PATCH];
        let Some(season) = season else { return lags };
        for (steps, back) in runs(ahead, 0, self.seen_end, season) {
            for step in steps {
                let earlier = (back..back + SEASONS_BACK).map_while(|k| (ahead + step).checked_sub(k * season));
                let known = earlier.map(|at| self.clean[at]).find(|x| x.is_finite());
                lags[step] = known.map_or(0.0, |value| self.summary.scales.scaled(value));
            }
        }
        squash_all(&mut lags);
        lags
    }

    /// Some levels of the distribution at each step's phase, moved by `drift`, in the local scale. What has no value at its
    /// phase has the recent quantiles, like a series without a season.
    fn seasonal<const N: usize>(&self, levels: [usize; N], drift: f64) -> [[f32; N]; PATCH] {
        let scales = &self.summary.scales;
        let otherwise = levels.map(|level| self.summary.levels[level]);
        let mut steps = std::array::from_fn(|step| {
            let (values, moved) =
                self.phases.quantiles(step, levels).map_or((otherwise, 0.0), |values| (values, drift));
            values.map(|value| scales.scaled(value + moved))
        });
        squash_all(steps.as_flattened_mut());
        steps
    }

    fn candidates(&self, window: &Window<'_>, token: usize, out: &mut Candidates) {
        let Summary { scales, line, recent, long, last, .. } = &self.summary;
        let ahead = window.lead + (token + 1) * PATCH;
        out.recent.extend(recent);
        out.long.extend(long);
        out.last.push(*last);
        out.lag.extend(self.lags(window.seasons[0], ahead));
        out.other_lag.extend(self.lags(window.seasons[1], ahead));
        let steps = ahead..ahead + PATCH;
        out.trend.extend(steps.map(|step| scales.scaled(line.level + line.slope * (step as f64 - line.end))));
        let trends = out.trend.len();
        squash_all(&mut out.trend[trends - PATCH..]);
        let all = std::array::from_fn(|level| level);
        out.seasonal.extend(self.seasonal::<LEVELS>(all, 0.0).as_flattened());
        out.drifted.extend(self.seasonal::<LEVELS>(all, self.drift.0.unwrap_or(0.0)).as_flattened());
    }

    fn targets(&self, window: &Window<'_>, token: usize, tokens: &mut Tokens) {
        let scales = &self.summary.scales;
        tokens.centre.push(scales.centre);
        // What has only ever been constant is forecast to stay so: it tells nothing of how far it might move.
        let constant = scales.deviation == 0.0 && self.running.deviation() == 0.0;
        tokens.scale.push(if constant { 0.0 } else { scales.scale });
        let known = self.running.count >= 4.0;
        let ahead = window.lead + (token + 1) * PATCH;
        tokens.targets.extend((ahead..ahead + PATCH).map(|step| {
            let value = f64::from(window.values[step]) / window.multiplier(step);
            if known && value.is_finite() { scales.scaled(value) } else { f32::NAN }
        }));
        let targets = tokens.targets.len();
        squash_all(&mut tokens.targets[targets - PATCH..]);
    }

    fn features(&self, window: &Window<'_>, token: usize, f: &mut Vec<f32>) {
        let (here, ahead) = (window.lead + token * PATCH, window.lead + (token + 1) * PATCH);
        let seen = &self.clean[here..here + PATCH];
        let scales = &self.summary.scales;
        let or_centre = |value: &f64, centre: f64| if value.is_finite() { *value } else { centre };
        f.extend(seen.iter().map(|value| scales.scaled_globally(or_centre(value, scales.global_centre))));
        f.extend(seen.iter().map(|value| scales.scaled(or_centre(value, scales.centre))));
        let end = f.len();
        squash_all(&mut f[end - 2 * PATCH..]);
        f.extend(seen.iter().map(|value| f32::from(u8::from(value.is_finite()))));
        f.extend(self.lags(window.seasons[0], ahead));
        let seasonal = self.seasonal(OUTLINE, 0.0);
        f.extend(seasonal.map(|[_, middle, _]| middle));
        f.extend(seasonal.map(|[low, _, high]| high - low));
        f.extend(self.lags(window.seasons[1], ahead));
        if window.multipliers.is_empty() {
            f.extend([0.0; PATCH]);
        } else {
            f.extend((ahead..ahead + PATCH).map(|step| window.multiplier(step).max(1e-3).ln() as f32));
        }
        f.extend(self.summary.recent);
        f.extend(self.summary.long);
        f.extend(self.scalars(window, ahead));
    }

    fn scalars(&self, window: &Window<'_>, ahead: usize) -> [f32; SCALARS] {
        let Summary { scales, line, last, .. } = &self.summary;
        let log_ratio = |a: f64, b: f64| ((a / b).max(1e-4).ln() * 0.5) as f32;
        let error = |which: usize| self.season_error[which].0.map_or(0.0, |error| log_ratio(error, scales.scale));
        let known = |value: bool| f32::from(u8::from(value));
        let hidden = ((ahead - self.seen_end) / PATCH) as f32;
        let span = self.tail.first().map_or(0.0, |(step, _)| (self.seen_end as f64 - step) / RECENT as f64);
        let zero = if window.non_negative { scales.local(0.0) * 0.5 } else { 0.0 };
        let [time_known, day_sin, day_cos, week_sin, week_cos] = calendar(window, ahead - window.lead);
        let log_season = |which: usize| window.seasons[which].map_or(0.0, |lag| (lag as f32).ln() * 0.25);
        [
            log_ratio(scales.scale, scales.global_scale),
            scales.global(scales.centre),
            *last,
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

    fn window<'a>(values: &'a [f32], visible: &'a [bool]) -> Window<'a> {
        Window {
            values,
            lead: 0,
            visible,
            multipliers: &[],
            seasons: [Some(24), Some(100)],
            step_s: 300,
            start_time_s: Some(0),
            non_negative: true,
        }
    }

    fn waves() -> Vec<f32> {
        (0..20 * PATCH).map(|t| 5.0 + (t as f32 * 0.26).sin() + (t % 7) as f32).collect()
    }

    #[test]
    fn what_is_not_wanted_is_left_out_and_changes_nothing() {
        let mut values = waves();
        values[100..140].fill(f32::NAN);
        let visible: [bool; 20] = std::array::from_fn(|patch| patch < 12);
        let [all, few] = [19, 8].map(|wanted| {
            let mut tokens = Tokens::default();
            FeatureMaker::new().append(&window(&values, &visible), wanted, &mut tokens);
            tokens
        });
        assert_eq!(all.features, few.features);
        assert_eq!((few.centre.len(), few.targets.len()), (8, 8 * PATCH));
        let (a, b) = (&all.candidates, &few.candidates);
        for (all, few, each) in [
            (&a.recent, &b.recent, LEVELS),
            (&a.long, &b.long, LEVELS),
            (&a.last, &b.last, 1),
            (&a.lag, &b.lag, PATCH),
            (&a.other_lag, &b.other_lag, PATCH),
            (&a.trend, &b.trend, PATCH),
            (&a.seasonal, &b.seasonal, PATCH * LEVELS),
            (&a.drifted, &b.drifted, PATCH * LEVELS),
        ] {
            assert_eq!(all[11 * each..], few[..]);
        }
        assert_eq!((&all.centre[11..], &all.scale[11..]), (&few.centre[..], &few.scale[..]));
    }

    /// What the first `seen` patches give must not depend on anything after them.
    #[test]
    fn the_future_never_changes_a_row() {
        let mut values = waves();
        let rows = |values: &[f32]| {
            let mut tokens = Tokens::default();
            FeatureMaker::new().append(&window(values, &[true; 20]), 19, &mut tokens);
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
