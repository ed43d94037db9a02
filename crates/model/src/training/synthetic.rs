//! Synthetic telemetry, made while training: about 0.3 ms for 2,300 points.
//!
//! A series is a sum of parts (noise, seasons, events), then a chain of what instruments and systems do to it (floors,
//! saturation, counting, rounding). Each choice is drawn afresh, so no two series are alike.

use std::f32::consts::TAU;

use crate::fft::Fft;
use crate::rng::Rng;

const NOISE_LEN: usize = 4096;
const STEPS_S: [u32; 9] = [10, 15, 30, 60, 60, 300, 300, 600, 3600];

/// A made series.
#[derive(Clone, Debug, Default)]
pub(crate) struct Synthetic {
    pub(crate) values: Vec<f32>,
    pub(crate) step_s: u32,
    pub(crate) start_time_s: i64,
}

/// Makes series; holds the transform's buffers.
#[derive(Clone, Debug)]
pub(crate) struct Generator {
    fft: Fft,
    re: Vec<f32>,
    im: Vec<f32>,
    part: Vec<f32>,
}

impl Generator {
    pub(crate) fn new() -> Self {
        let zeros = vec![0.0; NOISE_LEN];
        Self { fft: Fft::new(NOISE_LEN), re: zeros.clone(), im: zeros, part: Vec::new() }
    }

    /// Fills `out` with `len` points.
    pub(crate) fn make(&mut self, len: usize, rng: &mut Rng, out: &mut Synthetic) {
        out.step_s = STEPS_S[rng.below(STEPS_S.len())];
        out.start_time_s = 1_500_000_000 + rng.below(300_000_000) as i64 / 60 * 60;
        out.values.clear();
        out.values.resize(len, 0.0);
        match rng.below(12) {
            0..=4 => self.seasonal(rng, out),
            5 | 6 => self.bursty(rng, out),
            7 => self.noise_only(rng, out),
            8 => self.levels(rng, out),
            9 => self.memory(rng, out),
            10 => self.cron(rng, out),
            _ => self.everything(rng, out),
        }
        self.system(rng, &mut out.values);
    }

    fn seasonal(&mut self, rng: &mut Rng, out: &mut Synthetic) {
        let noise = rng.log_range(0.02, 1.0);
        self.add_noise(rng, noise, &mut out.values);
        for k in 0..rng.between(1, 3) {
            let amplitude = if k == 0 { 1.0 } else { rng.log_range(0.1, 1.0) };
            self.add_season(rng, amplitude, out);
        }
        self.sometimes_disturbed(rng, out);
    }

    fn noise_only(&mut self, rng: &mut Rng, out: &mut Synthetic) {
        self.add_noise(rng, 1.0, &mut out.values);
        if rng.chance(0.3) {
            let amplitude = rng.log_range(0.05, 1.0);
            self.add_noise(rng, amplitude, &mut out.values);
        }
        self.sometimes_disturbed(rng, out);
    }

    fn bursty(&mut self, rng: &mut Rng, out: &mut Synthetic) {
        let idle = rng.log_range(0.001, 0.2);
        add_white(rng, idle, &mut out.values);
        add_bursts(rng, &mut out.values);
        if rng.chance(0.3) {
            let amplitude = rng.log_range(0.1, 1.0);
            self.add_season(rng, amplitude, out);
        }
        if rng.chance(0.3) {
            let amplitude = rng.log_range(0.01, 0.3);
            self.add_noise(rng, amplitude, &mut out.values);
        }
    }

    fn levels(&mut self, rng: &mut Rng, out: &mut Synthetic) {
        let noise = rng.log_range(0.001, 0.3);
        add_white(rng, noise, &mut out.values);
        let stay = rng.log_range(20.0, 1500.0);
        add_levels(rng, stay, &mut out.values);
        if rng.chance(0.4) {
            let amplitude = rng.log_range(0.05, 0.6);
            self.add_season(rng, amplitude, out);
        }
    }

    fn memory(&mut self, rng: &mut Rng, out: &mut Synthetic) {
        add_leak(rng, &mut out.values);
        let noise = rng.log_range(1e-4, 0.05);
        add_white(rng, noise, &mut out.values);
        if rng.chance(0.4) {
            let stay = rng.log_range(100.0, 2000.0);
            add_levels(rng, stay, &mut out.values);
        }
        if rng.chance(0.3) {
            let amplitude = rng.log_range(0.01, 0.3);
            self.add_noise(rng, amplitude, &mut out.values);
        }
    }

    fn cron(&mut self, rng: &mut Rng, out: &mut Synthetic) {
        let noise = rng.log_range(0.005, 0.3);
        add_white(rng, noise, &mut out.values);
        for _ in 0..rng.between(1, 3) {
            let period = draw_period(rng, out.step_s);
            add_cron(rng, period, &mut out.values);
        }
        if rng.chance(0.3) {
            let amplitude = rng.log_range(0.05, 0.5);
            self.add_season(rng, amplitude, out);
        }
    }

