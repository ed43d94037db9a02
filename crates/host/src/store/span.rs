//! From readings to what the metric was: a counter's rate or a gauge's value, and the stretch of time it speaks for.
//!
//! A reading at `t` speaks for the time since the one before it, `(before, t]`, where that is not a silence. So a step
//! without a reading of its own is not a gap as long as readings come about as often as they used to, and means over
//! steps are weighted by time: jitter of the source shows in no mean.

use apportion_core::Kind;

/// Readings at most this far apart always join up, milliseconds: six times the usual 10 s between two ticks.
pub(super) const SILENCE_MS: i64 = 60_000;
/// Readings of a slow source (a Prometheus server, a trace) may be this far apart where the two before were about as far.
pub(super) const SLOW_MS: i64 = 900_000;
/// The last millisecond of the year 9999.
const MOST_MS: i64 = 253_402_300_799_999;
/// What "about as far" means.
const SLOWER: i64 = 3;

/// One reading as the source gave it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// Milliseconds since 1970.
    pub ms: i64,
    /// A counter's state or a gauge's value.
    pub value: f64,
}

impl Point {
    /// True for a number at a time between 1970 and 9999; anything else is a mistake of the source.
    pub(super) fn is_sane(&self) -> bool {
        self.value.is_finite() && (0..=MOST_MS).contains(&self.ms)
    }
}

/// What the metric was over `(from_ms, to_ms]`, in its own unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub from_ms: i64,
    pub to_ms: i64,
    pub value: f64,
}

/// Reads points one after the other. What it remembers is what has to outlive a chunk so that nothing is lost at borders.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reader {
    pub kind: Kind,
    /// The point before.
    pub before: Option<Point>,
    /// How far the two before were apart, milliseconds; 0 where unknown.
    pub interval_ms: i64,
}

impl Reader {
    pub(super) const fn new(kind: Kind) -> Self {
        Self { kind, before: None, interval_ms: 0 }
    }

    /// What the metric was up to `point`; `None` where that cannot be told: after a silence, a reset, a clock set back.
    pub(super) fn read(&mut self, point: Point) -> Option<Span> {
        let before = self.before.replace(point);
        let elapsed_ms = before.map_or(0, |before| point.ms.saturating_sub(before.ms).max(0));
        let usual_ms = std::mem::replace(&mut self.interval_ms, elapsed_ms);
        let joined =
            elapsed_ms > 0 && (elapsed_ms <= SILENCE_MS || (elapsed_ms <= SLOW_MS && elapsed_ms <= SLOWER * usual_ms));
        match self.kind {
            Kind::Counter => before.filter(|_| joined).and_then(|before| rate(before, point)),
            // A gauge is what it is at its own instant even after a silence.
            Kind::Gauge => {
                let from_ms = point.ms - if joined { elapsed_ms } else { 1 };
                Some(Span { from_ms, to_ms: point.ms, value: point.value })
            }
        }
    }
}

/// Rate per second; none where the counter went back, or began anew ([`apportion_core::BEGUN_ANEW`]).
#[allow(clippy::cast_precision_loss, reason = "at most 900,000 ms")]
fn rate(before: Point, point: Point) -> Option<Span> {
    let elapsed_s = (point.ms - before.ms) as f64 / 1_000.0;
    let value = (point.value - before.value) / elapsed_s;
    (value >= 0.0 && before.value >= 0.0).then_some(Span { from_ms: before.ms, to_ms: point.ms, value })
}

/// What fell into one step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    sum: f64,
    covered_ms: f64,
    max: f64,
}

impl Default for Cell {
    fn default() -> Self {
        Self { sum: 0.0, covered_ms: 0.0, max: f64::NAN }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "series are f32 on their grid")]
impl Cell {
    fn add(&mut self, piece: Piece, value: f64) {
        self.sum += value * piece.overlap_ms;
        self.covered_ms += piece.overlap_ms;
        if piece.is_last {
            self.max = self.max.max(value);
        }
    }
    /// Mean over the part of the step that was seen; NaN where nothing was.
    pub(super) fn mean(&self) -> f32 {
        (self.sum / self.covered_ms) as f32
    }
    /// Greatest value of a span that ends in the step, or its mean where none does; NaN where nothing was seen.
    pub(super) fn max(&self) -> f32 {
        (self.max as f32).max(self.mean())
    }
}

/// The part of a span that falls into the step that ends at `end_ms`.
#[derive(Clone, Copy, Debug)]
struct Piece {
    end_ms: i64,
    overlap_ms: f64,
    is_last: bool,
}

/// Cuts a span at the ends of steps, which are `step_ms` apart and of which one is at `phase_ms`. Spans are at most
/// [`SLOW_MS`] long, so the pieces are few.
#[allow(clippy::cast_precision_loss, reason = "at most 900,000 ms")]
fn pieces(span: &Span, step_ms: i64, phase_ms: i64) -> impl Iterator<Item = Piece> {
    let (from_ms, to_ms) = (span.from_ms, span.to_ms);
    let first_end_ms = (from_ms - phase_ms).div_euclid(step_ms) * step_ms + step_ms + phase_ms;
    (0..).map(move |index| first_end_ms + index * step_ms).take_while(move |end_ms| end_ms - step_ms < to_ms).map(
        move |end_ms| {
            let overlap_ms = (end_ms.min(to_ms) - from_ms.max(end_ms - step_ms)) as f64;
            Piece { end_ms, overlap_ms, is_last: end_ms >= to_ms }
        },
    )
}

