//! `apportion rollback`.

use super::{
    NothingFound,
    control::{Control, segment},
    say,
};
use crate::{args, daemon};
use anyhow::bail;
use apportion_core::{DecisionId, Knob, Setting, Workload};
use apportion_host::{
    act::{PutBack, restore},
    cgroupfs::Hierarchy,
    store::{Filter, Store},
};
use std::{collections::BTreeSet, path::Path};

/// Puts knobs back: through the running loop where there is one, else directly.
///
/// # Errors
/// Nothing was found to put back, or a knob could not be.
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
    for path in paths {
        say(&control.ask("POST", &path, None)?);
    }
    Ok(())
}

fn workload_path(workload: &str) -> String {
    format!("/api/v1/workloads/{}/rollback", segment(workload))
}

fn decision_path(id: u64) -> String {
    format!("/api/v1/decisions/{id}/rollback")
}

/// Without a loop, recorded values are put back as they are. The workloads are then held for a day, so that a loop that is
/// started again does not undo the undoing.
fn directly(store: &Store, args: &args::Rollback) -> anyhow::Result<()> {
    let hierarchy = Hierarchy::discover(Path::new("/"))?;
    let mut route = daemon::route(&hierarchy, true);
    let knobs = wanted(store, args)?;
    if knobs.is_empty() {
        return Err(nothing());
    }
    let workloads: BTreeSet<String> = knobs.iter().map(|(workload, ..)| workload.id.to_string()).collect();
    let mut failures = 0;
    for restored in restore(knobs, &mut route) {
        let (workload, knob) = (&restored.workload.id, restored.knob);
        let said = match &restored.result {
            PutBack::Done | PutBack::AlreadySo => format!("is {} again", restored.former),
            PutBack::Gone => "is gone, and its limit with it".to_owned(),
            PutBack::Failed(why) => format!("could not be put back: {why}"),
        };
        say(&format!("{knob} of {workload} {said}"));
        if restored.result.is_settled() {
            store.mark_restored(workload, knob)?;
        } else {
            failures += 1;
        }
    }
    let now = daemon::now();
    for workload in workloads {
        let until = Some(now.plus_s(daemon::HOLD_AFTER_ROLLBACK_S));
        store.hold(&[workload], "rolled back by a person", until, now)?;
    }
    if failures > 0 {
        bail!("{failures} knobs could not be put back; correct what is said above and do it again");
    }
    say("held for a day; `apportion release WORKLOAD` ends that");
    Ok(())
}

fn wanted(store: &Store, args: &args::Rollback) -> anyhow::Result<Vec<(Workload, Knob, Setting)>> {
    let originals = store.originals()?;
    let all = originals.iter().map(|original| (original.workload.clone(), original.knob, original.setting));
    let what = match &args.what {
        _ if args.all => return Ok(all.collect()),
        Some(what) => what.clone(),
        None => last_applied(store)?.to_string(),
    };
    let Ok(number) = what.parse() else {
        return Ok(all.filter(|(workload, ..)| workload.id.as_str() == what).collect());
    };
    let decision = store.decision(DecisionId(number))?.filter(apportion_core::Decision::is_applied);
    let Some(decision) = decision else {
        return Err(NothingFound(format!("decision {number} turned no knob; `apportion history --applied`")).into());
    };
    let change = decision.change;
    let own = all.filter(|(workload, knob, _)| workload.id == change.workload && *knob == change.knob);
    Ok(own.map(|(workload, knob, _)| (workload, knob, change.from)).collect())
}

fn last_applied(store: &Store) -> anyhow::Result<DecisionId> {
    let decisions = store.decisions(&Filter { workload: None, since: None, limit: usize::MAX })?;
    let last = decisions.into_iter().find(apportion_core::Decision::is_applied);
    last.map(|decision| decision.id).ok_or_else(nothing)
}

fn nothing() -> anyhow::Error {
    NothingFound("nothing is changed, so there is nothing to put back".to_owned()).into()
}
