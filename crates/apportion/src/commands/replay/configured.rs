//! `--as-configured`: what of the configuration and of the store a loop would run by.

use super::{Replay, say_aside};
use crate::{args::Global, zone};
use apportion_core::{Standing, Time, WorkloadId};
use apportion_replay::{Engine, Told, Trace};
use std::collections::BTreeMap;

/// The guard of the configuration, and what people have told the loop, where its store is replayed.
///
/// # Errors
/// The configuration has faults, or the store cannot be read.
pub(super) fn guard_and_told(global: &Global, args: &Replay, engine: &mut Engine<'_>) -> anyhow::Result<()> {
    engine.limits = global.configuration()?.limits;
    if args.from_store {
        let said = global.open_to_read()?.instructions(Time::default())?;
        engine.told = Some(Told { said, offset_s: zone::offset_s });
    }
    Ok(())
}

/// What the rules set for the workloads of a trace; said where no rule is of any of them.
///
/// # Errors
/// The configuration has faults.
pub(super) fn standings(global: &Global, trace: &Trace) -> anyhow::Result<BTreeMap<String, Standing>> {
    let config = global.configuration()?;
    let standing = |name: String| (config.standing(&WorkloadId::new(&name), true), name);
    let set = trace.workloads().into_iter().map(|name| name.to_string()).map(standing);
    let set: BTreeMap<String, Standing> = set.map(|(standing, name)| (name, standing)).collect();
    if set.values().all(|standing| *standing == Standing::default()) {
        say_aside(
            "--as-configured: no [[workloads]] rule of the configuration is of a workload here; played as without rules",
        );
    }
    Ok(set)
}
