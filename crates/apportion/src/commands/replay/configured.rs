//! What of the configuration and of the store a replay is played by: on a shared node who is served first, and with `--as-configured`
//! all that a loop would run by.

use super::{Replay, say_aside};
use crate::{args::Global, config::priority_name, zone};
use apportion_core::{Standing, Time, WorkloadId};
use apportion_replay::{Engine, Told, Trace, share::Claim};
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

/// What the rules set for the workloads of a trace.
///
/// # Errors
/// The configuration has faults.
pub(super) fn standings(global: &Global, trace: &Trace) -> anyhow::Result<BTreeMap<String, Standing>> {
    let config = global.configuration()?;
    let standing = |name: &str| (name.to_owned(), config.standing(&WorkloadId::new(name), true));
    Ok(trace.workloads().iter().map(|name| standing(name)).collect())
}

/// The same; people are told where no rule is of any of the workloads.
pub(super) fn said_where_no_rule(set: BTreeMap<String, Standing>) -> BTreeMap<String, Standing> {
    if set.values().all(|standing| *standing == Standing::default()) {
        say_aside(
            "--as-configured: no [[workloads]] rule of the configuration is of a workload here; played as without rules",
        );
    }
    set
}

/// Who is served first on a node, and in which shares; said where not all are equal.
pub(super) fn claims(standings: &BTreeMap<String, Standing>) -> BTreeMap<String, Claim> {
    let claim = |of: &Standing| Claim { priority: of.priority, weight: of.weight };
    let claims: BTreeMap<String, Claim> = standings.iter().map(|(name, of)| (name.clone(), claim(of))).collect();
    let words = |(name, claim): (&String, &Claim)| {
        let priority = priority_name(claim.priority);
        (*claim != Claim::default()).then(|| format!("{name} {priority}, weight {}", claim.weight))
    };
    let said: Vec<String> = claims.iter().filter_map(words).collect();
    if !said.is_empty() {
        say_aside(&format!("one node for all, by the configuration: {}; others normal, weight 1", said.join("; ")));
    }
    claims
}
