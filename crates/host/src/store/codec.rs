//! What is in the blobs: numbers as pco packs them, behind a byte that says which layout.
//!
//! | blob | layout |
//! |---|---|
//! | raw chunk (`chunk.tier_s = 10`) | 1, u32 length, milliseconds (i64), readings (f64) |
//! | roll-up chunk (`tier_s` 60, 300) | 2, u16 steps, u32 length, presence bits (none where every step is there), u32 length, means (f32), greatest (f32; none at 60) |
//! | journal | 3, u32 length, series (u32), u32 length, milliseconds (i64), readings (f64) |
//!
//! Integers are little-endian. Values come out bit for bit as they went in.

use super::span::Point;
use pco::{ChunkConfig, data_types::Number, standalone};

const RAW: u8 = 1;
const STEPS: u8 = 2;
const JOURNAL: u8 = 3;

/// Why a blob could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum CodecError {
    #[error("blob ends early")]
    Short,
    #[error("blob has layout {found}, not {expected}")]
    Layout { found: u8, expected: u8 },
    #[error("columns of {0} and {1} numbers")]
    Uneven(usize, usize),
    #[error("pco: {0}")]
    Pco(#[from] pco::errors::PcoError),
}

type Result<T> = std::result::Result<T, CodecError>;

/// Effort of packing. Measured (docs/store.md): 8 saves under 1 % of the bytes and takes up to twice as long.
const LEVEL: usize = 4;

fn pack<T: Number>(numbers: &[T]) -> Result<Vec<u8>> {
    Ok(standalone::simple_compress(numbers, &ChunkConfig::default().with_compression_level(LEVEL))?)
}

fn push_column(blob: &mut Vec<u8>, column: &[u8]) {
    blob.extend_from_slice(&u32::try_from(column.len()).unwrap_or(u32::MAX).to_le_bytes());
    blob.extend_from_slice(column);
}

/// Takes a blob apart from its front.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn open(blob: &'a [u8], expected: u8) -> Result<Self> {
        match blob.split_first() {
            None => Err(CodecError::Short),
            Some((found, rest)) if *found == expected => Ok(Self(rest)),
            Some((found, _)) => Err(CodecError::Layout { found: *found, expected }),
        }
    }
    fn take(&mut self, bytes: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(bytes).ok_or(CodecError::Short)?;
        self.0 = rest;
        Ok(head)
    }
    fn length(&mut self) -> Result<usize> {
        let bytes = self.take(4)?.try_into().map_err(|_| CodecError::Short)?;
        usize::try_from(u32::from_le_bytes(bytes)).map_err(|_| CodecError::Short)
    }
    fn column(&mut self) -> Result<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }
    fn numbers<T: Number>(&mut self) -> Result<Vec<T>> {
        Ok(standalone::simple_decompress(self.column()?)?)
    }
    fn rest<T: Number>(self) -> Result<Vec<T>> {
        Ok(standalone::simple_decompress(self.0)?)
    }
}

/// Packs the readings of one series.
pub(super) fn pack_points(points: &[Point]) -> Result<Vec<u8>> {
    let times: Vec<i64> = points.iter().map(|point| point.ms).collect();
    let values: Vec<f64> = points.iter().map(|point| point.value).collect();
    let mut blob = vec![RAW];
    push_column(&mut blob, &pack(&times)?);
    blob.extend(pack(&values)?);
    Ok(blob)
}

/// The readings of one series.
pub(super) fn unpack_points(blob: &[u8]) -> Result<Vec<Point>> {
    let mut cursor = Cursor::open(blob, RAW)?;
    let times: Vec<i64> = cursor.numbers()?;
    join(times, cursor.rest()?)
}

fn join(times: Vec<i64>, values: Vec<f64>) -> Result<Vec<Point>> {
    if times.len() != values.len() {
        return Err(CodecError::Uneven(times.len(), values.len()));
    }
    Ok(times.into_iter().zip(values).map(|(ms, value)| Point { ms, value }).collect())
}

/// Consecutive steps of a roll-up. A gap is NaN; `max` is empty where only means are kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct StepChunk {
    pub mean: Vec<f32>,
    pub max: Vec<f32>,
}

impl StepChunk {
    /// A chunk that is all gap.
    pub(super) fn gap(steps: usize, has_max: bool) -> Self {
        Self { mean: vec![f32::NAN; steps], max: vec![f32::NAN; if has_max { steps } else { 0 }] }
    }
    /// Index of the last step that is there.
    fn last(&self) -> Option<usize> {
        self.mean.iter().rposition(|mean| !mean.is_nan())
    }
}

/// Packs a roll-up chunk; gaps cost a bit each.
pub(super) fn pack_steps(chunk: &StepChunk) -> Result<Vec<u8>> {
    let steps = chunk.last().map_or(0, |last| last + 1);
    let there = |values: &[f32]| -> Vec<f32> {
        let kept = values.iter().zip(&chunk.mean).take(steps).filter(|(_, mean)| !mean.is_nan());
        kept.map(|(value, _)| *value).collect()
    };
    let mut blob = vec![STEPS];
    blob.extend_from_slice(&u16::try_from(steps).unwrap_or(u16::MAX).to_le_bytes());
    push_column(&mut blob, &presence(&chunk.mean[..steps]));
    push_column(&mut blob, &pack(&there(&chunk.mean))?);
    if !chunk.max.is_empty() {
        blob.extend(pack(&there(&chunk.max))?);
    }
    Ok(blob)
}

/// A bit a step, lowest first; nothing where all are there.
fn presence(values: &[f32]) -> Vec<u8> {
    if values.iter().all(|value| !value.is_nan()) {
        return Vec::new();
    }
    let byte = |eight: &[f32]| eight.iter().rev().fold(0, |bits, value| (bits << 1) | u8::from(!value.is_nan()));
    values.chunks(8).map(byte).collect()
}

