//! What the loop costs: real collectors, store, planner and guard on a made-up machine whose files change every tick.
//!
//!   cargo bench -p apportion --bench loop [-- WORKLOADS[,WORKLOADS...] [TICKS [DAYS]]]
//!
//! The store begins with DAYS of history (0), a reading a minute: after a week series are forecast from their longest past.
//! Prints one row a size: CPU per tick as a share of one core at one tick in 10 s, with and without forecasting, the tick's
//! median and 99th percentile, resident memory, and the store's size. Time is made up too: an hour runs in seconds.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::cast_precision_loss, reason = "a benchmark")]

use apportion::{
    allocator::give_back_early,
    config::Config,
    daemon::{Settings, assemble},
};
use apportion_core::{Batch, Metric, Time, Workload, WorkloadId, WorkloadKind, metric::name};
use apportion_host::store::{Access, Options, Store};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

const START: Time = Time::from_s(1_790_000_000);
const TICK_S: i64 = 10;

fn main() {
    give_back_early();
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let sizes = args.first().map_or("10,100,200,1000", String::as_str);
    let ticks: usize = args.get(1).map_or(720, |ticks| ticks.parse().unwrap());
    let days: i64 = args.get(2).map_or(0, |days| days.parse().unwrap());
    println!("{ticks} ticks of {TICK_S} s after {days} days of history; {}", machine());
    println!(
        "{:>9} {:>12} {:>12} {:>14} {:>9} {:>9} {:>9} {:>9}",
        "workloads", "all %core", "forecast %", "% per 100 wl", "p50 ms", "p99 ms", "RSS MiB", "store MiB"
    );
    for size in sizes.split(',').map(|size| size.parse::<usize>().unwrap()) {
        let whole = run(size, ticks, days, "auto");
        let without = run(size, ticks, days, "recent");
        let per_hundred = whole.core_share * 100.0 / size as f64 * 100.0;
        println!(
            "{size:>9} {:>12.3} {:>12.3} {per_hundred:>14.3} {:>9.2} {:>9.2} {:>9.1} {:>9.2}",
            whole.core_share * 100.0,
            (whole.core_share - without.core_share).max(0.0) * 100.0,
            whole.quantile_ms(0.5),
            whole.quantile_ms(0.99),
            whole.rss_mib,
            whole.store_mib
        );
    }
}

struct Cost {
    core_share: f64,
    ticks_ms: Vec<f64>,
    rss_mib: f64,
    store_mib: f64,
}

impl Cost {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    fn quantile_ms(&self, level: f64) -> f64 {
        let mut sorted = self.ticks_ms.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[((sorted.len() - 1) as f64 * level) as usize]
    }
}

