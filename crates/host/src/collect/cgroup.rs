//! Workloads that are groups of the cgroup trees.

use super::{
    LISTING_TICKS, container,
    container::Container,
    devices::Devices,
    groups::{self, Group, Shape},
    lives::Lives,
    metrics::Metrics,
    netns::{Namespaces, network_bytes},
    noted, problem, real,
};
use crate::cgroupfs::{Controller, Error, Hierarchy, Pressure, Reader, Version, walk};
use apportion_core::{Batch, Collector, Problem, Time, Workload, WorkloadId, WorkloadKind};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

/// Reads every group that is a workload (see [`super::groups`]): CPU, throttling, memory, out-of-memory kills, block I/O,
/// tasks, pressure, and the network of a group that has one of its own.
#[derive(Debug)]
pub struct CgroupCollector {
    hierarchy: Hierarchy,
    has_systemd: bool,
    /// For the files of groups, which stay open.
    reader: Reader,
    /// For what is read once, and for files of processes: an open one would keep their network alive.
    passing: Reader,
    metrics: Metrics,
    devices: Devices,
    tracked: Vec<Tracked>,
    lives: Lives,
    ticks_to_listing: u32,
}

/// A workload and where its files are.
#[derive(Debug)]
struct Tracked {
    workload: Workload,
    usage: Option<(Version, PathBuf)>,
    quota: Option<PathBuf>,
    memory: Option<(Version, PathBuf)>,
    io: Option<(Version, PathBuf)>,
    pids: Option<PathBuf>,
    pressure: Option<PathBuf>,
    /// A process whose network is this workload's alone.
    network_pid: Option<u32>,
}

impl CgroupCollector {
    /// A collector of the trees that `hierarchy` found.
    #[must_use]
    pub fn new(hierarchy: Hierarchy) -> Self {
        let has_systemd = hierarchy.root().join("run/systemd/system").is_dir();
        Self {
            hierarchy,
            has_systemd,
            reader: Reader::keeping(),
            passing: Reader::default(),
            metrics: Metrics::default(),
            devices: Devices::default(),
            tracked: Vec::new(),
            lives: Lives::default(),
            ticks_to_listing: 0,
        }
    }

    /// Finds the groups anew.
    fn list(&mut self, problems: &mut Vec<Problem>) {
        self.devices = Devices::read(self.hierarchy.root());
        self.reader.close_unread();
        let (mut found, mut errors) = (Vec::new(), Vec::new());
        for tree in self.hierarchy.workload_trees() {
            let (in_tree, errors_in_tree) = walk(tree);
            found.extend(in_tree);
            errors.extend(errors_in_tree);
        }
        problems.extend(errors.iter().map(problem));
        let mut known: BTreeMap<String, Tracked> =
            self.tracked.drain(..).map(|tracked| (tracked.workload.path.clone(), tracked)).collect();
        let mut tracked = Vec::new();
        for group in groups::select(&found) {
            match known.remove(&group.path) {
                Some(before) => tracked.push(before),
                None => tracked.extend(self.track(&group, problems)),
            }
        }
        make_unique(&mut tracked);
        self.find_networks(&mut tracked);
        self.tracked = tracked;
    }

    /// `None` for what only holds a pod together.
    fn track(&mut self, group: &Group, problems: &mut Vec<Problem>) -> Option<Tracked> {
        let workload = self.workload(group, problems);
        if workload.labels.get("role").is_some_and(|role| role == "sandbox") {
            return None;
        }
        let existing = |(version, dir): (Version, PathBuf)| dir.is_dir().then_some((version, dir));
        let place = |controller| self.hierarchy.group_dir(controller, &group.path).and_then(existing);
        let usage = self.hierarchy.cpu_trees().map(|tree| (tree.version, tree.group_dir(&group.path)));
        let usage = usage.into_iter().find_map(existing);
        let quota = place(Controller::Cpu).map(|(_, dir)| dir);
        let pressure = self.hierarchy.unified().map(|tree| tree.group_dir(&group.path)).filter(|dir| dir.is_dir());
        Some(Tracked {
            workload,
            quota: quota
                .filter(|quota| usage.as_ref().is_none_or(|(version, dir)| *version == Version::V1 || dir != quota)),
            usage,
            memory: place(Controller::Memory),
            io: place(Controller::Io),
            pids: place(Controller::Pids).map(|(_, dir)| dir),
            pressure,
            network_pid: None,
        })
    }

