//! What was judged, for people: one HTML page that needs nothing else, and a table for a terminal.

mod html;
mod replicas;
mod svg;
mod text;

pub use html::html;
pub use svg::escape;
pub use text::{saving, text};

/// What a trace cannot show, said in every report.
pub const CANNOT_SHOW: &[&str] = &[
    "Demand is the recorded usage, whatever was allotted. A throttled workload would have used its CPU later (that part is carried \
     forward as waiting work in `throttled`), its clients might have left or tried again, and a killed one would have started anew.",
    "Usage recorded under a limit is not demand: where the source was itself throttled or near its memory limit, need is \
     understated for every policy alike.",
    "Policies see recorded usage, not what their own allotment would have made of it. A recommender fed with throttled usage \
     climbs more slowly than here.",
    "Each series stands for one replica. Merging of replicas, pod start times, evictions that are refused, and nodes that are full \
     are left out, except for what a shared node's capacity holds back.",
    "Each metric is sized on its own. A change of two metrics at once is counted twice.",
    "A killed workload is charged one kill per sample over and 60 seconds to start again; caches that must be filled are not.",
];

/// A short name for a share: 0.5 %, 0.05 %.
fn percent(share: f64) -> String {
    let value = share * 100.0;
    let digits = match value.abs() {
        0.0 | 10.0.. => 1,
        1.0.. => 2,
        0.01.. => 3,
        _ => 4,
    };
    format!("{value:.digits$} %")
}

/// An amount with three digits, or all before the point.
fn amount(value: f64) -> String {
    let digits = match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}
