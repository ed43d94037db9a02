//! The series that are audited.

use super::Audit;
use crate::{
    args::Global,
    learn::{self, Found},
};
use apportion_core::{WorkloadId, traits::ForecastInput};

/// All series of the traces and, where asked for, of the store, with where they are from; names of different files stay apart.
pub(super) fn series(global: &Global, args: &Audit) -> anyhow::Result<(Vec<ForecastInput>, Vec<String>)> {
    let (all, sources) = learn::read(global, &args.traces, args.from_store)?;
    let every = all.len().div_ceil(usize::try_from(args.series)?).max(1);
    let inputs = all.into_iter().step_by(every).map(input).collect();
    Ok((inputs, sources))
}

fn input(found: Found) -> ForecastInput {
    let workload = WorkloadId::new(&format!("{}:{}", found.source, found.workload));
    ForecastInput { workload, metric: found.metric, past: found.series, announced: Vec::new() }
}
