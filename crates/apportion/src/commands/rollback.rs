//! `apportion rollback`.

use super::{
    NothingFound,
    control::{Control, segment},
    say, say_aside,
};
use crate::{
    args,
    daemon::{self, Undo},
};
use anyhow::bail;
use apportion_core::{Decision, DecisionId};
use apportion_host::{
    act::remove_network_counts,
    store::{Filter, Store},
};
use std::{collections::BTreeSet, path::Path};

/// Puts knobs back: through the running loop where there is one, else directly.
///
/// # Errors
/// Nothing was found to put back, or a knob could not be; the others were put back all the same.
pub fn run(global: &args::Global, args: &args::Rollback) -> anyhow::Result<()> {
    match global.open_to_write()? {
        Some(store) => directly(&store, args),
        None => through_loop(global, args),
    }
}

fn through_loop(global: &args::Global, args: &args::Rollback) -> anyhow::Result<()> {
    let control = Control::find(&global.store_path())?;
    let store = global.open_to_read()?;
    let paths: Vec<String> = match &args.what {
        _ if args.all => {
            let changed: BTreeSet<_> = store.originals()?.into_iter().map(|original| original.workload.id).collect();
            changed.iter().map(|workload| workload_path(workload.as_str())).collect()
        }
        Some(what) => vec![what.parse().map_or_else(|_| workload_path(what), decision_path)],
        None => vec![decision_path(last_applied(&store)?.0)],
    };
    if paths.is_empty() {
        return Err(nothing());
    }
    say_each(paths.iter().map(|path| control.ask("POST", path, None).map_err(|error| format!("{error:#}"))))
}

fn workload_path(workload: &str) -> String {
    format!("/api/v1/workloads/{}/rollback", segment(workload))
}

fn decision_path(id: u64) -> String {
    format!("/api/v1/decisions/{id}/rollback")
}

/// Without a loop, recorded values are put back as they are. The workloads are held for a day first, so that a loop that is
/// started again does not undo the undoing.
fn directly(store: &Store, args: &args::Rollback) -> anyhow::Result<()> {
    if args.all
        && let Err(error) = remove_network_counts()
    {
        tracing::info!("what a killed run may have left to count sending was not looked for: {error}");
    }
    let undos = wanted(store, args)?;
    if undos.is_empty() {
        return Err(nothing());
    }
    let now = daemon::now();
    let held = hold(store, &undos, now);
    let remembered = store.load_state();
    let mut state = remembered.as_ref().cloned().unwrap_or_default();
    let said = daemon::undo(store, Path::new("/"), &undos, &mut state.next_id, now)?;
    // What a person puts back is no foreign hand: the next loop shall not take it for one.
    undos.iter().for_each(|undo| state.guard.take_over(&undo.original.workload.id));
    let noted = remembered.map_err(anyhow::Error::from).and_then(|_| Ok(store.save_state(&state)?));
    say_each(said.into_iter())?;
    held.and(noted)?;
    say("held for a day; `apportion release WORKLOAD` ends that");
    Ok(())
}

fn hold(store: &Store, undos: &[Undo], now: apportion_core::Time) -> anyhow::Result<()> {
    let until = Some(now.plus_s(daemon::HOLD_AFTER_ROLLBACK_S));
    let workloads: BTreeSet<_> = undos.iter().map(|undo| undo.original.workload.id.to_string()).collect();
    for workload in workloads {
        store.hold(&[workload], "rolled back by a person", until, now)?;
    }
    Ok(())
}

/// Says what was done and what was not, and goes on after a failure.
fn say_each(each: impl ExactSizeIterator<Item = Result<String, String>>) -> anyhow::Result<()> {
    let (all, mut failures) = (each.len(), 0);
    for one in each {
        match one {
            Ok(done) => say(&done),
            Err(why) => {
                failures += 1;
                say_aside(&format!("apportion: {why}"));
            }
        }
    }
    if failures > 0 {
        bail!("{failures} of {all} could not be put back: do what is said above, then do it again; the rest is done");
    }
    Ok(())
}

fn wanted(store: &Store, args: &args::Rollback) -> anyhow::Result<Vec<Undo>> {
    let all = store.originals()?.into_iter();
    let what = match &args.what {
        _ if args.all => return Ok(all.map(Undo::whole).collect()),
        Some(what) => what.clone(),
        None => last_applied(store)?.to_string(),
    };
    let Ok(number) = what.parse() else {
        return Ok(all.filter(|original| original.workload.id.as_str() == what).map(Undo::whole).collect());
    };
    let decision = store.decision(DecisionId(number))?.filter(Decision::is_applied);
    let Some(Decision { id, change, .. }) = decision else {
        return Err(NothingFound(format!("decision {number} turned no knob; `apportion history --applied`")).into());
    };
    let own = all.filter(|original| original.workload.id == change.workload && original.knob == change.knob);
    Ok(own.map(|original| Undo { original, to: change.from, of: id }).collect())
}

/// The last change that still stands: neither a taking back nor taken back since, of a knob that is not as it was at first. So doing
/// it again goes one change further back, and what hurt is not put in force again.
fn last_applied(store: &Store) -> anyhow::Result<DecisionId> {
    let decisions = store.decisions(&Filter { limit: usize::MAX, ..Filter::default() })?;
    let applied = || decisions.iter().filter(|decision| decision.is_applied());
    let undone: BTreeSet<DecisionId> = applied().filter_map(|decision| decision.change.undoes()).collect();
    let changed: BTreeSet<_> = store.originals()?.into_iter().map(|it| (it.workload.id, it.knob)).collect();
    let stands = |decision: &&Decision| {
        let place = (decision.change.workload.clone(), decision.change.knob);
        !decision.change.is_undo()
            && !decision.change.is_set_again()
            && !undone.contains(&decision.id)
            && changed.contains(&place)
    };
    let last = applied().find(stands);
    last.map(|decision| decision.id).ok_or_else(nothing)
}

fn nothing() -> anyhow::Error {
    NothingFound("nothing is changed, so there is nothing to put back".to_owned()).into()
}
