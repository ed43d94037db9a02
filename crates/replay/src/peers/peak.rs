//! Peak predictors of the EuroSys 2021 simulator.
//! Source: Bashir et al., "Take it to the limit: peak prediction-driven resource overcommitment in datacenters", EuroSys 2021;
//! googleinterns/cluster-resource-forecast, `simulator/{n_sigma,per_vm_percentile}_predictor.py`. Used here per series: N-sigma is
//! mean + n standard deviations (`statistics.stdev`: of a sample) of the last 24 samples of 5 minutes, RC-like the P99
//! (`numpy.percentile`) of as many with a factor on top.

use super::{Adjustable, Subject, autopilot::EVERY_S};
use crate::{
    quantile::quantile,
    quantity::Kind,
    recommend::{Observation, Recommender, Regrid},
};
use std::collections::VecDeque;

const SAMPLES: usize = 24;
const RC_PERCENTILE: f64 = 0.99;

/// The last samples of 5 minutes.
struct Recent {
    memory: bool,
    regrid: Regrid,
    samples: VecDeque<f64>,
}

impl Recent {
    fn new(subject: &Subject<'_>) -> Self {
        let memory = subject.quantity.kind == Kind::Memory;
        Self { memory, regrid: Regrid::new(EVERY_S, subject.series.step_s), samples: VecDeque::new() }
    }
    fn push(&mut self, seen: &Observation) -> Option<()> {
        let regridded = self.regrid.push(seen.time_s, seen.usage)?;
        self.samples.push_back(if self.memory { regridded.peak } else { regridded.mean });
        if self.samples.len() > SAMPLES {
            self.samples.pop_front();
        }
        Some(())
    }
}

/// Mean and standard deviations.
pub(super) struct NSigma {
    sigmas: f64,
    recent: Recent,
}

impl NSigma {
    pub(super) fn new(subject: &Subject<'_>, sigmas: f64) -> Self {
        Self { sigmas, recent: Recent::new(subject) }
    }
}

impl Recommender for NSigma {
    fn observe(&mut self, seen: &Observation) -> Option<f64> {
        self.recent.push(seen)?;
        let samples = &self.recent.samples;
        let count = samples.len() as f64;
        let mean = samples.iter().sum::<f64>() / count;
        // Of one sample upstream says nothing yet; here its deviation is none.
        let variance = samples.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
        Some(mean + self.sigmas * variance.sqrt())
    }
}

impl Adjustable for NSigma {
    const MARGIN: f64 = 5.0;
    const GRID: &'static [f64] = &[1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0];
    const MEANS: &'static str = "standard deviations above the mean";
}

/// A percentile of the recent past.
pub(super) struct RcLike {
    margin: f64,
    recent: Recent,
    sorted: Vec<f64>,
}

impl RcLike {
    pub(super) fn new(subject: &Subject<'_>, margin: f64) -> Self {
        Self { margin, recent: Recent::new(subject), sorted: Vec::new() }
    }
}

impl Recommender for RcLike {
    fn observe(&mut self, seen: &Observation) -> Option<f64> {
        self.recent.push(seen)?;
        self.sorted.clear();
        self.sorted.extend(&self.recent.samples);
        Some(quantile(&mut self.sorted, RC_PERCENTILE) * (1.0 + self.margin))
    }
}

impl Adjustable for RcLike {
    const MARGIN: f64 = 0.0;
    const GRID: &'static [f64] = &[-0.2, 0.0, 0.2, 0.5, 1.0, 2.0, 5.0];
    const MEANS: &'static str = "on top of the P99 of the last two hours";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::testing;

    /// The first and the last decision.
    fn ends(usage: &[f64], make: impl Fn(&Subject<'_>) -> Box<dyn Recommender>) -> (f64, f64) {
        let series = testing::series("cpu_cores", 300, usage);
        let decided = testing::feed(make(&testing::subject(&series)).as_mut(), 300, usage);
        (decided[0].1, decided.last().unwrap().1)
    }

    /// 12 samples of 1 and 12 of 3: mean 2, squares 24 over 23, deviation 1.021508, five of them above the mean 7.107539. What
    /// was used before the last 24 samples does not count.
    #[test]
    fn mean_and_deviations_of_the_last_24() {
        let usage: Vec<f64> = [9.0; 10].into_iter().chain([1.0; 12]).chain([3.0; 12]).collect();
        let (first, last) = ends(&usage, |subject| Box::new(NSigma::new(subject, 5.0)));
        assert!(first == 9.0 && (last - 7.107_539).abs() < 1e-6, "{first} {last}");
    }

    /// Of 1 ... 24 the P99 lies at place 0.99 x 23 = 22.77 from 0: 23.77.
    #[test]
    fn the_percentile_is_that_of_numpy() {
        let usage: Vec<f64> = [99.0; 10].into_iter().chain((1..=24).map(f64::from)).collect();
        for (margin, expect) in [(0.0, 23.77), (0.5, 1.5 * 23.77)] {
            let (_, last) = ends(&usage, |subject| Box::new(RcLike::new(subject, margin)));
            assert!((last - expect).abs() < 1e-12, "{last}");
        }
    }
}
