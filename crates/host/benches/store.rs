//! What the store costs: `cargo bench -p apportion-host --bench store [-- --json] [-- --workloads N]`; with `-- --chunks`,
//! what pco makes of chunks of different lengths.
//!
//! Brings in 90 days of history of N workloads (200) x 12 metrics, runs 50 hours of ticks of 10 s as fast as they go (so
//! that readings also leave again), then opens the file anew and reads series from it, in a process of its own so that its
//! memory can be told. Prints a table, or one JSON object. Deterministic but for the times.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a benchmark prints, may panic, and counts small things"
)]

use apportion_core::{Batch, History, Kind, Metric, Sample, Time, Window, WorkloadId, metric::name, time::DAY_S};
use apportion_host::store::{Access, Options, Store};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value, json};
use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

/// 2026-11-20 00:00:00 UTC: history ends and ticks begin here.
const START_S: i64 = 1_795_132_800;
const TICK_S: i64 = 10;
const HOURS: i64 = 50;
const METRICS: [&str; 12] = [
    name::CPU,
    name::CPU_THROTTLED,
    name::CPU_THROTTLED_PERIODS,
    name::CPU_PERIODS,
    name::MEMORY,
    name::MEMORY_WORKING_SET,
    name::OOM_KILLS,
    name::IO_READ,
    name::IO_WRITE,
    name::NETWORK_SEND,
    name::CPU_PRESSURE,
    name::TASKS,
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after =
        |flag: &str| arguments.iter().position(|argument| argument == flag).and_then(|at| arguments.get(at + 1));
    let workloads = after("--workloads").map_or(200, |number| number.parse().unwrap());
    if let Some(path) = after("--open") {
        println!("{}", reopened(Path::new(path), workloads));
        return;
    }
    if arguments.iter().any(|argument| argument == "--chunks") {
        chunk_lengths();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut figures = conditions(workloads);
    figures.append(&mut written(&path, workloads));
    figures.append(&mut grown(&path, workloads));
    figures.append(&mut in_a_process_of_its_own(&path, workloads));
    if arguments.iter().any(|argument| argument == "--json") {
        println!("{}", Value::Object(figures));
    } else {
        figures.iter().for_each(|(name, value)| println!("{name:42} {value}"));
    }
}

fn conditions(workloads: usize) -> Map<String, Value> {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1)).unwrap_or("?");
    figures([("cpu", json!(model)), ("workloads", json!(workloads)), ("metrics", json!(METRICS.len()))])
}

fn figures<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Three digits that count.
fn short(value: f64) -> Value {
    let scale = 10_f64.powf(2.0 - value.abs().max(1e-9).log10().floor());
    json!((value * scale).round() / scale)
}

/// One workload's metrics: a day's wave, noise, bursts, idle stretches; counters in the kernel's own grain.
struct Source {
    workload: WorkloadId,
    metrics: Vec<Metric>,
    state: [f64; 12],
    random: u64,
}

impl Source {
    fn new(number: usize) -> Self {
        let metrics = METRICS.map(Metric::new).to_vec();
        let random = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self { workload: WorkloadId::new(&format!("w{number}")), metrics, state: [0.0; 12], random }
    }

