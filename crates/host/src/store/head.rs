//! The newest readings of one series, in memory until they are sealed into chunks.

use super::{
    codec::CodecError,
    journaled::Journaled,
    readings::Readings,
    span::{Point, Reader, SLOW_MS, Span, Steps},
    tier::FIVE_MINUTES,
};
use apportion_core::{Kind, Latest, Time};

/// A head is sealed once it holds this many points, which bounds memory at a fast tick.
const MOST_SEALED: usize = 720;
/// While nothing can be sealed (disk full), the oldest points beyond this many are given up.
const MOST_POINTS: usize = 1_440;
/// Readings that come this much earlier than the last one are late and dropped; earlier still, and the clock was set back.
const CLOCK_BACK_MS: i64 = 60_000;
/// Every head is sealed once in this time: 360 points at a tick of 10 s (docs/store.md has the measurement).
const SEAL_EVERY_MS: i64 = 3_600_000;
/// Roll-ups are sealed up to a multiple of this, so that none is sealed half-seen.
const CUT_MS: i64 = FIVE_MINUTES.step_s as i64 * 1_000;

/// The newest readings of one series.
#[derive(Debug)]
pub(super) struct Head {
    /// Row in `series`; `None` until it is first written.
    pub series: Option<i64>,
    /// Reader as it stood before the first of `points`.
    pub before: Reader,
    /// Roll-ups of steps that end at or before this are in chunks.
    pub rolled_ms: i64,
    /// Newest value that there was.
    pub latest: Option<Latest>,
    live: Reader,
    points: Readings,
    journaled: Journaled,
}

/// What leaves a head: its oldest points, and the roll-ups that are complete with them.
pub(super) struct Sealed {
    /// How many points.
    pub count: usize,
    /// Reader after them.
    pub before: Reader,
    /// Roll-ups are complete up to here.
    pub rolled_ms: i64,
    /// Where in the journal the next point is: row and number of points of this series to skip; `None` for none.
    pub live: Option<(i64, usize)>,
    until_ms: i64,
}

impl Head {
    pub(super) const fn new(kind: Kind) -> Self {
        let reader = Reader::new(kind);
        Self::resumed(None, reader, i64::MIN)
    }

    /// A head whose earlier points are in chunks.
    pub(super) const fn resumed(series: Option<i64>, before: Reader, rolled_ms: i64) -> Self {
        let journaled = Journaled::new();
        Self { series, before, rolled_ms, latest: None, live: before, points: Readings::new(), journaled }
    }

    /// Takes a reading; false where it came too late to be told apart from the last one, or is no number.
    pub(super) fn push(&mut self, point: Point) -> bool {
        let back_ms = self.live.before.map_or(-1, |last| last.ms - point.ms);
        if !point.is_sane() || (0..CLOCK_BACK_MS).contains(&back_ms) {
            return false;
        }
        if back_ms > 0 {
            self.rolled_ms = i64::MIN;
        }
        self.hold(point);
        true
    }

    fn hold(&mut self, point: Point) {
        if self.points.len() >= MOST_POINTS {
            self.give_up(MOST_POINTS / 8);
        }
        self.points.push(point);
        if let Some(span) = self.live.read(point) {
            self.latest = Some(Latest { time: Time(span.to_ms), value: span.value });
        }
    }

    /// Drops the oldest points, because there is nowhere to put them.
    fn give_up(&mut self, count: usize) {
        for point in self.points.iter().take(count) {
            self.before.read(point);
        }
        self.forget(count);
    }

    /// Every point that is held, oldest first.
    pub(super) fn points(&self) -> impl Iterator<Item = Point> {
        self.points.iter()
    }

    /// True when no point is held.
    pub(super) fn is_empty(&self) -> bool {
        self.points.len() == 0
    }

    /// What the metric was, from the points that are held.
    pub(super) fn spans(&self) -> impl Iterator<Item = Span> {
        let mut reader = self.before;
        self.points().filter_map(move |point| reader.read(point))
    }

    /// Roll-up of the points that are held; steps that are in chunks already are left out.
    pub(super) fn steps(&self, step_s: u32) -> Steps {
        let mut steps = Steps::new(step_s);
        self.spans().for_each(|span| steps.add(&span));
        steps.cells.retain(|end_s, _| end_s.saturating_mul(1_000) > self.rolled_ms);
        steps
    }

