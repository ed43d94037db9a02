//! What may be asked until a replica decided on now serves.
//!
//! Each basis is a guess of the greatest demand until then. How far demand really rose above the guess is counted (in
//! logarithmic buckets, half-life a day), and a quantile of that is the headroom on top. The basis whose guess and headroom would
//! have asked for least is used. The quantile follows the count of steps over (adaptive conformal inference, as in `size::level`).

use std::collections::VecDeque;

/// What a need rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Demand now.
    Now,
    /// The greatest demand of the time after which what is spare is taken away.
    Settled,
    /// The greatest demand of the last quarter of an hour.
    Quarter,
    /// Demand now, and as much more as it rose since as long ago.
    Trend,
    /// The same time yesterday, at the level of the last hour.
    Yesterday,
    /// The forecast.
    Forecast,
}

const ALL: [Basis; 6] = [Basis::Now, Basis::Settled, Basis::Quarter, Basis::Trend, Basis::Yesterday, Basis::Forecast];
const DAY_S: u32 = 86_400;
const HOUR_S: u32 = 3_600;
const QUARTER_S: u32 = 900;
/// Buckets of headroom: from a sixteenth to 64 times, 2 % apart.
const LEAST_RATIO: f64 = 0.0625;
const GROWTH: f64 = 1.02;
const BUCKETS: usize = 351;
/// A basis in use is left only for one that is cheaper by this factor.
const LOYALTY: f64 = 0.97;
/// Being off by this share of the count that is due (or by so many steps) changes the aim by `GAIN` powers of two.
const SLACK_SHARE: f64 = 0.1;
const SLACK_STEPS: f64 = 4.0;
const GAIN: f64 = 2.0;
/// The aim stays within this factor of what is asked, and below this share.
const REACH: f64 = 32.0;
const MOST_OVER: f64 = 0.5;
/// Where less has been seen than one step over is to be expected in, headroom beyond the greatest seen grows with this index.
const TAIL_INDEX: f64 = 0.2;
/// Headroom before anything is known: as much again.
const COLD_HEADROOM: f64 = 2.0;
/// Steps before headroom is known.
const COLD: f64 = 30.0;

/// How far truth lay above one basis.
#[derive(Clone, Debug)]
struct Ratios {
    weights: Vec<f64>,
    total: f64,
    /// Decayed mean of guess and headroom over demand.
    cost: f64,
    seen: f64,
}

impl Ratios {
    fn new() -> Self {
        Self { weights: vec![0.0; BUCKETS], total: 0.0, cost: 0.0, seen: 0.0 }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    fn add(&mut self, ratio: f64, weight: f64) {
        let place = ((ratio / LEAST_RATIO).ln() / GROWTH.ln()).ceil().clamp(0.0, (BUCKETS - 1) as f64);
        self.weights[place as usize] += weight;
        self.total += weight;
        self.seen += 1.0;
    }

    /// The headroom above which truth lay in a share `aim` of steps.
    fn headroom(&self, aim: f64) -> f64 {
        if self.seen < COLD {
            return COLD_HEADROOM;
        }
        let mut above = aim * self.total;
        let place = self.weights.iter().rposition(|weight| {
            above -= weight;
            above < 0.0
        });
        let unseen = (1.0 / (aim * self.seen)).max(1.0).powf(TAIL_INDEX);
        LEAST_RATIO * GROWTH.powi(i32::try_from(place.unwrap_or(0)).unwrap_or(0)) * unseen
    }

    fn scale(&mut self, factor: f64) {
        self.weights.iter_mut().for_each(|weight| *weight *= factor);
        self.total *= factor;
    }
}

/// The need of one workload, step by step.
#[derive(Clone, Debug)]
pub struct Ahead {
    asked: f64,
    /// Steps that a decision must see ahead.
    lead: usize,
    /// Steps before something spare is taken away.
    settle: usize,
    quarter: usize,
    day: usize,
    hour: usize,
    past: VecDeque<f64>,
    /// Guesses whose truth is not known yet, oldest first.
    waiting: VecDeque<[Option<f64>; ALL.len()]>,
    guess: [Option<f64>; ALL.len()],
    ratios: Vec<Ratios>,
    basis: usize,
    /// Weight of a step now, and what it grows by a step.
    weight: f64,
    growth: f64,
    judged: f64,
    over: f64,
}

impl Ahead {
    /// Nothing seen yet: a share `asked` of steps may be over, a step is `step_s` seconds, a replica starts in
    /// `start_s`, and what is spare for `settle_s` is taken away.
    #[must_use]
    pub fn new(asked: f64, step_s: u32, start_s: u32, settle_s: u32) -> Self {
        let step_s = step_s.max(1);
        let steps = |span_s: u32| (span_s / step_s).max(1) as usize;
        Self {
            asked: asked.clamp(1e-6, MOST_OVER),
            lead: start_s.div_ceil(step_s) as usize + 1,
            settle: steps(settle_s),
            quarter: steps(QUARTER_S),
            day: steps(DAY_S),
            hour: steps(HOUR_S),
            past: VecDeque::new(),
            waiting: VecDeque::new(),
            guess: [None; ALL.len()],
            ratios: vec![Ratios::new(); ALL.len()],
            basis: 0,
            weight: 1.0,
            growth: (f64::from(step_s) / f64::from(DAY_S)).exp2(),
            judged: 0.0,
            over: 0.0,
        }
    }

