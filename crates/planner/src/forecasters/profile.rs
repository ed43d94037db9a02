//! The seasonal profile: quantiles of what was seen at the same place of every season that is there, a few steps to both sides.

use super::{Past, Row, Rule, nine};

/// The window to each side, as a part of the season.
const SIDE: usize = 48;
/// Quantiles are worked out once for so many windows' worth of steps.
const BLOCKS: usize = 96;

/// Same time of day, all days.
#[derive(Clone, Copy, Debug, Default)]
pub struct Profile;

impl Rule for Profile {
    fn name(&self) -> &'static str {
        "profile"
    }
    fn rows(&self, past: &Past, horizon: usize) -> Vec<Row> {
        let block = (past.season / BLOCKS).max(1);
        let rows = (0..horizon.div_ceil(block)).flat_map(|index| {
            let row = nine(&mut same_place(past, index * block + block / 2)).unwrap_or([past.last(); 9]);
            std::iter::repeat_n(row, block)
        });
        rows.take(horizon).collect()
    }
}

/// What was seen around the place of the season at which step `ahead` (0 is the next one) falls.
fn same_place(past: &Past, ahead: usize) -> Vec<f32> {
    let (len, season) = (past.values.len(), past.season);
    let side = season / SIDE;
    let first = (len + ahead) % season;
    let centres = (first..len + side).step_by(season);
    let near = centres.flat_map(|centre| centre.saturating_sub(side)..(centre + side + 1).min(len));
    near.map(|index| past.values[index]).filter(|value| value.is_finite()).collect()
}
