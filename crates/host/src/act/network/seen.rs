//! Rules, queues and classes as they were at one time, and what they say of a group.

use super::{
    super::ActError,
    classes::{self, Rates, Root, Roots},
    rules::{self, Rule, Rules},
};
use std::collections::BTreeMap;

/// What `nft` and `tc` said.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Where what is sent leaves, else where our queue still is; `None` where there is neither.
    pub(super) interface: Option<String>,
    pub(super) rules: Rules,
    /// The rules whose groups were there, by the path of the group.
    pub(super) living: BTreeMap<String, Rule>,
    pub(super) roots: Roots,
    /// Those of our queue on the interface.
    pub(super) rates: Rates,
}

impl Seen {
    /// Asks, where what is sent leaves by `egress`.
    pub(super) fn ask(egress: Option<String>) -> Result<Self, ActError> {
        let mut seen = Self { rules: rules::list()?, roots: classes::roots()?, ..Self::default() };
        seen.interface = egress.or_else(|| seen.ours().next().map(str::to_owned));
        if let Some(interface) = seen.interface.as_deref().filter(|_| seen.root() == Root::Ours) {
            seen.rates = classes::rates(interface)?;
        }
        Ok(seen)
    }

    /// What stands at the root of the interface.
    pub(super) fn root(&self) -> Root {
        self.interface.as_ref().and_then(|interface| self.roots.get(interface).cloned()).unwrap_or_default()
    }

    /// The interfaces that have our queue.
    pub(super) fn ours(&self) -> impl Iterator<Item = &str> {
        self.roots.iter().filter(|(_, root)| **root == Root::Ours).map(|(interface, _)| interface.as_str())
    }

    /// Those where it is of no use any more.
    pub(super) fn strays(&self) -> impl Iterator<Item = &str> {
        self.ours().filter(|interface| self.interface.as_deref() != Some(interface))
    }

    /// The rate of a group in force, bytes per second.
    pub(super) fn rate(&self, inode: u64) -> Option<f64> {
        self.rules.get(&inode).and_then(|class| self.rates.get(class)).copied()
    }

    /// Half of what holds a rate is out of the way as a whole: its queue is on an interface that is not the one of the default route any
    /// more, or all rules are gone with the table (a ruleset that was emptied). Where only the rule of this group, its class, or the queue
    /// is gone, somebody has taken it away.
    pub(super) fn is_lost(&self, inode: u64) -> bool {
        let has_moved = || self.root() != Root::Ours && self.strays().next().is_some();
        self.rules.get(&inode).map_or_else(|| self.has_lost_rules(), |_| has_moved())
    }

    /// A rule of this group leads to no class, or all rules are gone and a queue is left.
    pub(super) fn has_leftover(&self, inode: u64) -> bool {
        self.rules.get(&inode).map_or_else(|| self.has_lost_rules(), |class| !self.rates.contains_key(class))
    }

    fn has_lost_rules(&self) -> bool {
        self.rules.is_empty() && self.ours().next().is_some()
    }

    /// True where something is left of rates that are not in force.
    pub(super) fn has_leftovers(&self) -> bool {
        self.living.len() < self.rules.len() || self.has_lost_rules() || self.strays().next().is_some()
    }

    /// The classes that none of these rules leads to.
    pub(super) fn unused(&self, rules: &BTreeMap<String, Rule>) -> Vec<u16> {
        self.rates.keys().copied().filter(|known| !rules.values().any(|rule| rule.class == *known)).collect()
    }

    /// The lowest number that no rule and no class has.
    pub(super) fn free_class(&self) -> u16 {
        let has_rule = |class: &u16| self.rules.values().any(|used| used == class);
        let is_free = |class: &u16| !self.rates.contains_key(class) && !has_rule(class);
        (1..u16::MAX).find(is_free).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_as_a_whole_is_lost_and_what_is_gone_alone_was_taken() {
        let check = |rules: &[(u64, u16)], roots: &[(&str, Root)], rates: &[u16], lost: bool, leftovers: bool| {
            let seen = Seen {
                interface: Some("wlan0".to_owned()),
                rules: rules.iter().copied().collect(),
                living: rules
                    .iter()
                    .map(|(inode, class)| (inode.to_string(), Rule { inode: *inode, class: *class }))
                    .collect(),
                roots: roots.iter().map(|(name, root)| ((*name).to_owned(), root.clone())).collect(),
                rates: rates.iter().map(|class| (*class, 1e6)).collect(),
            };
            assert_eq!((seen.is_lost(7), seen.has_leftovers()), (lost, leftovers), "{seen:?}");
        };
        let ours = &[("wlan0", Root::Ours)];
        check(&[], &[], &[], false, false);
        check(&[(7, 1)], ours, &[1], false, false);
        check(&[(8, 2)], ours, &[1, 2], false, false);
        check(&[], ours, &[1], true, true);
        check(&[(7, 1)], ours, &[], false, false);
        check(&[(7, 1)], &[], &[], false, false);
        check(&[(7, 1)], &[("eth0", Root::Ours)], &[], true, true);
        check(&[], &[("eth0", Root::Ours)], &[], true, true);
        check(&[(7, 1)], &[("wlan0", Root::Foreign("tbf".to_owned()))], &[], false, false);
        let moved = &[("eth0", Root::Ours), ("wlan0", Root::Foreign("tbf".to_owned()))];
        check(&[(7, 1)], moved, &[], true, true);
    }
}
