//! The words and rules of Apportion, and the loop that joins them. Pure: no clock, no files, no threads, no ambient
//! randomness; time and seeds are parameters (`clippy.toml` beside `Cargo.toml` holds the line).
//!
//! Read in this order: [`workload`], [`metric`], [`series`], [`forecast`], [`knob`], [`plan`], [`guard`], [`tick`].

pub mod announced;
pub mod decision;
pub mod forecast;
pub mod guard;
pub mod instruction;
pub mod knob;
pub mod metric;
pub mod objection;
pub mod plan;
pub mod rationale;
pub mod sample;
pub mod series;
pub mod signal;
pub mod snapshot;
pub mod stats;
pub mod tick;
pub mod time;
pub mod traits;
pub mod watch;
pub mod workload;

pub use announced::{Announced, by_hours, without_announced};
pub use decision::{Decision, DecisionId, Outcome, Verdict};
pub use forecast::{Forecast, LEVELS};
pub use guard::{Admitted, Guard, GuardLimits, Refusal};
pub use instruction::{Instructed, Instruction, InstructionId};
pub use knob::{Knob, Setting};
pub use metric::{Kind, Metric, Resource};
pub use objection::Objection;
pub use plan::{Assessment, Binding, Change, Counterfactual, Plan, Reason, Want};
pub use rationale::Rationale;
pub use sample::{BEGUN_ANEW, Batch, Problem, Sample};
pub use series::Series;
pub use signal::{Signal, SignalSource};
pub use snapshot::{Capacity, Latest, Snapshot, WorkloadState};
pub use tick::{LoopState, TickReport, roll_back, tick};
pub use time::{Time, Window};
pub use traits::{Collector, Executor, Forecaster, History, Policy};
pub use watch::{Harm, Margins, Watch};
pub use workload::{Mode, Standing, Workload, WorkloadId, WorkloadKind, edits, matches};