    fn workload(&mut self, group: &Group, problems: &mut Vec<Problem>) -> Workload {
        let (name, kind, labels) = match &group.shape {
            Shape::Container(container) => {
                let described = container::describe(self.hierarchy.root(), container, &mut self.passing);
                let described = noted(described.map(Some), problems).unwrap_or_default();
                let labels = container_labels(container, &group.path, described);
                (container_name(container, &labels), WorkloadKind::Cgroup, labels)
            }
            Shape::Unit(unit) => {
                let kind = if self.has_systemd { WorkloadKind::SystemdUnit } else { WorkloadKind::Cgroup };
                (unit_name(&group.path, unit), kind, BTreeMap::from([("unit".to_owned(), unit.clone())]))
            }
            Shape::Plain => (group.path.clone(), WorkloadKind::Cgroup, BTreeMap::new()),
        };
        Workload { id: WorkloadId::new(&name), kind, path: group.path.clone(), labels }
    }

    /// A network namespace belongs to the first workload that is in it, so that the containers of a pod share one count.
    fn find_networks(&mut self, tracked: &mut [Tracked]) {
        let root = self.hierarchy.root();
        let mut namespaces = Namespaces::new(root);
        for tracked in tracked {
            let dir = tracked.usage.as_ref().map(|(_, dir)| dir.as_path());
            tracked.network_pid = dir.and_then(|dir| namespaces.claim(dir, &mut self.passing));
        }
    }
}

impl Collector for CgroupCollector {
    fn name(&self) -> &str {
        "cgroup"
    }

    fn collect(&mut self, now: Time) -> Batch {
        let mut batch = Batch::default();
        if self.ticks_to_listing == 0 {
            self.list(&mut batch.problems);
            self.lives.forget(now);
            self.ticks_to_listing = LISTING_TICKS;
        }
        self.ticks_to_listing -= 1;
        let mut look = Look {
            now,
            root: self.hierarchy.root(),
            reader: &mut self.reader,
            passing: &mut self.passing,
            metrics: &self.metrics,
            devices: &self.devices,
            lives: &mut self.lives,
            is_another: false,
            batch: &mut batch,
        };
        let before = self.tracked.len();
        self.tracked.retain(|tracked| look.workload(tracked));
        if self.tracked.len() < before {
            self.ticks_to_listing = 0;
        }
        batch
    }
}

/// One look at all workloads.
struct Look<'a> {
    now: Time,
    root: &'a std::path::Path,
    reader: &'a mut Reader,
    passing: &'a mut Reader,
    metrics: &'a Metrics,
    devices: &'a Devices,
    lives: &'a mut Lives,
    /// The group that is being read is another one than the one of this name before.
    is_another: bool,
    batch: &'a mut Batch,
}

