//! The queue of an interface (HTB) and its classes, one a limited group.

use super::{super::ActError, command::run};
use std::{collections::BTreeMap, fmt::Write as _};

/// Our queue's number, by which it is known again.
pub(super) const MAJOR: u16 = 0xa990;

/// What stands at the root of an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Root {
    /// What the kernel put there by itself.
    #[default]
    Default,
    /// Our queue.
    Ours,
    /// Somebody else's, of this kind.
    Foreign(String),
}

/// What stands at the root of each interface that does not have the kernel's own there.
pub(super) type Roots = BTreeMap<String, Root>;

/// Bytes per second by minor number.
pub(super) type Rates = BTreeMap<u16, f64>;

/// Asks for the roots of all interfaces.
pub(super) fn roots() -> Result<Roots, ActError> {
    Ok(parse_roots(&run("tc", &["-j", "qdisc", "show"], "")?))
}

/// Asks for the rates of our classes on an interface whose root is ours.
pub(super) fn rates(interface: &str) -> Result<Rates, ActError> {
    Ok(parse_classes(&run("tc", &["class", "show", "dev", interface], "")?))
}

/// Sets the rate of one class, with the queue where it is not there yet, and removes `stale` ones.
pub(super) fn set(interface: &str, root: &Root, class: u16, bytes_per_s: f64, stale: &[u16]) -> Result<(), ActError> {
    let mut batch = String::new();
    if *root == Root::Default {
        let _ = writeln!(batch, "qdisc add dev {interface} root handle {MAJOR:x}: htb default 0");
    }
    let (rate, burst) = (rate_bits_per_s(bytes_per_s), burst_bytes(bytes_per_s));
    let _ = writeln!(
        batch,
        "class replace dev {interface} parent {MAJOR:x}: classid {MAJOR:x}:{class:x} \
         htb rate {rate}bit burst {burst} cburst {burst} quantum 60000"
    );
    run_batch(&(batch + &removal(interface, stale)))
}

/// Removes classes.
pub(super) fn remove(interface: &str, stale: &[u16]) -> Result<(), ActError> {
    run_batch(&removal(interface, stale))
}

/// Removes our queue with all its classes; the kernel puts its own default back.
pub(super) fn remove_all(interface: &str) -> Result<(), ActError> {
    run_batch(&format!("qdisc del dev {interface} root\n"))
}

fn removal(interface: &str, stale: &[u16]) -> String {
    stale.iter().map(|class| format!("class del dev {interface} classid {MAJOR:x}:{class:x}\n")).collect()
}

fn run_batch(batch: &str) -> Result<(), ActError> {
    if batch.is_empty() { Ok(()) } else { run("tc", &["-batch", "-"], batch).map(drop) }
}

/// `tc` shows at most the thousands of a rate; whole kilobits come back as they went.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates; rates are positive")]
fn rate_bits_per_s(bytes_per_s: f64) -> u64 {
    ((bytes_per_s * 8.0 / 1_000.0).round() as u64).max(8) * 1_000
}

/// What may go at once: 5 ms of the rate, and at least one packet as the kernel makes them for segmentation offload.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates; rates are positive")]
fn burst_bytes(bytes_per_s: f64) -> u32 {
    (bytes_per_s * 0.005).clamp(16_384.0, 16_777_216.0) as u32
}

pub(super) fn parse_roots(json: &str) -> Roots {
    let answer: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    let queues = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let roots = queues.iter().filter(|queue| queue["root"] == true);
    let named = roots.filter_map(|root| Some((root["dev"].as_str()?.to_owned(), parse_root(root))));
    named.filter(|(_, root)| *root != Root::Default).collect()
}

/// A queue that the kernel put there by itself has the number 0; whatever a person adds has another.
fn parse_root(root: &serde_json::Value) -> Root {
    let kind = root["kind"].as_str().unwrap_or("unknown");
    match root["handle"].as_str() {
        Some("0:") => Root::Default,
        Some(handle) if kind == "htb" && handle == format!("{MAJOR:x}:") => Root::Ours,
        _ => Root::Foreign(kind.to_owned()),
    }
}

/// Lines of `class htb a990:1 root prio 0 rate 20Mbit ceil 20Mbit ...`.
pub(super) fn parse_classes(text: &str) -> Rates {
    text.lines().filter_map(parse_class).collect()
}

fn parse_class(line: &str) -> Option<(u16, f64)> {
    let mut words = line.split_ascii_whitespace();
    let (major, minor) = words.by_ref().find_map(|word| word.split_once(':'))?;
    if major != format!("{MAJOR:x}") {
        return None;
    }
    words.find(|word| *word == "rate")?;
    Some((u16::from_str_radix(minor, 16).ok()?, parse_rate(words.next()?)?))
}

/// `20Mbit` in bytes per second.
fn parse_rate(text: &str) -> Option<f64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let factor = match &text[digits..] {
        "bit" => 1.0,
        "Kbit" => 1e3,
        "Mbit" => 1e6,
        "Gbit" => 1e9,
        "Tbit" => 1e12,
        _ => return None,
    };
    Some(text[..digits].parse::<f64>().ok()? * factor / 8.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_kernels_own_queue_is_replaced() {
        let check = |queues: &str, expect: &[(&str, Root)]| {
            let expect = expect.iter().map(|(interface, root)| ((*interface).to_owned(), root.clone())).collect();
            assert_eq!(parse_roots(queues), expect, "{queues}");
        };
        let foreign = |kind: &str| Root::Foreign(kind.to_owned());
        check(r#"[{"kind":"noqueue","handle":"0:","dev":"lo","root":true}]"#, &[]);
        check(
            r#"[{"kind":"fq_codel","handle":"0:","dev":"eth0","parent":":1"},{"kind":"mq","handle":"0:","dev":"eth0","root":true},
                {"kind":"htb","handle":"a990:","dev":"wlan0","root":true},{"kind":"fq","handle":"2:","dev":"wlan0","parent":"a990:1"}]"#,
            &[("wlan0", Root::Ours)],
        );
        check(
            r#"[{"kind":"htb","handle":"1:","dev":"a","root":true},{"kind":"fq","handle":"8001:","dev":"b","root":true}]"#,
            &[("a", foreign("htb")), ("b", foreign("fq"))],
        );
        for text in ["", "not json", "[]", "7", r#"[{"kind":"htb","handle":"a990:","root":true}]"#] {
            check(text, &[]);
        }
    }

    #[test]
    fn rates_come_back_as_they_went() {
        let text = "class htb a990:1f root prio 0 rate 20Mbit ceil 20Mbit burst 32Kb cburst 32Kb\n\
                    class htb a990:2 root leaf 8001: prio 0 rate 12345Kbit ceil 12345Kbit\n\
                    class htb 1:2 root prio 0 rate 1Mbit\nclass htb a990:3 root prio 0 rate much\n";
        assert_eq!(parse_classes(text), BTreeMap::from([(31, 2_500_000.0), (2, 1_543_125.0)]));
        assert_eq!(rate_bits_per_s(1_543_125.4), 12_345_000);
        assert_eq!(rate_bits_per_s(0.0), 8_000, "HTB takes no rate of 0");
    }

    #[test]
    fn a_burst_is_at_least_a_packet_of_the_kernels() {
        assert_eq!(burst_bytes(65_536.0), 16_384);
        assert_eq!(burst_bytes(1.25e9), 6_250_000);
    }
}