    /// Takes demand over the step that ends now, with the most that is forecast until a new replica serves, and whether demand
    /// was over what served; `None` where nothing was decided yet.
    pub fn push(&mut self, demand: f64, forecast: Option<f64>, over: Option<bool>) {
        if let Some(over) = over {
            self.judged += 1.0;
            self.over += f64::from(u8::from(over));
        }
        self.past.push_back(demand);
        if self.past.len() > self.day + self.hour + 1 {
            self.past.pop_front();
        }
        self.learn();
        self.guess = self.guesses(demand, forecast);
        self.waiting.push_back(self.guess);
        self.choose();
    }

    /// What may be asked until a replica decided on now serves, and what that rests on.
    #[must_use]
    pub fn need(&self) -> (f64, Basis) {
        let headroom = self.ratios[self.basis].headroom(self.aim());
        let guess = self.guess[self.basis].or(self.guess[0]).unwrap_or(0.0);
        (guess * headroom, ALL[self.basis])
    }

    /// The truth about the oldest guess is known now.
    fn learn(&mut self) {
        if self.waiting.len() < self.lead {
            return;
        }
        let Some(guesses) = self.waiting.pop_front() else { return };
        let truth = self.recent(self.lead).fold(0.0, f64::max);
        let aim = self.aim();
        self.weight *= self.growth;
        for (ratios, guess) in self.ratios.iter_mut().zip(guesses) {
            let Some(guess) = guess.filter(|guess| *guess > 0.0 && truth > 0.0) else { continue };
            let asked = guess * ratios.headroom(aim) / truth;
            let share = (1.0 - 1.0 / self.growth).max(1.0 / (ratios.seen + 1.0));
            ratios.cost += (asked - ratios.cost) * share;
            ratios.add(truth / guess, self.weight);
        }
        if self.weight > 1e9 {
            self.ratios.iter_mut().for_each(|ratios| ratios.scale(1.0 / self.weight));
            self.weight = 1.0;
        }
    }

    /// The newest steps, newest first.
    fn recent(&self, steps: usize) -> impl Iterator<Item = f64> + '_ {
        self.past.iter().rev().take(steps).copied()
    }

    fn guesses(&self, demand: f64, forecast: Option<f64>) -> [Option<f64>; ALL.len()] {
        let before = self.past.len().checked_sub(self.lead + 1).map(|at| self.past[at]);
        let greatest = |steps: usize| self.recent(steps).fold(0.0, f64::max);
        let settled = greatest(self.settle);
        let trend = before.map(|before| settled.max(2.0 * demand - before));
        [Some(demand), Some(settled), Some(greatest(self.quarter)), trend, self.yesterday(), forecast]
    }

    /// The greatest of the same steps of yesterday as those ahead, times how the last hour compares with yesterday's.
    fn yesterday(&self) -> Option<f64> {
        let same = self.past.len().checked_sub(self.day)?;
        let sum = |from: usize, to: usize| self.past.range(from..to).sum::<f64>();
        let (now, then) = (sum(self.past.len() - self.hour, self.past.len()), sum(same.checked_sub(self.hour)?, same));
        let ahead = self.past.range(same..(same + self.lead).min(self.past.len()));
        (then > 0.0).then(|| ahead.fold(0.0, |most: f64, value| most.max(*value)) * now / then)
    }

    fn choose(&mut self) {
        let known = |at: &usize| self.guess[*at].is_some() && self.ratios[*at].seen >= self.day as f64 / 4.0;
        let cost = |at: usize| self.ratios[at].cost * if at == self.basis { LOYALTY } else { 1.0 };
        let best = (0..ALL.len()).filter(known).min_by(|a, b| cost(*a).total_cmp(&cost(*b)));
        self.basis = best.unwrap_or(0);
    }

    /// The share to aim at so that what is measured becomes what is asked.
    fn aim(&self) -> f64 {
        let due = self.asked * self.judged;
        let off = (self.over - due) / (SLACK_SHARE * due).max(SLACK_STEPS);
        (self.asked * (-GAIN * off).exp2().clamp(1.0 / REACH, REACH)).min(MOST_OVER)
    }
}
