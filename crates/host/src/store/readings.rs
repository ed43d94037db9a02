//! The readings that a head holds: the newest as they came, those before them packed as in a chunk, in a fraction of the memory.

use super::{
    codec::{self, CodecError},
    span::Point,
};

/// So many readings are packed together: ten minutes at a tick of 10 s.
const BLOCK: usize = 60;

/// Packed readings.
#[derive(Debug)]
struct Block {
    first_ms: i64,
    count: usize,
    data: Box<[u8]>,
}

impl Block {
    fn of(points: &[Point]) -> Result<Self, CodecError> {
        let first_ms = points.first().map_or(0, |point| point.ms);
        Ok(Self { first_ms, count: points.len(), data: codec::pack_points(points)?.into() })
    }

    fn unpacked(&self) -> Vec<Point> {
        codec::unpack_points(&self.data).unwrap_or_else(|error| {
            tracing::error!(count = self.count, %error, "readings in memory are lost: they cannot be unpacked");
            Vec::new()
        })
    }
}

/// Readings of one series, oldest first.
#[derive(Debug, Default)]
pub(super) struct Readings {
    packed: Vec<Block>,
    newest: Vec<Point>,
}

impl Readings {
    pub(super) const fn new() -> Self {
        Self { packed: Vec::new(), newest: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.packed_len() + self.newest.len()
    }

    fn packed_len(&self) -> usize {
        self.packed.iter().map(|block| block.count).sum()
    }

    /// Time of the oldest.
    pub(super) fn first_ms(&self) -> Option<i64> {
        let packed = self.packed.first().map(|block| block.first_ms);
        packed.or_else(|| self.newest.first().map(|point| point.ms))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Point> {
        self.packed.iter().flat_map(Block::unpacked).chain(self.newest.iter().copied())
    }

    /// Those after the first `count`; what is packed is not among them.
    pub(super) fn after(&self, count: usize) -> &[Point] {
        self.newest.get(count.saturating_sub(self.packed_len())..).unwrap_or_default()
    }

    pub(super) fn push(&mut self, point: Point) {
        if self.newest.len() == self.newest.capacity() {
            self.newest.reserve_exact(32);
        }
        self.newest.push(point);
    }

    /// Lets go of the first `count`.
    pub(super) fn forget(&mut self, count: usize) {
        let mut left: Vec<Point> = self.iter().skip(count).collect();
        left.shrink_to_fit();
        *self = Self { packed: Vec::new(), newest: left };
    }

    /// Whether there is enough to pack of the first `count`.
    pub(super) fn is_packable(&self, count: usize) -> bool {
        count >= self.packed_len() + BLOCK
    }

    /// Packs the first `count`.
    pub(super) fn pack(&mut self, count: usize) -> Result<(), CodecError> {
        let fresh = count.saturating_sub(self.packed_len()).min(self.newest.len());
        self.packed.push(Block::of(&self.newest[..fresh])?);
        self.newest = self.newest.split_off(fresh);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(k: usize) -> Point {
        Point { ms: 1_790_000_000_123 + i64::try_from(k).unwrap() * 10_000, value: (k * k) as f64 / 1e6 }
    }

    fn check(readings: &Readings, expect: std::ops::Range<usize>) {
        assert_eq!(readings.iter().collect::<Vec<_>>(), expect.clone().map(point).collect::<Vec<_>>());
        assert_eq!((readings.len(), readings.first_ms()), (expect.len(), expect.clone().next().map(|k| point(k).ms)));
    }

    #[test]
    fn packed_readings_are_the_same_readings() {
        let mut readings = Readings::new();
        check(&readings, 0..0);
        for k in 0..150 {
            readings.push(point(k));
            let is_packed = readings.is_packable(k);
            assert_eq!(is_packed, [60, 120].contains(&k), "{k}");
            if is_packed {
                readings.pack(k).unwrap();
            }
            check(&readings, 0..k + 1);
        }
        assert_eq!((readings.packed.len(), readings.newest.len()), (2, 30));
        assert_eq!(readings.after(130), (130..150).map(point).collect::<Vec<_>>());
        readings.forget(75);
        check(&readings, 75..150);
        readings.forget(75);
        check(&readings, 0..0);
    }

    #[test]
    fn packed_readings_take_a_sixth() {
        let mut readings = Readings::new();
        (0..BLOCK).for_each(|k| readings.push(point(k)));
        readings.pack(BLOCK).unwrap();
        let bytes: usize = readings.packed.iter().map(|block| block.data.len()).sum();
        assert!(bytes * 6 <= BLOCK * size_of::<Point>(), "{bytes}");
    }
}
