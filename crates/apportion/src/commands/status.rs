//! `apportion status`, and what `run --once` prints: the same picture as the API gives.

use super::{NothingFound, control::Control, say};
use crate::{args, web};
use apportion_core::Knob;
use apportion_language::{Language, wording};
use serde::Deserialize;

/// What is read of `/api/v1/workloads`.
#[derive(Deserialize)]
struct Picture {
    workloads: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    footing: Footing,
    cpu: Resource,
    memory: Resource,
}

#[derive(Deserialize)]
struct Footing {
    name: String,
}

#[derive(Deserialize)]
struct Resource {
    used: Option<f64>,
    knob: KnobRow,
}

#[derive(Deserialize)]
struct KnobRow {
    knob: Knob,
    setting: Option<serde_json::Value>,
    allotted: Option<f64>,
    peak: Option<Peak>,
}

#[derive(Deserialize)]
struct Peak {
    q90: f64,
}

/// Prints what a running loop sees.
///
/// # Errors
/// No loop runs on this store, or it does not answer.
pub fn run(global: &args::Global, args: &args::Status) -> anyhow::Result<()> {
    let picture = now(global)?;
    say(&if args.json { serde_json::to_string(&picture)? } else { table(picture, global.words())? });
    Ok(())
}

/// The picture that a running loop gives.
pub(super) fn now(global: &args::Global) -> anyhow::Result<serde_json::Value> {
    control(global)?.get("/api/v1/workloads")
}

/// The way to the running loop.
pub(super) fn control(global: &args::Global) -> anyhow::Result<Control> {
    let store = global.store_path();
    Control::find(&store).map_err(|error| match error.downcast_ref::<std::io::Error>() {
        Some(closed) if closed.kind() == std::io::ErrorKind::PermissionDenied => {
            anyhow::anyhow!("{}: its loop answers its owner alone; do this as that user, or with sudo", store.display())
        }
        _ => NothingFound(format!(
            "no loop runs on {}; start `apportion run`, look once with `apportion run --once`, or name its store with --store",
            store.display()
        ))
        .into(),
    })
}

/// The picture of one turn as JSON.
///
/// # Errors
/// Serialisation's own.
pub(super) fn picture(view: &web::View) -> anyhow::Result<serde_json::Value> {
    Ok(web::workloads_json(view)?)
}

/// The picture as a table for a terminal; what uses most comes first.
///
/// # Errors
/// The picture is not what the API gives.
pub(super) fn table(picture: serde_json::Value, language: Language) -> anyhow::Result<String> {
    let mut rows = serde_json::from_value::<Picture>(picture)?.workloads;
    rows.sort_by(|a, b| b.cpu.used.unwrap_or(0.0).total_cmp(&a.cpu.used.unwrap_or(0.0)).then_with(|| a.id.cmp(&b.id)));
    let heads = ["workload", "state", "cpu now", "peak", "allot", "set", "memory now", "peak", "allot", "set"];
    let mut lines = vec![heads.map(str::to_owned)];
    lines.extend(rows.iter().map(|row| cells(row, language)));
    Ok(align(&lines))
}

fn cells(row: &Row, language: Language) -> [String; 10] {
    let [cpu, memory] = [&row.cpu, &row.memory].map(|resource| resource_cells(resource, language));
    let [a, b, c, d] = cpu;
    let [e, f, g, h] = memory;
    [row.id.clone(), row.footing.name.clone(), a, b, c, d, e, f, g, h]
}

/// Used now, the peak that is forecast (q0.9), what would be allotted, what is set.
fn resource_cells(resource: &Resource, language: Language) -> [String; 4] {
    let knob = resource.knob.knob;
    let amount = |value: Option<f64>| value.map_or("-".to_owned(), |value| wording::amount(knob, value, language));
    let set = match &resource.knob.setting {
        None => "-".to_owned(),
        Some(setting) => setting.as_f64().map_or("none".to_owned(), |value| amount(Some(value))),
    };
    let peak = resource.knob.peak.as_ref().map(|peak| peak.q90);
    [amount(resource.used), amount(peak), amount(resource.knob.allotted), set]
}

/// Columns as wide as their widest cell; the first to the left, the rest to the right.
fn align(lines: &[[String; 10]]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 10] = std::array::from_fn(width);
    let line = |line: &[String; 10]| {
        let cell = |(column, text): (usize, &String)| {
            let width = widths[column];
            if column < 2 { format!("{text:<width$}") } else { format!("{text:>width$}") }
        };
        line.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_the_picture_of_the_api() {
        let knob = |name: &str| serde_json::json!({ "knob": name, "setting": "unlimited", "allotted": 0.5, "peak": { "q90": 0.4 } });
        let row = |id: &str, used: f64| {
            serde_json::json!({
                "id": id, "kind": "cgroup", "footing": { "name": "recommend" },
                "cpu": { "used": used, "knob": knob("cpu_quota_cores") },
                "memory": { "used": null, "knob": { "knob": "memory_max_bytes", "setting": null, "allotted": null, "peak": null } },
            })
        };
        let text = table(serde_json::json!({ "workloads": [row("a", 0.1), row("web", 0.3)] }), Language::En).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("workload  state"), "{text}");
        assert!(lines[1].starts_with("web ") && lines[1].contains("0.3 cores") && lines[1].contains("none"), "{text}");
        assert!(lines[2].starts_with("a ") && lines[2].trim_end().ends_with('-'), "{text}");
    }
}
