//! The machine as a whole, and what it has to give.

use super::{LISTING_TICKS, capacity, devices::Devices, metrics::Metrics, netns, noted, proc_files, real};
use crate::cgroupfs::{Hierarchy, Pressure, Reader};
use apportion_core::{Batch, Capacity, Collector, Metric, Problem, Time, Workload, WorkloadId, WorkloadKind};
use std::{collections::BTreeMap, path::PathBuf};

/// A clock that moves so far from the time since boot was set, not slewed.
const JUMP_S: f64 = 5.0;

/// Reads the machine: CPU, memory, load, disks, interfaces, pressure; and its [`Capacity`].
///
/// Disks and interfaces are there one by one (`io_read_bytes_per_s:vda`) and in all. Only whole disks count in the sum,
/// and only interfaces with hardware behind them (or, where there are none, all but the loopback).
#[derive(Debug)]
pub struct MachineCollector {
    hierarchy: Hierarchy,
    reader: Reader,
    metrics: Metrics,
    devices: Devices,
    physical: BTreeMap<String, bool>,
    parts: BTreeMap<(Metric, String), Metric>,
    machine: Workload,
    capacity: Capacity,
    clocks: Option<(Time, f64)>,
    ticks_to_listing: u32,
    ticks_per_s: f64,
}

impl MachineCollector {
    /// A collector of the machine below `hierarchy.root()`.
    #[must_use]
    pub fn new(hierarchy: Hierarchy) -> Self {
        let id = WorkloadId::new(WorkloadId::MACHINE);
        Self {
            hierarchy,
            reader: Reader::default(),
            metrics: Metrics::default(),
            devices: Devices::default(),
            physical: BTreeMap::new(),
            parts: BTreeMap::new(),
            machine: Workload { id, kind: WorkloadKind::Machine, path: String::new(), labels: BTreeMap::new() },
            capacity: Capacity::default(),
            clocks: None,
            ticks_to_listing: 0,
            ticks_per_s: real(rustix::param::clock_ticks_per_second()),
        }
    }

    /// What there was to give at the last collection: cores, memory, network where the link's speed is known.
    #[must_use]
    pub const fn capacity(&self) -> &Capacity {
        &self.capacity
    }

    /// How long ago the machine was started, as of the last collection, seconds.
    #[must_use]
    pub fn uptime_s(&self) -> Option<f64> {
        self.clocks.map(|(_, uptime_s)| uptime_s)
    }

    fn proc(&self) -> PathBuf {
        self.hierarchy.root().join("proc")
    }

    fn list(&mut self, problems: &mut Vec<Problem>) {
        self.devices = Devices::read(self.hierarchy.root());
        self.physical.clear();
        self.capacity = capacity::read(&self.hierarchy, &mut self.reader, problems);
    }

    fn push(&self, batch: &mut Batch, now: Time, metric: &Metric, value: f64) {
        batch.push(&self.machine.id, metric, now, value);
    }

    fn cpu_and_memory(&mut self, now: Time, batch: &mut Batch) {
        let proc = self.proc();
        let cpu = self.reader.parsed(&proc, "stat", proc_files::parse_machine_cpu);
        let memory = self.reader.parsed(&proc, "meminfo", proc_files::parse_meminfo);
        let load = self.reader.parsed(&proc, "loadavg", proc_files::parse_loadavg);
        if let Some(cpu) = noted(cpu, &mut batch.problems) {
            self.push(batch, now, &self.metrics.cpu, real(cpu.busy_ticks) / self.ticks_per_s);
        }
        if let Some(memory) = noted(memory, &mut batch.problems) {
            let used = |left: u64| real(memory.total_bytes.saturating_sub(left));
            self.push(batch, now, &self.metrics.memory, used(memory.free_bytes));
            if let Some(available) = memory.available_bytes {
                self.push(batch, now, &self.metrics.working_set, used(available));
            }
        }
        if let Some(load) = noted(load, &mut batch.problems) {
            self.push(batch, now, &self.metrics.load, load);
        }
    }

