//! The sizing of one demand series, step by step: a fold over its history, so that the same history gives the same allotments
//! whether it came at once or bit by bit.

use super::{
    bases::{BASES, Bases},
    grid::Grid,
    level::Level,
};

/// Shares of steps that may be over, at each of which a series is sized; riskiest first. What is asked is rounded down to one.
pub const RISKS: [f64; 11] = [0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 5e-4, 2e-4, 1e-4];
/// Rules are chosen anew after so many steps, and whenever demand was over; sooner while a series is young.
const CHOOSE_EVERY: u64 = 96;
const CHOOSE_YOUNG: u64 = 12;
/// A series is young until so many steps are seen (a day of five-minute steps).
pub(super) const YOUNG: u64 = 288;
/// Until so many steps are seen, rules cannot be told apart, and the first one holds.
const COLD: u64 = 12;

/// State of one series.
#[derive(Clone, Debug)]
pub struct Track {
    bases: Bases,
    grid: Grid,
    levels: [Level; RISKS.len()],
    seen: u64,
    /// Steps in a day.
    day: u32,
    /// What is changed is set at least this share above what is used.
    headroom: f32,
}

impl Track {
    /// Nothing seen yet, on a grid of `step_s` seconds.
    #[must_use]
    pub fn new(step_s: u32) -> Self {
        Self {
            bases: Bases::new(step_s),
            grid: Grid::new(),
            levels: RISKS.map(Level::new),
            seen: 0,
            day: 86_400 / step_s.max(1),
            headroom: 0.0,
        }
    }

    /// The same where what is changed is set at least this share above what is used then, as the guard does with memory.
    #[must_use]
    pub fn with_headroom(self, headroom: f32) -> Self {
        Self { headroom, ..self }
    }

    /// Takes demand over the next step; a gap is NaN and changes nothing but the time.
    pub fn push(&mut self, value: f32) {
        self.bases.push(value);
        if !value.is_finite() {
            return;
        }
        let mut over = [false; RISKS.len()];
        if self.seen > 0 {
            self.grid.judge(value);
            over = std::array::from_fn(|index| self.levels[index].judge(value));
        }
        self.seen += 1;
        let bases = self.bases.now();
        self.grid.follow(&bases);
        let due = self.seen.is_multiple_of(if self.seen < YOUNG { CHOOSE_YOUNG } else { CHOOSE_EVERY });
        for (level, over) in self.levels.iter_mut().zip(over) {
            if self.seen >= COLD && (due || over) {
                level.choose(&self.grid);
            }
            level.follow(&self.grid, value, self.day, self.headroom);
        }
    }

    /// Steps with a value so far.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.seen
    }

    /// What to allot so that demand is over in at most a share `risk` of steps: what that level says, and no more than any safer
    /// one does, so that more risk never gives more.
    #[must_use]
    pub fn allotment(&self, risk: f64) -> f32 {
        self.levels[place(risk)..].iter().map(Level::allotted).fold(f32::INFINITY, f32::min)
    }

    /// Whether demand has been over no more often than `risk` allows.
    #[must_use]
    pub fn is_kept(&self, risk: f64) -> bool {
        self.levels[place(risk)].is_kept()
    }

    /// The greatest demand of a week.
    #[must_use]
    pub fn greatest(&self) -> f32 {
        self.bases.greatest_of_all().max(0.0)
    }

    /// Whether what binds at `risk` is the same time of earlier days.
    #[must_use]
    pub fn is_daily(&self, risk: f64) -> bool {
        super::grid::is_daily(self.levels[place(risk)].rule())
    }
}

impl Track {
    /// How often each rule was over on this series alone, by statistic and margin: what is known beforehand is made of it.
    #[must_use]
    pub fn own_over(&self) -> Vec<Vec<f32>> {
        (0..BASES).map(|base| self.grid.own_over(base).to_vec()).collect()
    }
}

/// The riskiest level that is no riskier than what is asked; the safest where none is.
fn place(risk: f64) -> usize {
    RISKS.iter().position(|level| *level <= risk * (1.0 + 1e-9)).unwrap_or(RISKS.len() - 1)
}

/// The share that is sized for where `risk` is asked.
#[must_use]
pub fn served_risk(risk: f64) -> f64 {
    RISKS[place(risk)]
}
