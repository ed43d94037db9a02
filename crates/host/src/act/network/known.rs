//! What is known of rates between two looks.

use super::{
    rules::{Rule, Rules},
    seen::Seen,
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// Two programs are started to look, so a glance uses what was seen within this time.
const GLANCE_FOR: Duration = Duration::from_secs(60);

/// What was seen last, and whose rate got lost since.
///
/// Which rates got lost with what held them all is seen only until the next rule is written: then that of the others could as well have
/// been taken away by somebody. So it is kept until each is in force again, or is not wanted any more.
#[derive(Default)]
pub(super) struct Known {
    seen: Option<(Instant, Result<Seen, String>)>,
    /// The rules whose rate was in force at the last look.
    in_force: Rules,
    /// The rules whose rate got lost.
    lost: Rules,
}

impl Known {
    /// Looks where that was not done within the last minute.
    pub(super) fn renew(&mut self, look: impl FnOnce() -> Result<Seen, String>) {
        if self.seen.as_ref().is_none_or(|(when, _)| when.elapsed() >= GLANCE_FOR) {
            self.keep(look());
        }
    }

    /// What was seen last, or why nothing was.
    pub(super) fn seen(&self) -> Result<&Seen, &str> {
        self.seen.as_ref().map_or(Err("not looked at yet"), |(_, seen)| seen.as_ref().map_err(String::as_str))
    }

    /// Takes what was seen just now.
    pub(super) fn keep(&mut self, seen: Result<Seen, String>) {
        if let Ok(seen) = &seen {
            self.compare(seen);
        }
        self.seen = Some((Instant::now(), seen));
    }

    /// What was seen is about to be changed: it is looked at anew next time.
    pub(super) fn change(&mut self, seen: &Seen) {
        self.compare(seen);
        self.seen = None;
    }

    /// The rate of this group shall not be set any more.
    pub(super) fn give_up(&mut self, inode: u64) {
        self.lost.remove(&inode);
    }

    /// As [`Seen::is_lost`], also where it was seen to get lost before.
    pub(super) fn is_lost(&self, seen: &Seen, inode: u64) -> bool {
        self.lost.contains_key(&inode) || seen.is_lost(inode)
    }

    /// As [`Seen::has_leftover`], also where its class waits for a rate that got lost.
    pub(super) fn has_leftover(&self, seen: &Seen, inode: u64) -> bool {
        self.lost.contains_key(&inode) || seen.has_leftover(inode)
    }

    /// The classes that none of these rules leads to, but for those of rates that got lost: they are to be set again.
    pub(super) fn unused(&self, seen: &Seen, rules: &BTreeMap<String, Rule>) -> Vec<u16> {
        let has_rule = |inode: &u64| rules.values().any(|rule| rule.inode == *inode);
        let is_to_come = |class: &u16| self.lost.iter().any(|(inode, lost)| lost == class && !has_rule(inode));
        seen.unused(rules).into_iter().filter(|class| !is_to_come(class)).collect()
    }

    fn compare(&mut self, seen: &Seen) {
        let in_force = std::mem::take(&mut self.in_force);
        self.lost.extend(in_force.into_iter().filter(|(inode, _)| seen.is_lost(*inode)));
        self.lost.retain(|inode, _| seen.rate(*inode).is_none());
        let holds = |(inode, class): (&u64, &u16)| seen.rate(*inode).map(|_| (*inode, *class));
        self.in_force = seen.rules.iter().filter_map(holds).collect();
    }
}