    fn uniform(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Readings at `now_s`, `step_s` after the ones before.
    fn read(&mut self, now_s: i64, step_s: f64, batch: &mut Batch) {
        let wave = 1.0 + 0.6 * (now_s as f64 / DAY_S as f64 * std::f64::consts::TAU).sin();
        let jitter_ms = (self.uniform() * 4.0) as i64;
        for (index, metric) in METRICS.into_iter().enumerate() {
            let (noise, burst) = (self.uniform(), self.uniform());
            let rare = |share: f64, amount: f64| if burst < share { amount } else { 0.0 };
            let grown = match metric {
                name::CPU => (wave * (0.2 + 0.3 * noise) * step_s * 1e6).floor() / 1e6,
                name::CPU_THROTTLED => (rare(0.05, noise) * 1e6).floor() / 1e6,
                name::CPU_THROTTLED_PERIODS => rare(0.05, (noise * 50.0).floor()),
                name::CPU_PERIODS => 10.0 * step_s,
                name::IO_READ => rare(0.1, (noise * 64.0).floor() * 4_096.0),
                name::IO_WRITE => (wave * noise * 32.0).floor() * 4_096.0,
                name::NETWORK_SEND => (wave * (1.0 + noise) * step_s * 30_000.0).floor(),
                name::CPU_PRESSURE => (0.02 * noise * step_s * 1e6).floor() / 1e6,
                _ => 0.0,
            };
            let value = match metric {
                name::MEMORY | name::MEMORY_WORKING_SET => {
                    self.state[index] += ((noise - 0.5) * 200.0).floor() * 4_096.0;
                    5e8 + (wave * 2e4).floor() * 4_096.0 + self.state[index]
                }
                name::TASKS => (20.0 + wave * 5.0 + noise).floor(),
                _ => {
                    self.state[index] += grown;
                    self.state[index]
                }
            };
            let time = Time(now_s * 1_000 + jitter_ms);
            let (workload, metric) = (self.workload.clone(), self.metrics[index].clone());
            batch.samples.push(Sample { workload, metric, time, value });
        }
    }
}

fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// CPU time and time on the wall that `job` took.
fn timed<T>(job: impl FnOnce() -> T) -> (T, Duration, Duration) {
    let (cpu, wall) = (cpu_time(), Instant::now());
    let made = job();
    (made, cpu_time() - cpu, wall.elapsed())
}

/// Brings in history, then runs the ticks.
fn written(path: &Path, workloads: usize) -> Map<String, Value> {
    let options = Options { most_bytes: u64::MAX };
    let store = Store::open(path, Access::ReadWrite, options).unwrap();
    let mut sources: Vec<Source> = (0..workloads).map(Source::new).collect();
    let (mut brought, mut brought_cpu) = (0, Duration::ZERO);
    for source in &mut sources {
        let mut batch = Batch::default();
        for (from_day, to_day, step_s) in [(-90, -14, 300), (-14, 0, 60)] {
            for now_s in (START_S + from_day * DAY_S..START_S + to_day * DAY_S).step_by(step_s as usize) {
                source.read(now_s, f64::from(step_s), &mut batch);
            }
        }
        brought += batch.samples.len();
        brought_cpu += timed(|| store.backfill(&batch, Time::from_s(START_S)).unwrap()).1;
    }
    let (mut ticks, mut ticks_cpu) = (Vec::new(), Vec::new());
    let mut spent = [Duration::ZERO; 2];
    let written_before = written_bytes();
    for now_s in (START_S..START_S + HOURS * 3_600).step_by(TICK_S as usize) {
        let mut batch = Batch::default();
        sources.iter_mut().for_each(|source| source.read(now_s, TICK_S as f64, &mut batch));
        let now = Time::from_s(now_s);
        let (_, append, append_wall) = timed(|| store.append(&batch, now));
        let ((), maintain, maintain_wall) = timed(|| store.maintain(now).unwrap());
        spent = [spent[0] + append, spent[1] + maintain];
        ticks.push(append_wall + maintain_wall);
        ticks_cpu.push(append + maintain);
    }
    let days = HOURS as f64 / 24.0;
    let count = ticks.len();
    ticks.sort_unstable();
    ticks_cpu.sort_unstable();
    let share = |spent: Duration| short(spent.as_secs_f64() / (count as f64 * TICK_S as f64) * 100.0);
    figures([
        ("backfill_million_readings_per_cpu_s", short(brought as f64 / 1e6 / brought_cpu.as_secs_f64())),
        ("append_percent_of_a_core", share(spent[0])),
        ("maintain_percent_of_a_core", share(spent[1])),
        ("tick_cpu_p99_ms", short(ticks_cpu[count * 99 / 100].as_secs_f64() * 1e3)),
        ("tick_wall_p50_ms", short(ticks[count / 2].as_secs_f64() * 1e3)),
        ("tick_wall_p99_ms", short(ticks[count * 99 / 100].as_secs_f64() * 1e3)),
        ("tick_wall_max_ms", short(ticks[count - 1].as_secs_f64() * 1e3)),
        ("disk_writes_mib_per_day", short((written_bytes() - written_before) / days / 1_048_576.0)),
    ])
}

/// Bytes that this process has sent to the disk.
fn written_bytes() -> f64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok()).unwrap_or(0.0)
}

/// Bytes a workload and day in each resolution, and in all.
fn grown(path: &Path, workloads: usize) -> Map<String, Value> {
    let db = rusqlite::Connection::open(path).unwrap();
    let number = |sql: &str| db.query_row(sql, (), |row| row.get::<_, f64>(0)).unwrap();
    let tier = |tier_s: i64| {
        let sql = format!(
            "SELECT sum(length(data)) / (sum(count) * {tier_s} / 86400.0 / {metrics}) * 1.0 FROM chunk WHERE tier_s = {tier_s}",
            metrics = METRICS.len()
        );
        short(number(&sql))
    };
    let per_point = |tier_s: i64| {
        short(number(&format!("SELECT sum(length(data)) * 1.0 / sum(count) FROM chunk WHERE tier_s = {tier_s}")))
    };
    let pages = number(
        "SELECT (page_count - freelist_count) * 1.0 * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
    );
    figures([
        ("bytes_per_workload_and_day_10s", tier(10)),
        ("bytes_per_workload_and_day_1min", tier(60)),
        ("bytes_per_workload_and_day_5min_mean_max", tier(300)),
        ("bytes_per_reading_10s", per_point(10)),
        ("bytes_per_step_1min", per_point(60)),
        ("bytes_per_step_5min_mean_max", per_point(300)),
        ("file_mib", short(pages / 1_048_576.0)),
        ("file_kib_per_workload", short(pages / 1_024.0 / workloads as f64)),
    ])
}

