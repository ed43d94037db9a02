//! The files that hold limits, in both trees: their names and what is written into them. Text only, no I/O.
//!
//! Sources: kernel `Documentation/admin-guide/cgroup-v2.rst`, `cgroup-v1/{memory,blkio-controller}.rst`,
//! `Documentation/scheduler/sched-bwc.rst`.

use crate::cgroupfs::{Controller, DeviceNumber, Syntax, Version, parse_limit};
use apportion_core::{Knob, Setting};

/// The kernel takes no CPU quota below this, microseconds a period.
const LEAST_QUOTA_US: u64 = 1_000;

/// One file that holds the limit behind a knob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LimitFile {
    /// A quota with a period: `cpu.max`, or `cpu.cfs_quota_us` with `cpu.cfs_period_us` beside it.
    Cpu(&'static str),
    /// One number of bytes.
    Memory(&'static str),
    /// A line a device. `io.max` holds four limits a line, under keys; the files of version 1 one.
    Io(&'static str, Option<&'static str>),
}

impl LimitFile {
    /// The file behind a knob. Version 1 has nothing like `memory.high` (its soft limit only steers reclaim when the
    /// whole machine is short), and neither tree limits the network.
    pub(super) const fn of(version: Version, knob: Knob) -> Option<Self> {
        Some(match (version, knob) {
            (Version::V2, Knob::CpuQuota) => Self::Cpu("cpu.max"),
            (Version::V1, Knob::CpuQuota) => Self::Cpu("cpu.cfs_quota_us"),
            (Version::V2, Knob::MemoryHigh) => Self::Memory("memory.high"),
            (Version::V2, Knob::MemoryMax) => Self::Memory("memory.max"),
            (Version::V1, Knob::MemoryMax) => Self::Memory("memory.limit_in_bytes"),
            (Version::V2, Knob::IoReadMax) => Self::Io("io.max", Some("rbps")),
            (Version::V2, Knob::IoWriteMax) => Self::Io("io.max", Some("wbps")),
            (Version::V1, Knob::IoReadMax) => Self::Io("blkio.throttle.read_bps_device", None),
            (Version::V1, Knob::IoWriteMax) => Self::Io("blkio.throttle.write_bps_device", None),
            (Version::V1, Knob::MemoryHigh) | (_, Knob::NetworkSendMax) => return None,
        })
    }

    /// Its name in the group's folder.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Cpu(name) | Self::Memory(name) | Self::Io(name, _) => name,
        }
    }
}

/// The controller behind a knob; none limits the network.
pub(super) const fn controller(knob: Knob) -> Option<Controller> {
    Some(match knob {
        Knob::CpuQuota => Controller::Cpu,
        Knob::MemoryHigh | Knob::MemoryMax => Controller::Memory,
        Knob::IoReadMax | Knob::IoWriteMax => Controller::Io,
        Knob::NetworkSendMax => return None,
    })
}

/// What to write for a CPU quota within the group's own period; `None` where it is less than the kernel takes.
#[allow(clippy::cast_precision_loss, reason = "a period is at most 1e6 microseconds")]
pub(super) fn cpu_text(version: Version, to: Setting, period_us: u64) -> Option<String> {
    let quota_us = match to {
        Setting::Unlimited => None,
        Setting::Value(cores) => Some(whole(cores * period_us as f64)).filter(|quota| *quota >= LEAST_QUOTA_US),
    };
    match (version, quota_us) {
        (_, None) if to != Setting::Unlimited => None,
        (Version::V1, None) => Some("-1".to_owned()),
        (Version::V2, None) => Some(format!("max {period_us}")),
        (Version::V1, Some(quota)) => Some(quota.to_string()),
        (Version::V2, Some(quota)) => Some(format!("{quota} {period_us}")),
    }
}

/// What to write for a number of bytes.
pub(super) fn memory_text(version: Version, to: Setting) -> String {
    let unlimited = if version == Version::V2 { "max" } else { "-1" };
    to.value().map_or_else(|| unlimited.to_owned(), |bytes| whole(bytes).to_string())
}

/// What to write for one device.
pub(super) fn io_text(device: DeviceNumber, key: Option<&str>, to: Setting) -> String {
    let DeviceNumber { major, minor } = device;
    match (key, to.value().map(whole)) {
        (Some(key), None) => format!("{major}:{minor} {key}=max"),
        (Some(key), Some(bytes_per_s)) => format!("{major}:{minor} {key}={bytes_per_s}"),
        (None, bytes_per_s) => format!("{major}:{minor} {}", bytes_per_s.unwrap_or(0)),
    }
}

