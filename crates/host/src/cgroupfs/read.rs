//! Reads the files of a group into one reused buffer.

use super::parse::{self, CpuMax, CpuStat, DeviceIo, MemoryEvents, MemoryStat, Pressure, Syntax};
use super::{Error, Version};
use apportion_core::Setting;
use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Files of a group are small; one that is larger than this is not what it says it is.
const LARGEST_BYTES: usize = 8 << 20;
const CHUNK_BYTES: usize = 16 << 10;

/// A buffer and a path, used again and again: reading thousands of small files allocates nothing. It may keep files open
/// between looks, because opening and closing a file of a group costs six times as much as reading it.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    path: PathBuf,
    kept: HashMap<PathBuf, Kept>,
    most_kept: usize,
    round: u64,
}

/// A file kept open, and the round in which it was read last.
#[derive(Debug)]
struct Kept {
    file: File,
    round: u64,
}

/// Kept files take half of what the process may open, and no more than this: 1,500 groups.
const MOST_KEPT: u64 = 16_384;

/// A group or process that went away while it was read, or a file that this kernel does not offer.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    /// `ENODEV`: the group was removed; `ESRCH`: the process ended.
    const GONE: [i32; 3] = [19, 3, NOT_SUPPORTED];
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        || error.raw_os_error().is_some_and(|code| GONE.contains(&code))
}

/// `EOPNOTSUPP`: switched off (pressure), or not shown (processes of a threaded group).
const NOT_SUPPORTED: i32 = 95;

/// Raises this process's soft limit of open files to what [`Reader::keeping`] can use, as far as the hard limit allows
/// (systemd's usual soft limit of 1,024 is enough for some 45 groups). For the program to call once, before it makes
/// collectors; children inherit it.
///
/// # Errors
/// The system refuses; what was allowed before still is.
pub fn allow_many_open_files() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(2 * MOST_KEPT, |maximum| maximum.min(2 * MOST_KEPT));
    if current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).map_err(io::Error::from)
}

/// False once a file has lost its name: it was removed, or another was put in its place.
fn is_linked(file: &File) -> bool {
    rustix::fs::fstat(file).is_ok_and(|stat| stat.st_nlink > 0)
}

fn read_whole(file: &File, buffer: &mut Vec<u8>) -> io::Result<()> {
    let mut filled = 0;
    loop {
        if buffer.len() < filled + CHUNK_BYTES {
            buffer.resize(filled + CHUNK_BYTES, 0);
        }
        match file.read_at(&mut buffer[filled..], filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if filled > LARGEST_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than any file of the kernel's"));
        }
    }
    buffer.truncate(filled);
    Ok(())
}

impl Reader {
    /// A reader that keeps files open, up to half of what this process may open.
    #[must_use]
    pub fn keeping() -> Self {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
        Self { most_kept: usize::try_from((limit / 2).min(MOST_KEPT)).unwrap_or(0), ..Self::default() }
    }

    /// Closes kept files that were not read since the last call.
    pub fn close_unread(&mut self) {
        let round = self.round;
        self.kept.retain(|_, kept| kept.round == round);
        self.round += 1;
    }

    /// The content of `dir/file`; `None` where there is no such file (any more).
    ///
    /// # Errors
    /// It is there and cannot be read, or is larger than any kernel file.
    pub fn bytes(&mut self, dir: &Path, file: &str) -> Result<Option<&[u8]>, Error> {
        match self.fill(dir, file) {
            Ok(()) => Ok(Some(&self.buffer)),
            Err(source) if is_gone(&source) => Ok(None),
            Err(source) => Err(Error::Io { path: self.path.clone(), source }),
        }
    }

    fn fill(&mut self, dir: &Path, file: &str) -> io::Result<()> {
        self.path.clear();
        self.path.push(dir);
        self.path.push(file);
        if let Some(kept) = self.kept.get_mut(&self.path) {
            kept.round = self.round;
            if is_linked(&kept.file) && read_whole(&kept.file, &mut self.buffer).is_ok() {
                return Ok(());
            }
            // The group is gone; there may be a new one of that name.
            self.kept.remove(&self.path);
        }
        let file = File::open(&self.path)?;
        read_whole(&file, &mut self.buffer)?;
        if self.kept.len() < self.most_kept {
            self.kept.insert(self.path.clone(), Kept { file, round: self.round });
        }
        Ok(())
    }

    /// The content of `dir/file`, parsed; `None` where there is no such file.
    ///
    /// # Errors
    /// It cannot be read, or is malformed.
    pub fn parsed<T>(
        &mut self,
        dir: &Path,
        file: &str,
        parse: impl FnOnce(&[u8]) -> Result<T, Syntax>,
    ) -> Result<Option<T>, Error> {
        let Some(bytes) = self.bytes(dir, file)? else { return Ok(None) };
        match parse(bytes) {
            Ok(value) => Ok(Some(value)),
            Err(syntax) => Err(Error::Malformed { path: self.path.clone(), syntax }),
        }
    }