impl Look<'_> {
    /// Reads one workload; false when it is gone.
    fn workload(&mut self, tracked: &Tracked) -> bool {
        let (samples, problems) = (self.batch.samples.len(), self.batch.problems.len());
        let dir = tracked.usage.as_ref().map(|(_, dir)| dir);
        self.is_another = dir.is_some_and(|dir| self.lives.is_another(&tracked.workload.id, dir, self.now));
        self.cpu(tracked);
        self.memory(tracked);
        self.io(tracked);
        self.tasks(tracked);
        self.pressure(tracked);
        self.network(tracked);
        let is_there = self.batch.samples.len() > samples || self.batch.problems.len() > problems;
        if is_there {
            self.batch.workloads.push(tracked.workload.clone());
        }
        is_there
    }

    fn push(&mut self, tracked: &Tracked, metric: impl Fn(&Metrics) -> &apportion_core::Metric, value: Option<f64>) {
        let Some(value) = value else { return };
        let push = if self.is_another { Batch::push_anew } else { Batch::push };
        push(self.batch, &tracked.workload.id, metric(self.metrics), self.now, value);
    }

    fn read<T>(&mut self, read: impl FnOnce(&mut Reader) -> Result<Option<T>, Error>) -> Option<T> {
        noted(read(self.reader), &mut self.batch.problems)
    }

    fn cpu(&mut self, tracked: &Tracked) {
        let mut stat = None;
        if let Some((version, dir)) = &tracked.usage {
            let used_s = match version {
                Version::V1 => self.read(|reader| reader.cpuacct_usage_s(dir)),
                Version::V2 => {
                    stat = self.read(|reader| reader.cpu_stat(dir));
                    stat.and_then(|stat| stat.usage_s)
                }
            };
            self.push(tracked, |metrics| &metrics.cpu, used_s);
        }
        if let Some(dir) = &tracked.quota {
            stat = self.read(|reader| reader.cpu_stat(dir));
        }
        let Some(stat) = stat else { return };
        self.push(tracked, |metrics| &metrics.throttled, stat.throttled_s);
        self.push(tracked, |metrics| &metrics.throttled_periods, stat.throttled_count.map(real));
        self.push(tracked, |metrics| &metrics.periods, stat.periods_count.map(real));
    }

    fn memory(&mut self, tracked: &Tracked) {
        let Some((version, dir)) = &tracked.memory else { return };
        let charged = self.read(|reader| reader.memory_bytes(*version, dir));
        let stat = self.read(|reader| reader.memory_stat(dir));
        let droppable = stat.and_then(|stat| stat.inactive_file_bytes);
        let working_set = charged.zip(droppable).map(|(charged, droppable)| charged.saturating_sub(droppable));
        let events = self.read(|reader| reader.memory_events(*version, dir));
        self.push(tracked, |metrics| &metrics.memory, charged.map(real));
        self.push(tracked, |metrics| &metrics.working_set, working_set.map(real));
        self.push(tracked, |metrics| &metrics.oom_kills, events.and_then(|events| events.oom_kill_count).map(real));
    }

    fn io(&mut self, tracked: &Tracked) {
        let Some((version, dir)) = &tracked.io else { return };
        let Some(io) = self.read(|reader| reader.io_stat(*version, dir)) else { return };
        let (read, write) = self.devices.sum(&io);
        self.push(tracked, |metrics| &metrics.io_read, Some(real(read)));
        self.push(tracked, |metrics| &metrics.io_write, Some(real(write)));
    }

    fn tasks(&mut self, tracked: &Tracked) {
        let Some(dir) = &tracked.pids else { return };
        let tasks = self.read(|reader| reader.number(dir, "pids.current"));
        self.push(tracked, |metrics| &metrics.tasks, tasks.map(real));
    }

    fn pressure(&mut self, tracked: &Tracked) {
        let Some(dir) = &tracked.pressure else { return };
        let some_s = |pressure: Option<Pressure>| pressure?.some.map(|some| some.total_s);
        let cpu = self.read(|reader| reader.pressure(dir, "cpu.pressure"));
        let memory = self.read(|reader| reader.pressure(dir, "memory.pressure"));
        let io = self.read(|reader| reader.pressure(dir, "io.pressure"));
        self.push(tracked, |metrics| &metrics.cpu_pressure, some_s(cpu));
        self.push(tracked, |metrics| &metrics.memory_pressure, some_s(memory));
        self.push(tracked, |metrics| &metrics.io_pressure, some_s(io));
    }

    fn network(&mut self, tracked: &Tracked) {
        let Some(pid) = tracked.network_pid else { return };
        let bytes = network_bytes(self.root, pid, self.passing);
        let Some((receive, send)) = noted(bytes, &mut self.batch.problems) else { return };
        self.push(tracked, |metrics| &metrics.receive, Some(real(receive)));
        self.push(tracked, |metrics| &metrics.send, Some(real(send)));
    }
}

fn container_labels(
    container: &Container,
    path: &str,
    mut labels: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut add = |name: &str, value: &str| labels.insert(name.to_owned(), value.to_owned());
    add("runtime", container.runtime);
    add("container", &container.id);
    if let Some(uid) = &container.pod_uid {
        add("pod_uid", uid);
    }
    if let Some(qos) = container.qos {
        add("qos", qos);
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    if name.ends_with(".scope") {
        add("unit", name);
    }
    labels
}

/// `namespace/pod/container` in Kubernetes, `docker/web` elsewhere, and the beginning of the number where no name is known.
fn container_name(container: &Container, labels: &BTreeMap<String, String>) -> String {
    let label = |name: &str| labels.get(name).map(String::as_str);
    if let (Some(namespace), Some(pod), Some(name)) = (label("namespace"), label("pod"), label("name")) {
        return format!("{namespace}/{pod}/{name}");
    }
    let short = container.id.get(..12).filter(|_| container.id.len() == 64).unwrap_or(&container.id);
    format!("{}/{}", container.runtime, label("name").unwrap_or(short))
}

/// A unit of the system's manager by its name alone; one of a user's manager with that user.
fn unit_name(path: &str, unit: &str) -> String {
    let mut managers = path.split('/').filter(|part| part.starts_with("user@") && *part != unit);
    let manager = managers.next_back().and_then(|manager| manager.strip_suffix(".service"));
    manager.map_or_else(|| unit.to_owned(), |manager| format!("{manager}/{unit}"))
}

/// Workloads that would have the same name (a unit below two slices, say) are named by their paths instead.
fn make_unique(tracked: &mut [Tracked]) {
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for tracked in tracked.iter() {
        if tracked.workload.id.is_machine() || !seen.insert(tracked.workload.id.clone()) {
            twice.insert(tracked.workload.id.clone());
        }
    }
    for tracked in tracked.iter_mut().filter(|tracked| twice.contains(&tracked.workload.id)) {
        tracked.workload.id = WorkloadId::new(&tracked.workload.path);
    }
}