    fn everything(&mut self, rng: &mut Rng, out: &mut Synthetic) {
        self.seasonal(rng, out);
        if rng.chance(0.5) {
            add_bursts(rng, &mut out.values);
        }
        let stay = rng.log_range(100.0, 2000.0);
        add_levels(rng, stay, &mut out.values);
        let period = draw_period(rng, out.step_s);
        add_cron(rng, period, &mut out.values);
    }

    fn sometimes_disturbed(&mut self, rng: &mut Rng, out: &mut Synthetic) {
        if rng.chance(0.25) {
            let (slope, n) = (rng.normal() * 2.0, out.values.len() as f32);
            out.values.iter_mut().enumerate().for_each(|(t, x)| *x += slope * t as f32 / n);
        }
        if rng.chance(0.25) {
            let stay = rng.log_range(200.0, 3000.0);
            add_levels(rng, stay, &mut out.values);
        }
        if rng.chance(0.2) {
            add_spikes(rng, &mut out.values);
        }
        if rng.chance(0.1) {
            add_bursts(rng, &mut out.values);
        }
    }

    /// Noise with spectrum 1 / f^β, β in 0..2.5, of the given deviation.
    fn add_noise(&mut self, rng: &mut Rng, deviation: f32, values: &mut [f32]) {
        let beta = rng.range(0.0, 2.5);
        let (n, half) = (NOISE_LEN, NOISE_LEN / 2);
        (self.re[0], self.im[0], self.re[half], self.im[half]) = (0.0, 0.0, 0.0, 0.0);
        let heavy = rng.chance(0.3);
        for k in 1..half {
            let amplitude = (k as f32).powf(-0.5 * beta);
            let (a, b) = (amplitude * rng.normal(), amplitude * rng.normal());
            (self.re[k], self.im[k]) = (a, b);
            (self.re[n - k], self.im[n - k]) = (a, -b);
        }
        self.fft.transform(&mut self.re, &mut self.im);
        let start = rng.below(n.saturating_sub(values.len()) + 1);
        let part = &mut self.re[start..];
        let power = part.iter().take(values.len()).map(|x| x * x).sum::<f32>() / values.len() as f32;
        let scale = deviation / power.sqrt().max(1e-9);
        for (t, value) in values.iter_mut().enumerate() {
            let noise = part[t % part.len()] * scale;
            // Cubing the normal noise a little gives tails heavier than normal.
            *value += if heavy { noise * (0.5 + 0.5 * (noise / deviation).abs().min(6.0)) } else { noise };
        }
    }

    /// A season of a drawn shape and period, its height changing slowly.
    fn add_season(&mut self, rng: &mut Rng, amplitude: f32, out: &mut Synthetic) {
        let period = draw_period(rng, out.step_s);
        let shape = Shape::draw(rng);
        let (phase, skip_weekend) = (rng.uniform(), rng.chance(0.25));
        let day = 86_400.0 / out.step_s as f32;
        let start = (out.start_time_s % 604_800) as f32 / out.step_s as f32;
        let (wobble, wobble_period, wobble_phase) =
            (rng.range(0.0, 0.4), rng.log_range(2.0, 30.0) * period, rng.uniform());
        let jitter = if rng.chance(0.2) { rng.range(0.0, 0.02) } else { 0.0 };
        let (mut shift, mut last_cycle) = (0.0, f32::NAN);
        for (t, value) in out.values.iter_mut().enumerate() {
            let place = t as f32 / period + phase;
            if place.floor() != last_cycle {
                last_cycle = place.floor();
                shift = jitter * rng.normal();
            }
            let height = 1.0 + wobble * (TAU * (t as f32 / wobble_period + wobble_phase)).sin();
            let weekday = ((start + t as f32) / day).floor().rem_euclid(7.0);
            // 1 January 1970 was a Thursday: days 2 and 3 of such a week are Saturday and Sunday.
            let rest = if skip_weekend && (weekday == 2.0 || weekday == 3.0) { 0.3 } else { 1.0 };
            *value += amplitude * height * rest * shape.at((place + shift).rem_euclid(1.0));
        }
    }

