//! The borders between the crates: who may know whom. ARCHITECTURE.md says why.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::process::Command;

/// Each crate with the workspace crates that it may use, in tests too.
const MAY_USE: &[(&str, &[&str])] = &[
    ("apportion-core", &[]),
    ("apportion-model", &[]),
    ("apportion-language", &["apportion-core", "apportion-model"]),
    ("apportion-planner", &["apportion-core", "apportion-model"]),
    ("apportion-host", &["apportion-core"]),
    ("apportion-replay", &["apportion-core", "apportion-planner"]),
    (
        "apportion",
        &[
            "apportion-core",
            "apportion-model",
            "apportion-language",
            "apportion-planner",
            "apportion-host",
            "apportion-replay",
        ],
    ),
];

#[test]
fn crates_use_only_what_they_may() {
    let found = uses();
    for (name, used) in &found {
        let rule = MAY_USE.iter().find(|(known, _)| known == name);
        let (_, may) = rule.unwrap_or_else(|| panic!("{name} is new: give it a rule here and in ARCHITECTURE.md"));
        for other in used {
            assert!(may.contains(&other.as_str()), "{name} must not know {other}");
        }
    }
    assert_eq!(found.len(), MAY_USE.len());
}

/// Every crate of the workspace with the workspace crates it depends on.
fn uses() -> Vec<(String, Vec<String>)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let own = |package: &serde_json::Value| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        dependencies.map(|dependency| text(&dependency["name"])).filter(|name| name.starts_with("apportion")).collect()
    };
    metadata["packages"].as_array().unwrap().iter().map(|package| (text(&package["name"]), own(package))).collect()
}
