//! What the files of a group say. Pure: bytes in, numbers out.

use apportion_core::Setting;

/// What did not read as the kernel writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syntax {
    /// Line, from 1.
    pub line: usize,
    /// What stood there, at most 120 bytes of it.
    pub content: String,
    /// What should have.
    pub expected: &'static str,
}

impl Syntax {
    /// An error at a line.
    #[must_use]
    pub fn new(line: usize, content: &[u8], expected: &'static str) -> Self {
        let content = String::from_utf8_lossy(&content[..content.len().min(120)]).into_owned();
        Self { line, content, expected }
    }
}

/// The lines of a file with their numbers, empty ones left out.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let numbered = bytes.split(|byte| *byte == b'\n').enumerate();
    numbered.map(|(index, content)| (index + 1, content)).filter(|(_, content)| !content.is_empty())
}

/// A decimal number as the kernel writes it: digits only.
#[must_use]
pub fn number(digits: &[u8]) -> Option<u64> {
    let digits = digits.trim_ascii();
    let value = |sum: u64, digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, value) }
}

#[allow(clippy::cast_precision_loss, reason = "counts and bytes below 2^53")]
const fn real(value: u64) -> f64 {
    value as f64
}

const MICROS: f64 = 1e-6;
const NANOS: f64 = 1e-9;

/// A file that holds one number (`memory.current`, `pids.current`, `cpuacct.usage`).
///
/// # Errors
/// It holds something else.
pub fn parse_number(bytes: &[u8]) -> Result<u64, Syntax> {
    let content = bytes.trim_ascii();
    number(content).ok_or_else(|| Syntax::new(1, content, "a number"))
}

/// Lines of `key value`, with the key sought in a `match`.
fn pairs(
    bytes: &[u8],
    expected: &'static str,
    mut take: impl FnMut(&[u8], &mut dyn FnMut() -> Result<u64, Syntax>) -> Result<(), Syntax>,
) -> Result<(), Syntax> {
    for (line, content) in lines(bytes) {
        let malformed = || Syntax::new(line, content, expected);
        let space = content.iter().position(|byte| *byte == b' ').ok_or_else(malformed)?;
        let (key, value) = content.split_at(space);
        take(key, &mut || number(value).ok_or_else(malformed))?;
    }
    Ok(())
}

/// `cpu.stat` of either version. Version 1 has no usage; version 2 has throttling only where the cpu controller is on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CpuStat {
    /// CPU time used, core-seconds.
    pub usage_s: Option<f64>,
    /// Enforcement periods.
    pub periods_count: Option<u64>,
    /// Periods that ran into the quota.
    pub throttled_count: Option<u64>,
    /// Time throttled, seconds.
    pub throttled_s: Option<f64>,
}

/// Reads `cpu.stat`.
///
/// # Errors
/// A line that is not `key number`.
pub fn parse_cpu_stat(bytes: &[u8]) -> Result<CpuStat, Syntax> {
    let mut stat = CpuStat::default();
    pairs(bytes, "key and number", |key, value| {
        match key {
            b"usage_usec" => stat.usage_s = Some(real(value()?) * MICROS),
            b"nr_periods" => stat.periods_count = Some(value()?),
            b"nr_throttled" => stat.throttled_count = Some(value()?),
            b"throttled_usec" => stat.throttled_s = Some(real(value()?) * MICROS),
            b"throttled_time" => stat.throttled_s = Some(real(value()?) * NANOS),
            _ => {}
        }
        Ok(())
    })?;
    Ok(stat)
}

/// `cpu.max`, or version 1's quota and period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuMax {
    /// CPU time allowed a period, microseconds; `None` is no limit.
    pub quota_us: Option<u64>,
    /// Length of a period, microseconds; at least 1.
    pub period_us: u64,
}

impl CpuMax {
    /// The quota in cores.
    #[must_use]
    pub fn setting(&self) -> Setting {
        self.quota_us.map_or(Setting::Unlimited, |quota| Setting::Value(real(quota) / real(self.period_us)))
    }
}

