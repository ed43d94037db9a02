//! Points in time and spans of it. Nothing here asks a clock.

use serde::{Deserialize, Serialize};

/// Seconds in a day.
pub const DAY_S: i64 = 86_400;

/// Times before this (1 January 1980) are counted from a recording's own start: they say nothing of the time of day.
pub const CALENDAR_FROM_S: i64 = 315_532_800;

/// A point in time: milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub i64);

impl Time {
    /// From whole seconds since 1970 (saturating).
    #[must_use]
    pub const fn from_s(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }
    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn s(self) -> i64 {
        self.0.div_euclid(1_000)
    }
    /// This time moved by `seconds` (negative moves back; saturating).
    #[must_use]
    pub const fn plus_s(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000)))
    }
    /// Seconds from `earlier` to this time, fractions kept; negative when `earlier` is later.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a span of 2^53 ms is 285,000 years")]
    pub fn since_s(self, earlier: Self) -> f64 {
        (self.0 - earlier.0) as f64 / 1_000.0
    }
}

/// A half-open span of time on a grid: samples at `from`, `from + step`, ... before `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// First grid point, seconds since 1970.
    pub from_s: i64,
    /// End, not included, seconds since 1970.
    pub to_s: i64,
    /// Distance of two grid points, seconds; at least 1.
    pub step_s: u32,
}

impl Window {
    /// The `steps` whole steps that end at or before `now`. The last grid point is the last finished step.
    #[must_use]
    pub fn last(now: Time, step_s: u32, steps: usize) -> Self {
        let step = i64::from(step_s.max(1));
        let to_s = now.s().div_euclid(step) * step + step;
        let span = i64::try_from(steps).unwrap_or(i64::MAX).saturating_mul(step);
        Self { from_s: to_s.saturating_sub(span), to_s, step_s: step_s.max(1) }
    }
    /// Number of grid points.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from((self.to_s - self.from_s).div_euclid(i64::from(self.step_s))).unwrap_or(0)
    }
    /// True when the window holds no grid point.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_window_ends_on_the_grid() {
        let window = Window::last(Time::from_s(1_007), 10, 3);
        assert_eq!((window.from_s, window.to_s, window.len()), (980, 1_010, 3));
    }

    #[test]
    fn times_before_1970_round_down() {
        assert_eq!(Time(-1).s(), -1);
        assert_eq!(Time::from_s(5).plus_s(-10).s(), -5);
    }
}
