//! Puts recorded former values back: the undo behind `apportion rollback --all`, also after a crash.
//!
//! It does not go through the guard. The guard judges new values against forecasts, telemetry and holds, none of which
//! need be there after a crash; this only ever puts back what was recorded as having stood before we came.

use super::{ActError, Order, Route};
use apportion_core::{Executor as _, Knob, Outcome, Setting, Workload};
use std::cmp::Reverse;

/// What came of putting one value back.
#[derive(Clone, Debug, PartialEq)]
pub enum PutBack {
    /// Written and read back.
    Done,
    /// It stood already.
    AlreadySo,
    /// The workload no longer exists, and its knob with it.
    Gone,
    /// It could not be put back; says where and what to do. The others were still tried.
    Failed(String),
}

impl PutBack {
    /// True when nothing of the change is left: the record of it may be closed.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        !matches!(self, Self::Failed(_))
    }
}

/// One value and what came of putting it back.
#[derive(Clone, Debug, PartialEq)]
pub struct Restored {
    /// Whose.
    pub workload: Workload,
    /// Which knob.
    pub knob: Knob,
    /// The recorded value.
    pub former: Setting,
    /// What came of it.
    pub result: PutBack,
}

/// Puts every value back, in a safe order; goes on after a failure; the answers are in the order of the work. Doing it
/// again changes nothing.
///
/// What gives comes before what takes, so that nothing is short in between. Memory is raised from the hard limit down
/// and cut from the soft limit down, so that a group is slowed and reclaimed from before it could be killed.
pub fn restore(knobs: Vec<(Workload, Knob, Setting)>, route: &mut Route) -> Vec<Restored> {
    let mut work: Vec<_> = knobs
        .into_iter()
        .map(|(workload, knob, former)| {
            let now = route.observe(&workload, knob).unwrap_or(Setting::Unlimited);
            (turn_order(knob, now, former), workload, knob, former)
        })
        .collect();
    work.sort_by_key(|(order, ..)| *order);
    work.into_iter()
        .map(|(_, workload, knob, former)| {
            let result = put_back(route, &workload, knob, former);
            Restored { workload, knob, former, result }
        })
        .collect()
}

/// Raises first; among raises the hard memory limit first, among cuts last.
fn turn_order(knob: Knob, now: Setting, former: Setting) -> (bool, Reverse<bool>) {
    let is_cut = former.or_infinite() < now.or_infinite();
    (is_cut, Reverse((knob == Knob::MemoryMax) != is_cut))
}

fn put_back(route: &mut Route, workload: &Workload, knob: Knob, former: Setting) -> PutBack {
    match route.put_back(&Order::put_back(workload.clone(), knob, former)) {
        Err(ActError::Gone { .. }) => PutBack::Gone,
        Err(error) => PutBack::Failed(error.to_string()),
        Ok(Outcome::Failed { error }) => PutBack::Failed(error),
        Ok(Outcome::Unchanged) => PutBack::AlreadySo,
        Ok(_) => PutBack::Done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::access::tests::{Fake, Takes, workload};
    use Setting::{Unlimited, Value};
    use std::{collections::BTreeMap, sync::Arc};

    type State<'a> = &'a [(&'a str, Knob, Setting)];

    /// Restores `former` over `now`; gives the writes and what came of each.
    fn run(now: State<'_>, former: State<'_>, takes: Takes) -> (Vec<(String, Knob)>, Vec<PutBack>) {
        let knobs: BTreeMap<_, _> = now.iter().map(|(name, knob, at)| ((workload(name).id, *knob), *at)).collect();
        let log = Arc::default();
        let mut route = Route::new(vec![Box::new(Fake { takes, knobs, log: Arc::clone(&log) })]);
        let work = || former.iter().map(|(name, knob, at)| (workload(name), *knob, *at)).collect();
        let first: Vec<PutBack> = restore(work(), &mut route).into_iter().map(|one| one.result).collect();
        let written = log.lock().unwrap().iter().map(|(id, knob, _)| (id.to_string(), *knob)).collect();
        if takes == Takes::Well {
            let again = restore(work(), &mut route);
            let still = |one: &Restored| matches!(one.result, PutBack::AlreadySo | PutBack::Gone);
            assert!(again.iter().all(still), "doing it again changes nothing: {again:?}");
        }
        (written, first)
    }

    #[test]
    fn what_gives_comes_first_and_memory_is_never_cut_hard_first() {
        use Knob::{CpuQuota, MemoryHigh, MemoryMax};
        let now: State<'_> = &[
            ("a", CpuQuota, Unlimited),
            ("a", MemoryMax, Value(2e9)),
            ("a", MemoryHigh, Value(2e9)),
            ("b", MemoryHigh, Value(1e9)),
            ("b", MemoryMax, Value(1e9)),
        ];
        let former: State<'_> = &[
            ("a", CpuQuota, Value(1.0)),
            ("a", MemoryMax, Value(1e9)),
            ("a", MemoryHigh, Value(1e9)),
            ("b", MemoryHigh, Value(2e9)),
            ("b", MemoryMax, Unlimited),
        ];
        let (written, results) = run(now, former, Takes::Well);
        let expect = [("b", MemoryMax), ("b", MemoryHigh), ("a", CpuQuota), ("a", MemoryHigh), ("a", MemoryMax)];
        assert_eq!(written, expect.map(|(name, knob)| (name.to_owned(), knob)));
        assert_eq!(results, vec![PutBack::Done; 5]);
    }

    #[test]
    fn one_failure_stops_nothing() {
        let now: State<'_> = &[("a", Knob::CpuQuota, Value(1.0)), ("c", Knob::CpuQuota, Value(1.0))];
        let former: State<'_> =
            &[("a", Knob::CpuQuota, Unlimited), ("b", Knob::CpuQuota, Unlimited), ("c", Knob::CpuQuota, Value(1.0))];
        let (_, results) = run(now, former, Takes::NotAtAll);
        let failed = |result: &PutBack| matches!(result, PutBack::Failed(why) if why.contains("should be unlimited"));
        assert!(failed(&results[0]) && !results[0].is_settled(), "{results:?}");
        assert_eq!(results[1..], [PutBack::Gone, PutBack::AlreadySo]);
    }
}
