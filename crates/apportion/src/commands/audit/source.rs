//! The series that are audited.

use super::Audit;
use crate::{
    args::Global,
    daemon,
    learn::{self, Found},
};
use apportion_core::{WorkloadId, traits::ForecastInput};
use std::sync::Arc;

/// All series of the traces and, where asked for, of the store, with where they are from; names of different files stay apart.
pub(super) fn series(global: &Global, args: &Audit) -> anyhow::Result<(Vec<ForecastInput>, Vec<String>)> {
    let mut all = learn::from_traces(&args.traces)?;
    if args.from_store {
        all.extend(learn::from_store(&Arc::new(global.open_to_read()?), daemon::now())?);
    }
    let every = all.len().div_ceil(usize::try_from(args.series)?).max(1);
    let inputs = all.into_iter().step_by(every).map(input).collect();
    Ok((inputs, learn::names(&args.traces, args.from_store)))
}

fn input(found: Found) -> ForecastInput {
    let workload = WorkloadId::new(&format!("{}:{}", found.source, found.workload));
    ForecastInput { workload, metric: found.metric, past: found.series, announced: Vec::new() }
}
