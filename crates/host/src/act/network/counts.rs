//! What groups in the machine's own network send: a counter of nftables for each.
//!
//! They stand in a table of their own, beside that of the rates: it looks at packets that have passed every filter, by the same
//! `socket cgroupv2` match and on the same interface as the rates do, and does nothing to them. Groups of one depth share a map, so
//! that a packet costs one look a depth however many groups there are. A counter has the number of its group's folder for a name:
//! a group made anew begins a new one, reading them walks no tree, and they stand while others come and go.

use super::{
    super::ActError, Group, above, check_tree, command, egress_interface, group_of, inode, patience, rules::objects,
};
use crate::{
    cgroupfs::{Hierarchy, Reader},
    collect::{is_in_ours, real},
};
use apportion_core::{Batch, Collector, Metric, Problem, Time, Workload, WorkloadId, metric::name};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

const TABLE: &str = "inet apportion-count";
/// After the machine's filters (0) and those of security modules (50): what they drop is not sent.
const PRIORITY: i32 = 300;
/// What an Ethernet frame adds to a packet: interfaces and their queues count it, nftables does not.
const FRAME_BYTES: u64 = 14;

/// Runs `nft` with these arguments and a script on its standard input; gives what it prints.
pub type Nft = Box<Ask>;
type Ask = dyn Fn(&[&str], &str) -> Result<String, ActError> + Send;

/// Counts what groups of the version 2 tree send over the interface of the default route, whichever that is at the time, as the collector of it too. The table is made for the first group
/// that is to be counted, and removed with the last one, or when this is dropped. Needs what [`super::NetworkRates`] needs.
pub struct NetworkCounts {
    /// `None` until there is a default route.
    interface: Option<String>,
    hierarchy: Hierarchy,
    nft: Nft,
    metric: Metric,
    reader: Reader,
    /// By inode.
    counted: BTreeMap<u64, Counted>,
}

/// A group that is counted, and how deep it lies in the tree.
struct Counted {
    workload: WorkloadId,
    group: Group,
    level: usize,
    /// False until its counter was read once since it was made.
    is_read: bool,
}

impl NetworkCounts {
    /// What an earlier run left is removed.
    ///
    /// # Errors
    /// As [`super::NetworkRates::new`].
    pub fn new(hierarchy: Hierarchy) -> Result<Self, ActError> {
        check_tree(&hierarchy)?;
        Self::by(Box::new(ask), hierarchy)
    }

    /// As [`Self::new`], by another `nft`.
    ///
    /// # Errors
    /// What that said, or the routes cannot be read.
    pub fn by(nft: Nft, hierarchy: Hierarchy) -> Result<Self, ActError> {
        let (metric, reader) = (Metric::new(name::NETWORK_SEND), Reader::default());
        remove(nft.as_ref())?;
        let mut counts = Self { interface: None, hierarchy, nft, metric, reader, counted: BTreeMap::new() };
        counts.follow()?;
        Ok(counts)
    }

    /// Another default route is counted on from the next turn on: a gap, since nothing is sent over the old one any more.
    fn follow(&mut self) -> Result<(), ActError> {
        let Some(egress) = egress_interface(self.hierarchy.root())? else { return Ok(()) };
        if self.interface.as_ref() != Some(&egress) {
            self.interface = Some(egress);
            self.counted.clear();
        }
        Ok(())
    }