    /// Points that are in no row of the journal yet.
    pub(super) fn unjournaled(&self) -> &[Point] {
        self.points.after(self.journaled.count())
    }

    /// `count` points, those after the ones noted before, are in row `seq` now.
    pub(super) fn note_journaled(&mut self, seq: i64, skip: usize, count: usize) {
        self.journaled.note(seq, skip, count);
    }

    /// True where enough points are in the journal and not packed.
    pub(super) fn is_packable(&self) -> bool {
        self.points.is_packable(self.journaled.count())
    }

    /// Packs the points that are in the journal.
    pub(super) fn pack(&mut self) -> Result<(), CodecError> {
        self.points.pack(self.journaled.count())
    }

    /// The oldest row of the journal that holds a point of this head.
    pub(super) fn oldest_seq(&self) -> Option<i64> {
        self.journaled.oldest_seq()
    }

    /// True when it is time to seal. Series take turns, a twelfth of them every five minutes.
    pub(super) fn is_due(&self, now: Time) -> bool {
        let (Some(first_ms), Some(last)) = (self.points.first_ms(), self.live.before) else { return false };
        let phase_ms = self.series.unwrap_or(0).rem_euclid(SEAL_EVERY_MS / CUT_MS) * CUT_MS;
        // A point at the border belongs to the turn before, as a step belongs to its end.
        let turn = |ms: i64| (ms - 1 - phase_ms).div_euclid(SEAL_EVERY_MS);
        self.points.len() >= MOST_SEALED || turn(first_ms) != turn(last.ms) || is_silent(last.ms, now)
    }

    /// What to seal at `now`: all points up to a multiple of five minutes, or the whole head where nothing can join up
    /// with it any more, because the series has fallen silent or its clock was set back.
    pub(super) fn seal(&self, now: Time) -> Option<Sealed> {
        let points: Vec<Point> = self.points().collect();
        let last_ms = points.last()?.ms;
        let is_whole = is_silent(last_ms, now) || !points.is_sorted_by_key(|point| point.ms);
        let cut_ms = (last_ms - 1).div_euclid(CUT_MS) * CUT_MS;
        let count = if is_whole { points.len() } else { points.partition_point(|point| point.ms <= cut_ms) };
        let mut before = self.before;
        for point in &points[..count] {
            before.read(*point);
        }
        let rolled_ms = if is_whole { cut_ms + CUT_MS } else { cut_ms };
        let until_ms = if is_whole { i64::MAX } else { cut_ms };
        (count > 0).then(|| Sealed { count, before, rolled_ms, live: self.journaled.position_after(count), until_ms })
    }

    /// The roll-ups that become complete with `sealed`.
    pub(super) fn complete(&self, sealed: &Sealed, step_s: u32) -> Steps {
        let mut steps = self.steps(step_s);
        steps.cells.retain(|end_s, _| end_s.saturating_mul(1_000) <= sealed.until_ms);
        steps
    }

    /// `sealed` is in chunks now.
    pub(super) fn let_go(&mut self, sealed: &Sealed) {
        self.before = sealed.before;
        self.rolled_ms = sealed.rolled_ms;
        self.forget(sealed.count);
    }

    fn forget(&mut self, count: usize) {
        self.points.forget(count);
        self.journaled.forget(count);
    }
}