/// Reads `cpu.max`.
///
/// # Errors
/// It is not `max` or a number, followed by a period.
pub fn parse_cpu_max(bytes: &[u8]) -> Result<CpuMax, Syntax> {
    let content = bytes.trim_ascii();
    let malformed = || Syntax::new(1, content, "quota (or max) and period");
    let mut words = content.split(|byte| *byte == b' ');
    let quota = words.next().unwrap_or_default();
    let quota_us = if quota == b"max" { None } else { Some(number(quota).ok_or_else(malformed)?) };
    let period_us = words.next().and_then(number).filter(|period| *period > 0).ok_or_else(malformed)?;
    Ok(CpuMax { quota_us, period_us })
}

/// A limit in bytes: `max`, version 1's `-1`, or its largest page-aligned number, is no limit.
///
/// # Errors
/// It is something else.
pub fn parse_limit(bytes: &[u8]) -> Result<Setting, Syntax> {
    /// Version 1 shows "no limit" as 2^63 rounded down to a page; pages have at most 64 KiB.
    const V1_UNLIMITED: u64 = (1 << 63) - 65_536;
    let content = bytes.trim_ascii();
    match content {
        b"max" | b"-1" => Ok(Setting::Unlimited),
        _ => match number(content).ok_or_else(|| Syntax::new(1, content, "bytes or max"))? {
            V1_UNLIMITED.. => Ok(Setting::Unlimited),
            value => Ok(Setting::Value(real(value))),
        },
    }
}

/// The part of `memory.stat` that tells what can be dropped at once. Descendants are included in both versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryStat {
    /// Page cache not used lately, bytes.
    pub inactive_file_bytes: Option<u64>,
}