/// A roll-up chunk of `steps` steps; its greatest values only where `has_max` asks for them, which takes half of the time.
pub(super) fn unpack_steps(blob: &[u8], steps: usize, has_max: bool) -> Result<StepChunk> {
    let mut cursor = Cursor::open(blob, STEPS)?;
    let count = cursor.take(2)?.try_into().map(u16::from_le_bytes).map_err(|_| CodecError::Short)?;
    let bits = cursor.column()?;
    let is_there = |step: usize| bits.is_empty() || bits.get(step / 8).is_some_and(|byte| byte >> (step % 8) & 1 == 1);
    let there: Vec<usize> = (0..usize::from(count).min(steps)).filter(|step| is_there(*step)).collect();
    let mean = cursor.numbers()?;
    let mut chunk = StepChunk::gap(steps, has_max);
    place(&mut chunk.mean, &there, &mean)?;
    if has_max {
        place(&mut chunk.max, &there, &cursor.rest()?)?;
    }
    Ok(chunk)
}

fn place(target: &mut [f32], there: &[usize], values: &[f32]) -> Result<()> {
    if there.len() != values.len() {
        return Err(CodecError::Uneven(there.len(), values.len()));
    }
    for (step, value) in there.iter().zip(values) {
        target[*step] = *value;
    }
    Ok(())
}

/// Packs readings of many series, those of one series side by side in their order.
pub(super) fn pack_journal(entries: &[(u32, Point)]) -> Result<Vec<u8>> {
    let series: Vec<u32> = entries.iter().map(|(series, _)| *series).collect();
    let times: Vec<i64> = entries.iter().map(|(_, point)| point.ms).collect();
    let values: Vec<f64> = entries.iter().map(|(_, point)| point.value).collect();
    let mut blob = vec![JOURNAL];
    push_column(&mut blob, &pack(&series)?);
    push_column(&mut blob, &pack(&times)?);
    blob.extend(pack(&values)?);
    Ok(blob)
}

/// Unpacks any bytes as each kind of blob, for the fuzzer.
pub(crate) fn unpack_any(bytes: &[u8]) {
    let _ = unpack_points(bytes);
    let _ = unpack_steps(bytes, 288, true);
    let _ = unpack_steps(bytes, 720, false);
    let _ = unpack_journal(bytes);
}

/// Readings of many series in the order in which they were packed.
pub(super) fn unpack_journal(blob: &[u8]) -> Result<Vec<(u32, Point)>> {
    let mut cursor = Cursor::open(blob, JOURNAL)?;
    let series: Vec<u32> = cursor.numbers()?;
    let times: Vec<i64> = cursor.numbers()?;
    let points = join(times, cursor.rest()?)?;
    if series.len() != points.len() {
        return Err(CodecError::Uneven(series.len(), points.len()));
    }
    Ok(series.into_iter().zip(points).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bits(points: &[Point]) -> Vec<(i64, u64)> {
        points.iter().map(|point| (point.ms, point.value.to_bits())).collect()
    }

    fn any_points() -> impl Strategy<Value = Vec<Point>> {
        let value = prop_oneof![any::<f64>(), (0..1_000_000_u32).prop_map(|units| f64::from(units) / 1e6)];
        prop::collection::vec((any::<i64>(), value), 0..800)
            .prop_map(|points| points.into_iter().map(|(ms, value)| Point { ms, value }).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn points_come_back_bit_for_bit(points in any_points()) {
            let blob = pack_points(&points).unwrap();
            prop_assert_eq!(bits(&unpack_points(&blob).unwrap()), bits(&points));
        }

        #[test]
        fn journals_come_back(entries in prop::collection::vec((any::<u32>(), any::<i64>(), -1e300..1e300), 0..300)) {
            let entries: Vec<(u32, Point)> =
                entries.into_iter().map(|(series, ms, value)| (series, Point { ms, value })).collect();
            prop_assert_eq!(unpack_journal(&pack_journal(&entries).unwrap()).unwrap(), entries);
        }

        #[test]
        fn steps_come_back_with_their_gaps(
            steps in prop::collection::vec(prop::option::weighted(0.7, -1e30_f32..1e30), 288),
            has_max: bool,
        ) {
            let mean: Vec<f32> = steps.iter().map(|step| step.unwrap_or(f32::NAN)).collect();
            let max = if has_max { mean.iter().map(|mean| mean + 1.0).collect() } else { Vec::new() };
            let chunk = StepChunk { mean, max };
            let back = unpack_steps(&pack_steps(&chunk).unwrap(), 288, has_max).unwrap();
            prop_assert_eq!(format!("{back:?}"), format!("{chunk:?}"));
        }

        #[test]
        fn rubbish_is_an_error_not_a_crash(blob in prop::collection::vec(any::<u8>(), 0..200), layout in 1..=3_u8) {
            let blob = [vec![layout], blob].concat();
            let _ = (unpack_points(&blob), unpack_steps(&blob, 288, true), unpack_journal(&blob));
        }
    }

    #[test]
    fn a_cut_or_foreign_blob_is_refused() {
        let blob = pack_points(&[Point { ms: 1, value: 2.0 }; 50]).unwrap();
        assert!(matches!(unpack_points(&[]), Err(CodecError::Short)));
        assert!(matches!(unpack_points(&blob[..3]), Err(CodecError::Short)));
        assert!(unpack_points(&blob[..blob.len() - 4]).is_err());
        assert!(matches!(unpack_journal(&blob), Err(CodecError::Layout { found: RAW, expected: JOURNAL })));
    }
}
