//! A series whose level changes for good by just the ratio of two units was most likely written in both.

use crate::{ReplayError, TraceSeries};

/// Ratios of units that are mixed up in practice.
const RATIOS: [(f64, &str); 3] = [(1_000.0, "thousands"), (1_024.0 * 1_024.0, "bytes against MiB"), (1e6, "millions")];
/// The two levels must agree with a ratio this closely.
const CLOSENESS: f64 = 0.02;
/// Each side must be that steady (greatest over least), or its level means nothing.
const STEADINESS: f64 = 1.5;
/// Each side must have so many samples.
const ENOUGH: usize = 24;

/// Refuses a series with one lasting jump by a ratio of units between two steady levels.
pub(crate) fn check(series: &TraceSeries) -> Result<(), ReplayError> {
    let Some(at) = greatest_jump(&series.values) else { return Ok(()) };
    let (before, after) = series.values.split_at(at);
    let (Some(low), Some(high)) = (steady_level(before), steady_level(after)) else { return Ok(()) };
    let factor = high / low;
    let size = factor.max(1.0 / factor);
    let Some((_, unit)) = RATIOS.iter().find(|(ratio, _)| (size / ratio - 1.0).abs() < CLOSENESS) else {
        return Ok(());
    };
    Err(ReplayError::MixedUnits {
        workload: series.workload.to_string(),
        metric: series.metric.to_string(),
        time_s: series.times_s[at],
        factor,
        unit,
    })
}

/// Index of the sample that differs most, in ratio, from the one before it; both above zero, at least 100 times apart.
fn greatest_jump(values: &[f64]) -> Option<usize> {
    let ratio =
        |pair: &[f64]| if pair[0] > 0.0 && pair[1] > 0.0 { (pair[1] / pair[0]).max(pair[0] / pair[1]) } else { 0.0 };
    let (at, size) = values.windows(2).map(ratio).enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    (size > 100.0).then_some(at + 1)
}

fn steady_level(values: &[f64]) -> Option<f64> {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(0.0, f64::max);
    let steady = values.len() >= ENOUGH && least > 0.0 && greatest <= least * STEADINESS;
    steady.then(|| values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use crate::TraceBuilder;

    fn check(values: &[f64], refused: bool) {
        let mut builder = TraceBuilder::default();
        for (k, value) in values.iter().enumerate() {
            builder.push("a", "memory_bytes", 60 * i64::try_from(k).unwrap(), *value).unwrap();
        }
        assert_eq!(builder.finish().is_err(), refused);
    }

    #[test]
    fn a_lasting_jump_by_a_unit_is_refused_and_a_real_one_is_not() {
        let steady = |level: f64| (0..30).map(move |k| level * (1.0 + 0.001 * f64::from(k)));
        check(&steady(300.0).chain(steady(300.0 * 1_048_576.0)).collect::<Vec<_>>(), true);
        check(&steady(300.0).chain(steady(150_000.0)).collect::<Vec<_>>(), false);
        check(&steady(300.0).chain([300_000.0]).chain(steady(300.0)).collect::<Vec<_>>(), false);
    }
}