    /// What systems and instruments do to a signal; the result is telemetry, mostly non-negative.
    fn system(&mut self, rng: &mut Rng, values: &mut [f32]) {
        if rng.chance(0.2) {
            let strength = rng.range(0.3, 1.5);
            values.iter_mut().for_each(|x| *x = (strength * x.clamp(-8.0, 8.0)).exp());
        }
        let spread = deviation(values).max(1e-6);
        match rng.below(10) {
            0..=5 => lift(rng, spread, values),
            6 | 7 => {
                let floor = rng.range(-1.0, 0.8) * spread;
                values.iter_mut().for_each(|x| *x = (*x - floor).max(0.0));
            }
            _ => {}
        }
        if rng.chance(0.15) {
            let top = quantile(values, rng.range(0.6, 0.98), &mut self.part);
            values.iter_mut().for_each(|x| *x = x.min(top));
        }
        match rng.below(10) {
            0 => count(rng, values),
            1 | 2 => round(rng, spread, values),
            _ => {}
        }
        if rng.chance(0.06) {
            intermit(rng, values);
        }
        let scale = rng.log_range(1e-2, 1e6);
        values.iter_mut().for_each(|x| *x *= scale);
    }
}

/// One cycle of a season, as a function of the phase in [0, 1).
#[derive(Clone, Debug)]
enum Shape {
    Sine,
    Harmonics([(f32, f32); 4]),
    Saw,
    Duty(f32),
    Office { from: f32, to: f32, edge: f32, lunch: f32 },
    Bump(f32),
    Peaks([f32; 3]),
}

impl Shape {
    fn draw(rng: &mut Rng) -> Self {
        match rng.below(8) {
            0 => Self::Sine,
            1 | 2 => Self::Harmonics(std::array::from_fn(|k| (rng.normal() / (k + 1) as f32, rng.uniform()))),
            3 => Self::Saw,
            4 => Self::Duty(rng.range(0.03, 0.7)),
            5 => {
                let from = rng.range(0.1, 0.5);
                Self::Office {
                    from,
                    to: from + rng.range(0.2, 0.45),
                    edge: rng.range(0.01, 0.1),
                    lunch: rng.range(0.0, 0.5),
                }
            }
            6 => Self::Bump(rng.log_range(0.01, 0.2)),
            _ => Self::Peaks(std::array::from_fn(|_| rng.uniform())),
        }
    }

    fn at(&self, phase: f32) -> f32 {
        match self {
            Self::Sine => (TAU * phase).sin(),
            Self::Harmonics(terms) => {
                terms.iter().enumerate().map(|(k, (a, p))| a * (TAU * ((k + 1) as f32 * phase + p)).sin()).sum()
            }
            Self::Saw => 2.0 * phase - 1.0,
            Self::Duty(share) => f32::from(u8::from(phase < *share)) * 2.0,
            Self::Office { from, to, edge, lunch } => {
                let ramp = ((phase - from) / edge).clamp(0.0, 1.0) * ((to - phase) / edge).clamp(0.0, 1.0);
                let noon = (phase - 0.5 * (from + to)).abs() < 0.03;
                2.0 * ramp * if noon { 1.0 - lunch } else { 1.0 }
            }
            Self::Bump(width) => 2.5 * (-((phase - 0.5) / width).powi(2)).exp(),
            Self::Peaks(centres) => centres.iter().map(|c| 2.0 * (-((phase - c) / 0.04).powi(2)).exp()).sum(),
        }
    }
}

/// A calendar period three times in five, any other otherwise.
fn draw_period(rng: &mut Rng, step_s: u32) -> f32 {
    let spans = [86_400.0, 86_400.0, 3_600.0, 604_800.0, 43_200.0, 1_800.0, 21_600.0];
    let period = spans[rng.below(spans.len())] / step_s as f32;
    if rng.chance(0.6) && (4.0..3000.0).contains(&period) { period } else { rng.log_range(5.0, 1200.0).round() }
}

fn add_white(rng: &mut Rng, deviation: f32, values: &mut [f32]) {
    values.iter_mut().for_each(|x| *x += deviation * rng.normal());
}

/// On and off, with durations of drawn means and heights that differ from burst to burst.
fn add_bursts(rng: &mut Rng, values: &mut [f32]) {
    let (on, off) = (rng.log_range(1.0, 120.0), rng.log_range(5.0, 800.0));
    let (height, vary, within) = (rng.log_range(0.3, 5.0), rng.range(0.0, 0.8), rng.range(0.0, 0.4));
    let mut t = (off * rng.exponential()) as usize;
    while t < values.len() {
        let end = (t + 1 + (on * rng.exponential()) as usize).min(values.len());
        let this = height * (vary * rng.normal()).exp();
        values[t..end].iter_mut().for_each(|x| *x += this * (1.0 + within * rng.normal()));
        t = end + 1 + (off * rng.exponential()) as usize;
    }
}

/// Deployments and moves: the level changes at random times and stays.
fn add_levels(rng: &mut Rng, mean_stay: f32, values: &mut [f32]) {
    let returns = rng.chance(0.4);
    let (mut level, mut left) = (0.0, mean_stay * rng.exponential());
    for value in values {
        left -= 1.0;
        if left <= 0.0 {
            level = if returns { rng.normal() } else { level + rng.normal() };
            left = mean_stay * rng.exponential();
        }
        *value += level;
    }
}