/// Reads `memory.stat` of either version.
///
/// # Errors
/// A line that is not `key number`.
pub fn parse_memory_stat(bytes: &[u8]) -> Result<MemoryStat, Syntax> {
    let (mut own, mut total) = (None, None);
    pairs(bytes, "key and number", |key, value| {
        match key {
            b"inactive_file" => own = Some(value()?),
            b"total_inactive_file" => total = Some(value()?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(MemoryStat { inactive_file_bytes: total.or(own) })
}

/// `memory.events` (version 2) or `memory.oom_control` (version 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryEvents {
    /// Times the group was slowed at `memory.high`.
    pub high_count: Option<u64>,
    /// Times the group reached `memory.max`.
    pub max_count: Option<u64>,
    /// Processes killed for want of memory; version 1 counts those of the group itself only.
    pub oom_kill_count: Option<u64>,
}

/// Reads `memory.events` or `memory.oom_control`.
///
/// # Errors
/// A line that is not `key number`.
pub fn parse_memory_events(bytes: &[u8]) -> Result<MemoryEvents, Syntax> {
    let mut events = MemoryEvents::default();
    pairs(bytes, "key and number", |key, value| {
        match key {
            b"high" => events.high_count = Some(value()?),
            b"max" => events.max_count = Some(value()?),
            b"oom_kill" => events.oom_kill_count = Some(value()?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(events)
}

/// A block device by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceNumber {
    /// Its driver.
    pub major: u32,
    /// Which of the driver's.
    pub minor: u32,
}

impl DeviceNumber {
    /// From `8:16`.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let colon = text.iter().position(|byte| *byte == b':')?;
        let half = |digits| u32::try_from(number(digits)?).ok();
        Some(Self { major: half(&text[..colon])?, minor: half(&text[colon + 1..])? })
    }
}

/// Bytes that a group moved to and from one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceIo {
    /// Which device.
    pub device: DeviceNumber,
    /// Read, bytes.
    pub read_bytes: u64,
    /// Written, bytes.
    pub write_bytes: u64,
}

/// Reads `io.stat`: lines of `8:0 rbytes=1 wbytes=2 ...`. A device without figures is left out.
///
/// # Errors
/// A line that does not begin with a device, or a figure that is no number.
pub fn parse_io_stat(bytes: &[u8]) -> Result<Vec<DeviceIo>, Syntax> {
    let mut devices = Vec::new();
    for (line, content) in lines(bytes) {
        let malformed = || Syntax::new(line, content, "device and rbytes=N wbytes=N");
        let mut words = content.split(|byte| *byte == b' ');
        let device = words.next().unwrap_or_default();
        if device == b"(unknown)" {
            continue;
        }
        let device = DeviceNumber::parse(device).ok_or_else(malformed)?;
        let (mut read, mut write) = (None, None);
        for word in words {
            if let Some(value) = word.strip_prefix(b"rbytes=") {
                read = Some(number(value).ok_or_else(malformed)?);
            } else if let Some(value) = word.strip_prefix(b"wbytes=") {
                write = Some(number(value).ok_or_else(malformed)?);
            }
        }
        if let Some((read_bytes, write_bytes)) = read.zip(write) {
            devices.push(DeviceIo { device, read_bytes, write_bytes });
        }
    }
    Ok(devices)
}

/// Reads `blkio.throttle.io_service_bytes(_recursive)`: lines of `8:0 Read 1`, then `Total 2`.
///
/// # Errors
/// A line of another form.
pub fn parse_blkio(bytes: &[u8]) -> Result<Vec<DeviceIo>, Syntax> {
    let mut devices: Vec<DeviceIo> = Vec::new();
    for (line, content) in lines(bytes) {
        let malformed = || Syntax::new(line, content, "device, Read or Write, and bytes");
        let words: Vec<&[u8]> = content.split(|byte| *byte == b' ').collect();
        let [device, operation, value] = words[..] else {
            if words[0] == b"Total" || words[0] == b"(unknown)" {
                continue;
            }
            return Err(malformed());
        };
        let (device, value) = (DeviceNumber::parse(device), number(value));
        let (device, value) = device.zip(value).ok_or_else(malformed)?;
        let index = devices.iter().rposition(|known| known.device == device).unwrap_or_else(|| {
            devices.push(DeviceIo { device, read_bytes: 0, write_bytes: 0 });
            devices.len() - 1
        });
        match operation {
            b"Read" => devices[index].read_bytes = value,
            b"Write" => devices[index].write_bytes = value,
            _ => {}
        }
    }
    Ok(devices)
}

/// One line of a pressure file.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PressureLine {
    /// Share of the last ten seconds, 0..1.
    pub avg10_share: f64,
    /// Time in all, seconds.
    pub total_s: f64,
}

/// A pressure file: time in which some, or all, tasks waited.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// Some task waited.
    pub some: Option<PressureLine>,
    /// Every task waited; absent for CPU on older kernels.
    pub full: Option<PressureLine>,
}

/// Reads `cpu.pressure` and its like.
///
/// # Errors
/// A line that is not `some avg10=.. avg60=.. avg300=.. total=..` (or `full`).
pub fn parse_pressure(bytes: &[u8]) -> Result<Pressure, Syntax> {
    let mut pressure = Pressure::default();
    for (line, content) in lines(bytes) {
        let malformed = || Syntax::new(line, content, "some|full avg10=N avg60=N avg300=N total=N");
        let mut words = content.split(|byte| *byte == b' ');
        let which = words.next().unwrap_or_default();
        let value = pressure_line(words).ok_or_else(malformed)?;
        match which {
            b"some" => pressure.some = Some(value),
            b"full" => pressure.full = Some(value),
            _ => return Err(malformed()),
        }
    }
    Ok(pressure)
}

fn pressure_line<'a>(words: impl Iterator<Item = &'a [u8]>) -> Option<PressureLine> {
    let (mut avg10, mut total) = (None, None);
    for word in words {
        if let Some(value) = word.strip_prefix(b"avg10=") {
            avg10 = std::str::from_utf8(value).ok()?.parse::<f64>().ok().filter(|percent| percent.is_finite());
        } else if let Some(value) = word.strip_prefix(b"total=") {
            total = number(value);
        }
    }
    Some(PressureLine { avg10_share: avg10? / 100.0, total_s: real(total?) * MICROS })
}

/// How many CPUs a list such as `0-3,8` names.
///
/// # Errors
/// It is not such a list.
pub fn parse_cpu_list(bytes: &[u8]) -> Result<u64, Syntax> {
    let content = bytes.trim_ascii();
    let malformed = || Syntax::new(1, content, "a list of CPUs such as 0-3,8");
    let mut count = 0_u64;
    for span in content.split(|byte| *byte == b',').filter(|span| !span.is_empty()) {
        let mut ends = span.splitn(2, |byte| *byte == b'-');
        let first = ends.next().and_then(number).ok_or_else(malformed)?;
        let last = ends.next().map_or(Some(first), number).ok_or_else(malformed)?;
        let width = last.checked_sub(first).and_then(|width| width.checked_add(1)).ok_or_else(malformed)?;
        count = count.checked_add(width).ok_or_else(malformed)?;
    }
    Ok(count)
}
