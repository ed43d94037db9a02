//! What can be wrong with a trace or a request, and what to do about it.

/// Why a replay was refused. Nothing is half done.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// No usable sample.
    #[error("the trace holds no usage samples: it needs rows of workload, metric, time (whole seconds) and value")]
    Empty,
    /// Usage below zero.
    #[error(
        "row {row}: {workload} {metric} at time {time_s} uses {value}, which is below zero; leave a missing reading out, or mend the source"
    )]
    Negative {
        /// Number of the row, from 1.
        row: usize,
        /// Whose.
        workload: String,
        /// Of what.
        metric: String,
        /// When, seconds.
        time_s: i64,
        /// The value.
        value: f64,
    },
    /// Usage without end.
    #[error("row {row}: {workload} {metric} at time {time_s} is infinite; leave a missing reading out")]
    Infinite {
        /// Number of the row, from 1.
        row: usize,
        /// Whose.
        workload: String,
        /// Of what.
        metric: String,
        /// When, seconds.
        time_s: i64,
    },
    /// Nothing is left to be judged.
    #[error(
        "nothing is left after a warm-up of {warmup_s} s: the longest series spans {longest_s} s; give a shorter --warmup (0 counts all), or more history"
    )]
    OnlyWarmUp {
        /// The warm-up, seconds.
        warmup_s: i64,
        /// Span of the longest series, seconds.
        longest_s: i64,
    },
    /// One metric in two units.
    #[error(
        "{workload} {metric} changes by a factor of {factor} at time {time_s} and stays there: that looks like a change of unit ({unit}); bring both parts to one unit, or split the series in two"
    )]
    MixedUnits {
        /// Whose.
        workload: String,
        /// Of what.
        metric: String,
        /// When, seconds.
        time_s: i64,
        /// New level over old one.
        factor: f64,
        /// Which change of unit that would be.
        unit: &'static str,
    },
    /// One series at two steps.
    #[error(
        "{workload} {metric} comes every {before_s} s at first and every {after_s} s from time {time_s} on: a replay counts samples, so bring both parts to one step (the longer), or replay one of them (--last)"
    )]
    StepChanges {
        /// Whose.
        workload: String,
        /// Of what.
        metric: String,
        /// From when on, seconds.
        time_s: i64,
        /// The first step, seconds.
        before_s: i64,
        /// The later one, seconds.
        after_s: i64,
    },
    /// No such policy.
    #[error("no policy is called '{name}'; known: {known}")]
    UnknownPolicy {
        /// As asked.
        name: String,
        /// All names.
        known: String,
    },
    /// An instruction for workloads that are not there.
    #[error("the instruction is for {names}, and the trace has no such workload; it has: {known}")]
    NotNamed {
        /// Whom it names.
        names: String,
        /// Who is there.
        known: String,
    },
    /// Whoever watched its progress said stop.
    #[error("broken off before it was played to the end")]
    BrokenOff,
    /// HPA without request rates.
    #[error(
        "hpa sizes request rates only, and no metric of this trace has 'request' or 'calls' in its name; it has: {metrics}"
    )]
    NoRequests {
        /// The metrics that are there.
        metrics: String,
    },
    /// Replicas without what tells their size.
    #[error(
        "{policy} is for workloads with a request rate and CPU (and memory) as amounts, _cores and _bytes, at the same times, and this trace has none"
    )]
    NoReplicas {
        /// Who cannot.
        policy: String,
    },
    /// Decisions of another trace.
    #[error(
        "{policy} has decisions for {workload} {metric}, which this trace does not hold: judge them with the trace they were made on"
    )]
    ForeignDecisions {
        /// Whose decisions.
        policy: String,
        /// The workload.
        workload: String,
        /// The metric.
        metric: String,
    },
}