fn run(size: usize, ticks: usize, days: i64, model: &'static str) -> Cost {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    let mut machine = Machine::new(&root, size);
    let store = folder.path().join("store/apportion.db");
    remember(&store, size, days);
    let settings = Settings { model, root, ..Settings::here(store.clone()) };
    let mut assembled = assemble(&Config::default(), settings).unwrap();
    let (mut cpu_s, mut ticks_ms) = (0.0, Vec::new());
    for tick in 0..ticks {
        let tick = i64::try_from(tick).unwrap();
        machine.step(tick);
        let now = START.plus_s(tick * TICK_S);
        let (cpu, begin) = (cpu_time_s(), Instant::now());
        assembled.daemon.turn(now);
        cpu_s += cpu_time_s() - cpu;
        ticks_ms.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    let core_share = cpu_s / (ticks as f64 * TICK_S as f64);
    let store_mib = fs::metadata(store).unwrap().len() as f64 / 1_048_576.0;
    Cost { core_share, ticks_ms, rss_mib: rss_mib(), store_mib }
}

/// Brings days of what the groups used before into a new store, as if they had been watched.
fn remember(store: &Path, size: usize, days: i64) {
    fs::create_dir_all(store.parent().unwrap()).unwrap();
    let store = Store::open(store, Access::ReadWrite, Options::default()).unwrap();
    for index in 0..size {
        store.backfill(&history(index, days), START).unwrap();
    }
}

/// A reading a minute of one group.
fn history(index: usize, days: i64) -> Batch {
    let path = format!("/service-{index}");
    let id = WorkloadId::new(&path);
    let workload = Workload { id: id.clone(), kind: WorkloadKind::Cgroup, path, labels: Default::default() };
    let mut batch = Batch { workloads: vec![workload], ..Batch::default() };
    let metrics = [name::CPU, name::MEMORY, name::MEMORY_WORKING_SET, name::IO_READ, name::IO_WRITE].map(Metric::new);
    let mut used_s = 0.0;
    for minute in -days * 1_440..0 {
        let (cores, bytes) = load(index, minute * 60 / TICK_S);
        used_s += cores * 60.0;
        for (metric, value) in metrics.iter().zip([used_s, bytes, bytes, used_s * 1e6, used_s * 1e6]) {
            batch.push(&id, metric, START.plus_s(minute * 60), value);
        }
    }
    batch
}

/// Cores and bytes that a group uses at a tick: a daily wave and a phase of its own, and some noise.
fn load(index: usize, tick: i64) -> (f64, f64) {
    let wave = 1.0 + ((tick as f64 / 8_640.0 + index as f64 * 0.37) * std::f64::consts::TAU).sin();
    let noise = (tick * 7_919 + i64::try_from(index).unwrap() * 104_729).rem_euclid(1_000) as f64 / 1_000.0;
    (0.1 + 0.4 * wave + 0.1 * noise, (200.0 + 50.0 * wave + 5.0 * noise) * 1_048_576.0)
}

/// A folder that looks like a machine with cgroup v2 and `size` groups.
struct Machine {
    groups: Vec<PathBuf>,
    usage_us: Vec<u64>,
}

impl Machine {
    fn new(root: &Path, size: usize) -> Self {
        let tree = root.join("sys/fs/cgroup");
        fs::create_dir_all(root.join("proc/self")).unwrap();
        fs::create_dir_all(&tree).unwrap();
        let mount = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n";
        fs::write(root.join("proc/self/mountinfo"), mount).unwrap();
        fs::write(root.join("proc/self/cgroup"), "0::/init.scope\n").unwrap();
        fs::write(root.join("proc/meminfo"), "MemTotal: 263192064 kB\nMemAvailable: 131596032 kB\n").unwrap();
        fs::write(root.join("proc/loadavg"), "1.0 1.0 1.0 1/100 1000\n").unwrap();
        fs::write(root.join("proc/stat"), "cpu  100 0 100 1000 0 0 0 0 0 0\ncpu0 100 0 100 1000 0 0 0 0 0 0\n")
            .unwrap();
        fs::write(tree.join("cgroup.controllers"), "cpu io memory pids\n").unwrap();
        let groups: Vec<PathBuf> = (0..size).map(|index| tree.join(format!("service-{index}"))).collect();
        for group in &groups {
            fs::create_dir_all(group).unwrap();
            for (file, text) in [
                ("cgroup.controllers", "cpu io memory pids\n"),
                ("cgroup.events", "populated 1\nfrozen 0\n"),
                ("cgroup.procs", "4242\n"),
                ("cpu.max", "max 100000\n"),
                ("memory.high", "max\n"),
                ("memory.max", "max\n"),
                ("io.max", ""),
                ("pids.current", "12\n"),
                ("memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n"),
            ] {
                fs::write(group.join(file), text).unwrap();
            }
        }
        Self { usage_us: vec![0; groups.len()], groups }
    }

    /// Ten seconds later.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "made-up figures")]
    fn step(&mut self, tick: i64) {
        let mut text = String::new();
        for (index, group) in self.groups.iter().enumerate() {
            let (cores, bytes) = load(index, tick);
            self.usage_us[index] += (cores * TICK_S as f64 * 1e6) as u64;
            let (used, bytes) = (self.usage_us[index], bytes as u64);
            text.clear();
            write!(
                text,
                "usage_usec {used}\nuser_usec {used}\nsystem_usec 0\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n"
            )
            .unwrap();
            fs::write(group.join("cpu.stat"), &text).unwrap();
            fs::write(group.join("memory.current"), bytes.to_string()).unwrap();
            fs::write(group.join("memory.stat"), format!("anon {bytes}\nfile 1000\ninactive_file 1000\n")).unwrap();
            fs::write(
                group.join("io.stat"),
                format!("254:0 rbytes={used} wbytes={used} rios=1 wios=1 dbytes=0 dios=0\n"),
            )
            .unwrap();
            for file in ["cpu.pressure", "memory.pressure", "io.pressure"] {
                fs::write(group.join(file), format!("some avg10=0.00 avg60=0.00 avg300=0.00 total={}\n", used / 100))
                    .unwrap();
            }
        }
    }
}

/// CPU time of this process, user and system, seconds.
fn cpu_time_s() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn rss_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("unknown CPU");
    format!("{model}, {} cores, apportion {}", std::thread::available_parallelism().unwrap(), env!("CARGO_PKG_VERSION"))
}
