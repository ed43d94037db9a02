//! Draws training windows: a stretch of a real or made series, changed at random, with stretches hidden from the network.

use serde::{Deserialize, Serialize};

use super::synthetic::{Generator, Synthetic, deviation};
use super::{TrainSeries, TrainSet};
use crate::rng::Rng;
use crate::telemetry::PATCH;
use crate::telemetry::features::FeatureMaker;
use crate::telemetry::tokens::{Tokens, Window};

/// Shares of what windows are made of and of what is done to them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mixture {
    /// Share of made windows; 1 where there are no series.
    pub synthetic: f32,
    /// Share of windows taken at a coarser step, 2 to 12 times.
    pub downsampled: f32,
    /// Share of windows mixed from two.
    pub mixed: f32,
    /// Share with missing stretches.
    pub gaps: f32,
    /// Share with announced events.
    pub events: f32,
    /// Share of the real windows that come from [`TrainSet::replay`], where there is any.
    #[serde(default)]
    pub replay: f32,
}

impl Default for Mixture {
    fn default() -> Self {
        Self { synthetic: 0.45, downsampled: 0.4, mixed: 0.08, gaps: 0.15, events: 0.12, replay: 0.0 }
    }
}

/// Most patches hidden at the end of a window, which must not be shorter.
pub(crate) const HIDDEN_PATCHES: usize = 9;
/// Tries to find a window with something in it before taking a made one.
const TRIES: usize = 6;
/// Windows end in this part of a series: what follows is kept aside for judging, as is done in fine-tuning.
const TRAINED_SHARE: f32 = 0.9;

/// Values of a series of `len` that are learnt from; the rest is to judge by.
pub(crate) fn trained_len(len: usize) -> usize {
    ((len as f32 * TRAINED_SHARE) as usize).max(3 * PATCH).min(len)
}

/// Draws windows into token rows; holds all buffers.
#[derive(Clone, Debug)]
pub(crate) struct WindowMaker {
    maker: FeatureMaker,
    generator: Generator,
    made: Synthetic,
    values: Vec<f32>,
    other: Vec<f32>,
    visible: Vec<bool>,
    multipliers: Vec<f32>,
}

/// What is known of the drawn stretch besides its values.
#[derive(Clone, Copy, Debug)]
struct Origin {
    step_s: u32,
    start_time_s: Option<i64>,
}

/// The groups of a set, with their share of the draws.
#[derive(Clone, Debug)]
pub(crate) struct Groups {
    members: Vec<Vec<usize>>,
    cumulative: Vec<f32>,
}

impl Groups {
    /// Those of the set's own series, and those replayed, scaled so that `replay` of all draws are theirs.
    pub(crate) fn of(set: &TrainSet, replay: f32) -> Self {
        let own = weighed(&set.series, 0);
        let replayed = weighed(&set.replay, set.series.len());
        let sum = |groups: &[(Vec<usize>, f32)]| groups.iter().map(|(_, weight)| weight).sum::<f32>();
        let scale = if own.is_empty() { 1.0 } else { replay / (1.0 - replay).max(1e-6) * sum(&own) };
        let scale = scale / sum(&replayed).max(f32::MIN_POSITIVE);
        let replayed = replayed.into_iter().map(|(indices, weight)| (indices, weight * scale));
        let mut groups = Self { members: Vec::new(), cumulative: Vec::new() };
        for (indices, weight) in own.into_iter().chain(replayed).filter(|(_, weight)| *weight > 0.0) {
            groups.members.push(indices);
            groups.cumulative.push(groups.cumulative.last().unwrap_or(&0.0) + weight);
        }
        groups
    }

    fn draw(&self, rng: &mut Rng) -> Option<usize> {
        let place = rng.uniform() * self.cumulative.last()?;
        let group = self.cumulative.partition_point(|sum| *sum <= place).min(self.members.len() - 1);
        Some(self.members[group][rng.below(self.members[group].len())])
    }
}

/// Per group the places of its series, counted from `first`, and the square root of the number of its values.
fn weighed(series: &[TrainSeries], first: usize) -> Vec<(Vec<usize>, f32)> {
    let mut by_name = std::collections::BTreeMap::<&str, (Vec<usize>, f32)>::new();
    for (index, series) in series.iter().enumerate() {
        let seen = series.values.iter().filter(|x| x.is_finite()).count();
        if seen >= 3 * PATCH {
            let entry = by_name.entry(&series.group).or_default();
            entry.0.push(first + index);
            entry.1 += seen as f32;
        }
    }
    by_name.into_values().map(|(indices, points)| (indices, points.sqrt())).collect()
}

