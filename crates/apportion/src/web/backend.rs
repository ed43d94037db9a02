//! What the web part asks the rest of the program for: the past, the ledger, words, and actions.

pub use apportion_language::Language;

use crate::{ask::Answered, signals::Signals, tell::Told};
use apportion_core::{
    Decision, DecisionId, Forecast, Instructed, InstructionId, Metric, Rationale, Series, Time, Window, WorkloadId,
};
use std::sync::Arc;

/// How one forecaster did on a series' own past.
#[derive(Clone, Debug, PartialEq)]
pub struct ForecasterScore {
    /// Of which metric.
    pub metric: Metric,
    /// The forecaster.
    pub by: String,
    /// Weighted quantile loss in the rolling back-test relative to seasonal naive; below 1 is better.
    pub score: f64,
    /// True for the one in use.
    pub chosen: bool,
}

/// Which decisions to give, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionQuery {
    /// Of this workload only.
    pub workload: Option<WorkloadId>,
    /// Not older than this.
    pub since: Option<Time>,
    /// With a smaller number than this: the next page.
    pub before: Option<DecisionId>,
    /// At most so many.
    pub limit: usize,
}

/// What a person with the token may ask for.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Put the knob back to what it was before this decision.
    RollBackDecision(DecisionId),
    /// Put every knob of this workload back to what it was before Apportion changed it.
    RollBackWorkload(WorkloadId),
    /// Change nothing of this workload.
    Hold {
        /// Which.
        workload: WorkloadId,
        /// In their words; shown wherever the hold is.
        why: String,
        /// Until when; `None` until released.
        until: Option<Time>,
    },
    /// End a hold that was set by [`Action::Hold`].
    Release(WorkloadId),
    /// Take a sentence that was shown as it was read, and confirmed.
    Instruct {
        /// The sentence.
        text: String,
        /// When it was read.
        at: Time,
        /// The zone of its times; the machine's where none.
        zone: Option<String>,
        /// Workloads that will exist.
        also: Vec<String>,
        /// What was shown, as the reading says.
        shown: String,
        /// True where a person said that a reading that is not sure is what they meant.
        guessed: bool,
    },
    /// Take an instruction back.
    Revoke(InstructionId),
    /// Size this workload again although somebody else turned its knobs.
    TakeOver(WorkloadId),
}

/// Why an action was not done. All three texts are for people; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionError {
    /// Whether the fault is the request's.
    pub kind: ActionErrorKind,
    /// What was wrong.
    pub what: String,
    /// Which workload, decision or knob.
    pub place: String,
    /// What to do.
    pub remedy: String,
}

/// Decides the HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionErrorKind {
    /// There is no such workload or decision: 404.
    NotFound,
    /// It cannot be done in the present state (nothing to take back, set by the configuration): 409.
    Conflict,
    /// The machine or the store refused: 500.
    Failed,
}

/// Fetched on demand. Calls may block for some milliseconds: they are made on a thread that may.
pub trait Backend: Send + Sync {
    /// The past over a window, gaps as NaN; `None` when nothing of it is known.
    fn series(&self, workload: &WorkloadId, metric: &Metric, window: Window) -> Option<Series>;
    /// The newest forecast; `None` when there is none.
    fn forecast(&self, workload: &WorkloadId, metric: &Metric) -> Option<Forecast>;
    /// What the forecast rests on, as it would be made now; `None` where nothing of the metric is recorded. Takes up to a second.
    fn rationale(&self, workload: &WorkloadId, metric: &Metric) -> Option<Rationale>;
    /// Back-test scores of the forecasters that were tried, best first per metric; empty until there is enough history.
    fn scores(&self, workload: &WorkloadId) -> Vec<ForecasterScore>;
    /// Decisions from the ledger, newest first.
    fn decisions(&self, query: &DecisionQuery) -> Vec<Decision>;
    /// One decision.
    fn decision(&self, id: DecisionId) -> Option<Decision>;
    /// A decision in words; every number in them is in the decision.
    fn explain(&self, decision: &Decision, language: Language) -> String;
    /// What a sentence would do, read at a time in a zone (the machine's where none); `also` are workloads that will exist.
    fn read(&self, text: &str, at: Time, zone: Option<&str>, also: &[String]) -> Told;
    /// What a sentence that was read in a zone would have done on the last days, or why that is not computed; `None` where it has no
    /// effect that could be played. Takes up to [`crate::tell::effect::WITHIN`]; holds up no turn of the loop.
    fn effect(&self, told: &Told, zone: Option<&str>) -> Option<String>;
    /// An answer to a question, asked at a time in a zone, about what `view` shows and what is recorded. Changes nothing.
    fn ask(&self, text: &str, at: Time, zone: Option<&str>, view: &super::View) -> Answered;
    /// Every instruction that is kept, newest first, those that are past or revoked among them.
    fn instructions(&self) -> Vec<Instructed>;
    /// Where alerts and log lines go.
    fn signals(&self) -> Arc<Signals>;
    /// Does what a person asked for; gives what was done, in words. Called only with the token.
    ///
    /// # Errors
    /// Why not; then nothing was changed.
    fn act(&self, action: Action) -> Result<String, ActionError>;
}
