//! `--announce START..END=3x`: what is known of demand in a trace, as people announce it of their own workloads.

use super::time_s;
use apportion_core::{Announced, Window, WorkloadId};
use apportion_planner::instructions::stronger;
use std::str::FromStr;

/// Demand is so many times usual for a while, of one workload or of all.
#[derive(Clone, Debug, PartialEq)]
pub struct Announce {
    from_s: i64,
    to_s: i64,
    factor: f32,
    workload: Option<String>,
}

impl FromStr for Announce {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "give START..END=FACTORx, and :WORKLOAD where it is not for all; times as the trace counts them, or RFC 3339".to_owned()
        };
        let (span, what) = text.split_once('=').ok_or_else(wrong)?;
        let (from, to) = span.split_once("..").ok_or_else(wrong)?;
        let (factor, workload) = what.split_once(':').map_or((what, None), |(factor, name)| (factor, Some(name)));
        let factor: f32 = factor.strip_suffix('x').ok_or_else(wrong)?.parse().map_err(|_| wrong())?;
        let (from_s, to_s) = (time_s(from).map_err(|_| wrong())?, time_s(to).map_err(|_| wrong())?);
        if from_s >= to_s {
            return Err("it ends before it begins".to_owned());
        }
        if !(0.01..=100.0).contains(&factor) {
            return Err("a factor is from 0.01x to 100x".to_owned());
        }
        Ok(Self { from_s, to_s, factor, workload: workload.map(str::to_owned) })
    }
}

/// A name for which something is announced and to which none of the workloads answers.
pub(super) fn unknown<'a>(all: &'a [Announce], workloads: &[&WorkloadId]) -> Option<&'a str> {
    let mut names = all.iter().filter_map(|one| one.workload.as_deref());
    names.find(|name| !workloads.iter().any(|workload| workload.answers_to(name)))
}

/// What is announced for a workload over a window; a value speaks for the step that ends at its time. Where several overlap, the one counts
/// that would in the loop.
#[allow(clippy::cast_possible_truncation, reason = "a factor")]
pub(super) fn announced(all: &[Announce], workload: &WorkloadId, window: Window) -> Announced {
    let is_for = |one: &&Announce| one.workload.as_ref().is_none_or(|named| workload.answers_to(named));
    let of: Vec<&Announce> = all.iter().filter(is_for).collect();
    if of.is_empty() {
        return Announced::default();
    }
    let at = |time_s: i64| {
        let there = of.iter().filter(|one| one.from_s < time_s && time_s <= one.to_s);
        there.map(|one| f64::from(one.factor)).fold(1.0, stronger) as f32
    };
    let times_s = (window.from_s..).step_by(window.step_s as usize).take(window.len());
    Announced { factors: times_s.map(at).collect(), added: vec![0.0; window.len()] }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn announcements_are_read_and_laid_on_the_grid_of_a_series() {
        let all = ["600..1200=3x:web", "1970-01-01T00:15:00Z..1970-01-01T00:25:00Z=0.5x"].map(|it| it.parse().unwrap());
        let window = Window { from_s: 300, to_s: 1_800, step_s: 300 };
        let factors = |workload: &str| announced(&all, &workload.into(), window).factors;
        assert_eq!(factors("web"), [1.0, 1.0, 3.0, 3.0, 0.5]);
        assert_eq!(factors("/system.slice/web.service"), factors("web"), "by any of its names");
        assert_eq!(factors("other"), [1.0, 1.0, 1.0, 0.5, 0.5]);
        assert!(announced(&[], &"web".into(), window).is_empty());
        assert_eq!(unknown(&all, &[&"wbe".into()]), Some("web"));
        assert_eq!(unknown(&all, &[&"wbe".into(), &"web.service".into()]), None);
        for (text, says) in [
            ("tonight=3x", "give START..END"),
            ("0..600=3", "give START..END"),
            ("600..0=3x", "ends before"),
            ("0..600=0x", "0.01x to 100x"),
            ("0..600=nanx", "0.01x to 100x"),
        ] {
            let error = text.parse::<Announce>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
