//! Queries for what everyone scrapes.

use super::{Query, QueryGroup};
use apportion_core::metric::name;

impl QueryGroup {
    /// Containers of Kubernetes as cAdvisor (the kubelet) names them; a workload is `namespace/pod/container`. `selector` is
    /// a list of label matchers or empty.
    #[must_use]
    pub fn cadvisor(selector: &str) -> Self {
        let of = |form: &str| form.replace("$by", "namespace, pod, container").replace("$of", CONTAINER);
        Self {
            name: "cadvisor".to_owned(),
            workload: "{namespace}/{pod}/{container}".to_owned(),
            selector: selector.to_owned(),
            queries: CADVISOR
                .iter()
                .map(|(metric, family, is_total)| query(metric, &of(form(*is_total)), family))
                .collect(),
        }
    }

    /// Machines as node_exporter names them; a workload is the instance.
    #[must_use]
    pub fn node(selector: &str) -> Self {
        let queries = NODE.iter().map(|(metric, promql)| query(metric, promql, "")).collect();
        let (name, workload) = ("node".to_owned(), "{instance}".to_owned());
        Self { name, workload, selector: selector.to_owned(), queries }
    }
}

fn query(metric: &str, form: &str, family: &str) -> Query {
    Query { metric: metric.to_owned(), promql: form.replace("$family", family) }
}

/// A total is given as its rate.
const fn form(is_total: bool) -> &'static str {
    if is_total {
        "sum by ($by) (rate($family{$of,$selector}[$window]))"
    } else {
        "sum by ($by) ($family{$of,$selector})"
    }
}

/// Not the pod's own group, and not the container that holds it together.
const CONTAINER: &str = r#"container!="",container!="POD""#;

/// Metric, family of series, whether it is a total.
const CADVISOR: [(&str, &str, bool); 12] = [
    (name::CPU, "container_cpu_usage_seconds_total", true),
    (name::CPU_THROTTLED, "container_cpu_cfs_throttled_seconds_total", true),
    (name::CPU_THROTTLED_PERIODS, "container_cpu_cfs_throttled_periods_total", true),
    (name::CPU_PERIODS, "container_cpu_cfs_periods_total", true),
    (name::MEMORY, "container_memory_usage_bytes", false),
    (name::MEMORY_WORKING_SET, "container_memory_working_set_bytes", false),
    (name::OOM_KILLS, "container_oom_events_total", true),
    (name::IO_READ, "container_fs_reads_bytes_total", true),
    (name::IO_WRITE, "container_fs_writes_bytes_total", true),
    (name::CPU_PRESSURE, "container_pressure_cpu_waiting_seconds_total", true),
    (name::MEMORY_PRESSURE, "container_pressure_memory_waiting_seconds_total", true),
    (name::IO_PRESSURE, "container_pressure_io_waiting_seconds_total", true),
];

const NODE: [(&str, &str); 11] = [
    (
        name::CPU,
        r#"sum by (instance) (rate(node_cpu_seconds_total{mode!="idle",mode!="iowait",mode!="steal",$selector}[$window]))"#,
    ),
    (name::MEMORY, "node_memory_MemTotal_bytes{$selector} - node_memory_MemFree_bytes{$selector}"),
    (name::MEMORY_WORKING_SET, "node_memory_MemTotal_bytes{$selector} - node_memory_MemAvailable_bytes{$selector}"),
    (name::LOAD, "node_load1{$selector}"),
    (
        name::IO_READ,
        r#"sum by (instance) (rate(node_disk_read_bytes_total{device!~"loop.*|z?ram.*|dm-.*|md.*",$selector}[$window]))"#,
    ),
    (
        name::IO_WRITE,
        r#"sum by (instance) (rate(node_disk_written_bytes_total{device!~"loop.*|z?ram.*|dm-.*|md.*",$selector}[$window]))"#,
    ),
    (
        name::NETWORK_RECEIVE,
        r#"sum by (instance) (rate(node_network_receive_bytes_total{device!~"lo|veth.*|docker.*|br-.*",$selector}[$window]))"#,
    ),
    (
        name::NETWORK_SEND,
        r#"sum by (instance) (rate(node_network_transmit_bytes_total{device!~"lo|veth.*|docker.*|br-.*",$selector}[$window]))"#,
    ),
    (name::CPU_PRESSURE, "sum by (instance) (rate(node_pressure_cpu_waiting_seconds_total{$selector}[$window]))"),
    (name::MEMORY_PRESSURE, "sum by (instance) (rate(node_pressure_memory_waiting_seconds_total{$selector}[$window]))"),
    (name::IO_PRESSURE, "sum by (instance) (rate(node_pressure_io_waiting_seconds_total{$selector}[$window]))"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_filled_in() {
        let group = QueryGroup::cadvisor("cluster=\"a\"");
        let queries: Vec<_> = group.queries.iter().map(|query| query.promql.as_str()).collect();
        assert_eq!(
            queries[0],
            "sum by (namespace, pod, container) (rate(container_cpu_usage_seconds_total\
             {container!=\"\",container!=\"POD\",$selector}[$window]))"
        );
        assert!(queries[4].starts_with("sum by (namespace, pod, container) (container_memory_usage_bytes{"));
        assert!(queries.iter().all(|query| !query.contains("$by") && !query.contains("$family")));
        assert_eq!(QueryGroup::node("").queries.len(), NODE.len());
    }
}
