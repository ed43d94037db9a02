//! A replay counts samples, so each must stand for as much time as any other: a series whose step changes for good is refused.

use crate::{ReplayError, TraceSeries};

/// So many distances in a row of which nearly all are alike are a step; what is in between is gaps.
const STEADY: usize = 64;
const ALIKE_SHARE: f64 = 0.9;
/// Distances within this share of each other are alike.
const ALIKE: f64 = 0.05;
/// Steps that differ by less are the same step, kept less exactly.
const LEAST_RATIO: f64 = 1.5;

/// Refuses a series with two lasting steps.
pub(crate) fn check(series: &TraceSeries) -> Result<(), ReplayError> {
    let mut before: Option<i64> = None;
    for part in series.times_s.windows(STEADY + 1).step_by(STEADY) {
        let Some(step_s) = steady(part) else { continue };
        let before_s = *before.get_or_insert(step_s);
        if differ(step_s, before_s) {
            let (workload, metric) = (series.workload.to_string(), series.metric.to_string());
            return Err(ReplayError::StepChanges { workload, metric, time_s: part[0], before_s, after_s: step_s });
        }
    }
    Ok(())
}

/// The step that a series keeps from its beginning, where it is another than `usual_s`.
pub(crate) fn own(series: &TraceSeries, usual_s: i64) -> Option<i64> {
    let step_s = series.times_s.get(..=STEADY).and_then(steady)?;
    differ(step_s, usual_s).then_some(step_s)
}

fn differ(one_s: i64, other_s: i64) -> bool {
    one_s.max(other_s) as f64 >= LEAST_RATIO * one_s.min(other_s) as f64
}

/// The distance of nearly all of these times, seconds.
fn steady(times_s: &[i64]) -> Option<i64> {
    let mut steps_s: Vec<i64> = times_s.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let middle = steps_s.len() / 2;
    let (_, median_s, _) = steps_s.select_nth_unstable(middle);
    let median_s = *median_s;
    let is_alike = |step_s: &&i64| (**step_s - median_s).abs() as f64 <= ALIKE * median_s as f64;
    let alike = steps_s.iter().filter(is_alike).count();
    (alike as f64 >= ALIKE_SHARE * steps_s.len() as f64).then_some(median_s)
}

#[cfg(test)]
mod tests {
    use crate::{ReplayError, TraceBuilder};

    /// Distances in seconds, each as often as said; the steps before and after, where the series is refused.
    fn check(steps: &[(i64, usize)], refused: Option<(i64, i64)>) {
        let mut builder = TraceBuilder::default();
        let mut time = 0;
        for step_s in steps.iter().flat_map(|(step_s, count)| std::iter::repeat_n(*step_s, *count)) {
            time += step_s;
            builder.push("a", "cpu_cores", time, 1.0).unwrap();
        }
        let found = match builder.finish() {
            Err(ReplayError::StepChanges { before_s, after_s, .. }) => Some((before_s, after_s)),
            Err(other) => panic!("{other}"),
            Ok(_) => None,
        };
        assert_eq!(found, refused, "{steps:?}");
    }

    #[test]
    fn a_lasting_change_of_step_is_refused_and_gaps_are_not() {
        check(&[(300, 200), (60, 400)], Some((300, 60)));
        check(&[(10, 200), (60, 200)], Some((10, 60)));
        check(&[(300, 200), (90_000, 1), (300, 200)], None);
        check(&[(300, 200), (600, 30), (300, 200)], None);
        check(&[(300, 200), (301, 200)], None);
        check(&[(300, 100), (60, 40)], None);
        check(&[(300, 30), (17, 30), (900, 30), (41, 30), (220, 30)], None);
    }

    /// An hourly series among those of five minutes.
    #[test]
    fn a_series_keeps_its_own_step_beside_others() {
        let mut builder = TraceBuilder::default();
        for (name, step_s, count) in [("a", 300, 900), ("b", 300, 900), ("slow", 3_600, 75), ("short", 3_600, 9)] {
            (1..=count).for_each(|k| builder.push(name, "cpu_cores", k * step_s, 1.0).unwrap());
        }
        let trace = builder.finish().unwrap();
        let steps: Vec<i64> = trace.series().iter().map(|series| series.step_s).collect();
        assert_eq!(steps, [300, 300, 300, 3_600], "too few samples tell no step of its own");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let mut builder = TraceBuilder::default();
        (1..=500_i64).for_each(|k| builder.push("web", "cpu_cores", (k * 60).max(k * 300 - 48_000), 1.0).unwrap());
        let says = builder.finish().unwrap_err().to_string();
        assert!(says.starts_with("web cpu_cores comes every 60 s at first and every 300 s from time "), "{says}");
    }
}
