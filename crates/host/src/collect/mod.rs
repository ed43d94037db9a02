//! Collectors: what each workload and the machine use now, as raw readings.
//!
//! Nothing here keeps a rate, a mean or a clock: a batch holds what the source said at the time that was passed in. A file,
//! query or process that cannot be read is a [`Problem`]; the rest goes on. What is not measured is left out, never zero.

mod capacity;
mod cgroup;
mod container;
mod devices;
mod groups;
mod lives;
mod machine;
mod metrics;
mod netns;
mod proc_files;
mod process;
mod prometheus;
mod slots;

pub use cgroup::CgroupCollector;
pub use container::{Container, docker_labels, identify, oci_labels};
pub use groups::{Group, Shape, is_shared, select, shape};
pub use machine::MachineCollector;
pub(crate) use netns::{default_route, is_in_ours};
pub use proc_files::{
    DiskStat, Interface, MachineCpu, MachineMemory, ProcessStat, parse_default_route, parse_default_route_v6,
    parse_diskstats, parse_loadavg, parse_machine_cpu, parse_meminfo, parse_net_dev, parse_process_io,
    parse_process_stat, parse_statm, parse_uptime,
};
pub use process::ProcCollector;

pub use prometheus::{
    Answer, AnswerError, AnswerSeries, Auth, ClientError, ConfigError, PrometheusCollector, PrometheusConfig, Query,
    QueryGroup, SecretError, SecretFrom, parse_answer, prometheus_address,
};

use crate::cgroupfs::Error;
use apportion_core::{Batch, Problem, WorkloadId};
use std::collections::HashSet;

/// A collector looks for new groups, processes and devices every so many ticks, because listing costs more than reading:
/// at the usual 10 s, what is new is seen after half a minute at most; what is gone is seen at once.
const LISTING_TICKS: u32 = 3;

/// Joins what several collectors found at one time. A workload that more than one of them knows is the first one's, and so
/// is every metric that the first one gave of it: two counters of the same thing must not be mixed into one series.
#[must_use]
pub fn merge(batches: impl IntoIterator<Item = Batch>) -> Batch {
    let mut merged = Batch::default();
    let mut known: HashSet<WorkloadId> = HashSet::new();
    for mut batch in batches {
        let again = batch.samples.iter().any(|sample| known.contains(&sample.workload));
        if again {
            let given: HashSet<_> = merged.samples.iter().map(|sample| (&sample.workload, &sample.metric)).collect();
            batch.samples.retain(|sample| !given.contains(&(&sample.workload, &sample.metric)));
        }
        batch.workloads.retain(|workload| known.insert(workload.id.clone()));
        merged.append(batch);
    }
    merged
}

/// A kernel file's error as a problem.
fn problem(error: &Error) -> Problem {
    let place = error.path().display().to_string();
    let what = match error {
        Error::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            format!("{source}: run as root, or give the process CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE")
        }
        Error::Io { source, .. } => source.to_string(),
        Error::Malformed { syntax, .. } => {
            format!("line {}: expected {}, found {:?}", syntax.line, syntax.expected, syntax.content)
        }
    };
    Problem { place, what }
}

/// The value, or `None` with the error noted.
fn noted<T>(read: Result<Option<T>, Error>, problems: &mut Vec<Problem>) -> Option<T> {
    read.unwrap_or_else(|error| {
        problems.push(problem(&error));
        None
    })
}

/// Counts and bytes as the samples hold them.
#[allow(clippy::cast_precision_loss, reason = "exact below 2^53: 8 PiB, 285 years of microseconds")]
pub(crate) const fn real(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use apportion_core::{Metric, Time, Workload, WorkloadKind, metric::name};

    fn batch(kind: WorkloadKind, metrics: &[(&str, f64)]) -> Batch {
        let id = WorkloadId::new("a");
        let mut batch = Batch::default();
        for (metric, value) in metrics {
            batch.push(&id, &Metric::new(metric), Time(0), *value);
        }
        batch.workloads.push(Workload { id, kind, path: String::new(), labels: [].into() });
        batch
    }

    #[test]
    fn the_first_to_know_a_metric_gives_it() {
        let local = batch(WorkloadKind::Cgroup, &[(name::CPU, 1.0)]);
        let remote = batch(WorkloadKind::Trace, &[(name::CPU, 9.0), (name::LATENCY, 0.2)]);
        let merged = merge([local, remote]);
        assert_eq!(merged.workloads.len(), 1);
        assert_eq!(merged.workloads[0].kind, WorkloadKind::Cgroup);
        let values: Vec<_> = merged.samples.iter().map(|sample| (sample.metric.as_str(), sample.value)).collect();
        assert_eq!(values, [(name::CPU, 1.0), (name::LATENCY, 0.2)]);
    }
}
