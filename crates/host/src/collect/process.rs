//! Workloads that nothing groups: processes by executable and session.

use super::{
    LISTING_TICKS, groups,
    metrics::Metrics,
    noted,
    proc_files::{self, ProcessStat},
    real,
    slots::{Slot, SlotKey, Slots, Usage},
};
use crate::cgroupfs::{Error, Hierarchy, Reader, group_to_text};
use apportion_core::{Batch, Collector, Problem, Time, Workload, WorkloadKind};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Reads processes that are at the top of the cgroup trees or in a login session: CPU, memory, block I/O (where this
/// process may read it) and threads, by executable and session. Kernel threads are left out.
#[derive(Debug)]
pub struct ProcCollector {
    hierarchy: Hierarchy,
    reader: Reader,
    metrics: Metrics,
    known: BTreeMap<u32, Known>,
    slots: Slots,
    looks: u32,
    ticks_per_s: f64,
    page_bytes: f64,
    is_io_closed: bool,
}

/// What is known of a process.
#[derive(Debug)]
enum Known {
    /// It is in a group of its own, or a thread of the kernel.
    Elsewhere,
    /// It is counted here.
    Member(Member),
}

#[derive(Debug)]
struct Member {
    start_ticks: u64,
    command: Vec<u8>,
    session: u64,
    slot: SlotKey,
    /// What it had used before it was counted here.
    before: Usage,
    last: Usage,
}

impl ProcCollector {
    /// A collector of the processes below `hierarchy.root()`.
    #[must_use]
    pub fn new(hierarchy: Hierarchy) -> Self {
        Self {
            hierarchy,
            reader: Reader::default(),
            metrics: Metrics::default(),
            known: BTreeMap::new(),
            slots: Slots::default(),
            looks: 0,
            ticks_per_s: real(rustix::param::clock_ticks_per_second()),
            page_bytes: real(rustix::param::page_size() as u64),
            is_io_closed: false,
        }
    }

    fn look_at(&mut self, pid: u32, dir: &Path) -> Result<(), Error> {
        let is_due = pid % LISTING_TICKS == self.looks % LISTING_TICKS;
        if !is_due && matches!(self.known.get(&pid), Some(Known::Elsewhere)) {
            return Ok(());
        }
        let Some(stat) = self.reader.parsed(dir, "stat", proc_files::parse_process_stat)? else {
            self.end(pid);
            return Ok(());
        };
        let known = match self.known.get(&pid) {
            Some(Known::Member(member)) if member.start_ticks == stat.start_ticks => true,
            Some(Known::Member(_)) => {
                self.end(pid);
                false
            }
            _ => false,
        };
        if (is_due || !known) && self.is_elsewhere(pid, &stat)? {
            self.end(pid);
            self.known.insert(pid, Known::Elsewhere);
            return Ok(());
        }
        self.count(pid, dir, &stat)
    }

    fn is_elsewhere(&mut self, pid: u32, stat: &ProcessStat) -> Result<bool, Error> {
        if stat.is_kernel {
            return Ok(true);
        }
        let trees = self.hierarchy.workload_trees();
        let groups = self.hierarchy.groups_in(&trees, &pid.to_string(), &mut self.reader)?;
        Ok(groups.iter().any(|group| !groups::is_shared(group)))
    }

    /// Adds a living process to its slot.
    fn count(&mut self, pid: u32, dir: &Path, stat: &ProcessStat) -> Result<(), Error> {
        let was_elsewhere = matches!(self.known.get(&pid), Some(Known::Elsewhere));
        let io = self.io(dir)?;
        let (resident, shared) = self.reader.parsed(dir, "statm", proc_files::parse_statm)?.unwrap_or_default();
        let mut member = match self.known.remove(&pid) {
            Some(Known::Member(member)) => member,
            _ if stat.is_dead => return Ok(()),
            _ => self.join(dir, stat),
        };
        let (read_bytes, write_bytes) = io.unwrap_or((member.last.read_bytes, member.last.write_bytes));
        let used = Usage { cpu_ticks: stat.cpu_ticks, read_bytes, write_bytes };
        if was_elsewhere {
            member.before = used;
        }
        if member.command != stat.command || member.session != stat.session {
            self.leave(&member);
            member = Member { before: member.last, ..self.join(dir, stat) };
        }
        member.last = used;
        if let Some(slot) = self.slots.get_mut(&member.slot) {
            slot.holding.processes_count += 1;
            slot.holding.threads_count += stat.threads_count;
            slot.holding.resident_pages += resident;
            slot.holding.private_pages += resident.saturating_sub(shared);
            slot.holding.shared_pages = slot.holding.shared_pages.max(shared.min(resident));
            slot.holding.used.add(used.since(member.before));
            slot.holding.has_io |= io.is_some();
        }
        self.known.insert(pid, Known::Member(member));
        Ok(())
    }

    fn join(&mut self, dir: &Path, stat: &ProcessStat) -> Member {
        let command = text(&stat.command);
        let slot = self.slots.of(&executable(dir).unwrap_or_else(|| command.clone()), &command, stat.session);
        let (command, session) = (stat.command.clone(), stat.session);
        let nothing = Usage::default();
        Member { start_ticks: stat.start_ticks, command, session, slot, before: nothing, last: nothing }
    }

    /// What a process used stays with the slot that it leaves.
    fn leave(&mut self, member: &Member) {
        if let Some(slot) = self.slots.get_mut(&member.slot) {
            slot.ended.add(member.last.since(member.before));
        }
    }

    fn end(&mut self, pid: u32) {
        if let Some(Known::Member(member)) = self.known.remove(&pid) {
            self.leave(&member);
        }
    }

    /// Another user's I/O is closed to the unprivileged: that is no error, and not a zero either.
    fn io(&mut self, dir: &Path) -> Result<Option<(u64, u64)>, Error> {
        match self.reader.parsed(dir, "io", proc_files::parse_process_io) {
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::PermissionDenied => {
                self.is_io_closed = true;
                Ok(None)
            }
            other => other,
        }
    }

    fn report(&self, now: Time, slot: &Slot, batch: &mut Batch) {
        let holding = &slot.holding;
        let mut used = slot.ended;
        used.add(holding.used);
        let labels = [
            ("command", slot.command.clone()),
            ("executable", slot.executable.clone()),
            ("session", slot.session.unwrap_or_default().to_string()),
        ];
        batch.workloads.push(Workload {
            id: slot.id.clone(),
            kind: WorkloadKind::ProcessGroup,
            path: String::new(),
            labels: labels.map(|(name, value)| (name.to_owned(), value)).into(),
        });
        let mut push = |metric, value| batch.push(&slot.id, metric, now, value);
        let working_set = holding.private_pages + holding.shared_pages;
        push(&self.metrics.cpu, real(used.cpu_ticks) / self.ticks_per_s);
        push(&self.metrics.memory, real(holding.resident_pages) * self.page_bytes);
        push(&self.metrics.working_set, real(working_set) * self.page_bytes);
        push(&self.metrics.tasks, real(holding.threads_count));
        if holding.has_io {
            push(&self.metrics.io_read, real(used.read_bytes));
            push(&self.metrics.io_write, real(used.write_bytes));
        }
    }

    fn look(&mut self, problems: &mut Vec<Problem>) {
        let proc = self.hierarchy.root().join("proc");
        let pids = match pids(&proc) {
            Ok(pids) => pids,
            Err(source) => return problems.push(super::problem(&Error::Io { path: proc, source })),
        };
        self.slots.begin_look();
        let gone: Vec<u32> = self.known.keys().filter(|pid| pids.binary_search(pid).is_err()).copied().collect();
        gone.into_iter().for_each(|pid| self.end(pid));
        let mut dir = PathBuf::new();
        for pid in pids {
            dir.clear();
            dir.push(&proc);
            dir.push(pid.to_string());
            noted(self.look_at(pid, &dir).map(Some), problems);
        }
        self.slots.end_look();
        if self.is_io_closed && self.looks == 0 {
            let what = "block I/O of other users' processes is closed: run as root, or give CAP_SYS_PTRACE";
            problems.push(Problem { place: format!("{}/PID/io", proc.display()), what: what.to_owned() });
        }
    }
}

impl Collector for ProcCollector {
    fn name(&self) -> &str {
        "proc"
    }

    fn collect(&mut self, now: Time) -> Batch {
        let mut batch = Batch::default();
        self.look(&mut batch.problems);
        // What starts and ends between two looks is not worth a workload; at the first look nothing has a past.
        let least_looks = if self.looks == 0 { 1 } else { 2 };
        for slot in self.slots.iter().filter(|slot| slot.looks >= least_looks) {
            self.report(now, slot, &mut batch);
        }
        self.looks = self.looks.wrapping_add(1);
        batch
    }
}

/// The processes that exist, ascending.
fn pids(proc: &Path) -> std::io::Result<Vec<u32>> {
    let names = fs::read_dir(proc)?.flatten().map(|entry| entry.file_name());
    let mut pids: Vec<u32> = names.filter_map(|name| name.to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    Ok(pids)
}

/// The path of a process's executable; `None` where it is closed to us.
fn executable(dir: &Path) -> Option<String> {
    let path = group_to_text(&fs::read_link(dir.join("exe")).ok()?);
    Some(path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned())
}

fn text(bytes: &[u8]) -> String {
    use std::os::unix::ffi::OsStrExt;
    group_to_text(Path::new(std::ffi::OsStr::from_bytes(bytes)))
}