/// Steps of a window, side by side: what is read.
pub(super) struct Grid {
    first_end_ms: i64,
    step_ms: i64,
    pub cells: Vec<Cell>,
}

impl Grid {
    pub(super) fn new(first_end_s: i64, step_s: u32, steps: usize) -> Self {
        let step_ms = i64::from(step_s.max(1)) * 1_000;
        Self { first_end_ms: first_end_s * 1_000, step_ms, cells: vec![Cell::default(); steps] }
    }
    pub(super) fn add(&mut self, span: &Span) {
        for piece in pieces(span, self.step_ms, self.first_end_ms) {
            let index = usize::try_from((piece.end_ms - self.first_end_ms).div_euclid(self.step_ms));
            if let Some(cell) = index.ok().and_then(|index| self.cells.get_mut(index)) {
                cell.add(piece, span.value);
            }
        }
    }
}

/// Steps by their end in seconds, wherever they are: what is rolled up. Ends are multiples of the step since 1970.
pub(super) struct Steps {
    step_ms: i64,
    pub cells: std::collections::BTreeMap<i64, Cell>,
}

impl Steps {
    pub(super) fn new(step_s: u32) -> Self {
        Self { step_ms: i64::from(step_s) * 1_000, cells: std::collections::BTreeMap::new() }
    }
    pub(super) fn add(&mut self, span: &Span) {
        for piece in pieces(span, self.step_ms, 0) {
            self.cells.entry(piece.end_ms / 1_000).or_default().add(piece, span.value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(kind: Kind, points: &[(i64, f64)]) -> Vec<(i64, i64, f64)> {
        let mut reader = Reader::new(kind);
        let spans = points.iter().filter_map(|(s, value)| reader.read(Point { ms: s * 1_000, value: *value }));
        spans.map(|span| (span.from_ms, span.to_ms, span.value)).collect()
    }

    #[test]
    fn counters_give_rates_and_gaps() {
        let check = |points: &[(i64, f64)], expect: &[(i64, i64, f64)]| {
            assert_eq!(spans(Kind::Counter, points), expect, "{points:?}");
        };
        check(&[(0, 5.0)], &[]);
        check(&[(0, 5.0), (10, 25.0)], &[(0, 10_000, 2.0)]);
        // A reset is a gap, and the next rate counts from after it.
        check(&[(0, 5.0), (10, 1.0), (20, 11.0)], &[(10_000, 20_000, 1.0)]);
        // One that began anew is, however far it has come since.
        check(&[(0, 5.0), (9, -1.0), (10, 9.0), (20, 19.0)], &[(10_000, 20_000, 1.0)]);
        // A silence is a gap, not a flat line.
        check(&[(0, 0.0), (10, 10.0), (100, 100.0), (110, 120.0)], &[(0, 10_000, 1.0), (100_000, 110_000, 2.0)]);
        // The clock was set back.
        check(
            &[(500, 0.0), (510, 10.0), (100, 11.0), (110, 31.0)],
            &[(500_000, 510_000, 1.0), (100_000, 110_000, 2.0)],
        );
        // A slow source joins up once its pace is known, up to a quarter of an hour.
        check(&[(0, 0.0), (300, 300.0), (600, 900.0)], &[(300_000, 600_000, 2.0)]);
        check(&[(0, 0.0), (1_000, 300.0), (2_000, 900.0)], &[]);
    }

    #[test]
    fn gauges_hold_until_their_time_and_stand_alone_after_a_silence() {
        let made = spans(Kind::Gauge, &[(0, 5.0), (10, 7.0), (500, 9.0)]);
        assert_eq!(made, [(-1, 0, 5.0), (0, 10_000, 7.0), (499_999, 500_000, 9.0)]);
    }

    fn mean_max(spans: &[(i64, i64, f64)]) -> Vec<(f32, f32)> {
        let mut grid = Grid::new(10, 10, 3);
        for (from_ms, to_ms, value) in spans {
            grid.add(&Span { from_ms: *from_ms, to_ms: *to_ms, value: *value });
        }
        grid.cells.iter().map(|cell| (cell.mean(), cell.max())).collect()
    }

    #[test]
    fn steps_are_means_by_time_and_greatest_by_end() {
        // Steps (0, 10], (10, 20], (20, 30]; the second span covers a quarter of the first and half of the second.
        let made = mean_max(&[(0, 7_500, 4.0), (7_500, 15_000, 8.0), (29_000, 45_000, 3.0)]);
        assert_eq!(made, [(5.0, 5.0), (8.0, 8.0), (3.0, 3.0)]);
        let gaps = mean_max(&[(-10_000, 0, 4.0), (30_000, 40_000, 9.0)]);
        assert!(gaps.iter().all(|(mean, max)| mean.is_nan() && max.is_nan()), "{gaps:?}");
    }
}
