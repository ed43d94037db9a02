//! The series file: what the examples read instead of Parquet, so that this crate needs no file formats.
//!
//! Little-endian: `APSERIE1`, u32 count; for each series u32 length of the name, the name in UTF-8 (`group|workload|metric`),
//! u32 step in seconds, i64 UTC time of the first value (i64::MIN: unknown), u64 number of values, f32 values (NaN: missing).

use std::path::Path;

use apportion_model::training::TrainSeries;

/// A series with its full name.
#[derive(Clone, Debug)]
pub(crate) struct NamedSeries {
    pub(crate) name: String,
    pub(crate) series: TrainSeries,
}

impl NamedSeries {
    /// Whether this series' workload is among the one in `every` kept out of training: by FNV-1a of its name.
    #[allow(dead_code)]
    pub(crate) fn is_held_out(&self, every: u64) -> bool {
        let workload = self.name.rsplit_once('|').map_or(self.name.as_str(), |(workload, _)| workload);
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        workload.bytes().fold(0xCBF2_9CE4_8422_2325, step) % every.max(1) == 0
    }
}

/// Reads a series file.
pub(crate) fn read(path: &Path) -> Result<Vec<NamedSeries>, Box<dyn std::error::Error>> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut reader = Reader { bytes: &bytes };
    if reader.take(8)? != b"APSERIE1" {
        return Err(format!("{} is not a series file", path.display()).into());
    }
    let count = reader.u32()?;
    (0..count).map(|_| reader.series()).collect()
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Box<dyn std::error::Error>> {
        let (head, rest) = self.bytes.split_at_checked(count).ok_or("the series file is cut short")?;
        self.bytes = rest;
        Ok(head)
    }

    fn u32(&mut self) -> Result<u32, Box<dyn std::error::Error>> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into()?))
    }

    fn series(&mut self) -> Result<NamedSeries, Box<dyn std::error::Error>> {
        let length = self.u32()? as usize;
        let name = String::from_utf8(self.take(length)?.to_vec())?;
        let step_s = self.u32()?;
        let start = i64::from_le_bytes(self.take(8)?.try_into()?);
        let count = u64::from_le_bytes(self.take(8)?.try_into()?);
        let bytes = self.take(usize::try_from(count)?.checked_mul(4).ok_or("a series too long")?)?;
        let values = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let group = name.split('|').next().unwrap_or_default().to_owned();
        let start_time_s = (start != i64::MIN).then_some(start);
        Ok(NamedSeries { name, series: TrainSeries { group, values, step_s, start_time_s } })
    }
}
