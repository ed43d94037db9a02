//! What one replica serves: a stable estimate from how many cores a unit of work costs.
//!
//! ```text
//! cores = idle + cost * work      (per replica; least squares with a half-life of a day)
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

/// Cores of one replica for nothing, and for a unit of work.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line {
    idle_cores: f64,
    cost_cores: f64,
}

/// Learns what work costs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkCost {
    weight: f64,
    work: f64,
    cores: f64,
    work_work: f64,
    work_cores: f64,
    line: Option<Line>,
}

impl WorkCost {
    /// Takes one step: work and cores used per replica, the size of a replica in cores, and the length of the step in days. A
    /// step in which a replica met its limit is left out.
    pub fn push(&mut self, work: f64, cores: f64, size_cores: f64, step_days: f64) {
        let is_sane = work.is_finite() && cores.is_finite() && work >= 0.0 && cores >= 0.0;
        if !is_sane || cores >= size_cores * (1.0 - AT_LIMIT_SHARE) {
            return;
        }
        let keep = (-step_days).exp2();
        for (sum, value) in [
            (&mut self.weight, 1.0),
            (&mut self.work, work),
            (&mut self.cores, cores),
            (&mut self.work_work, work * work),
            (&mut self.work_cores, work * cores),
        ] {
            *sum = *sum * keep + value;
        }
        let fresh = self.fit();
        let moved = |line: Line, fresh: Line| {
            let apart = |a: f64, b: f64, scale: f64| (a - b).abs() > STABLE_SHARE * scale;
            let mean = self.cores / self.weight;
            apart(line.cost_cores, fresh.cost_cores, line.cost_cores) || apart(line.idle_cores, fresh.idle_cores, mean)
        };
        match (self.line, fresh) {
            (None, fresh) => self.line = fresh,
            (Some(line), Some(fresh)) if moved(line, fresh) => self.line = Some(fresh),
            _ => {}
        }
    }

    fn fit(&self) -> Option<Line> {
        if self.weight < ENOUGH {
            return None;
        }
        let (work, cores) = (self.work / self.weight, self.cores / self.weight);
        let variance = self.work_work / self.weight - work * work;
        let covariance = self.work_cores / self.weight - work * cores;
        // Without variation all use is taken to be for the work: that never overrates a replica that is asked for more.
        let slope = if variance > (VARIED_SHARE * work).powi(2) { covariance / variance } else { cores / work };
        let cost_cores = slope.clamp(0.0, cores / work);
        let is_known = work > 0.0 && cost_cores > 0.0 && cost_cores.is_finite();
        is_known.then_some(Line { idle_cores: cores - cost_cores * work, cost_cores })
    }

    /// Work that a replica of a size serves when it is busy to a share of it; `None` while that is not known.
    #[must_use]
    pub fn served(&self, size_cores: f64, busy_share: f64) -> Option<f64> {
        let line = self.line?;
        Some(((size_cores * busy_share - line.idle_cores) / line.cost_cores).max(0.0))
    }
}
