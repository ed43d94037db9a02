//! The series that are audited.

use super::{Audit, say_aside};
use crate::{
    args::Global,
    daemon,
    learn::{self, Bounds, Found},
};
use apportion_core::{WorkloadId, traits::ForecastInput};

/// All series of the traces and, where asked for, of the store, with where they are from; names of different files stay apart.
pub(super) fn series(global: &Global, args: &Audit) -> anyhow::Result<(Vec<ForecastInput>, Vec<String>)> {
    let series = usize::try_from(args.series)?;
    // Half of a horizon before and half of one after an end is what a forecast is judged with.
    let bounds = Bounds { readings: usize::try_from(args.horizon)?, workloads: series };
    let (all, sources) = learn::read(global, &args.traces, args.from_store.then(daemon::now), bounds)?;
    let every = all.len().div_ceil(series).max(1);
    if every > 1 {
        say_aside(&format!("one of every {every} series of {} is audited; --series audits more", all.len()));
    }
    let inputs = all.into_iter().step_by(every).map(input).collect();
    Ok((inputs, sources))
}

fn input(found: Found) -> ForecastInput {
    let workload = WorkloadId::new(&format!("{}:{}", found.source, found.workload));
    ForecastInput { workload, metric: found.metric, past: found.series, announced: Vec::new() }
}
