//! What the past says about the near future, in the demand's own unit: the statistics that sizing rules are margins on.

/// Steps in a block; windows are counted in blocks.
const BLOCK: usize = 3;
/// Windows over which the greatest demand is taken, in blocks: at five-minute steps 15 minutes, 1, 4, 12, 24 hours, 3 and 7 days.
const WINDOWS: [usize; 7] = [1, 4, 16, 48, 96, 288, 672];
/// Half-lives of the means, in steps.
const HALF_LIVES: [f32; 2] = [24.0, 288.0];
/// How far ahead the same time of earlier days is looked at, in blocks (an hour at five-minute steps).
const AHEAD: usize = 4;
/// Days that are looked back at.
const DAYS: usize = 7;
/// Ways of putting those days together: the last two, the second greatest of all, the greatest of all.
const DAILY: usize = 3;
/// Quantile of the greatest demand of each block over a window: blocks, share.
const QUANTILE: (usize, f32) = (96, 0.9);
/// The statistics from this one on look at the same time of earlier days.
pub(super) const FIRST_DAILY: usize = WINDOWS.len() + HALF_LIVES.len() + 1;
/// Number of statistics.
pub(super) const BASES: usize = FIRST_DAILY + DAILY;

/// Streaming statistics over a demand series.
#[derive(Clone, Debug)]
pub(super) struct Bases {
    /// Greatest demand per whole block, a ring; negative infinity where nothing was seen.
    ring: Vec<f32>,
    /// Whole blocks so far.
    blocks: usize,
    /// Steps in the block that is open, and the greatest demand in it.
    open: (usize, f32),
    /// Greatest over each window of whole blocks.
    windows: [f32; WINDOWS.len()],
    /// Of the greatest demand of each block over `QUANTILE`'s window.
    quantile: f32,
    daily: [f32; DAILY],
    means: [(f32, f32); HALF_LIVES.len()],
    day: Option<usize>,
}

const NONE: f32 = f32::NEG_INFINITY;

impl Bases {
    pub(super) fn new(step_s: u32) -> Self {
        let day_s = BLOCK * step_s.max(1) as usize;
        // Finer grids do not reach back days, and their time of day would cost too much memory.
        let day = Some(86_400 / day_s).filter(|day| 86_400 % day_s == 0 && *day > 1 && day * DAYS <= 4_096);
        let len = day.map_or(0, |day| day * DAYS).max(WINDOWS[WINDOWS.len() - 1]) + 1;
        Self {
            ring: vec![NONE; len],
            blocks: 0,
            open: (0, NONE),
            windows: [NONE; WINDOWS.len()],
            quantile: NONE,
            daily: [NONE; DAILY],
            means: [(0.0, 0.0); HALF_LIVES.len()],
            day,
        }
    }

    /// Takes the next step; a gap is NaN.
    pub(super) fn push(&mut self, value: f32) {
        self.open.0 += 1;
        if value.is_finite() {
            self.open.1 = self.open.1.max(value);
            for ((sum, weight), half_life) in self.means.iter_mut().zip(HALF_LIVES) {
                let keep = (-1.0 / half_life).exp2();
                *sum = *sum * keep + value;
                *weight = *weight * keep + 1.0;
            }
        }
        if self.open.0 == BLOCK {
            self.close();
        }
    }

    /// The statistics now; negative infinity before anything was seen.
    pub(super) fn now(&self) -> [f32; BASES] {
        let mut now = [NONE; BASES];
        let recent = self.windows[1].max(self.open.1);
        let windows = self.windows.iter().map(|window| window.max(self.open.1));
        let means = self.means.iter().map(|(sum, weight)| if *weight > 0.0 { sum / weight } else { NONE });
        // Until there is a whole block, what is open.
        let quantile = if self.quantile > NONE { self.quantile } else { self.open.1 };
        let daily = self.daily.iter().map(|daily| daily.max(recent));
        now.iter_mut()
            .zip(windows.chain(means).chain([quantile]).chain(daily))
            .for_each(|(place, value)| *place = value);
        now
    }

    /// The greatest demand over the longest window.
    pub(super) fn greatest_of_all(&self) -> f32 {
        self.windows[WINDOWS.len() - 1].max(self.open.1)
    }

    fn close(&mut self) {
        let len = self.ring.len();
        self.ring[self.blocks % len] = self.open.1;
        self.blocks += 1;
        self.open = (0, NONE);
        self.windows = self.greatest();
        self.quantile = self.quantile();
        self.daily = self.same_time();
    }

    /// The block that was `ago` whole blocks before the open one (1 is the last).
    fn block(&self, ago: usize) -> f32 {
        let len = self.ring.len();
        if ago == 0 || ago > self.blocks.min(len) { NONE } else { self.ring[(self.blocks - ago) % len] }
    }

    fn greatest(&self) -> [f32; WINDOWS.len()] {
        let mut most = NONE;
        let mut from = 1;
        WINDOWS.map(|window| {
            for ago in from..=window {
                most = most.max(self.block(ago));
            }
            from = window + 1;
            most
        })
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place")]
    fn quantile(&self) -> f32 {
        let (window, share) = QUANTILE;
        let mut seen: Vec<f32> = (1..=window).map(|ago| self.block(ago)).filter(|block| *block > NONE).collect();
        let place = (seen.len().saturating_sub(1) as f32 * share).round() as usize;
        if seen.is_empty() { NONE } else { *seen.select_nth_unstable_by(place, f32::total_cmp).1 }
    }

    /// Greatest demand around now and shortly ahead on earlier days; of a day until there are days.
    fn same_time(&self) -> [f32; DAILY] {
        let Some(day) = self.day.filter(|day| self.blocks >= *day) else { return [self.windows[4]; DAILY] };
        let of_day = |back: usize| (0..=AHEAD).map(|ahead| self.block(back * day - ahead + 1)).fold(NONE, f32::max);
        let mut days: [f32; DAYS] = std::array::from_fn(|back| of_day(back + 1));
        let last_two = days[0].max(days[1]);
        days.sort_unstable_by(|a, b| b.total_cmp(a));
        // With one day seen there is no second greatest.
        let second = if days[1] > NONE { days[1] } else { days[0] };
        [last_two, second, days[0]]
    }
}
