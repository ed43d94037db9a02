//! Look-alikes: what others that are probably copies of a new workload needed tells what it will need, before it has a history.

use apportion_core::{Metric, Window, Workload, stats::quantile, traits::AssessInput};

/// Labels that copies have in common.
const SHARED_LABELS: [&str; 2] = ["image", "owner"];
/// At most so many look-alikes tell, and at most so many are asked whether they can, in the order of names, so that a tick stays short.
const MOST_KIN: usize = 8;
const MOST_ASKED: usize = 16;
/// Their last week, on this grid, is looked at; it must hold a day's steps at least.
const STEP_S: u32 = 300;
const WEEK: usize = 2_016;
const DAY: usize = 288;

/// What look-alikes tell of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Told {
    /// What to allot.
    pub(super) enough: f64,
    /// The most that any of them ever used; one that uses more is not like them.
    pub(super) greatest: f64,
    /// How many told it.
    pub(super) count: usize,
}

/// What would have been enough for the neediest look-alike in all but a share `risk` of its last week, widened by how little
/// so few can tell: of `n` alike, the next needs more than all of them once in `n + 1` times. `None` without any.
pub(super) fn told(input: &AssessInput<'_>, metric: &Metric, risk: f64) -> Option<Told> {
    let own = &input.workloads.get(input.workload)?.workload;
    let pattern = pattern(own.id.as_str());
    let others = input.workloads.values().map(|state| &state.workload);
    let alike = others.filter(|other| is_alike((own, pattern.as_deref()), other)).take(MOST_ASKED);
    let enough = |other: &Workload| {
        let week = input.history.series(&other.id, metric, Window::last(input.now, STEP_S, WEEK))?;
        let present: Vec<f32> = week.present().collect();
        #[allow(clippy::cast_possible_truncation, reason = "a level")]
        let level = (1.0 - risk).clamp(0.0, 1.0) as f32;
        let needed = if present.len() < DAY { None } else { quantile(&present, level) };
        needed.map(|needed| (f64::from(needed), present.iter().copied().fold(0.0, f32::max)))
    };
    let needs: Vec<(f64, f32)> = alike.filter_map(enough).take(MOST_KIN).collect();
    let most = needs.iter().map(|(needed, _)| *needed).reduce(f64::max)?;
    let greatest = needs.iter().map(|(_, greatest)| f64::from(*greatest)).fold(0.0, f64::max);
    Some(Told { enough: most * (1.0 + 1.0 / needs.len() as f64), greatest, count: needs.len() })
}

/// Names that differ in what tells copies apart only, or a label that copies share. `one` comes with its pattern.
fn is_alike((one, named): (&Workload, Option<&str>), other: &Workload) -> bool {
    let label = |name: &&str| one.labels.get(*name).is_some_and(|value| other.labels.get(*name) == Some(value));
    let is_named = || named.is_some() && named == pattern(other.id.as_str()).as_deref();
    one.id != other.id && !other.id.is_machine() && (SHARED_LABELS.iter().any(label) || is_named())
}

/// A name without what tells copies apart: each piece that holds a digit. `None` where there is no such piece, or nothing else.
fn pattern(name: &str) -> Option<String> {
    let pieces = name.split_inclusive(|letter: char| !letter.is_alphanumeric());
    let is_number = |piece: &&str| piece.contains(|letter: char| letter.is_ascii_digit());
    let kept: Vec<&str> = pieces.clone().map(|piece| if is_number(&piece) { "#" } else { piece }).collect();
    let tells = pieces.clone().any(|piece| is_number(&piece)) && !pieces.clone().all(|piece| is_number(&piece));
    tells.then(|| kept.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use apportion_core::WorkloadKind;

    fn workload(id: &str, labels: &[(&str, &str)]) -> Workload {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Workload { id: id.into(), kind: WorkloadKind::Trace, path: String::new(), labels }
    }

    fn alike(one: &Workload, other: &Workload) -> bool {
        is_alike((one, pattern(one.id.as_str()).as_deref()), other)
    }

    #[test]
    fn copies_are_told_by_name_or_label() {
        let check = |one: &str, other: &str, alike: bool| {
            assert_eq!(self::alike(&workload(one, &[]), &workload(other, &[])), alike, "{one} {other}");
        };
        check("web-1", "web-2", true);
        check("shop/checkout-7d9f8b6c5-x2k4q", "shop/checkout-5c4b9d8f7-9zt2m", true);
        check("system.slice/worker@1.service", "system.slice/worker@12.service", true);
        check("web-1", "web-1", false);
        check("web-1", "db-1", false);
        check("web", "db", false);
        check("4711", "4712", false);
        let of = |id, image| workload(id, &[("image", image)]);
        assert!(self::alike(&of("a", "nginx"), &of("b", "nginx")));
        assert!(!self::alike(&of("a", "nginx"), &of("b", "redis")));
    }
}
