//! What every parser of `apportion-host` must do with any bytes: not panic, not hang, and give only what its documentation
//! promises. Used by the fuzzer (`fuzz_targets/`) and, with mutated seeds, by the tests of the crate.

use apportion_host::{cgroupfs, collect, fuzzed, trace::Trace};
use std::{ffi::OsStr, fs::File, io::Write, os::unix::ffi::OsStrExt, path::Path};

/// Files of a cgroup, whatever they hold.
pub fn cgroup_files(bytes: &[u8]) {
    let _ = cgroupfs::parse_cpu_stat(bytes);
    let _ = cgroupfs::parse_memory_stat(bytes);
    let _ = cgroupfs::parse_memory_events(bytes);
    let _ = cgroupfs::parse_io_stat(bytes);
    let _ = cgroupfs::parse_blkio(bytes);
    let _ = cgroupfs::parse_number(bytes);
    let _ = cgroupfs::parse_cpu_list(bytes);
    if let Ok(pressure) = cgroupfs::parse_pressure(bytes) {
        let lines = [pressure.some, pressure.full];
        assert!(lines.into_iter().flatten().all(|line| line.total_s >= 0.0 && line.avg10_share.is_finite()));
    }
    if let Ok(max) = cgroupfs::parse_cpu_max(bytes) {
        assert!(max.setting().or_infinite() >= 0.0);
    }
    if let Ok(limit) = cgroupfs::parse_limit(bytes) {
        assert!(limit.or_infinite() >= 0.0);
    }
}

/// Limits of devices, whatever they hold.
pub fn limit_files(bytes: &[u8]) {
    fuzzed::limit_files(bytes);
}

/// What `tc` and `nft` print, whatever it is.
pub fn network(bytes: &[u8]) {
    fuzzed::network(bytes);
}

/// Packed numbers of a store, whatever they hold.
pub fn chunks(bytes: &[u8]) {
    fuzzed::chunks(bytes);
}

/// Mounts, memberships, names of groups, and what their paths make of them.
pub fn mountinfo(bytes: &[u8]) {
    let mounts = cgroupfs::parse_mountinfo(bytes).unwrap_or_default();
    let memberships = cgroupfs::parse_membership(bytes).unwrap_or_default();
    for mount in &mounts {
        for membership in &memberships {
            if let Some(below) = mount.below(&membership.group) {
                assert!(below.starts_with("/"));
            }
        }
    }
    let path = Path::new(OsStr::from_bytes(bytes));
    let text = cgroupfs::group_to_text(path);
    assert_eq!(cgroupfs::group_from_text(&text).as_os_str(), path.as_os_str());
    let _ = collect::shape(&text);
    // No tree is walked deeper than this.
    let lines = text.split("\u{FFFD}0a").filter(|line| line.matches('/').count() < 32).map(|line| format!("/{line}"));
    let found: Vec<_> = lines.map(|group| cgroupfs::Found { group, has_processes: true }).collect();
    let chosen = collect::select(&found);
    assert!(chosen.len() <= found.len());
    let _ = collect::docker_labels(bytes);
    let _ = collect::oci_labels(bytes);
}

/// Files below /proc, whatever they hold.
pub fn proc_files(bytes: &[u8]) {
    let _ = collect::parse_process_stat(bytes);
    let _ = collect::parse_statm(bytes);
    let _ = collect::parse_process_io(bytes);
    let _ = collect::parse_machine_cpu(bytes);
    let _ = collect::parse_meminfo(bytes);
    let _ = collect::parse_diskstats(bytes);
    let _ = collect::parse_net_dev(bytes);
    let _ = collect::parse_default_route(bytes);
    let _ = collect::parse_default_route_v6(bytes);
    if let Ok(load) = collect::parse_loadavg(bytes) {
        assert!(load.is_finite() && load >= 0.0);
    }
    let _ = collect::parse_uptime(bytes);
}

/// Answers of a Prometheus server, whatever they hold.
pub fn prometheus(bytes: &[u8]) {
    if let Ok(answer) = collect::parse_answer(bytes) {
        assert!(answer.series.iter().all(|series| !series.points.is_empty()));
    }
}

/// Traces as CSV, whatever they hold: what is read is in order and finite.
pub fn csv(bytes: &[u8]) {
    let Ok(trace) = Trace::from_csv(Path::new("x.csv"), bytes) else { return };
    for (_, _, series) in trace.iter() {
        assert!(series.times_s().windows(2).all(|pair| pair[0] < pair[1]));
        assert!(series.values().iter().all(|value| value.is_finite()));
        // A grid of a series over many years is large by design; keep the fuzzer quick.
        let span_s = series.times_s().last().unwrap_or(&0) - series.times_s().first().unwrap_or(&0);
        if span_s / i64::from(series.step_s()) < 10_000 {
            assert!(series.series().present().count() <= series.len());
        }
    }
}

/// Traces as Parquet, whatever they hold.
pub fn parquet(bytes: &[u8]) {
    // A file in memory: the reader wants to seek.
    let Ok(memory) = rustix::fs::memfd_create("fuzz", rustix::fs::MemfdFlags::CLOEXEC) else { return };
    let mut file = File::from(memory);
    if file.write_all(bytes).is_err() {
        return;
    }
    if let Ok(trace) = Trace::from_parquet(Path::new("x.parquet"), file) {
        assert!(trace.iter().all(|(_, _, series)| series.values().iter().all(|value| value.is_finite())));
    }
}
