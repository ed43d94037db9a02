//! The table of nftables that gives groups their classes.

use super::{super::ActError, classes::MAJOR, command::run};
use std::{collections::BTreeMap, fmt::Write as _};

const TABLE: &str = "inet apportion";

/// Which group has which class: the minor number of its class by the number of the group's folder.
///
/// Each rule has a counter whose name says so. `nft` prints the group of a rule as a path, for which it walks the whole tree once a rule
/// (of 200 groups 1.5 s of processor time); names of counters it just prints.
pub(super) type Rules = BTreeMap<u64, u16>;

/// A group that is there, and its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) inode: u64,
    pub(super) class: u16,
}

/// True where `nft` can be told this name: it knows no way to write a quote.
pub(super) fn can_name(group: &str) -> bool {
    !group.contains(['"', '\n']) && !group.is_empty()
}

/// Asks which rules there are; no table is no rules.
pub(super) fn list() -> Result<Rules, ActError> {
    let tables = run("nft", &["-j", "list", "tables", "inet"], "")?;
    if !objects(&tables, "table").any(|table| table["name"] == "apportion") {
        return Ok(Rules::default());
    }
    Ok(parse(&run("nft", &["-j", "list", "counters", "table", "inet", "apportion"], "")?))
}

/// Puts these rules, by the paths of their groups, in the place of all that were, at once. `above` is how many folders the top of the
/// tree is below `/sys/fs/cgroup`: rules name groups from there, and count levels from the top.
pub(super) fn replace(interface: &str, above: usize, rules: &BTreeMap<String, Rule>) -> Result<(), ActError> {
    run("nft", &["-f", "-"], &script(interface, above, rules)).map(drop)
}

/// Removes the table.
pub(super) fn remove_all() -> Result<(), ActError> {
    run("nft", &["-f", "-"], &format!("add table {TABLE}\ndelete table {TABLE}\n")).map(drop)
}

/// The whole table. The innermost group's rule is the last, and so the one that holds.
fn script(interface: &str, above: usize, rules: &BTreeMap<String, Rule>) -> String {
    let chain = "{ type filter hook output priority mangle; policy accept; }";
    let mut text =
        format!("add table {TABLE}\ndelete table {TABLE}\nadd table {TABLE}\nadd chain {TABLE} output {chain}\n");
    let mut ordered: Vec<(&String, &Rule)> = rules.iter().collect();
    ordered.sort_by_key(|(group, _)| (depth(group), *group));
    for (group, Rule { inode, class }) in ordered {
        let level = depth(group).saturating_sub(above);
        let _ = write!(
            text,
            "add counter {TABLE} g{inode}_{class:x}\n\
             add rule {TABLE} output oifname \"{interface}\" socket cgroupv2 level {level} \"{group}\" \
             counter name \"g{inode}_{class:x}\" meta priority set {MAJOR:x}:{class:x}\n"
        );
    }
    text
}

/// How many folders a path has.
pub(super) fn depth(group: &str) -> usize {
    group.split('/').count()
}

pub(super) fn parse(json: &str) -> Rules {
    let rule = |counter: serde_json::Value| {
        let (inode, class) = counter["name"].as_str()?.strip_prefix('g')?.split_once('_')?;
        Some((inode.parse().ok()?, u16::from_str_radix(class, 16).ok()?))
    };
    objects(json, "counter").filter_map(rule).collect()
}

/// The objects of one kind in an answer of `nft`; none in what is no answer.
pub(super) fn objects(json: &str, kind: &'static str) -> impl Iterator<Item = serde_json::Value> {
    let mut answer: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    // Not by index: that panics where the answer is no object.
    let all = answer.get_mut("nftables").and_then(|all| all.as_array_mut()).map(std::mem::take).unwrap_or_default();
    all.into_iter().filter_map(move |mut object| object.get_mut(kind).map(serde_json::Value::take))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_group_has_the_last_word() {
        let rules = [("unified/a/b", 11, 1), ("unified/z", 12, 2), ("unified/a", 13, 31)];
        let rules = rules.map(|(group, inode, class)| (group.to_owned(), Rule { inode, class })).into();
        let script = script("eth0", 1, &rules);
        let rules: Vec<&str> =
            script.lines().filter_map(|line| line.split_once("cgroupv2 ")).map(|(_, rest)| rest).collect();
        let expect = [
            "level 1 \"unified/a\" counter name \"g13_1f\" meta priority set a990:1f",
            "level 1 \"unified/z\" counter name \"g12_2\" meta priority set a990:2",
            "level 2 \"unified/a/b\" counter name \"g11_1\" meta priority set a990:1",
        ];
        assert_eq!(rules, expect);
        assert!(script.contains("delete table inet apportion\nadd table inet apportion\n"));
    }

    #[test]
    fn rules_come_back_by_their_counters() {
        let check = |names: &[&str], expect: &[(u64, u16)]| {
            let counter = |name: &&str| format!(r#", {{"counter": {{"name": "{name}", "packets": 1, "bytes": 9}}}}"#);
            let counters: String = names.iter().map(counter).collect();
            let json = format!(r#"{{"nftables": [{{"metainfo": {{}}}}{counters}]}}"#);
            assert_eq!(parse(&json), expect.iter().copied().collect(), "{json}");
        };
        check(&["g4711_1f", "g12_1"], &[(4711, 31), (12, 1)]);
        check(&["g12", "g_1", "g12_", "g12_x", "g12_10000", "web_1", "g-1_1", ""], &[]);
        assert_eq!(parse("not json"), Rules::default());
    }
}
