//! Signals in text: alerts over HTTP ([`alertmanager`]) and lines of the journal ([`journal`]) become typed hints on the [`Board`]. Names
//! come from labels and from the journal's own fields, which a workload cannot write; its text is data and can give no instruction.

pub mod alertmanager;
pub mod journal;

use apportion_core::{Signal, SignalSource, Time, WorkloadId, instruction::Level};
use apportion_language::reading::signal::complaint;
use apportion_planner::signals::{Board, Ignored};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};
use utoipa::ToSchema;

/// What is shown of a text, characters.
const SHOWN_CHARS: usize = 200;

/// A report as a source gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Names by which the workload may be known, likeliest first.
    pub names: Vec<String>,
    /// How bad.
    pub level: Level,
    /// Where it came from.
    pub source: SignalSource,
    /// What it says.
    pub text: String,
    /// True where it says that what was reported is over.
    pub over: bool,
}

/// What became of reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Taken {
    /// Signals that are in force now because of them.
    pub taken: usize,
    /// Signals that they ended.
    pub ended: usize,
    /// Reports that changed nothing: of no known workload, of nothing that can be allotted, or beyond what is let through.
    pub ignored: usize,
}

/// A signal in force, as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InForce {
    /// Whose.
    pub workload: String,
    /// cpu, memory, storage or network; all where none.
    pub resource: Option<String>,
    /// critical, high, normal or low.
    pub level: String,
    /// What is asked for, as a factor on what would be enough.
    pub factor: f64,
    /// alert or log.
    pub source: String,
    /// When it was taken, seconds since 1970.
    pub time_s: i64,
    /// Until when it holds.
    pub until_s: i64,
    /// Its text, cut short.
    pub text: String,
}

/// The board, shared by the loop, the page and the reader of the journal.
#[derive(Debug, Default)]
pub struct Signals {
    board: Mutex<Board>,
    known: Mutex<BTreeSet<WorkloadId>>,
}

impl Signals {
    /// Takes the names of the workloads that exist now.
    pub fn know(&self, workloads: impl Iterator<Item = WorkloadId>) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = workloads.collect();
    }

    /// A copy of the board as it is, for one turn of the loop.
    #[must_use]
    pub fn board(&self) -> Board {
        self.board.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes reports in at a time.
    pub fn take(&self, reports: &[Report], now: Time) -> Taken {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Taken::default();
        for report in reports {
            match put(&mut board, report, &known, now) {
                Some(true) if report.over => taken.ended += 1,
                Some(true) => taken.taken += 1,
                _ => taken.ignored += 1,
            }
        }
        taken
    }

    /// Those in force at a time.
    #[must_use]
    pub fn in_force(&self, now: Time) -> Vec<InForce> {
        self.board().in_force(now).map(listed).collect()
    }
}

/// `None` where the report is about nothing here; false where the board has no room for it.
fn put(board: &mut Board, report: &Report, known: &BTreeSet<WorkloadId>, now: Time) -> Option<bool> {
    let workload = report.names.iter().find_map(|name| of_name(name, known))?.clone();
    let resource = complaint(&report.text)?.resource;
    if report.over {
        return Some(board.resolve(&workload, resource));
    }
    let text = report.text.chars().take(SHOWN_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let (level, source) = (report.level, report.source);
    let taken: Result<(), Ignored> = board.take(Signal { workload, resource, level, time: now, source, text });
    Some(taken.is_ok())
}

/// The one workload of a name as it stands: no wildcards, and nothing where two answer to it.
fn of_name<'a>(name: &str, known: &'a BTreeSet<WorkloadId>) -> Option<&'a WorkloadId> {
    if name.is_empty() || name.contains(['*', '?']) {
        return None;
    }
    let mut answer = known.iter().filter(|workload| !workload.is_machine() && workload.answers_to(name));
    answer.next().filter(|_| answer.next().is_none())
}

fn listed(signal: &Signal) -> InForce {
    let name = |value: serde_json::Result<serde_json::Value>| value.ok()?.as_str().map(str::to_owned);
    InForce {
        workload: signal.workload.to_string(),
        resource: signal.resource.and_then(|resource| name(serde_json::to_value(resource))),
        level: name(serde_json::to_value(signal.level)).unwrap_or_default(),
        factor: apportion_planner::signals::factor(signal.level),
        source: name(serde_json::to_value(signal.source)).unwrap_or_default(),
        time_s: signal.time.s(),
        until_s: signal.time.plus_s(apportion_planner::signals::LASTS_S).s(),
        text: signal.text.clone(),
    }
}
