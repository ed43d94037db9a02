//! Calendar features: where in the day and in the week a time falls, as points on a circle.

use apportion_core::time::DAY_S;
use std::f32::consts::TAU;

/// Sine and cosine of the time of day, then of the day of the week.
pub const CALENDAR_FEATURES: usize = 4;

/// 1970-01-01 was a Thursday: three days after a Monday.
const THURSDAY: i64 = 3;

/// Features of a time (seconds since 1970 UTC) at a place that is `offset_s` seconds ahead of UTC. The week begins on Monday.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "below a week in seconds")]
pub fn calendar(time_s: i64, offset_s: i32) -> [f32; CALENDAR_FEATURES] {
    let local_s = time_s + i64::from(offset_s);
    let day = local_s.rem_euclid(DAY_S) as f32 / DAY_S as f32;
    let week = (local_s + THURSDAY * DAY_S).rem_euclid(7 * DAY_S) as f32 / (7 * DAY_S) as f32;
    let [day, week] = [day * TAU, week * TAU];
    [day.sin(), day.cos(), week.sin(), week.cos()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(time_s: i64, offset_s: i32, expect: [f32; 4]) {
        let made = calendar(time_s, offset_s);
        assert!(made.iter().zip(expect).all(|(a, b)| (a - b).abs() < 1e-3), "{time_s} {made:?}");
    }

    #[test]
    fn midnight_noon_and_monday() {
        let thursday = 3.0 / 7.0 * TAU;
        check(0, 0, [0.0, 1.0, thursday.sin(), thursday.cos()]);
        check(4 * DAY_S, 0, [0.0, 1.0, 0.0, 1.0]);
        check(4 * DAY_S + 6 * 3_600, 0, [1.0, 0.0, (TAU / 28.0).sin(), (TAU / 28.0).cos()]);
        check(4 * DAY_S - 8 * 3_600, 8 * 3_600, [0.0, 1.0, 0.0, 1.0]);
        check(-3 * DAY_S, 0, [0.0, 1.0, 0.0, 1.0]);
    }
}
