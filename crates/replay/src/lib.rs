//! Simulated worlds from traces, the peers' algorithms, scores and reports.
//!
//! Three steps, each of which can be done again without the one before: record ([`run()`], [`sweep()`]), judge ([`judge()`]),
//! print ([`report::html`]). A trace comes from memory ([`TraceBuilder`]) and decisions go there; files are the binary's.

mod decisions;
mod deployment;
mod engine;
mod error;
mod histogram;
mod horizontal;
mod joint;
mod judge;
mod parallel;
mod past;
mod quantile;
mod recommend;
mod rng;
mod run;
mod seldom;
mod steps;
mod sweep;
mod units;

pub mod burst;
pub mod peers;
pub mod quantity;
pub mod replicas;
pub mod report;
pub mod score;
pub mod share;
pub mod trace;
pub mod what_if;
pub mod world;

pub use decisions::{Decisions, LIMITS, REPLICAS, SeriesDecisions};
pub use deployment::{Deployment, deployments};
pub use engine::{Engine, Hear, SCALING, Told, ZoneOffset};
pub use error::ReplayError;
pub use judge::{
    AsShort, ClassRow, Conditions, Example, JudgeOptions, Judged, Limits, Matched, Played, Reading, Row, ScalingRow,
    TogetherRow, judge,
};
pub use parallel::{Progress, unwatched};
pub use recommend::{Observation, Recommender};
pub use run::{Options, Player, player, run, run_asked, run_at};
pub use sweep::{Point, Sweep, sweep};
pub use trace::{Repairs, Trace, TraceBuilder, TraceSeries};
pub use world::Decided;
