use super::*;

fn parse(text: &str) -> Result<Config, Faults> {
    Config::parse(text, Path::new("apportion.toml"))
}

#[test]
fn the_reference_is_valid_and_says_the_defaults() {
    let config = parse(REFERENCE).unwrap();
    let default = Config::default();
    assert_eq!((config.listen, config.store_bytes), (default.listen, default.store_bytes));
    assert_eq!(config.limits, default.limits);
    let (rule, standing) = (&config.rules[0], Standing::default());
    assert_eq!(rule.standing.violation_share, standing.violation_share);
    assert_eq!((rule.standing.priority, rule.standing.weight), (standing.priority, standing.weight));
    assert_eq!(rule.standing.mode, Mode::Recommend);
    assert_eq!(rule.standing.bounds[&Knob::MemoryMax], Bounds { min: 134_217_728.0, max: Some(4_294_967_296.0) });
}

#[test]
fn there_are_twelve_keys() {
    let keys = ["listen", "store_mib", "secrets", "prometheus", "guard"];
    let rule = ["match", "apply", "violation", "priority", "weight", "bounds", "queries"];
    assert_eq!(keys.len() + rule.len(), 12);
    for key in keys.iter().chain(&rule) {
        assert!(REFERENCE.contains(&format!("{key} = ")), "{key} is not in the reference");
    }
}

#[test]
fn faults_say_line_and_remedy() {
    let check = |text: &str, line: usize, what: &str| {
        let faults = parse(text).unwrap_err().faults;
        assert_eq!(faults[0].line, line, "{faults:?}");
        assert!(faults[0].what.contains(what), "{faults:?}");
        assert!(!faults[0].remedy.is_empty());
    };
    check("\nlisten = \"here\"", 2, "no address");
    check("store_mib = 1", 1, "out of range");
    check("guard = \"wild\"", 1, "not known");
    check("prometheus = \"ftp://h\"", 1, "begin with http:// or https://");
    check("\nprometheus = \"http://u:p@h:9090\"", 2, "credentials");
    check("prometheus = \"http://h:9090/api/v1\"", 1, "leave /api/v1");
    check("listne = \"x\"", 1, "unknown field `listne`");
    check("listen = [", 1, "");
    check("[[workloads]]\napply = true", 1, "missing field `match`");
    check(
        "[[workloads]]\nmatch = \"a*\"\nqueries = { latency_s = \"x\" }",
        3,
        "is the same for all that match = \"a*\"",
    );
    check("[[workloads]]\nmatch = \"a\"\nqueries = { latency = \"x\" }", 3, "latency_s is, in the unit of its name");
    check("[[workloads]]\nmatch = \"a\"\nqueries = { latency_s = \" \" }", 3, "is empty");
    check("[[workloads]]\nmatch = \"a\"\n[[workloads]]\nmatch = \"a\"", 4, "is never used: match = \"a\" in line 2");
    check("[[workloads]]\nmatch = \"a*\"\n[[workloads]]\nmatch = \"ab?\"", 4, "is never used");
    check("[[workloads]]\nmatch = \"a\"\nviolation = 2.0", 3, "out of range");
    check("[[workloads]]\nmatch = \"a\"\npriority = \"urgent\"", 3, "not known");
    check("[[workloads]]\nmatch = \"a\"\nbounds = { cpu = [1, 2] }", 3, "no knob");
    check("[[workloads]]\nmatch = \"a\"\nbounds = { cpu_quota_cores = [2, 1] }", 3, "no range");
    check("[[workloads]]\nmatch = \"a\"\nbounds = { cpu_quota_cores = [\"lots\"] }", 3, "no range");
}

#[test]
fn rules_that_overlap_in_part_are_no_fault() {
    for (earlier, later) in [("a", "a*"), ("a?", "a*"), ("web-*", "*"), ("a*", "b*")] {
        let text = format!("[[workloads]]\nmatch = \"{earlier}\"\n[[workloads]]\nmatch = \"{later}\"");
        assert_eq!(parse(&text).unwrap().rules.len(), 2, "{earlier} {later}");
    }
}

#[test]
fn what_the_documents_show_is_valid() {
    for document in ["README.md", "README.zh.md", "docs/collecting.md"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(document);
        let text = std::fs::read_to_string(path).unwrap();
        let blocks: Vec<&str> = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(!blocks.is_empty(), "{document}");
        for block in blocks {
            parse(block).unwrap_or_else(|faults| panic!("{document}: {faults}"));
        }
    }
}

#[test]
fn all_faults_are_said_at_once() {
    let faults = parse("listen = \"x\"\nstore_mib = 1\nguard = \"wild\"").unwrap_err();
    assert_eq!(faults.faults.len(), 3);
    assert_eq!(faults.to_string().lines().count(), 3);
}

#[test]
fn what_cannot_be_read_hides_no_other_fault() {
    let text = "tick_s = 10\nlisten = 5\nguard = \"wild\"\n[[workloads]]\nmatch = \"a\"\nprio = 1\n\
        bounds = { cpu_quota_cores = [2, 1], memory_max_bytes = [true] }\n[[workloads]]\napply = \"yes\"\nweight = 0\n\
        [workloads.quries]\nlatency_s = \"x\"\n[[workloads]]\nmatch = \"b\"\nqueries = { latency = \"x\" }";
    let faults = parse(text).unwrap_err().faults;
    let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
    assert_eq!(lines, [1, 2, 3, 6, 7, 7, 8, 9, 10, 11, 15], "{faults:#?}");
    let said = |line: usize, part: &str| faults.iter().any(|fault| fault.line == line && fault.what.contains(part));
    assert!(said(1, "unknown field `tick_s`") && said(7, "bounds.cpu_quota_cores is no range"), "{faults:#?}");
    let syntax = parse("listen = [\nguard = \nweight = = 2\n").unwrap_err().faults;
    assert!(syntax.iter().any(|fault| fault.line == 2) && syntax.iter().any(|fault| fault.line == 3), "{syntax:#?}");
}

#[test]
fn first_matching_rule_holds_and_apply_needs_both() {
    let text = "[[workloads]]\nmatch = \"web-*\"\napply = true\npriority = \"high\"\n[[workloads]]\nmatch = \"*\"";
    let config = parse(text).unwrap();
    let mode = |name: &str, apply| config.standing(&name.into(), apply).mode;
    assert_eq!(mode("web-1", true), Mode::Apply);
    assert_eq!(mode("web-1", false), Mode::Recommend);
    assert_eq!(mode("db", true), Mode::Recommend);
    assert_eq!(config.standing(&"web-1".into(), false).priority, 2);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2_000))]

    /// Whatever a hand makes of the file: a configuration, or faults that each name a line and a remedy.
    #[test]
    fn any_edit_of_the_reference_is_read_or_refused_clearly(
        at in 0..REFERENCE.len(), cut in 0_usize..40, put in "[\\[\\]{}=\"'#.,\\-a-z0-9 \n\u{0}é]{0,12}"
    ) {
        let (from, to) = (at.min(REFERENCE.len()), (at + cut).min(REFERENCE.len()));
        proptest::prop_assume!(REFERENCE.is_char_boundary(from) && REFERENCE.is_char_boundary(to));
        let edited = format!("{}{put}{}", &REFERENCE[..from], &REFERENCE[to..]);
        if let Err(Faults { faults, .. }) = parse(&edited) {
            proptest::prop_assert!(!faults.is_empty());
            proptest::prop_assert!(faults.iter().all(|it| it.line >= 1 && !it.what.is_empty() && !it.remedy.is_empty()), "{faults:?}");
        }
    }
}
