//! The values around one phase of the last seasons, kept sorted while the phase moves on step by step.
//!
//! From a step to the next, one value per season leaves and one enters, each near the other: replacing it and moving it to
//! its place is several times cheaper than sorting anew.

use super::LEVELS;
use super::sorted_window::quantiles_of_sorted;

/// Most seasons looked back.
pub(crate) const SEASONS_BACK: usize = 5;
/// Most neighbours on each side of the phase.
const MOST_REACH: usize = 2;
const CAPACITY: usize = SEASONS_BACK * (2 * MOST_REACH + 1);

/// Sorted values at `step − k · season ± reach` for `SEASONS_BACK` values of k from `back` on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PhaseWindow {
    season: usize,
    reach: usize,
    step: usize,
    back: usize,
    sorted: [f64; CAPACITY],
    count: usize,
}

impl PhaseWindow {
    /// The window at `step` of what is known of a series: `clean`, NaN where missing or not yet seen, which holds nothing
    /// from `seen_end` on.
    pub(crate) fn new(clean: &[f64], season: usize, step: usize, seen_end: usize) -> Self {
        // Short seasons have no neighbours of nearly equal phase.
        let reach = usize::from(season >= 12) + usize::from(season >= 24);
        let back = first_season_back(step + reach, seen_end, season);
        let mut window = Self { season, reach, step, back, sorted: [0.0; CAPACITY], count: 0 };
        for centre in window.centres(step) {
            for value in &clean[centre.saturating_sub(reach)..=centre + reach] {
                window.replace(f64::NAN, *value);
            }
        }
        window
    }

    /// Whether it is what `new` would make, after more has been seen.
    pub(crate) fn is_at(&self, season: usize, step: usize, seen_end: usize) -> bool {
        (self.season, self.step) == (season, step)
            && self.back == first_season_back(step + self.reach, seen_end, season)
    }

    /// Moves to the next step.
    pub(crate) fn advance(&mut self, clean: &[f64], seen_end: usize) {
        let step = self.step + 1;
        if first_season_back(step + self.reach, seen_end, self.season) != self.back
            || step < (self.back + SEASONS_BACK - 1) * self.season + self.reach + 1
        {
            // Another season comes into reach, or the oldest is only partly there: start anew.
            *self = Self::new(clean, self.season, step, seen_end);
            return;
        }
        for centre in self.centres(step) {
            self.replace(clean[centre - self.reach - 1], clean[centre + self.reach]);
        }
        self.step = step;
    }

    pub(crate) fn quantiles(&self) -> Option<[f64; LEVELS]> {
        quantiles_of_sorted(&self.sorted[..self.count])
    }

    fn centres(&self, step: usize) -> impl Iterator<Item = usize> + use<> {
        let (back, season) = (self.back, self.season);
        (back..back + SEASONS_BACK).map_while(move |k| step.checked_sub(k * season))
    }

    /// Takes `old` out and puts `new` in; NaN stands for nothing.
    fn replace(&mut self, old: f64, new: f64) {
        let kept = &mut self.sorted[..self.count];
        let mut place = match kept.iter().position(|value| *value == old) {
            Some(place) if new.is_nan() => {
                kept.copy_within(place + 1.., place);
                self.count -= 1;
                return;
            }
            Some(place) => place,
            None if new.is_nan() => return,
            None => {
                self.count += 1;
                self.count - 1
            }
        };
        let kept = &mut self.sorted[..self.count];
        kept[place] = new;
        while place > 0 && kept[place - 1] > kept[place] {
            kept.swap(place - 1, place);
            place -= 1;
        }
        while place + 1 < kept.len() && kept[place + 1] < kept[place] {
            kept.swap(place + 1, place);
            place += 1;
        }
    }
}

/// The least whole number of seasons to go back from `step` to before `seen_end`.
pub(crate) fn first_season_back(step: usize, seen_end: usize, season: usize) -> usize {
    (step + 1).saturating_sub(seen_end).div_ceil(season).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn plain(clean: &[f64], season: usize, step: usize, seen_end: usize) -> Vec<f64> {
        let reach = usize::from(season >= 12) + usize::from(season >= 24);
        let back = first_season_back(step + reach, seen_end, season);
        let mut values: Vec<f64> = (back..back + SEASONS_BACK)
            .filter_map(|k| step.checked_sub(k * season))
            .flat_map(|centre| clean[centre.saturating_sub(reach)..=centre + reach].iter().copied())
            .filter(|value| value.is_finite())
            .collect();
        values.sort_by(f64::total_cmp);
        values
    }

    #[test]
    fn moving_on_gives_what_sorting_anew_gives() {
        let mut rng = Rng::new(2);
        for season in [1, 5, 12, 13, 24, 31, 100] {
            let seen_end = 300;
            let draw = |rng: &mut Rng| if rng.chance(0.2) { f64::NAN } else { rng.below(9) as f64 };
            let clean: Vec<f64> = (0..600).map(|t| if t < seen_end { draw(&mut rng) } else { f64::NAN }).collect();
            for start in [3, 40, 250, 300, 420] {
                let mut window = PhaseWindow::new(&clean, season, start, seen_end);
                for step in start..start + 60 {
                    let expected = plain(&clean, season, step, seen_end);
                    assert_eq!(window.sorted[..window.count], expected, "season {season}, step {step}");
                    window.advance(&clean, seen_end);
                }
            }
        }
    }

    #[test]
    fn what_a_token_leaves_is_what_the_next_would_make() {
        let mut rng = Rng::new(3);
        let mut kept = 0;
        for season in [1, 5, 13, 24, 31, 40, 100] {
            let all: Vec<f64> =
                (0..800).map(|_| if rng.chance(0.2) { f64::NAN } else { rng.below(9) as f64 }).collect();
            let seen = |end: usize| all.iter().enumerate().map(|(t, x)| if t < end { *x } else { f64::NAN }).collect();
            for end in [32, 96, 320, 512] {
                let (before, after): (Vec<f64>, Vec<f64>) = (seen(end), seen(end + 32));
                let mut window = PhaseWindow::new(&before, season, end, end);
                (0..32).for_each(|_| window.advance(&before, end));
                if window.is_at(season, end + 32, end + 32) {
                    assert_eq!(
                        window.sorted[..window.count],
                        plain(&after, season, end + 32, end + 32),
                        "{season} {end}"
                    );
                    kept += 1;
                }
                assert!(!window.is_at(season + 1, end + 32, end + 32) && !window.is_at(season, end + 33, end + 33));
            }
        }
        assert!(kept >= 8, "{kept} kept");
    }
}