impl WindowMaker {
    pub(crate) fn new() -> Self {
        Self {
            maker: FeatureMaker::new(),
            generator: Generator::new(),
            made: Synthetic::default(),
            values: Vec::new(),
            other: Vec::new(),
            visible: Vec::new(),
            multipliers: Vec::new(),
        }
    }

    /// Appends one window of `patches` patches, which is `patches - 1` token rows.
    pub(crate) fn append(
        &mut self,
        set: &TrainSet,
        groups: &Groups,
        mixture: &Mixture,
        patches: usize,
        rng: &mut Rng,
        tokens: &mut Tokens,
    ) {
        let lead = if rng.chance(0.2) { rng.below(2048) } else { 0 };
        let len = lead + patches * PATCH;
        let origin = self.draw(set, groups, mixture, len, rng);
        if rng.chance(mixture.mixed) {
            self.mix(set, groups, mixture, len, rng);
        }
        self.disturb(mixture, lead, rng);
        let seasons = self.seasons(lead, origin.step_s, rng);
        self.hide(patches, rng);
        let start_time_s = origin.start_time_s.filter(|_| rng.chance(0.5));
        let window = Window {
            values: &self.values,
            lead,
            visible: &self.visible,
            multipliers: &self.multipliers,
            seasons,
            step_s: origin.step_s,
            start_time_s: start_time_s.map(|time| time + lead as i64 * i64::from(origin.step_s)),
            non_negative: self.values.iter().all(|x| x.is_nan() || *x >= 0.0),
        };
        self.maker.append(&window, patches - 1, tokens);
    }

    /// Fills `self.values` with `len` points.
    fn draw(&mut self, set: &TrainSet, groups: &Groups, mixture: &Mixture, len: usize, rng: &mut Rng) -> Origin {
        if !rng.chance(mixture.synthetic) {
            for _ in 0..TRIES {
                let Some(index) = groups.draw(rng) else { break };
                if let Some(origin) = self.cut(set, index, mixture, len, rng) {
                    return origin;
                }
            }
        }
        self.generator.make(len, rng, &mut self.made);
        self.values.clone_from(&self.made.values);
        Origin { step_s: self.made.step_s, start_time_s: Some(self.made.start_time_s) }
    }

    /// A stretch of a real series at its own or a coarser step; padded in front where the series is short. `None` where
    /// the stretch is mostly missing or constant.
    fn cut(&mut self, set: &TrainSet, index: usize, mixture: &Mixture, len: usize, rng: &mut Rng) -> Option<Origin> {
        let series = set.at(index);
        let usable = trained_len(series.values.len());
        let coarser = rng.chance(mixture.downsampled);
        let factor = if coarser { rng.between(2, 12).min(usable / (3 * PATCH)).max(1) } else { 1 };
        let end = if usable > len * factor { rng.between(len * factor, usable) } else { usable };
        let start = end.saturating_sub(len * factor);
        self.values.clear();
        self.values.resize(len - (end - start) / factor, f32::NAN);
        let mean = rng.chance(0.7);
        let first = end - (end - start) / factor * factor;
        self.values.extend(series.values[first..end].chunks_exact(factor).map(|group| coarsen(group, mean)));
        let seen: Vec<f32> = self.values.iter().copied().filter(|x| x.is_finite()).collect();
        if seen.len() < 3 * PATCH || seen.len() * 3 < (end - start) / factor || deviation(&seen) == 0.0 {
            return None;
        }
        let padding = (len - (end - start) / factor) as i64;
        let step_s = series.step_s * factor as u32;
        let start_time_s = series
            .start_time_s
            .map(|time| time + first as i64 * i64::from(series.step_s) - padding * i64::from(step_s));
        Some(Origin { step_s, start_time_s })
    }

    /// Adds a second stretch, each scaled to deviation 1 first (TSMixup).
    fn mix(&mut self, set: &TrainSet, groups: &Groups, mixture: &Mixture, len: usize, rng: &mut Rng) {
        std::mem::swap(&mut self.values, &mut self.other);
        self.draw(set, groups, mixture, len, rng);
        let share = rng.range(0.2, 0.8);
        let scale = |values: &[f32]| {
            let seen: Vec<f32> = values.iter().copied().filter(|x| x.is_finite()).collect();
            1.0 / deviation(&seen).max(1e-12)
        };
        let (a, b) = (share * scale(&self.values), (1.0 - share) * scale(&self.other));
        self.values.iter_mut().zip(&self.other).for_each(|(x, y)| *x = *x * a + if y.is_nan() { 0.0 } else { y * b });
    }

