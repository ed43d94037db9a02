//! What is measured, in which unit, and how its raw form is read.

use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// What an allotment is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Processor time, in cores.
    Cpu,
    /// Memory, in bytes.
    Memory,
    /// Storage throughput, in bytes per second.
    Storage,
    /// Network throughput, in bytes per second.
    Network,
}

/// How a raw sample is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Grows for ever; the metric is its rate per second. A value below the one before is a reset: a gap, never a spike.
    Counter,
    /// The metric itself.
    Gauge,
}

/// The name of a metric; unit last. For a counter the name carries the unit of the rate: `cpu_cores` is stored as
/// core-seconds and read as cores.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Metric(Arc<str>);

macro_rules! well_known {
    ($($(#[$doc:meta])* $constant:ident = $name:literal, $kind:ident;)*) => {
        /// Metrics with a fixed meaning. Others (application figures, columns of a trace) are gauges named by their source.
        pub mod name { $($(#[$doc])* pub const $constant: &str = $name;)* }
        const KINDS: &[(&str, Kind)] = &[$(($name, Kind::$kind)),*];
    };
}

well_known! {
    /// CPU used, cores (raw: core-seconds).
    CPU = "cpu_cores", Counter;
    /// Time in which the group wanted to run and its quota did not let it, seconds per second (raw: seconds).
    CPU_THROTTLED = "cpu_throttled_share", Counter;
    /// Enforcement periods that ran into the quota, per second (raw: count).
    CPU_THROTTLED_PERIODS = "cpu_throttled_periods_per_s", Counter;
    /// Enforcement periods, per second (raw: count).
    CPU_PERIODS = "cpu_periods_per_s", Counter;
    /// Memory charged, page cache included, bytes.
    MEMORY = "memory_bytes", Gauge;
    /// Memory charged less the page cache that can be dropped at once, bytes.
    MEMORY_WORKING_SET = "memory_working_set_bytes", Gauge;
    /// Processes killed for want of memory, per second (raw: count).
    OOM_KILLS = "oom_kills_per_s", Counter;
    /// Bytes read from block devices per second (raw: bytes).
    IO_READ = "io_read_bytes_per_s", Counter;
    /// Bytes written to block devices per second (raw: bytes).
    IO_WRITE = "io_write_bytes_per_s", Counter;
    /// Bytes received per second (raw: bytes).
    NETWORK_RECEIVE = "network_receive_bytes_per_s", Counter;
    /// Bytes sent per second (raw: bytes).
    NETWORK_SEND = "network_send_bytes_per_s", Counter;
    /// Share of time in which some task waited for CPU (PSI some; raw: seconds).
    CPU_PRESSURE = "cpu_pressure_share", Counter;
    /// Share of time in which some task waited for memory (PSI some; raw: seconds).
    MEMORY_PRESSURE = "memory_pressure_share", Counter;
    /// Share of time in which some task waited for I/O (PSI some; raw: seconds).
    IO_PRESSURE = "io_pressure_share", Counter;
    /// Tasks.
    TASKS = "tasks_count", Gauge;
    /// Runnable tasks, one-minute mean.
    LOAD = "load_count", Gauge;
    /// Requests served per second.
    REQUESTS = "requests_per_s", Gauge;
    /// Latency, seconds (the quantile is the template's).
    LATENCY = "latency_s", Gauge;
    /// Failed requests per second.
    ERRORS = "errors_per_s", Gauge;
}

impl Metric {
    /// A metric by name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }
    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The same of one part of the workload, such as a disk or an interface: `io_read_bytes_per_s:vda`.
    #[must_use]
    pub fn of_part(&self, part: &str) -> Self {
        Self(format!("{self}:{part}").into())
    }
    /// How its raw samples are read, a part as the whole; an unknown metric is a gauge.
    #[must_use]
    pub fn kind(&self) -> Kind {
        let whole = self.as_str().split(':').next().unwrap_or_default();
        KINDS.iter().find(|(name, _)| *name == whole).map_or(Kind::Gauge, |(_, kind)| *kind)
    }
    /// The resource that the metric counts, by its well-known name; `None` for figures about service or pressure.
    #[must_use]
    pub fn resource(&self) -> Option<Resource> {
        match self.as_str() {
            name::CPU => Some(Resource::Cpu),
            name::MEMORY | name::MEMORY_WORKING_SET => Some(Resource::Memory),
            name::IO_READ | name::IO_WRITE => Some(Resource::Storage),
            name::NETWORK_RECEIVE | name::NETWORK_SEND => Some(Resource::Network),
            _ => None,
        }
    }
}

impl From<&str> for Metric {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_the_names() {
        assert_eq!(Metric::new(name::CPU).kind(), Kind::Counter);
        assert_eq!(Metric::new(name::MEMORY).kind(), Kind::Gauge);
        assert_eq!(Metric::new("checkout_baskets").kind(), Kind::Gauge);
        assert_eq!(Metric::new(name::IO_READ).of_part("vda").kind(), Kind::Counter);
        assert_eq!(Metric::new(name::IO_READ).of_part("vda").resource(), None);
    }
}
