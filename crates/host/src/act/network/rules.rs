//! The table of nftables that gives groups their classes.

use super::{super::ActError, classes::MAJOR, command::run};
use std::{collections::BTreeMap, fmt::Write as _};

const TABLE: &str = "inet apportion";

/// Which group has which class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    /// Group, as a path below `/sys/fs/cgroup`, and the minor number of its class.
    pub(super) classes: BTreeMap<String, u16>,
    /// Rules whose group is gone.
    pub(super) of_nobody: usize,
}

/// True where `nft` can be told this name: it knows no way to write a quote.
pub(super) fn can_name(group: &str) -> bool {
    !group.contains(['"', '\n']) && !group.is_empty()
}

/// Asks which rules there are; no table is no rules.
pub(super) fn list() -> Result<Rules, ActError> {
    let tables = run("nft", &["-j", "list", "tables", "inet"], "")?;
    let ours = objects(&tables, "table").any(|table| table["name"] == "apportion");
    if ours { Ok(parse(&run("nft", &["-j", "list", "table", "inet", "apportion"], "")?)) } else { Ok(Rules::default()) }
}

/// Puts these rules in the place of all that were, at once. `above` is how many folders the top of the tree is below
/// `/sys/fs/cgroup`: rules name groups from there, and count levels from the top.
pub(super) fn replace(interface: &str, above: usize, classes: &BTreeMap<String, u16>) -> Result<(), ActError> {
    run("nft", &["-f", "-"], &script(interface, above, classes)).map(drop)
}

/// Removes the table.
pub(super) fn remove_all() -> Result<(), ActError> {
    run("nft", &["-f", "-"], &format!("add table {TABLE}\ndelete table {TABLE}\n")).map(drop)
}

/// The whole table. The innermost group's rule is the last, and so the one that holds.
fn script(interface: &str, above: usize, classes: &BTreeMap<String, u16>) -> String {
    let chain = "{ type filter hook output priority mangle; policy accept; }";
    let mut text = format!("add table {TABLE}\nadd chain {TABLE} output {chain}\nflush chain {TABLE} output\n");
    let depth = |group: &str| group.split('/').count();
    let mut ordered: Vec<(&String, &u16)> = classes.iter().collect();
    ordered.sort_by_key(|(group, _)| (depth(group), *group));
    for (group, class) in ordered {
        let level = depth(group).saturating_sub(above);
        let _ = writeln!(
            text,
            "add rule {TABLE} output oifname \"{interface}\" socket cgroupv2 level {level} \"{group}\" \
             meta priority set {MAJOR:x}:{class:x}"
        );
    }
    text
}

pub(super) fn parse(json: &str) -> Rules {
    let mut rules = Rules::default();
    for rule in objects(json, "rule") {
        match group_and_class(&rule) {
            Some((group, class)) if group.parse::<u64>().is_err() => drop(rules.classes.insert(group, class)),
            _ => rules.of_nobody += 1,
        }
    }
    rules
}

/// A rule's group (its number where it is gone) and its class.
fn group_and_class(rule: &serde_json::Value) -> Option<(String, u16)> {
    let parts = rule["expr"].as_array()?;
    let group = parts.iter().map(|part| &part["match"]).find(|part| part["left"]["socket"]["key"] == "cgroupv2")?;
    let group = &group["right"];
    let group = group.as_str().map_or_else(|| group.to_string(), str::to_owned);
    let class = parts.iter().find_map(|part| part["mangle"]["value"].as_str())?;
    let (_, minor) = class.split_once(':')?;
    Some((group, u16::from_str_radix(minor, 16).ok()?))
}

fn objects(json: &str, kind: &'static str) -> impl Iterator<Item = serde_json::Value> {
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
        let classes = [("unified/a/b", 1), ("unified/z", 2), ("unified/a", 31)];
        let classes = classes.map(|(group, class)| (group.to_owned(), class)).into();
        let script = script("eth0", 1, &classes);
        let rules: Vec<&str> =
            script.lines().filter_map(|line| line.split_once("cgroupv2 ")).map(|(_, rest)| rest).collect();
        let expect = [
            "level 1 \"unified/a\" meta priority set a990:1f",
            "level 1 \"unified/z\" meta priority set a990:2",
            "level 2 \"unified/a/b\" meta priority set a990:1",
        ];
        assert_eq!(rules, expect);
        assert!(script.contains("flush chain inet apportion output\n"));
    }

    #[test]
    fn rules_come_back_and_groups_that_are_gone_are_counted() {
        let rule = |right: &str, class: &str| {
            format!(
                r#"{{"rule": {{"expr": [{{"match": {{"op": "==", "left": {{"meta": {{"key": "oifname"}}}}, "right": "eth0"}}}},
                {{"match": {{"op": "==", "left": {{"socket": {{"key": "cgroupv2"}}}}, "right": {right}}}}},
                {{"mangle": {{"key": {{"meta": {{"key": "priority"}}}}, "value": "{class}"}}}}]}}}}"#
            )
        };
        let check = |rules: &[String], classes: &[(&str, u16)], of_nobody| {
            let json = format!(r#"{{"nftables": [{{"metainfo": {{}}}}, {}]}}"#, rules.join(","));
            let classes = classes.iter().map(|(group, class)| ((*group).to_owned(), *class)).collect();
            assert_eq!(parse(&json), Rules { classes, of_nobody }, "{json}");
        };
        check(&[rule("\"a/b\"", "a990:1f")], &[("a/b", 31)], 0);
        check(&[rule("\"4711\"", "a990:1"), rule("4712", "a990:2")], &[], 2);
        assert_eq!(parse("not json"), Rules::default());
    }
}