    fn disturb(&mut self, mixture: &Mixture, lead: usize, rng: &mut Rng) {
        let len = self.values.len();
        if rng.chance(0.04) {
            self.values.iter_mut().for_each(|x| *x = -*x);
        }
        if rng.chance(0.04) {
            self.values.reverse();
        }
        if rng.chance(0.04) {
            let top = self.values.iter().copied().fold(f32::NEG_INFINITY, f32::max) * rng.range(0.3, 0.95);
            self.values.iter_mut().for_each(|x| *x = if *x > top { top } else { *x });
        }
        self.multipliers.clear();
        let positive = self.values.iter().all(|x| x.is_nan() || *x >= 0.0);
        if positive && rng.chance(mixture.events) {
            self.add_events(lead, rng);
        }
        if rng.chance(mixture.gaps) {
            for _ in 0..rng.between(1, 4) {
                let start = rng.below(len);
                let end = (start + rng.log_range(1.0, 200.0) as usize).min(len);
                self.values[start..end].fill(f32::NAN);
            }
        }
        if rng.chance(0.05) {
            let share = rng.log_range(0.01, 0.5);
            self.values.iter_mut().filter(|_| rng.chance(share)).for_each(|x| *x = f32::NAN);
        }
        if rng.chance(0.25) {
            // A history that begins late: the network must forecast from little.
            let start = rng.below(len * 3 / 4);
            self.values[..start].fill(f32::NAN);
        }
    }

    /// Multiplies stretches of the series by about what the network is told.
    fn add_events(&mut self, lead: usize, rng: &mut Rng) {
        let len = self.values.len() - lead;
        self.multipliers.resize(len, 1.0);
        for _ in 0..rng.between(1, 4) {
            let start = rng.below(len);
            let end = (start + rng.log_range(6.0, 150.0) as usize).min(len);
            let announced = rng.log_range(0.3, 6.0);
            let (spread, bias) = (rng.range(0.0, 0.25), rng.range(-0.1, 0.1));
            let actual = announced * (spread * rng.normal() + bias).exp();
            for step in start..end {
                if self.multipliers[step] == 1.0 {
                    self.multipliers[step] = announced;
                    self.values[lead + step] *= actual;
                }
            }
        }
    }

    /// Seasons as a forecaster would find them from part of the window; now and then wrong ones, or none.
    fn seasons(&mut self, lead: usize, step_s: u32, rng: &mut Rng) -> [Option<usize>; 2] {
        let window = self.values.len() - lead;
        if rng.chance(0.06) {
            return [None, None];
        }
        if rng.chance(0.05) {
            return [Some(rng.between(4, window / 2)), None];
        }
        let end = lead + (window as f32 * rng.range(0.55, 1.0)) as usize;
        self.maker.finder.find(&self.values[..end], step_s)
    }

    /// Chooses the patches that the network does not see: stretches of 1 to 9, as a horizon is; in a third of the windows
    /// only the last stretch, so that long unbroken histories are learnt from too.
    fn hide(&mut self, patches: usize, rng: &mut Rng) {
        self.visible.clear();
        if rng.chance(0.33) {
            self.visible.resize(patches - rng.between(0, HIDDEN_PATCHES), true);
            self.visible.resize(patches, false);
            return;
        }
        while self.visible.len() < patches {
            let (most_seen, most_hidden) = ([4, 12, 24][rng.below(3)], [2, 5, 9, 9][rng.below(4)]);
            self.visible.resize(self.visible.len() + rng.between(1, most_seen), true);
            self.visible.resize(self.visible.len() + rng.between(1, most_hidden), false);
        }
        self.visible.truncate(patches);
    }
}

/// The mean of what is there, or the first value.
fn coarsen(group: &[f32], mean: bool) -> f32 {
    if !mean {
        return group[0];
    }
    let (sum, count) = group.iter().filter(|x| x.is_finite()).fold((0.0, 0.0), |(s, c), x| (s + x, c + 1.0));
    if count > 0.0 { sum / count } else { f32::NAN }
}
