//! Gaps. A short one is bridged by a straight line for forecasting, because a model of the season needs every step; a long one
//! stays a gap, because a line across it would be an invention. Sizing looks at gaps as they are.

/// The longest gap that is bridged, seconds.
pub const SHORT_GAP_S: u32 = 3_600;

/// Draws a straight line across gaps (NaN or infinite) of at most `most` steps that have values on both sides.
pub fn bridge(values: &mut [f32], most: usize) {
    let mut last: Option<usize> = None;
    for index in 0..values.len() {
        if !values[index].is_finite() {
            continue;
        }
        if let Some(from) = last.filter(|from| index - from > 1 && index - from - 1 <= most) {
            line(&mut values[from..=index]);
        }
        last = Some(index);
    }
}

#[allow(clippy::cast_precision_loss, reason = "a gap of few steps")]
fn line(span: &mut [f32]) {
    let Some(steps) = span.len().checked_sub(1) else { return };
    let (from, to) = (span[0], span[steps]);
    for (index, value) in span.iter_mut().enumerate().take(steps).skip(1) {
        let share = index as f32 / steps as f32;
        *value = from * (1.0 - share) + to * share;
    }
}

/// No gaps at all: each takes the value before it, those at the front the first one there is. Empty where nothing is there.
#[must_use]
pub fn fill(values: &[f32]) -> Vec<f32> {
    let Some(first) = values.iter().copied().find(|value| value.is_finite()) else { return Vec::new() };
    let mut before = first;
    let keep = |value: &f32| {
        if value.is_finite() {
            before = *value;
        }
        before
    };
    values.iter().map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: f32 = f32::NAN;

    fn check(input: &[f32], most: usize, expect: &[f32]) {
        let mut values = input.to_vec();
        bridge(&mut values, most);
        let same = values.iter().zip(expect).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()));
        assert!(same && values.len() == expect.len(), "{input:?} -> {values:?}");
    }

    #[test]
    fn short_gaps_become_lines_long_ones_stay() {
        check(&[1.0, GAP, 3.0], 1, &[1.0, 2.0, 3.0]);
        check(&[0.0, GAP, GAP, 3.0], 1, &[0.0, GAP, GAP, 3.0]);
        check(&[0.0, GAP, GAP, 3.0], 2, &[0.0, 1.0, 2.0, 3.0]);
        check(&[GAP, 1.0, GAP], 5, &[GAP, 1.0, GAP]);
        check(&[1.0, f32::INFINITY, 1.0], 1, &[1.0, 1.0, 1.0]);
        check(&[], 5, &[]);
    }

    #[test]
    fn filling_leaves_no_gap() {
        assert_eq!(fill(&[GAP, 1.0, GAP, 2.0, GAP]), [1.0, 1.0, 1.0, 2.0, 2.0]);
        assert!(fill(&[GAP, GAP]).is_empty());
    }

    #[test]
    fn huge_neighbours_do_not_overflow() {
        let mut values = [f32::MAX, GAP, f32::MAX];
        bridge(&mut values, 1);
        assert!(values[1].is_finite());
    }
}