/// Growth that restarts or garbage collection takes back.
fn add_leak(rng: &mut Rng, values: &mut [f32]) {
    let (rate, reset) = (rng.log_range(1e-4, 3e-2), rng.log_range(30.0, 6000.0));
    let (to_zero, regular, bend) = (rng.range(0.5, 1.0), rng.chance(0.5), rng.range(0.4, 1.0));
    let mut age = reset * rng.uniform();
    let mut base = 0.0;
    let mut life = reset;
    for value in values {
        age += 1.0;
        if age >= life {
            base += (1.0 - to_zero) * rate * age;
            age = 0.0;
            life = if regular { reset } else { reset * rng.exponential().max(0.05) };
        }
        *value += base + rate * reset * (age / reset).powf(bend);
    }
}

/// A job that runs every period.
fn add_cron(rng: &mut Rng, period: f32, values: &mut [f32]) {
    let (length, height, jitter) =
        (rng.log_range(1.0, (period * 0.3).max(1.5)), rng.log_range(0.5, 6.0), rng.range(0.0, 1.5));
    let (vary, miss) = (rng.range(0.0, 0.3), if rng.chance(0.3) { 0.1 } else { 0.0 });
    let mut at = period * rng.uniform();
    while at < values.len() as f32 {
        if !rng.chance(miss) {
            let start = (at + jitter * rng.normal()).max(0.0) as usize;
            let end = (start + length.ceil() as usize).min(values.len());
            let this = height * (1.0 + vary * rng.normal());
            values.get_mut(start..end).into_iter().flatten().for_each(|x| *x += this);
        }
        at += period;
    }
}

fn add_spikes(rng: &mut Rng, values: &mut [f32]) {
    let (apart, height) =
        (rng.log_range(30.0, 800.0), rng.log_range(2.0, 12.0) * if rng.chance(0.8) { 1.0 } else { -1.0 });
    let mut at = apart * rng.exponential();
    while at < values.len() as f32 {
        values[at as usize] += height * rng.exponential();
        at += apart * rng.exponential() + 1.0;
    }
}

/// Raises the series above zero, by little or by much.
fn lift(rng: &mut Rng, spread: f32, values: &mut [f32]) {
    let lowest = values.iter().copied().fold(f32::INFINITY, f32::min);
    let gap = if rng.chance(0.4) { 0.0 } else { spread * rng.log_range(0.05, 30.0) };
    values.iter_mut().for_each(|x| *x = *x - lowest + gap);
}

fn count(rng: &mut Rng, values: &mut [f32]) {
    let mean = values.iter().map(|x| x.max(0.0)).sum::<f32>() / values.len() as f32;
    let scale = rng.log_range(0.05, 200.0) / mean.max(1e-9);
    values.iter_mut().for_each(|x| *x = rng.poisson((*x * scale).clamp(0.0, 1e6)));
}

fn round(rng: &mut Rng, spread: f32, values: &mut [f32]) {
    let unit = spread * rng.log_range(0.01, 1.0);
    values.iter_mut().for_each(|x| *x = (*x / unit).round() * unit);
}

/// Zero but for some points, as rare events are.
fn intermit(rng: &mut Rng, values: &mut [f32]) {
    let share = rng.log_range(0.01, 0.5);
    values.iter_mut().for_each(|x| *x *= f32::from(u8::from(rng.chance(share))));
}

pub(crate) fn deviation(values: &[f32]) -> f32 {
    let n = values.len().max(1) as f64;
    let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
    (values.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n).sqrt() as f32
}

fn quantile(values: &[f32], level: f32, sorted: &mut Vec<f32>) -> f32 {
    sorted.clear();
    sorted.extend_from_slice(values);
    let place = ((values.len() - 1) as f32 * level) as usize;
    *sorted.select_nth_unstable_by(place, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_finite_varied_and_repeatable() {
        let (mut generator, mut rng, mut out) = (Generator::new(), Rng::new(1), Synthetic::default());
        let (mut flat, mut negative) = (0, 0);
        for _ in 0..400 {
            generator.make(1000, &mut rng, &mut out);
            assert!(out.values.iter().all(|x| x.is_finite()));
            flat += u32::from(deviation(&out.values) == 0.0);
            negative += u32::from(out.values.iter().any(|x| *x < 0.0));
        }
        assert!(flat < 20, "{flat} of 400 are constant");
        assert!((20..200).contains(&negative), "{negative} of 400 go below zero");
        let mut make = |seed| {
            generator.make(500, &mut Rng::new(seed), &mut out);
            out.values.clone()
        };
        assert_eq!(make(9), make(9));
        assert_ne!(make(9), make(10));
    }
}