    /// From now on counts these workloads and no others, as far as they are groups with processes in the network that this process is
    /// in. The table is written only where something of it changes.
    ///
    /// # Errors
    /// What `nft` said; those counted before still are.
    pub fn count<'a>(&mut self, workloads: impl IntoIterator<Item = &'a Workload>) -> Result<(), ActError> {
        let Some(interface) = self.interface.clone() else { return Ok(()) };
        let mut wanted: BTreeMap<u64, Counted> =
            workloads.into_iter().filter_map(|workload| self.find(workload)).collect();
        if !wanted.keys().eq(self.counted.keys()) {
            self.make(&interface, &wanted)?;
        }
        for (number, counted) in &mut wanted {
            counted.is_read = self.counted.get(number).is_some_and(|before| before.is_read);
        }
        self.counted = wanted;
        Ok(())
    }

    /// True of a workload that is counted now.
    #[must_use]
    pub fn is_counted(&self, workload: &WorkloadId) -> bool {
        self.counted.values().any(|counted| counted.workload == *workload)
    }

    fn find(&mut self, workload: &Workload) -> Option<(u64, Counted)> {
        let group = group_of(&self.hierarchy, workload)?;
        let is_ours = is_in_ours(self.hierarchy.root(), &group.dir, &mut self.reader);
        let (inode, level) =
            (is_ours.filter(|ours| *ours).and(inode(&group.dir))?, group.level(above(&self.hierarchy)));
        Some((inode, Counted { workload: workload.id.clone(), group, level, is_read: false }))
    }

    fn make(&self, interface: &str, wanted: &BTreeMap<u64, Counted>) -> Result<(), ActError> {
        if wanted.is_empty() {
            return remove(self.nft.as_ref());
        }
        (self.nft)(&["-f", "-"], &script(interface, &self.counted, wanted)).map(drop)
    }
}

impl Collector for NetworkCounts {
    fn name(&self) -> &'static str {
        "network counts"
    }

    /// Samples of the workloads that are counted, without the workloads themselves: another collector finds those.
    fn collect(&mut self, now: Time) -> Batch {
        let mut batch = Batch::default();
        if let Err(error) = self.follow() {
            batch.problems.push(Problem { place: self.name().to_owned(), what: error.to_string() });
        }
        if self.counted.is_empty() {
            return batch;
        }
        let read = match (self.nft)(&["-j", "list", "counters", "table", "inet", "apportion-count"], "") {
            Ok(json) => parse(&json),
            Err(error) => {
                batch.problems.push(Problem { place: self.name().to_owned(), what: error.to_string() });
                // One that hangs says nothing of the table.
                if !matches!(error, ActError::Silent { .. }) {
                    self.counted.clear();
                }
                return batch;
            }
        };
        for (number, counted) in &mut self.counted {
            let Some(bytes) = read.get(number).filter(|_| inode(&counted.group.dir) == Some(*number)) else { continue };
            let push = if counted.is_read { Batch::push } else { Batch::push_anew };
            push(&mut batch, &counted.workload, &self.metric, now, real(*bytes));
            counted.is_read = true;
        }
        // Somebody has taken some away: all are made anew.
        if !self.counted.keys().all(|number| read.contains_key(number)) {
            self.counted.clear();
        }
        batch
    }
}

impl Drop for NetworkCounts {
    fn drop(&mut self) {
        if let Err(error) = remove(self.nft.as_ref()) {
            tracing::warn!("what counts sending is left, `apportion rollback --all` removes it: {error}");
        }
    }
}

/// Removes what a run that was killed has left; nothing where there is nothing.
///
/// # Errors
/// `nft` is missing, or may not be used.
pub fn remove_network_counts() -> Result<(), ActError> {
    remove(&ask)
}

fn ask(arguments: &[&str], script: &str) -> Result<String, ActError> {
    patience().ask(|| command::run("nft", arguments, script))
}

fn remove(nft: &Ask) -> Result<(), ActError> {
    nft(&["-f", "-"], &format!("add table {TABLE}\ndelete table {TABLE}\n")).map(drop)
}

/// Makes `wanted` of a table with the counters of `before`: those in both stand. Where there were none, of none at all.
fn script(interface: &str, before: &BTreeMap<u64, Counted>, wanted: &BTreeMap<u64, Counted>) -> String {
    let mut text = format!("add table {TABLE}\n");
    if before.is_empty() {
        let _ = write!(text, "delete table {TABLE}\nadd table {TABLE}\n");
    }
    let hook = format!("{{ type filter hook output priority {PRIORITY}; policy accept; }}");
    let _ = write!(text, "add chain {TABLE} output {hook}\nflush chain {TABLE} output\n");
    let levels: BTreeSet<usize> = before.values().chain(wanted.values()).map(|counted| counted.level).collect();
    for level in levels {
        let _ = write!(
            text,
            "add map {TABLE} level{level} {{ type cgroupsv2 : counter; }}\nflush map {TABLE} level{level}\n\
             add rule {TABLE} output oifname \"{interface}\" counter name socket cgroupv2 level {level} map @level{level}\n"
        );
    }
    for gone in before.keys().filter(|number| !wanted.contains_key(number)) {
        let _ = writeln!(text, "delete counter {TABLE} g{gone}");
    }
    for (number, Counted { group, level, .. }) in wanted {
        let name = &group.name;
        let _ = write!(
            text,
            "add counter {TABLE} g{number}\nadd element {TABLE} level{level} {{ \"{name}\" : \"g{number}\" }}\n"
        );
    }
    text
}

