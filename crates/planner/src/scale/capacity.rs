//! What one replica serves: a stable estimate from how much a unit of work costs.
//!
//! ```text
//! used = idle + cost * work      (cores or bytes, per replica; least squares with a half-life of a day)
//! ```
//!
//! Cost and idle use belong to the program, not to the number of replicas, so the estimate stays where it is when replicas come
//! and go. It is given anew only once it has moved by more than a tenth.

/// Below this many readings there is no estimate.
const ENOUGH: f64 = 30.0;
/// An estimate is kept until cost or idle use has moved by more than this share.
const STABLE_SHARE: f64 = 0.1;
/// Use within this share of a replica's size met its limit and says nothing of the cost of work.
const AT_LIMIT_SHARE: f64 = 0.02;
/// Work must vary by this share of its mean (a standard deviation) for idle use to be told from the cost of work.
const VARIED_SHARE: f64 = 0.05;

/// Work that explains less than this share of how use moves is not what use is for.
const EXPLAINED_SHARE: f64 = 0.5;

/// What one replica uses for nothing, and for a unit of work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Used for nothing; not negative.
    pub idle: f64,
    /// Used for a unit of work; positive.
    pub cost: f64,
}

impl Line {
    /// What one replica uses that does so much work.
    #[must_use]
    pub fn used(&self, work: f64) -> f64 {
        self.idle + self.cost * work
    }

    /// Work that one replica does by using so much; none below what it uses for nothing.
    #[must_use]
    pub fn worth(&self, used: f64) -> f64 {
        ((used - self.idle) / self.cost).max(0.0)
    }
}

/// Least squares of use over work.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fit {
    weight: f64,
    work: f64,
    used: f64,
    work_work: f64,
    work_used: f64,
    used_used: f64,
}

impl Fit {
    /// Takes one step; what was taken before counts `keep` (0..1) times as much from now on.
    pub fn push(&mut self, work: f64, used: f64, keep: f64) {
        for (sum, value) in [
            (&mut self.weight, 1.0),
            (&mut self.work, work),
            (&mut self.used, used),
            (&mut self.work_work, work * work),
            (&mut self.work_used, work * used),
            (&mut self.used_used, used * used),
        ] {
            *sum = *sum * keep + value;
        }
    }

    /// The line; `None` where too little was seen, or use is not for the work: it does not grow with it, or moves without it.
    #[must_use]
    pub fn line(&self) -> Option<Line> {
        if self.weight < ENOUGH {
            return None;
        }
        let mean = |sum: f64| sum / self.weight;
        let (work, used) = (mean(self.work), mean(self.used));
        let variance = mean(self.work_work) - work * work;
        let covariance = mean(self.work_used) - work * used;
        let is_varied = variance > (VARIED_SHARE * work).powi(2);
        let explained = covariance * covariance / (variance * (mean(self.used_used) - used * used));
        if is_varied && explained < EXPLAINED_SHARE {
            return None;
        }
        // Without variation all use is taken to be for the work: that never overrates a replica that is asked for more.
        let slope = if is_varied { covariance / variance } else { used / work };
        let cost = slope.clamp(0.0, used / work);
        let is_known = work > 0.0 && cost > 0.0 && cost.is_finite();
        is_known.then_some(Line { idle: used - cost * work, cost })
    }
}

/// Learns what work costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkCost {
    fit: Fit,
    line: Option<Line>,
}

impl WorkCost {
    /// Takes one step: work and use per replica (cores, or bytes), the size of a replica in the same unit (infinite where it is not
    /// known), and the length of the step in days. A step in which a replica met its limit is left out.
    pub fn push(&mut self, work: f64, used: f64, size: f64, step_days: f64) {
        let is_sane = work.is_finite() && used.is_finite() && work >= 0.0 && used >= 0.0;
        if !is_sane || used >= size * (1.0 - AT_LIMIT_SHARE) {
            return;
        }
        self.fit.push(work, used, (-step_days).exp2());
        let moved = |line: Line, fresh: Line| {
            let apart = |a: f64, b: f64, scale: f64| (a - b).abs() > STABLE_SHARE * scale;
            let mean = self.fit.used / self.fit.weight;
            apart(line.cost, fresh.cost, line.cost) || apart(line.idle, fresh.idle, mean)
        };
        let fresh = self.fit.line();
        if self.line.zip(fresh).is_none_or(|(line, fresh)| moved(line, fresh)) {
            self.line = fresh;
        }
    }

    /// What a replica uses by its work; `None` while that is not known, or use is not for it.
    #[must_use]
    pub const fn line(&self) -> Option<Line> {
        self.line
    }

    /// Work that a replica of a size serves when it is busy to a share of it; `None` while that is not known.
    #[must_use]
    pub fn served(&self, size: f64, busy_share: f64) -> Option<f64> {
        self.line.map(|line| line.worth(size * busy_share))
    }
}
