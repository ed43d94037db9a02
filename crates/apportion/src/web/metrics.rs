//! `/metrics`: the view as OpenMetrics. Units are in the names; every label's values are bounded, workloads by
//! [`WORKLOADS_MOST`], and what is left out is counted.

use super::{
    View,
    api::Shared,
    publish::memory_metric,
    view::{Footing, TICK_BUCKETS_S, WorkloadNow},
};
use apportion_core::{Knob, Metric, Resource, Setting, WorkloadId, metric::name};
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text},
    metrics::MetricType,
    registry::{Registry, Unit},
};
use std::{fmt, sync::Arc};

/// Workloads with series of their own: the first by name.
const WORKLOADS_MOST: usize = 2_000;
const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Figures for Prometheus, as OpenMetrics text.
#[utoipa::path(get, path = "/metrics", tag = "machine",
    responses((status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text")))]
pub(super) async fn metrics(State(shared): State<Shared>) -> Response {
    match render(shared.view()) {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn render(view: Arc<View>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("apportion");
    registry.register_collector(Box::new(Picture(view)));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Picture(Arc<View>);

impl Collector for Picture {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let view = &self.0;
        encode_loop(view, &mut encoder)?;
        encode_machine(view, &mut encoder)?;
        for measure in MEASURES {
            for unit in measure.units {
                encode_measure(view, measure, unit, &mut encoder)?;
            }
        }
        let age = encoder.encode_descriptor(
            "workload_telemetry_age",
            "Age of a workload's newest reading",
            Some(&Unit::Seconds),
            MetricType::Gauge,
        )?;
        each_workload(view, age, |now, point| {
            let newest = now.state.latest.values().map(|latest| latest.time).max();
            newest.map_or(Ok(()), |time| point(&[], view.now.since_s(time)))
        })
    }
}

fn encode_loop(view: &View, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    encoder
        .encode_descriptor("build", "The running version", None, MetricType::Info)?
        .encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
    counter(encoder, "ticks", "Turns of the loop", view.tick)?;
    counter(encoder, "harms", "Cuts that hurt and were taken back", view.totals.harms)?;
    let mut decisions =
        encoder.encode_descriptor("decisions", "Recorded decisions by what they came to", None, MetricType::Counter)?;
    for ((verdict, refusal), count) in &view.totals.decisions {
        let labels = [("verdict", *verdict), ("refusal", *refusal)];
        decisions.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, u64>(count, None)?;
    }
    encode_ticks(view, encoder)?;
    encode_model(view, encoder)?;
    let when = encoder.encode_descriptor(
        "last_tick_timestamp",
        "Time of the last tick, since 1970",
        Some(&Unit::Seconds),
        MetricType::Gauge,
    );
    when?.encode_gauge(&view.now.s())?;
    gauge(encoder, "collection_problems", "Places that could not be read at the last tick", view.problems.len())
}

fn encode_model(view: &View, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Version of the tuned weights in use; 0 is what the program ships with";
    encoder
        .encode_descriptor("weights_version", help, None, MetricType::Gauge)?
        .encode_gauge(&i64::from(view.model.version))?;
    let help = "Loss of the last day's forecasts over that of the six days before; above 1 they have become worse";
    let unit = Unit::Other(RATIO.to_owned());
    let mut drift = encoder.encode_descriptor("forecast_drift", help, Some(&unit), MetricType::Gauge)?;
    for (metric, ratio) in &view.model.drift {
        drift.encode_family(&[("metric", metric.as_str())])?.encode_gauge(ratio)?;
    }
    Ok(())
}

fn encode_ticks(view: &View, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let bounds = TICK_BUCKETS_S.into_iter().chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(view.totals.tick_buckets).collect();
    let count = view.totals.tick_buckets.iter().sum();
    encoder
        .encode_descriptor("tick_duration", "Duration of a tick", Some(&Unit::Seconds), MetricType::Histogram)?
        .encode_histogram::<NoLabelSet>(view.totals.tick_sum_s, count, &buckets, None)
}

fn encode_machine(view: &View, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let mut workloads =
        encoder.encode_descriptor("workloads", "Workloads by how Apportion stands to them", None, MetricType::Gauge)?;
    for footing in Footing::NAMES {
        let count = view.workloads.values().filter(|now| now.footing.name() == footing).count();
        workloads.encode_family(&[("footing", footing)])?.encode_gauge(&clamp(count))?;
    }
    let left_out = view.workloads.len().saturating_sub(WORKLOADS_MOST);
    gauge(encoder, "workloads_left_out", "Workloads without series of their own here", left_out)?;
    for unit in AMOUNTS.iter().copied() {
        let unit_shown = Unit::Other(unit.to_owned());
        let mut capacity = encoder.encode_descriptor(
            "machine_capacity",
            "What the machine has to give",
            Some(&unit_shown),
            MetricType::Gauge,
        )?;
        for (resource, amount) in view.capacity.amounts.iter().filter(|(resource, _)| unit_of(**resource) == unit) {
            capacity.encode_family(&[("resource", resource_name(*resource))])?.encode_gauge(amount)?;
        }
    }
    Ok(())
}

const CORES: &str = "cores";
const BYTES: &str = "bytes";
const BYTES_PER_SECOND: &str = "bytes_per_second";
const RATIO: &str = "ratio";

/// Labels and value of one point; a workload gives any number of them.
type Point<'a> = dyn FnMut(&[(&'static str, &'static str)], f64) -> fmt::Result + 'a;

/// A figure of each workload, in each of some units.
struct Measure {
    name: &'static str,
    help: &'static str,
    units: &'static [&'static str],
    points: fn(&WorkloadNow, &str, &mut Point<'_>) -> fmt::Result,
}

const AMOUNTS: &[&str] = &[CORES, BYTES, BYTES_PER_SECOND];

const MEASURES: &[Measure] = &[
    Measure { name: "workload_usage", help: "Used now", units: AMOUNTS, points: usage },
    Measure {
        name: "workload_forecast_peak",
        help: "Forecast quantile at the time of the greatest median",
        units: AMOUNTS,
        points: forecast_peak,
    },
    Measure { name: "workload_allotted", help: "What it would be allotted", units: AMOUNTS, points: allotted },
    Measure {
        name: "workload_setting",
        help: "What the knob is set to; infinite is unlimited",
        units: AMOUNTS,
        points: setting,
    },
    Measure {
        name: "workload_margin",
        help: "Factor on top because of earlier harm",
        units: &[RATIO],
        points: |now, _, point| {
            now.wants.iter().try_for_each(|want| point(&[("knob", label(want.knob))], want.reason.margin))
        },
    },
];

fn usage(now: &WorkloadNow, unit: &str, point: &mut Point<'_>) -> fmt::Result {
    let metrics: &[(&str, &'static str)] = match unit {
        CORES => &[(name::CPU, "cpu")],
        BYTES => &[(memory_metric(&now.state), "memory")],
        _ => &[
            (name::IO_READ, "io_read"),
            (name::IO_WRITE, "io_write"),
            (name::NETWORK_RECEIVE, "network_receive"),
            (name::NETWORK_SEND, "network_send"),
        ],
    };
    metrics.iter().try_for_each(|(metric, label)| {
        let latest = now.state.latest.get(&Metric::new(metric));
        latest.map_or(Ok(()), |latest| point(&[("metric", *label)], latest.value))
    })
}

fn forecast_peak(now: &WorkloadNow, unit: &str, point: &mut Point<'_>) -> fmt::Result {
    for want in now.wants.iter().filter(|want| unit_of(want.knob.resource()) == unit) {
        let Some(expected) = &want.reason.expected else { continue };
        for (quantile, value) in ["0.1", "0.5", "0.9"].into_iter().zip(expected.peak) {
            point(&[("knob", label(want.knob)), ("quantile", quantile)], value)?;
        }
    }
    Ok(())
}

fn allotted(now: &WorkloadNow, unit: &str, point: &mut Point<'_>) -> fmt::Result {
    let of_unit = now.allotted.iter().filter(|(knob, _)| unit_of(knob.resource()) == unit);
    of_unit.into_iter().try_for_each(|(knob, value)| point(&[("knob", label(*knob))], *value))
}

fn setting(now: &WorkloadNow, unit: &str, point: &mut Point<'_>) -> fmt::Result {
    let of_unit = now.state.settings.iter().filter(|(knob, _)| unit_of(knob.resource()) == unit);
    of_unit
        .into_iter()
        .try_for_each(|(knob, setting): (&Knob, &Setting)| point(&[("knob", label(*knob))], setting.or_infinite()))
}

fn encode_measure(view: &View, measure: &Measure, unit: &str, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let unit_shown = Unit::Other(unit.to_owned());
    let metric = encoder.encode_descriptor(measure.name, measure.help, Some(&unit_shown), MetricType::Gauge)?;
    each_workload(view, metric, |now, point| (measure.points)(now, unit, point))
}

fn each_workload(
    view: &View,
    mut metric: MetricEncoder<'_>,
    points: impl Fn(&WorkloadNow, &mut Point<'_>) -> fmt::Result,
) -> fmt::Result {
    for (id, now) in view.workloads.iter().take(WORKLOADS_MOST) {
        points(now, &mut |labels, value| one_point(&mut metric, id, labels, value))?;
    }
    Ok(())
}

fn one_point(
    metric: &mut MetricEncoder<'_>,
    id: &WorkloadId,
    labels: &[(&'static str, &'static str)],
    value: f64,
) -> fmt::Result {
    let mut all = vec![("workload", id.as_str())];
    all.extend_from_slice(labels);
    metric.encode_family(&all)?.encode_gauge(&value)
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    encoder
        .encode_descriptor(name, help, None, MetricType::Counter)?
        .encode_counter::<NoLabelSet, u64, u64>(&value, None)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: usize) -> fmt::Result {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&clamp(value))
}

fn clamp(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The knob without its unit, which is in the metric's name.
const fn label(knob: Knob) -> &'static str {
    match knob {
        Knob::CpuQuota => "cpu_quota",
        Knob::MemoryHigh => "memory_high",
        Knob::MemoryMax => "memory_max",
        Knob::IoReadMax => "io_read_max",
        Knob::IoWriteMax => "io_write_max",
        Knob::NetworkSendMax => "network_send_max",
    }
}

const fn unit_of(resource: Resource) -> &'static str {
    match resource {
        Resource::Cpu => CORES,
        Resource::Memory => BYTES,
        Resource::Storage | Resource::Network => BYTES_PER_SECOND,
    }
}

const fn resource_name(resource: Resource) -> &'static str {
    match resource {
        Resource::Cpu => "cpu",
        Resource::Memory => "memory",
        Resource::Storage => "storage",
        Resource::Network => "network",
    }
}
