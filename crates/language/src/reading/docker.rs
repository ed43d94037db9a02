//! Docker's spelling of sizes. `512m` is 512 MiB to Docker and half a core to Kubernetes: the words around it say which.

use super::{
    amount::{Amount, Counts},
    inert::holds,
    text::Text,
};

const MEMORY: &[&str] = &["memory", "mem", "ram", "heap", "mem_limit", "mem-limit", "内存"];
const CPU: &[&str] = &["cpu", "cpus", "vcpu", "vcpus", "core", "cores", "核", "处理器"];
const OTHER: &[&str] = &[
    "bandwidth",
    "network",
    "egress",
    "ingress",
    "uplink",
    "downlink",
    "disk",
    "storage",
    "iops",
    "io",
    "throughput",
    "带宽",
    "网络",
    "上行",
    "下行",
    "磁盘",
    "存储",
    "硬盘",
];
/// Sizes of memory are multiples of this many MiB, shares of a core hardly ever of so many thousandths.
const MEMORY_STEP: f64 = 64.0;

/// An amount with a lower-case `m` or `g` as Docker means it, where memory is spoken of and no processor.
pub(super) fn sized(text: &Text, amount: Amount) -> Amount {
    let scale = match (amount.counts, text.cased.get(amount.end - 1)) {
        (Counts::Cores, Some('m')) => 1e3 * f64::from(1 << 20),
        (Counts::Bytes, Some('g')) => f64::from(1 << 30) / 1e9,
        _ => return amount,
    };
    let words = text.slice(0, text.len());
    let memory = amount.letter && any(&words, MEMORY) && !any(&words, CPU);
    if memory {
        Amount { value: (amount.value * scale).round(), counts: Counts::Bytes, letter: false, ..amount }
    } else {
        amount
    }
}

/// A bare `m` that may be no share of a core: beside words of another resource, or as large as only memory is written. `words` has stand-ins.
pub(super) fn is_unclear(words: &str, amount: &Amount) -> bool {
    let thousandths = (amount.value * 1e3).round();
    let large = thousandths >= MEMORY_STEP && thousandths.rem_euclid(MEMORY_STEP) == 0.0;
    let words = &words.replace("<cores>", "");
    let bare = amount.counts == Counts::Cores && amount.letter && !any(words, CPU);
    bare && (large || any(words, OTHER))
}

/// An amount whose unit is of another resource than the only one that the words around it name. `words` has stand-ins.
pub(super) fn contradicts(words: &str, amount: &Amount) -> bool {
    let words = &words.replace("<cores>", "");
    match amount.counts {
        Counts::Cores => (any(words, MEMORY) || any(words, OTHER)) && !any(words, CPU),
        Counts::Bytes | Counts::BytesPerSecond => any(words, CPU) && !any(words, MEMORY) && !any(words, OTHER),
        _ => false,
    }
}

fn any(words: &str, list: &[&str]) -> bool {
    list.iter().any(|word| holds(words, word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::amount::amounts;

    #[test]
    fn a_bare_letter_is_what_the_words_say() {
        let read = |sentence: &str| {
            let text = Text::new(sentence);
            let amount = sized(&text, amounts(&text)[0]);
            (amount.value, amount.counts, is_unclear(&text.slice(0, text.len()), &amount))
        };
        let mib = 1_048_576.0;
        assert_eq!(read("limit nginx memory to 512m"), (512.0 * mib, Counts::Bytes, false));
        assert_eq!(read("nginx 内存最多 2g"), (2_048.0 * mib, Counts::Bytes, false));
        assert_eq!(read("nginx mem_limit 512m"), (512.0 * mib, Counts::Bytes, false));
        assert_eq!(read("nginx 内存最多 2G"), (2e9, Counts::Bytes, false));
        assert_eq!(read("limit nginx to 500m"), (0.5, Counts::Cores, false));
        assert_eq!(read("limit nginx to 512m cpu"), (0.512, Counts::Cores, false));
        assert_eq!(read("limit nginx to 512m"), (0.512, Counts::Cores, true));
        assert_eq!(read("cap web bandwidth at 10m"), (0.01, Counts::Cores, true));
    }
}