fn in_a_process_of_its_own(path: &Path, workloads: usize) -> Map<String, Value> {
    let output = Command::new(std::env::current_exe().unwrap())
        .arg("--open")
        .arg(path)
        .args(["--workloads", &workloads.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Opens the file, runs an hour of ticks so that heads are as full as they get, and reads series.
fn reopened(path: &Path, workloads: usize) -> Value {
    let resident_before = resident_kib();
    let options = Options { most_bytes: u64::MAX };
    let (reader, _, open_to_read) = timed(|| Store::open(path, Access::ReadOnly, options).unwrap());
    drop(reader);
    let (store, open_cpu, open_to_write) = timed(|| Store::open(path, Access::ReadWrite, options).unwrap());
    let end_s = START_S + HOURS * 3_600;
    let mut sources: Vec<Source> = (0..workloads).map(Source::new).collect();
    for now_s in (end_s..end_s + 3_600).step_by(TICK_S as usize) {
        for source in &mut sources {
            let mut batch = Batch::default();
            source.read(now_s, TICK_S as f64, &mut batch);
            store.append(&batch, Time::from_s(now_s));
        }
        store.maintain(Time::from_s(now_s)).unwrap();
    }
    let now = Time::from_s(end_s + 3_600);
    let read = |step_s: u32, steps: usize| {
        let window = Window::last(now, step_s, steps);
        let ((), cpu, _) = timed(|| {
            for source in &sources {
                for metric in &source.metrics {
                    let series = store.series(&source.workload, metric, window).unwrap();
                    assert!(series.present().count() * 10 > steps * 8 || metric.kind() == Kind::Counter);
                }
            }
        });
        cpu
    };
    let five_minutes = read(300, 2_016);
    let resident = resident_kib() - resident_before;
    let series = (workloads * METRICS.len()) as f64;
    let each_us = |cpu: Duration| short(cpu.as_secs_f64() / series * 1e6);
    Value::Object(figures([
        ("open_to_write_cpu_ms", short(open_cpu.as_secs_f64() * 1e3)),
        ("open_to_write_ms", short(open_to_write.as_secs_f64() * 1e3)),
        ("open_to_read_ms", short(open_to_read.as_secs_f64() * 1e3)),
        ("read_2016_steps_of_5min_us", each_us(five_minutes)),
        ("read_2016_steps_of_1min_us", each_us(read(60, 2_016))),
        ("read_512_steps_of_10s_us", each_us(read(10, 512))),
        ("read_all_every_5min_percent_of_a_core", short(five_minutes.as_secs_f64() / 300.0 * 100.0)),
        ("resident_mib", short(resident / 1_024.0)),
    ]))
}

/// Memory of this process that is its own.
fn resident_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(0.0)
}

/// Bytes a number and time a chunk for readings, and for five-minute means of gauges and rates, by length and level.
fn chunk_lengths() {
    let days = |source: &mut Source, step_s: i64, days: i64| {
        let mut batch = Batch::default();
        (0..days * DAY_S).step_by(step_s as usize).for_each(|now_s| source.read(now_s, step_s as f64, &mut batch));
        let column = |metric: &Metric| -> Vec<f64> {
            batch.samples.iter().filter(|sample| sample.metric == *metric).map(|sample| sample.value).collect()
        };
        source.metrics.iter().map(|metric| (metric.kind(), column(metric))).collect::<Vec<_>>()
    };
    let mut source = Source::new(0);
    let readings: Vec<Vec<f64>> = days(&mut source, TICK_S, 2).into_iter().map(|(_, column)| column).collect();
    let rolled: Vec<Vec<f32>> = days(&mut source, TICK_S, 10)
        .into_iter()
        .map(|(kind, column)| {
            let rate = |pair: &[f64]| if kind == Kind::Counter { (pair[1] - pair[0]) / TICK_S as f64 } else { pair[1] };
            let values: Vec<f64> = column.windows(2).map(rate).collect();
            values.chunks(30).map(|block| (block.iter().sum::<f64>() / block.len() as f64) as f32).collect()
        })
        .collect();
    println!("numbers    level length bytes_each pack_us unpack_us");
    for level in [2, 4, 8] {
        for length in [90, 180, 360, 720, 1_440] {
            packed("readings", &readings, level, length);
        }
        for length in [288, 720, 1_440] {
            packed("5min mean", &rolled, level, length);
        }
    }
}

fn packed<T: pco::data_types::Number>(what: &str, columns: &[Vec<T>], level: usize, length: usize) {
    let config = pco::ChunkConfig::default().with_compression_level(level);
    let chunks = || columns.iter().flat_map(|column| column.chunks_exact(length));
    let (blobs, pack, _) = timed(|| -> Vec<Vec<u8>> {
        chunks().map(|chunk| pco::standalone::simple_compress(chunk, &config).unwrap()).collect()
    });
    let ((), unpack, _) = timed(|| {
        blobs.iter().for_each(|blob| drop(pco::standalone::simple_decompress::<T>(blob).unwrap()));
    });
    let bytes: usize = blobs.iter().map(Vec::len).sum();
    let each = bytes as f64 / (blobs.len() * length) as f64;
    let us = |spent: Duration| spent.as_secs_f64() * 1e6 / blobs.len() as f64;
    println!("{what:10} {level:5} {length:6} {each:10.3} {:7.1} {:9.1}", us(pack), us(unpack));
}
