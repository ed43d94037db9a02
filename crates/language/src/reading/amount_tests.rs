//! Amounts by a table (`cases_amount.txt`), and what only looks like one.

use super::{
    amount::{Amount, Counts, Sense, amounts},
    text::Text,
};
use proptest::prelude::*;

fn shown(amount: &Amount) -> String {
    let counts = match amount.counts {
        Counts::Cores => "cores",
        Counts::Bytes => "bytes",
        Counts::BytesPerSecond => "rate",
        Counts::Factor => "factor",
        Counts::Percent => "percent",
        Counts::Replicas => "replicas",
        Counts::Demand => "demand",
    };
    let sense = match (amount.counts, amount.sense) {
        (Counts::Percent, Sense::More) => " more",
        (Counts::Percent, Sense::Less) => " less",
        (Counts::Percent, Sense::To) => " to",
        _ => "",
    };
    format!("{counts} {}{sense}", amount.value)
}

#[test]
fn by_the_table() {
    let lines = include_str!("cases_amount.txt").lines().filter(|line| !line.starts_with('#'));
    let wrong: Vec<String> = lines
        .filter_map(|line| {
            let (sentence, expected) = line.split_once(" => ").expect("sentence => amount");
            let found: Vec<String> = amounts(&Text::new(sentence)).iter().map(shown).collect();
            (found != [expected]).then(|| format!("{sentence}: want {expected}, got {found:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_amounts() {
    for sentence in [
        "restart node-7",
        "version v2.3.1",
        "at 20:00",
        "on 28 Nov",
        "half an hour",
        "half past eight",
        "web-3x",
        "p95",
        "三个月",
        "成功了",
        "完成",
        "一下",
        "CPU 稍微加一点",
        "5 minutes",
        "db-2cores",
        "三方",
        "200 ms",
        "the 3rd",
        "instruction 12",
        "quarter past 3",
    ] {
        let found: Vec<String> = amounts(&Text::new(sentence)).iter().map(shown).collect();
        assert!(found.is_empty(), "{sentence}: {found:?}");
    }
}

proptest! {
    /// What is found lies in the sentence, in order, and is a number.
    #[test]
    fn amounts_are_places(sentence in ".{0,80}") {
        let text = Text::new(&sentence);
        let mut end = 0;
        for amount in amounts(&text) {
            prop_assert!(amount.start >= end && amount.end <= text.len() && amount.start < amount.end);
            prop_assert!(amount.value.is_finite() && amount.value >= 0.0, "{sentence}: {}", amount.value);
            end = amount.end;
        }
    }

    /// Sizes written with any unit come back as bytes.
    #[test]
    fn sizes_come_back(value in 1_u32..5_000, unit in 0_usize..8, space in any::<bool>()) {
        let units = [("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("KiB", 1024.0), ("MiB", 1_048_576.0), ("GiB", 1_073_741_824.0), ("Gi", 1_073_741_824.0)];
        let (name, scale) = units[unit];
        let sentence = format!("limit web to {value}{}{name} of memory", if space { " " } else { "" });
        let found = amounts(&Text::new(&sentence));
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!(found[0].value, f64::from(value) * scale);
        prop_assert_eq!(found[0].counts, Counts::Bytes);
    }
}
