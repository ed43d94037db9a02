//! What can be turned, and to what.

use crate::{Metric, Resource, metric::name};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing that can be set on a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Knob {
    /// CPU quota, cores.
    #[serde(rename = "cpu_quota_cores")]
    CpuQuota,
    /// Memory above which the group is slowed and reclaimed from, bytes.
    #[serde(rename = "memory_high_bytes")]
    MemoryHigh,
    /// Memory above which the group is killed, bytes.
    #[serde(rename = "memory_max_bytes")]
    MemoryMax,
    /// Block reads, bytes per second.
    #[serde(rename = "io_read_max_bytes_per_s")]
    IoReadMax,
    /// Block writes, bytes per second.
    #[serde(rename = "io_write_max_bytes_per_s")]
    IoWriteMax,
    /// Network sending, bytes per second.
    #[serde(rename = "network_send_max_bytes_per_s")]
    NetworkSendMax,
}

/// Every knob, in the order in which they are shown.
pub const ALL: [Knob; 6] =
    [Knob::CpuQuota, Knob::MemoryHigh, Knob::MemoryMax, Knob::IoReadMax, Knob::IoWriteMax, Knob::NetworkSendMax];

/// Whether a metric's demand decides a knob.
#[must_use]
pub fn is_demand(metric: &Metric) -> bool {
    ALL.into_iter().any(|knob| knob.demand_metric() == metric.as_str())
}

impl Knob {
    /// Its name, unit last.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CpuQuota => "cpu_quota_cores",
            Self::MemoryHigh => "memory_high_bytes",
            Self::MemoryMax => "memory_max_bytes",
            Self::IoReadMax => "io_read_max_bytes_per_s",
            Self::IoWriteMax => "io_write_max_bytes_per_s",
            Self::NetworkSendMax => "network_send_max_bytes_per_s",
        }
    }
    /// The knob of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        ALL.into_iter().find(|knob| knob.name() == name)
    }
    /// What it allots.
    #[must_use]
    pub const fn resource(self) -> Resource {
        match self {
            Self::CpuQuota => Resource::Cpu,
            Self::MemoryHigh | Self::MemoryMax => Resource::Memory,
            Self::IoReadMax | Self::IoWriteMax => Resource::Storage,
            Self::NetworkSendMax => Resource::Network,
        }
    }
    /// The metric whose demand decides it.
    #[must_use]
    pub const fn demand_metric(self) -> &'static str {
        match self {
            Self::CpuQuota => name::CPU,
            Self::MemoryHigh | Self::MemoryMax => name::MEMORY_WORKING_SET,
            Self::IoReadMax => name::IO_READ,
            Self::IoWriteMax => name::IO_WRITE,
            Self::NetworkSendMax => name::NETWORK_SEND,
        }
    }
    /// The least value worth setting; below it a group cannot run at all (kernel minimum for the quota: 1 ms a period).
    #[must_use]
    pub const fn smallest(self) -> f64 {
        match self {
            Self::CpuQuota => 0.01,
            Self::MemoryHigh | Self::MemoryMax => 4.0 * 1_048_576.0,
            Self::IoReadMax | Self::IoWriteMax | Self::NetworkSendMax => 65_536.0,
        }
    }
    /// The least that is given where people have given no bounds. For throughput that is not nothing: what is idle all day may have to
    /// write a backup at night (16 MiB/s to a disk, 10 Mbit/s to a network).
    #[must_use]
    pub const fn least_unasked(self) -> f64 {
        match self {
            Self::CpuQuota | Self::MemoryHigh | Self::MemoryMax => 0.0,
            Self::IoReadMax | Self::IoWriteMax => 16.0 * 1_048_576.0,
            Self::NetworkSendMax => 1.25e6,
        }
    }
    /// How far two values may differ and still be the same once the kernel has rounded them.
    #[must_use]
    pub const fn tolerance(self) -> f64 {
        match self {
            Self::CpuQuota => 1e-3,
            Self::MemoryHigh | Self::MemoryMax => 65_536.0,
            Self::IoReadMax | Self::IoWriteMax | Self::NetworkSendMax => 1_024.0,
        }
    }
}

impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a knob is set to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// No limit.
    Unlimited,
    /// That much, in the knob's unit; finite and not negative.
    Value(f64),
}

impl Setting {
    /// The value, where there is one.
    #[must_use]
    pub const fn value(self) -> Option<f64> {
        match self {
            Self::Unlimited => None,
            Self::Value(value) => Some(value),
        }
    }
    /// The value, infinite where unlimited.
    #[must_use]
    pub const fn or_infinite(self) -> f64 {
        match self {
            Self::Unlimited => f64::INFINITY,
            Self::Value(value) => value,
        }
    }
    /// The same to within the knob's tolerance and a thousandth.
    #[must_use]
    pub fn same(self, other: Self, knob: Knob) -> bool {
        match (self, other) {
            (Self::Unlimited, Self::Unlimited) => true,
            (Self::Value(a), Self::Value(b)) => (a - b).abs() <= knob.tolerance().max(1e-3 * a.abs().max(b.abs())),
            _ => false,
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => f.write_str("unlimited"),
            Self::Value(value) => write!(f, "{value}"),
        }
    }
}

/// The least and the most that may be set, in the knob's unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Not less than this.
    #[serde(default)]
    pub min: f64,
    /// Not more than this; none where `None`.
    #[serde(default)]
    pub max: Option<f64>,
}

impl Bounds {
    /// True where a setting is within the bounds, to a thousandth.
    #[must_use]
    pub fn allow(&self, setting: Setting) -> bool {
        let value = setting.or_infinite();
        value >= self.min * 0.999 && self.max.is_none_or(|max| value <= max * 1.001)
    }
    /// `value` held within the bounds; the ceiling wins where they cross.
    #[must_use]
    pub fn hold(&self, value: f64) -> f64 {
        value.max(self.min).min(self.max.unwrap_or(f64::INFINITY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for knob in ALL {
            assert_eq!(Knob::from_name(knob.name()), Some(knob));
            assert_eq!(serde_name(knob), knob.name());
        }
    }

    fn serde_name(knob: Knob) -> String {
        serde_json::to_string(&knob).unwrap().trim_matches('"').to_owned()
    }

    #[test]
    fn sameness_allows_for_kernel_rounding() {
        let check =
            |a, b, same| assert_eq!(Setting::Value(a).same(Setting::Value(b), Knob::MemoryMax), same, "{a} {b}");
        check(1e9, 1e9 + 4_095.0, true);
        check(1e9, 1.1e9, false);
        assert!(!Setting::Unlimited.same(Setting::Value(1.0), Knob::CpuQuota));
    }
}
