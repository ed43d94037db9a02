//! What a metric of a trace counts, and in which unit, by its name. A peer's constants (first bucket, floor) are in cores
//! and bytes; a trace in other units is sized in its own, with the constants converted by the unit found here.
//!
//! | name holds | counts as | base unit |
//! |---|---|---|
//! | `mem` | memory | bytes |
//! | `cpu`, or the word `load` | CPU | cores |
//! | `request`, `calls` | request rate | as recorded |
//! | anything else | throughput, sized by the CPU rule | megabytes per second, 1 MB/s standing for a core |
//!
//! A share of an unknown whole (`_pct`, `_percent`, or no unit) is read as a share of [`WHOLE_CORES`] or [`WHOLE_BYTES`]: large enough
//! that a peer's first bucket stays fine. Floors are amounts, so they do not apply to shares or to throughput.

use serde::{Deserialize, Serialize};

/// What 100 % of an unknown CPU allotment is taken to be, cores.
pub const WHOLE_CORES: f64 = 16.0;
/// What 100 % of an unknown memory allotment is taken to be, bytes.
pub const WHOLE_BYTES: f64 = 64.0 * GIB;
const MIB: f64 = 1_048_576.0;
const GIB: f64 = 1_073_741_824.0;

/// Which rule of a peer sizes a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// More than the allotment waits.
    Cpu,
    /// More than the allotment kills.
    Memory,
    /// Requests to be served by replicas.
    Requests,
    /// Bytes to be moved; more than the allotment waits.
    Throughput,
}

/// How a metric is read.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantity {
    /// Which rule applies.
    pub kind: Kind,
    /// Base units (cores, bytes, megabytes per second) in one unit of the metric.
    pub unit: f64,
    /// True for an amount; false for a share of an unknown whole and for throughput, where floors have no meaning.
    pub absolute: bool,
}

impl Quantity {
    /// By the metric's name.
    #[must_use]
    pub fn of(metric: &str) -> Self {
        let metric = metric.to_ascii_lowercase();
        let holds = |words: &[&str]| words.iter().any(|word| metric.contains(word));
        if holds(&["mem"]) {
            let (unit, absolute) = unit_of(&metric, MEMORY_UNITS, WHOLE_BYTES);
            Self { kind: Kind::Memory, unit, absolute }
        } else if holds(&["cpu"]) || metric.split(|c: char| !c.is_ascii_alphabetic()).any(|word| word == "load") {
            let (unit, absolute) = unit_of(&metric, CPU_UNITS, WHOLE_CORES);
            Self { kind: Kind::Cpu, unit, absolute }
        } else if holds(&["request", "calls"]) {
            Self { kind: Kind::Requests, unit: 1.0, absolute: true }
        } else {
            let (unit, _) = unit_of(&metric, THROUGHPUT_UNITS, 1.0);
            Self { kind: Kind::Throughput, unit, absolute: false }
        }
    }
    /// True where a name tells no unit: then it is read as a share, 1 being the whole.
    #[must_use]
    pub fn is_guessed(metric: &str) -> bool {
        let name = metric.to_ascii_lowercase();
        let units = match Self::of(metric).kind {
            Kind::Cpu => CPU_UNITS,
            Kind::Memory => MEMORY_UNITS,
            Kind::Requests | Kind::Throughput => return false,
        };
        known_unit(&name, units, 1.0).is_none()
    }
    /// A value of the metric in base units.
    #[must_use]
    pub fn to_base(self, value: f64) -> f64 {
        value * self.unit
    }
    /// An amount in base units in the metric's own unit.
    #[must_use]
    pub fn from_base(self, amount: f64) -> f64 {
        amount / self.unit
    }
}

const CPU_UNITS: &[(&str, f64)] = &[("_cores", 1.0), ("_millicores", 1e-3)];
const MEMORY_UNITS: &[(&str, f64)] =
    &[("_bytes", 1.0), ("_kib", 1_024.0), ("_mib", MIB), ("_gib", GIB), ("_kb", 1e3), ("_mb", 1e6), ("_gb", 1e9)];
const THROUGHPUT_UNITS: &[(&str, f64)] =
    &[("_kbps", 1e-3), ("_mbps", 1.0), ("_bytes_per_s", 1e-6), ("_bytes_s", 1e-6), ("_bytes", 1e-6)];

fn unit_of(metric: &str, units: &[(&str, f64)], whole: f64) -> (f64, bool) {
    known_unit(metric, units, whole).unwrap_or((whole, false))
}

/// The unit that a name ends in, and whether it is an amount; `None` where it tells none.
fn known_unit(metric: &str, units: &[(&str, f64)], whole: f64) -> Option<(f64, bool)> {
    if metric.ends_with("_pct") || metric.ends_with("_percent") {
        return Some((whole / 100.0, false));
    }
    units.iter().find(|(suffix, _)| metric.ends_with(suffix)).map(|(_, unit)| (*unit, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_decide() {
        let check = |metric, kind, unit, absolute| {
            assert_eq!(Quantity::of(metric), Quantity { kind, unit, absolute }, "{metric}");
        };
        check("cpu_cores", Kind::Cpu, 1.0, true);
        check("cpu_millicores", Kind::Cpu, 1e-3, true);
        check("cpu_util_pct", Kind::Cpu, 0.16, false);
        check("load_1", Kind::Cpu, 16.0, false);
        check("mem_used_mib", Kind::Memory, 1_048_576.0, true);
        check("memory_working_set_bytes", Kind::Memory, 1.0, true);
        check("mem_limit_util_pct", Kind::Memory, 64.0 * 1_073_741_824.0 / 100.0, false);
        check("requests_per_min", Kind::Requests, 1.0, true);
        check("disk_read_kbps", Kind::Throughput, 1e-3, false);
        check("network_receive_bytes_per_s", Kind::Throughput, 1e-6, false);
        check("eth1_fi", Kind::Throughput, 1.0, false);
        check("cpu_percent", Kind::Cpu, 0.16, false);
        check("network_download_bytes_per_s", Kind::Throughput, 1e-6, false);
        let guessed = |metric| Quantity::is_guessed(metric);
        assert!(guessed("memory_usage") && guessed("cpu") && guessed("load_1"));
        assert!(!guessed("memory_usage_bytes") && !guessed("cpu_pct") && !guessed("requests") && !guessed("eth1_fi"));
    }
}