/// What each group has sent, by the number of its folder; counters that are not ours are left out.
pub(super) fn parse(json: &str) -> BTreeMap<u64, u64> {
    let sent = |counter: serde_json::Value| {
        let number = counter["name"].as_str()?.strip_prefix('g')?.parse().ok()?;
        let frames = counter["packets"].as_u64()?.saturating_mul(FRAME_BYTES);
        Some((number, counter["bytes"].as_u64()?.saturating_add(frames)))
    };
    objects(json, "counter").filter_map(sent).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_and_what_is_odd_is_left_out() {
        let check = |counters: &str, expect: &[(u64, u64)]| {
            let json = format!(r#"{{"nftables": [{{"metainfo": {{"version": "1.0.6"}}}}, {counters}]}}"#);
            assert_eq!(parse(&json), expect.iter().copied().collect(), "{json}");
        };
        let counter = |name: &str, packets: &str, bytes: &str| {
            format!(
                r#"{{"counter": {{"family": "inet", "name": "{name}", "table": "apportion-count", "handle": 1,
                "packets": {packets}, "bytes": {bytes}}}}}"#
            )
        };
        let two = [counter("g4711", "5", "5140"), counter("g12", "0", "0")].join(",");
        check(&two, &[(4711, 5_210), (12, 0)]);
        let most = u64::MAX.to_string();
        check(&counter("g1", &most, &most), &[(1, u64::MAX)]);
        for odd in [
            counter("web", "1", "1"),
            counter("g", "1", "1"),
            counter("g-1", "1", "1"),
            counter("g1", "1", "-1"),
            counter("g1", "1", "\"many\""),
            counter("g1", "1", "1.5"),
            r#"{"counter": {"name": "g1"}}"#.to_owned(),
            r#"{"counter": ["g1"]}"#.to_owned(),
            r#"{"map": {"name": "g1", "packets": 1, "bytes": 1}}"#.to_owned(),
        ] {
            check(&odd, &[]);
        }
        for text in ["", "not json", "[]", "7", r#"{"nftables": {}}"#, r#"{"nftables": [7]}"#] {
            assert_eq!(parse(text), BTreeMap::new(), "{text}");
        }
    }

    #[test]
    fn a_change_of_the_table_leaves_the_other_counters_standing() {
        let counted = |groups: &[(u64, &str)]| -> BTreeMap<u64, Counted> {
            let one = |(number, name): &(u64, &str)| {
                let group = Group { name: (*name).to_owned(), dir: "/".into() };
                let level = group.level(1);
                (*number, Counted { workload: WorkloadId::new(name), group, level, is_read: false })
            };
            groups.iter().map(one).collect()
        };
        let (before, wanted) = (counted(&[(7, "unified/a"), (8, "unified/s/b")]), counted(&[(7, "unified/a")]));
        let first = script("eth0", &BTreeMap::new(), &before);
        assert!(first.contains("delete table inet apportion-count\n"), "{first}");
        let rules: Vec<&str> = first.lines().filter(|line| line.starts_with("add rule")).collect();
        let of = |level: u8| {
            format!(
                "add rule inet apportion-count output oifname \"eth0\" counter name socket cgroupv2 level {level} \
                 map @level{level}"
            )
        };
        assert_eq!(rules, [of(1), of(2)]);
        assert!(first.contains("level2 { \"unified/s/b\" : \"g8\" }\n"), "{first}");
        let second = script("eth0", &before, &wanted);
        assert!(!second.contains("delete table") && !second.contains("delete counter inet apportion-count g7"));
        assert!(second.contains("flush map inet apportion-count level2\n"), "{second}");
        assert!(second.contains("delete counter inet apportion-count g8\n"), "{second}");
        assert!(!second.contains("meta priority"), "it does nothing to a packet");
    }
}
