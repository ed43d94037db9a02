//! The peers' algorithms, one file each, by their own sources. Every one has a margin by which it can be swept.

mod autopilot;
mod autopilot_ml;
mod bounds;
mod crane;
mod crane_dsp;
mod fixed;
mod hpa;
mod krr;
mod peak;
mod period;
mod seasonal;
mod vpa;

use crate::{TraceSeries, quantity::Quantity, recommend::Recommender};

/// What a recommender is made for. Only the clairvoyant bounds look at the samples of the series; all others read its step.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The series.
    pub series: &'a TraceSeries,
    /// How its metric is read.
    pub quantity: Quantity,
    /// Share of samples that may be over, for those that aim at one.
    pub violation: f64,
    /// Changes a day that the clairvoyant forecast may make.
    pub changes_per_day: f64,
    /// Seed.
    pub seed: u64,
}

impl<'a> Subject<'a> {
    /// A series with the usual options.
    #[must_use]
    pub fn plain(series: &'a TraceSeries) -> Self {
        Self { series, quantity: series.quantity(), violation: 0.01, changes_per_day: 4.0, seed: 0 }
    }
}

/// The margin of a peer: its default, the values of a sweep, and what it is.
trait Adjustable {
    const MARGIN: f64;
    const GRID: &'static [f64];
    const MEANS: &'static str;
}

type Make = fn(&Subject<'_>, f64) -> Box<dyn Recommender>;

/// A policy that sizes each series on its own.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Name as given to `--policy`.
    pub name: &'static str,
    /// Its own margin.
    pub margin: f64,
    /// Margins of a sweep, ascending.
    pub grid: &'static [f64],
    /// What the margin is.
    pub margin_means: &'static str,
    /// True for bounds that look ahead on purpose.
    pub clairvoyant: bool,
    make: Make,
}

impl Peer {
    const fn of<T: Adjustable>(name: &'static str, make: Make) -> Self {
        Self { name, margin: T::MARGIN, grid: T::GRID, margin_means: T::MEANS, clairvoyant: false, make }
    }
    const fn clairvoyant(self) -> Self {
        Self { clairvoyant: true, ..self }
    }
    /// A recommender for one series with a margin.
    #[must_use]
    pub fn recommender(&self, subject: &Subject<'_>, margin: f64) -> Box<dyn Recommender> {
        (self.make)(subject, margin)
    }
    /// The peer of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|peer| peer.name == name)
    }
}

/// Every peer, in the order in which they are shown.
pub static ALL: &[Peer] = &[
    Peer::of::<vpa::Vpa>("vpa", |subject, margin| Box::new(vpa::Vpa::new(subject, margin, true))),
    Peer::of::<vpa::Vpa>("vpa-recreate", |subject, margin| Box::new(vpa::Vpa::new(subject, margin, false))),
    Peer::of::<hpa::Hpa>("hpa", |subject, margin| Box::new(hpa::Hpa::new(subject, margin))),
    Peer::of::<krr::Krr>("krr", |subject, margin| Box::new(krr::Krr::new(subject, margin))),
    Peer::of::<crane::Percentile>("crane", |subject, margin| Box::new(crane::Percentile::new(subject, margin))),
    Peer::of::<crane_dsp::Dsp>("crane-dsp", |subject, margin| Box::new(crane_dsp::Dsp::new(subject, margin))),
    Peer::of::<autopilot::Window>("autopilot", |subject, margin| Box::new(autopilot::Window::new(subject, margin))),
    Peer::of::<autopilot_ml::Ml>("autopilot-ml", |subject, margin| Box::new(autopilot_ml::Ml::new(subject, margin))),
    Peer::of::<peak::NSigma>("n-sigma", |subject, margin| Box::new(peak::NSigma::new(subject, margin))),
    Peer::of::<peak::RcLike>("rc-like", |subject, margin| Box::new(peak::RcLike::new(subject, margin))),
    Peer::of::<fixed::Static>("static", |_, margin| Box::new(fixed::Static::new(margin))),
    Peer::of::<seasonal::SeasonalNaive>("seasonal-naive", |subject, margin| {
        Box::new(seasonal::SeasonalNaive::new(subject, margin))
    }),
    Peer::of::<bounds::BestStatic>("best-static", |subject, margin| Box::new(bounds::BestStatic::new(subject, margin)))
        .clairvoyant(),
    Peer::of::<bounds::Oracle>("oracle", |subject, margin| Box::new(bounds::Oracle::new(subject, margin)))
        .clairvoyant(),
];

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::recommend::Observation;
    use crate::{TraceBuilder, quantity::Kind};

    pub(crate) fn series(metric: &str, step_s: i64, values: &[f64]) -> TraceSeries {
        let mut builder = TraceBuilder::default();
        for (time, value) in (1..).map(|k| k * step_s).zip(values) {
            builder.push("w", metric, time, *value).unwrap();
        }
        builder.finish().unwrap().series()[0].clone()
    }

    pub(crate) fn subject(series: &TraceSeries) -> Subject<'_> {
        Subject::plain(series)
    }

    /// Feeds values at one step apart, in base units; gives the times and values of the decisions.
    pub(crate) fn feed(recommender: &mut dyn Recommender, step_s: i64, usage: &[f64]) -> Vec<(i64, f64)> {
        let mut decided: Vec<(i64, f64)> = Vec::new();
        for (time_s, usage) in (1..).map(|k| k * step_s).zip(usage.iter().copied()) {
            let allotted = decided.last().map(|decision| decision.1);
            let seen = Observation { time_s, usage, allotted, oom: false };
            decided.extend(recommender.observe(&seen).map(|value| (time_s, value)));
        }
        decided
    }

    #[test]
    fn names_are_unique_and_sweeps_hold_the_default() {
        for peer in ALL {
            assert_eq!(ALL.iter().filter(|other| other.name == peer.name).count(), 1, "{}", peer.name);
            assert!(peer.grid.contains(&peer.margin), "{}", peer.name);
            assert!(peer.grid.is_sorted(), "{}", peer.name);
        }
        assert_eq!(Kind::Cpu, Quantity::of("cpu_cores").kind);
    }
}