/// True when no later reading can join up with one at `last_ms`.
fn is_silent(last_ms: i64, now: Time) -> bool {
    now.0.saturating_sub(last_ms) > SLOW_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(points: impl IntoIterator<Item = (i64, f64)>) -> Head {
        let mut head = Head::new(Kind::Counter);
        for (s, value) in points {
            assert!(head.push(Point { ms: s * 1_000, value }), "{s}");
        }
        head
    }

    #[test]
    fn late_and_repeated_readings_are_dropped_and_a_clock_set_back_is_not() {
        let mut head = head([(1_000, 1.0)]);
        let mut check = |s: i64, value, expect| {
            assert_eq!(head.push(Point { ms: s * 1_000, value }), expect, "{s}");
        };
        check(1_000, 2.0, false);
        check(941, 2.0, false);
        check(1_010, f64::NAN, false);
        check(1_010, 11.0, true);
        check(100, 20.0, true);
        check(110, 30.0, true);
        assert_eq!(head.latest, Some(Latest { time: Time::from_s(110), value: 1.0 }));
    }

    #[test]
    fn latest_is_the_newest_that_could_be_told() {
        let reset = head([(0, 0.0), (10, 50.0), (20, 3.0)]);
        assert_eq!(reset.latest, Some(Latest { time: Time::from_s(10), value: 5.0 }));
    }

    #[test]
    fn seals_whole_steps_and_keeps_the_place_in_the_journal() {
        let mut head = head((0..65).map(|k| (k * 10, k as f64)));
        head.note_journaled(7, 0, 40);
        head.note_journaled(8, 0, 25);
        let sealed = head.seal(Time::from_s(640)).unwrap();
        assert_eq!((sealed.count, sealed.rolled_ms, sealed.live), (61, 600_000, Some((8, 21))));
        assert_eq!(head.complete(&sealed, 300).cells.keys().copied().collect::<Vec<_>>(), [300, 600]);
        head.let_go(&sealed);
        assert_eq!((head.points.len(), head.oldest_seq(), head.unjournaled().len()), (4, Some(8), 0));
        assert_eq!(head.steps(300).cells.keys().copied().collect::<Vec<_>>(), [900]);
        assert!(head.seal(Time::from_s(650)).is_none(), "nothing before 600 s is left");
        let silent = head.seal(Time::from_s(640 + 901)).unwrap();
        assert_eq!((silent.count, silent.live), (4, None));
    }

    #[test]
    fn packing_changes_nothing_of_what_is_read_and_sealed() {
        let made = |packs: bool| {
            let mut head = head([]);
            for k in 0..200 {
                head.push(Point { ms: k * 10_000, value: (k * k) as f64 });
                if k % 6 == 5 {
                    head.note_journaled(k / 6, 0, 6);
                }
                if packs && head.is_packable() {
                    head.pack().unwrap();
                }
            }
            head
        };
        let seen = |head: &Head| {
            let sealed = head.seal(Time::from_s(2_000)).unwrap();
            (head.spans().collect::<Vec<_>>(), head.unjournaled().to_vec(), sealed.count, sealed.before, sealed.live)
        };
        let (mut packed, mut plain) = (made(true), made(false));
        assert!(!packed.is_packable() && plain.is_packable());
        assert_eq!(seen(&packed), seen(&plain));
        for head in [&mut packed, &mut plain] {
            let sealed = head.seal(Time::from_s(2_000)).unwrap();
            head.let_go(&sealed);
        }
        assert_eq!(packed.spans().collect::<Vec<_>>(), plain.spans().collect::<Vec<_>>());
    }

    #[test]
    fn a_series_is_sealed_once_an_hour_in_its_turn() {
        let mut head = head([]);
        head.series = Some(13);
        let mut sealed = Vec::new();
        for s in (10..=12_000).step_by(10) {
            head.push(Point { ms: s * 1_000, value: 0.0 });
            let due = head.is_due(Time::from_s(s)).then(|| head.seal(Time::from_s(s))).flatten();
            if let Some(due) = due {
                sealed.push((due.rolled_ms / 1_000, due.count));
                head.let_go(&due);
            }
        }
        assert_eq!(sealed, [(300, 30), (3_900, 360), (7_500, 360), (11_100, 360)]);
    }

    #[test]
    fn gives_up_the_oldest_when_nothing_can_be_sealed() {
        let mut head = head((0..1_440).map(|k| (k * 10, k as f64)));
        head.note_journaled(1, 0, 100);
        assert!(head.push(Point { ms: 14_400_000, value: 2_000.0 }));
        assert_eq!((head.points.len(), head.oldest_seq()), (1_440 - 180 + 1, None));
        assert_eq!(head.unjournaled().len(), head.points.len());
        assert_eq!(head.spans().next().map(|span| span.from_ms), Some(179 * 10_000), "no gap where the points went");
    }
}