    /// The words of a file such as `cgroup.controllers`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn words(&mut self, dir: &Path, file: &str) -> Result<Option<Vec<String>>, Error> {
        let text = self.bytes(dir, file)?.map(String::from_utf8_lossy);
        Ok(text.map(|text| text.split_whitespace().map(str::to_owned).collect()))
    }

    /// Whether a file has anything in it; `None` where there is no such file. Reads its beginning only.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn is_filled(&mut self, dir: &Path, file: &str) -> Result<Option<bool>, Error> {
        self.path.clear();
        self.path.push(dir);
        self.path.push(file);
        let beginning = File::open(&self.path).and_then(|mut file| file.read(&mut [0_u8; 16]));
        match beginning {
            Ok(read) => Ok(Some(read > 0)),
            // A threaded group has processes, and hides them.
            Err(source) if source.raw_os_error() == Some(NOT_SUPPORTED) => Ok(Some(true)),
            Err(source) if is_gone(&source) => Ok(None),
            Err(source) => Err(Error::Io { path: self.path.clone(), source }),
        }
    }

    /// A file with one number.
    ///
    /// # Errors
    /// It cannot be read, or holds something else.
    pub fn number(&mut self, dir: &Path, file: &str) -> Result<Option<u64>, Error> {
        self.parsed(dir, file, parse::parse_number)
    }

    /// `cpu.stat`.
    ///
    /// # Errors
    /// It cannot be read, or is malformed.
    pub fn cpu_stat(&mut self, dir: &Path) -> Result<Option<CpuStat>, Error> {
        self.parsed(dir, "cpu.stat", parse::parse_cpu_stat)
    }

    /// `cpuacct.usage`, in core-seconds.
    ///
    /// # Errors
    /// It cannot be read, or is malformed.
    #[allow(clippy::cast_precision_loss, reason = "2^53 ns are 104 days of one core; beyond, a nanosecond is lost")]
    pub fn cpuacct_usage_s(&mut self, dir: &Path) -> Result<Option<f64>, Error> {
        Ok(self.number(dir, "cpuacct.usage")?.map(|usage_ns| usage_ns as f64 * 1e-9))
    }

    /// The CPU quota: `cpu.max`, or `cpu.cfs_quota_us` with `cpu.cfs_period_us`.
    ///
    /// # Errors
    /// It cannot be read, or is malformed.
    pub fn cpu_max(&mut self, version: Version, dir: &Path) -> Result<Option<CpuMax>, Error> {
        if version == Version::V2 {
            return self.parsed(dir, "cpu.max", parse::parse_cpu_max);
        }
        let quota = self.parsed(dir, "cpu.cfs_quota_us", |bytes| match bytes.trim_ascii() {
            b"-1" => Ok(None),
            other => parse::parse_number(other).map(Some),
        })?;
        let period = self.number(dir, "cpu.cfs_period_us")?.filter(|period| *period > 0);
        Ok(quota.zip(period).map(|(quota_us, period_us)| CpuMax { quota_us, period_us }))
    }

    /// Memory charged, bytes: `memory.current` or `memory.usage_in_bytes`.
    ///
    /// # Errors
    /// It cannot be read, or is malformed.
    pub fn memory_bytes(&mut self, version: Version, dir: &Path) -> Result<Option<u64>, Error> {
        self.number(dir, if version == Version::V2 { "memory.current" } else { "memory.usage_in_bytes" })
    }

    /// `memory.stat`.
    ///
    /// # Errors
    /// It cannot be read, or is malformed.
    pub fn memory_stat(&mut self, dir: &Path) -> Result<Option<MemoryStat>, Error> {
        self.parsed(dir, "memory.stat", parse::parse_memory_stat)
    }

    /// `memory.events` or `memory.oom_control`.
    ///
    /// # Errors
    /// It cannot be read, or is malformed.
    pub fn memory_events(&mut self, version: Version, dir: &Path) -> Result<Option<MemoryEvents>, Error> {
        let file = if version == Version::V2 { "memory.events" } else { "memory.oom_control" };
        self.parsed(dir, file, parse::parse_memory_events)
    }

    /// A limit in bytes (`memory.high`, `memory.max`, `memory.limit_in_bytes`, `memory.soft_limit_in_bytes`).
    ///
    /// # Errors
    /// It cannot be read, or is malformed.
    pub fn limit(&mut self, dir: &Path, file: &str) -> Result<Option<Setting>, Error> {
        self.parsed(dir, file, parse::parse_limit)
    }

    /// Bytes moved per device, groups below included: `io.stat`, or `blkio.throttle.io_service_bytes_recursive` (on
    /// kernels before 4.17 without `_recursive`).
    ///
    /// # Errors
    /// It cannot be read, or is malformed.
    pub fn io_stat(&mut self, version: Version, dir: &Path) -> Result<Option<Vec<DeviceIo>>, Error> {
        const RECURSIVE: &str = "blkio.throttle.io_service_bytes_recursive";
        if version == Version::V2 {
            return self.parsed(dir, "io.stat", parse::parse_io_stat);
        }
        match self.parsed(dir, RECURSIVE, parse::parse_blkio)? {
            Some(devices) => Ok(Some(devices)),
            None => self.parsed(dir, "blkio.throttle.io_service_bytes", parse::parse_blkio),
        }
    }

    /// A pressure file: `cpu.pressure`, `memory.pressure`, `io.pressure`.
    ///
    /// # Errors
    /// It cannot be read, or is malformed.
    pub fn pressure(&mut self, dir: &Path, file: &str) -> Result<Option<Pressure>, Error> {
        self.parsed(dir, file, parse::parse_pressure)
    }
}