    fn disks(&mut self, now: Time, batch: &mut Batch) {
        let disks = self.reader.parsed(&self.proc(), "diskstats", proc_files::parse_diskstats);
        let Some(mut disks) = noted(disks, &mut batch.problems) else { return };
        disks.retain(|disk| self.devices.is_disk(disk.device));
        let (mut read, mut write) = (0_u64, 0_u64);
        for disk in &disks {
            read = read.saturating_add(disk.read_bytes);
            write = write.saturating_add(disk.write_bytes);
            let (read_of, write_of) = (self.metrics.io_read.clone(), self.metrics.io_write.clone());
            self.push_part(batch, now, read_of, &disk.name, disk.read_bytes);
            self.push_part(batch, now, write_of, &disk.name, disk.write_bytes);
        }
        self.push(batch, now, &self.metrics.io_read, real(read));
        self.push(batch, now, &self.metrics.io_write, real(write));
    }

    fn interfaces(&mut self, now: Time, batch: &mut Batch) {
        let interfaces = self.reader.parsed(&self.proc().join("net"), "dev", proc_files::parse_net_dev);
        let Some(mut interfaces) = noted(interfaces, &mut batch.problems) else { return };
        interfaces.retain(|interface| interface.name != "lo");
        let classes = self.hierarchy.root().join("sys/class/net");
        for interface in &interfaces {
            if !self.physical.contains_key(&interface.name) {
                let is_physical = classes.join(&interface.name).join("device").exists();
                self.physical.insert(interface.name.clone(), is_physical);
            }
        }
        if interfaces.iter().any(|interface| self.physical[&interface.name]) {
            interfaces.retain(|interface| self.physical[&interface.name]);
        }
        for interface in &interfaces {
            let (receive_of, send_of) = (self.metrics.receive.clone(), self.metrics.send.clone());
            self.push_part(batch, now, receive_of, &interface.name, interface.receive_bytes);
            self.push_part(batch, now, send_of, &interface.name, interface.send_bytes);
        }
        let (receive, send) = netns::sum(interfaces.iter());
        self.push(batch, now, &self.metrics.receive, real(receive));
        self.push(batch, now, &self.metrics.send, real(send));
    }

    fn push_part(&mut self, batch: &mut Batch, now: Time, metric: Metric, part: &str, value: u64) {
        let of_part = self.parts.entry((metric, part.to_owned()));
        let metric = of_part.or_insert_with_key(|(metric, part)| metric.of_part(part)).clone();
        self.push(batch, now, &metric, real(value));
    }

    fn pressure(&mut self, now: Time, batch: &mut Batch) {
        let dir = self.proc().join("pressure");
        for (file, metric) in [
            ("cpu", &self.metrics.cpu_pressure),
            ("memory", &self.metrics.memory_pressure),
            ("io", &self.metrics.io_pressure),
        ] {
            let pressure: Option<Pressure> = noted(self.reader.pressure(&dir, file), &mut batch.problems);
            if let Some(some) = pressure.and_then(|pressure| pressure.some) {
                batch.push(&self.machine.id, metric, now, some.total_s);
            }
        }
    }

    /// Says so when the clock was set: what was read before and after is then not as far apart as it looks.
    fn clock(&mut self, now: Time, problems: &mut Vec<Problem>) {
        let uptime = self.reader.parsed(&self.proc(), "uptime", proc_files::parse_uptime);
        let Some(uptime_s) = noted(uptime, problems) else { return };
        if let Some((time, before_s)) = self.clocks.replace((now, uptime_s)) {
            let jump_s = now.since_s(time) - (uptime_s - before_s);
            if jump_s.abs() > JUMP_S {
                let way = if jump_s > 0.0 { "forward" } else { "back" };
                let what =
                    format!("was set {way} by {:.0} s: rates across the jump are not to be trusted", jump_s.abs());
                problems.push(Problem { place: "clock".to_owned(), what });
            }
        }
    }
}

impl Collector for MachineCollector {
    fn name(&self) -> &str {
        "machine"
    }

    fn collect(&mut self, now: Time) -> Batch {
        let mut batch = Batch::default();
        if self.ticks_to_listing == 0 {
            self.list(&mut batch.problems);
            self.ticks_to_listing = LISTING_TICKS;
        }
        self.ticks_to_listing -= 1;
        self.clock(now, &mut batch.problems);
        self.cpu_and_memory(now, &mut batch);
        self.disks(now, &mut batch);
        self.interfaces(now, &mut batch);
        self.pressure(now, &mut batch);
        batch.workloads.push(self.machine.clone());
        batch
    }
}