/// The limited devices of `io.max` under `key`, or of a version 1 file, with their limits.
pub(crate) fn parse_io(bytes: &[u8], key: Option<&str>) -> Result<Vec<(DeviceNumber, f64)>, Syntax> {
    let mut limited = Vec::new();
    for (line, content) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let content = content.trim_ascii();
        if content.is_empty() {
            continue;
        }
        let malformed = || Syntax::new(line + 1, content, "device and bytes per second");
        let mut words = content.split(|byte| *byte == b' ');
        let device = words.next().and_then(DeviceNumber::parse).ok_or_else(malformed)?;
        let value = match key {
            None => Some(words.next().ok_or_else(malformed)?),
            Some(key) => words.find_map(|word| word.strip_prefix(key.as_bytes())?.strip_prefix(b"=")),
        };
        let setting = value.map_or(Ok(Setting::Unlimited), parse_limit).map_err(|_| malformed())?;
        limited.extend(setting.value().filter(|limit| *limit > 0.0).map(|limit| (device, limit)));
    }
    Ok(limited)
}

/// The one limit that all limited devices share; `None` where they differ, because one number cannot put that back.
pub(super) fn shared_limit(limited: &[(DeviceNumber, f64)], knob: Knob) -> Option<Setting> {
    let Some((_, first)) = limited.first() else { return Some(Setting::Unlimited) };
    let first = Setting::Value(*first);
    limited.iter().all(|(_, other)| first.same(Setting::Value(*other), knob)).then_some(first)
}

/// A whole number of the smallest unit, at least 0.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates; settings are not negative")]
const fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use Setting::{Unlimited, Value};

    const SDA: DeviceNumber = DeviceNumber { major: 8, minor: 0 };
    const SDB: DeviceNumber = DeviceNumber { major: 8, minor: 16 };

    #[test]
    fn quotas_keep_the_groups_period() {
        let check = |version, to, period, expect: Option<&str>| {
            assert_eq!(cpu_text(version, to, period).as_deref(), expect, "{to} {period}");
        };
        check(Version::V2, Value(0.5), 100_000, Some("50000 100000"));
        check(Version::V2, Value(2.5), 20_000, Some("50000 20000"));
        check(Version::V2, Unlimited, 20_000, Some("max 20000"));
        check(Version::V2, Value(0.01), 100_000, Some("1000 100000"));
        check(Version::V2, Value(0.01), 10_000, None);
        check(Version::V1, Value(0.5), 50_000, Some("25000"));
        check(Version::V1, Unlimited, 50_000, Some("-1"));
    }

    #[test]
    fn memory_has_a_word_for_no_limit_in_each_version() {
        assert_eq!(memory_text(Version::V2, Value(1_048_576.4)), "1048576");
        assert_eq!(memory_text(Version::V2, Unlimited), "max");
        assert_eq!(memory_text(Version::V1, Unlimited), "-1");
    }

    #[test]
    fn io_is_written_a_device_at_a_time() {
        assert_eq!(io_text(SDA, Some("rbps"), Value(1e6)), "8:0 rbps=1000000");
        assert_eq!(io_text(SDA, Some("wbps"), Unlimited), "8:0 wbps=max");
        assert_eq!(io_text(SDB, None, Value(1e6)), "8:16 1000000");
        assert_eq!(io_text(SDB, None, Unlimited), "8:16 0");
    }

    #[test]
    fn io_files_give_the_limited_devices_only() {
        let text = b"8:0 rbps=1048576 wbps=max riops=max wiops=max\n8:16 rbps=max wbps=2097152 riops=9 wiops=max\n";
        let check = |text: &[u8], key, expect: &[(DeviceNumber, f64)]| {
            assert_eq!(parse_io(text, key).unwrap(), expect, "{key:?}");
        };
        check(text, Some("rbps"), &[(SDA, 1_048_576.0)]);
        check(text, Some("wbps"), &[(SDB, 2_097_152.0)]);
        check(b"", Some("rbps"), &[]);
        check(b"8:0 1048576\n\n8:16 0\n", None, &[(SDA, 1_048_576.0)]);
        let broken = |text: &[u8], key, line| assert_eq!(parse_io(text, key).unwrap_err().line, line);
        broken(b"8:0 rbps=lots\n", Some("rbps"), 1);
        broken(b"8:0 5\n8:16\n", None, 2);
        broken(b"sda 5\n", None, 1);
    }

    #[test]
    fn uneven_limits_are_no_setting() {
        let check = |limits: &[f64], expect| {
            let limited: Vec<_> = limits.iter().map(|limit| (SDA, *limit)).collect();
            assert_eq!(shared_limit(&limited, Knob::IoReadMax), expect, "{limits:?}");
        };
        check(&[], Some(Unlimited));
        check(&[1e6, 1e6], Some(Value(1e6)));
        check(&[1e6, 2e6], None);
    }
}
