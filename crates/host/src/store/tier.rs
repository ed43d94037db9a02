//! The three resolutions: readings as they came, and roll-ups of one and five minutes.

use apportion_core::time::DAY_S;

/// Mark of chunks of readings as they came, which are usually 10 s apart.
pub(super) const RAW_S: u32 = 10;
/// Readings are kept this long, seconds.
pub(super) const RAW_KEEP_S: i64 = 2 * DAY_S;

/// A roll-up. Steps end at multiples of `step_s` since 1970.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tier {
    /// Seconds a step.
    pub step_s: u32,
    /// Steps a chunk.
    pub steps: u16,
    /// Kept this long, seconds.
    pub keep_s: i64,
    /// Whether the greatest value is kept beside the mean.
    pub has_max: bool,
}

/// One minute, mean: half a day a chunk.
pub(super) const MINUTE: Tier = Tier { step_s: 60, steps: 720, keep_s: 14 * DAY_S, has_max: false };
/// Five minutes, mean and greatest: a day a chunk.
pub(super) const FIVE_MINUTES: Tier = Tier { step_s: 300, steps: 288, keep_s: 90 * DAY_S, has_max: true };
/// Finest first.
pub(super) const ROLL_UPS: [Tier; 2] = [MINUTE, FIVE_MINUTES];

impl Tier {
    /// Seconds from the first step of a chunk to the first of the next.
    pub(super) const fn span_s(&self) -> i64 {
        self.step_s as i64 * self.steps as i64
    }
    /// The chunk in which the step that ends at `end_s` is, by the end of the chunk's first step, and its place there.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the remainder is below u16::MAX steps")]
    pub(super) const fn place(&self, end_s: i64) -> (i64, usize) {
        let start_s = end_s.div_euclid(self.span_s()) * self.span_s();
        (start_s, ((end_s - start_s) / self.step_s as i64) as usize)
    }
    /// True when steps of this roll-up make up whole steps of `step_s` that end at `end_s`.
    pub(super) const fn fits(&self, step_s: u32, end_s: i64) -> bool {
        step_s.is_multiple_of(self.step_s) && end_s.rem_euclid(self.step_s as i64) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_one_place() {
        for (end_s, place) in
            [(0, (0, 0)), (300, (0, 1)), (86_100, (0, 287)), (86_400, (86_400, 0)), (-300, (-86_400, 287))]
        {
            assert_eq!(FIVE_MINUTES.place(end_s), place, "{end_s}");
        }
    }

    #[test]
    fn a_roll_up_serves_multiples_of_itself_on_its_grid() {
        let check = |step_s, end_s, expect| assert_eq!(FIVE_MINUTES.fits(step_s, end_s), expect, "{step_s} {end_s}");
        check(300, 600, true);
        check(3_600, 900, true);
        check(300, 610, false);
        check(60, 600, false);
        check(450, 900, false);
    }
}
