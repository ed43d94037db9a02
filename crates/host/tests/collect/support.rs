//! Fake machines in a temporary folder: kernel files as the kernel writes them.

use apportion_core::{Batch, Sample};
use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path};
use tempfile::TempDir;

/// A folder that plays `/`.
pub struct Machine {
    pub dir: TempDir,
}

impl Machine {
    /// An empty machine whose mountinfo has these lines.
    pub fn new(mounts: &[&str]) -> Self {
        // In memory where that can be, as kernel files are: thousands of files on a disk take long to remove.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let machine = Self { dir };
        machine.write("proc/self/mountinfo", mounts.join("\n") + "\n");
        machine
    }
    /// cgroup v2 alone, with all controllers.
    pub fn v2() -> Self {
        let machine = Self::new(&["30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"]);
        machine.write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
        machine
    }
    /// cgroup v1: cpu and cpuacct together, the others each on its own.
    pub fn v1() -> Self {
        let machine = Self::new(&V1_MOUNTS);
        for name in ["cpu,cpuacct", "memory", "blkio", "pids"] {
            machine.folder(&format!("sys/fs/cgroup/{name}"));
        }
        machine
    }
    /// v1 controllers with a v2 tree beside them that has no controllers.
    pub fn hybrid() -> Self {
        let mut mounts = V1_MOUNTS.to_vec();
        mounts.push("41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw");
        let machine = Self::new(&mounts);
        for name in ["cpu,cpuacct", "memory", "blkio", "pids"] {
            machine.folder(&format!("sys/fs/cgroup/{name}"));
        }
        machine.write("sys/fs/cgroup/unified/cgroup.controllers", "hugetlb\n");
        machine
    }
    pub fn root(&self) -> &Path {
        self.dir.path()
    }
    pub fn folder(&self, path: &str) {
        fs::create_dir_all(self.root().join(path)).unwrap();
    }
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        self.write_bytes(path.as_bytes(), content);
    }
    /// The same for names that are not UTF-8.
    pub fn write_bytes(&self, path: &[u8], content: impl AsRef<[u8]>) {
        let path = self.root().join(OsStr::from_bytes(path));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    pub fn remove(&self, path: &str) {
        let path = self.root().join(path);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }
    /// Removes a folder, and takes its number, so that what is made there next has another.
    pub fn replace(&self, path: &str) {
        self.remove(path);
        let taken = fs::read_dir(self.root()).unwrap().count();
        self.folder(&format!("was-{taken}"));
    }
    /// A version 2 group with one process.
    pub fn v2_group(&self, group: &str, usage_us: u64) {
        let at = |file: &str| format!("sys/fs/cgroup{group}/{file}");
        self.write(&at("cgroup.procs"), "100\n");
        self.write(
            &at("cpu.stat"),
            format!("usage_usec {usage_us}\nuser_usec 1\nnr_periods 40\nnr_throttled 7\nthrottled_usec 1500000\n"),
        );
        self.write(&at("memory.current"), "104857600\n");
        self.write(&at("memory.stat"), "anon 1\nfile 52428800\ninactive_file 41943040\n");
        self.write(&at("memory.events"), "low 0\nhigh 3\nmax 2\noom 1\noom_kill 1\n");
        self.write(&at("io.stat"), "8:0 rbytes=1000 wbytes=2000 rios=1 wios=2 dbytes=0 dios=0\n");
        self.write(&at("pids.current"), "5\n");
        for resource in ["cpu", "memory", "io"] {
            self.write(&at(&format!("{resource}.pressure")), PRESSURE);
        }
    }
    /// A version 1 group with one process in every tree.
    pub fn v1_group(&self, group: &str, usage_ns: u64) {
        let at = |tree: &str, file: &str| format!("sys/fs/cgroup/{tree}{group}/{file}");
        for tree in ["cpu,cpuacct", "memory", "blkio", "pids"] {
            self.write(&at(tree, "cgroup.procs"), "100\n");
        }
        self.write(&at("cpu,cpuacct", "cpuacct.usage"), format!("{usage_ns}\n"));
        self.write(&at("cpu,cpuacct", "cpu.stat"), "nr_periods 40\nnr_throttled 7\nthrottled_time 1500000000\n");
        self.write(&at("memory", "memory.usage_in_bytes"), "104857600\n");
        self.write(&at("memory", "memory.stat"), "cache 1\ninactive_file 1\ntotal_inactive_file 41943040\n");
        self.write(&at("memory", "memory.oom_control"), "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
        self.write(
            &at("blkio", "blkio.throttle.io_service_bytes_recursive"),
            "8:0 Read 1000\n8:0 Write 2000\n8:0 Sync 0\n8:0 Async 3000\n8:0 Discard 0\n8:0 Total 3000\nTotal 3000\n",
        );
        self.write(&at("pids", "pids.current"), "5\n");
    }
}

/// A process as `/proc` shows it.
pub struct Process<'a> {
    pub pid: u32,
    pub command: &'a str,
    pub executable: &'a str,
    pub session: u32,
    pub start_ticks: u64,
    pub cpu_ticks: u64,
    pub resident_pages: u64,
    pub shared_pages: u64,
    /// `/proc/PID/cgroup`.
    pub group: &'a str,
}

impl Default for Process<'_> {
    fn default() -> Self {
        Self {
            pid: 100,
            command: "server",
            executable: "/usr/sbin/server",
            session: 50,
            start_ticks: 1_000,
            cpu_ticks: 250,
            resident_pages: 30,
            shared_pages: 10,
            group: "0::/\n",
        }
    }
}

impl Machine {
    pub fn process(&self, process: &Process<'_>) {
        let at = |file: &str| format!("proc/{}/{file}", process.pid);
        let Process { pid, command, session, start_ticks, cpu_ticks, .. } = process;
        self.write(
            &at("stat"),
            format!(
                "{pid} ({command}) S 1 {pid} {session} 0 -1 4194560 9 0 0 0 {cpu_ticks} 0 7 7 20 0 2 0 {start_ticks} 0 0\n"
            ),
        );
        self.write(&at("statm"), format!("999 {} {} 1 0 9 0\n", process.resident_pages, process.shared_pages));
        self.write(&at("io"), format!("rchar: 1\nread_bytes: {}\nwrite_bytes: {}\n", cpu_ticks * 10, cpu_ticks * 20));
        self.write(&at("cgroup"), process.group);
        let link = self.root().join(at("exe"));
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(process.executable, link).unwrap();
    }
}

/// A reading by workload and metric; `None` when it is not in the batch.
pub fn value(batch: &Batch, workload: &str, metric: &str) -> Option<f64> {
    let found = |sample: &&Sample| sample.workload.as_str() == workload && sample.metric.as_str() == metric;
    batch.samples.iter().find(found).map(|sample| sample.value)
}

pub fn names(batch: &Batch) -> Vec<String> {
    batch.workloads.iter().map(|workload| workload.id.to_string()).collect()
}

const V1_MOUNTS: [&str; 5] = [
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755",
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct",
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory",
    "38 31 0:35 / /sys/fs/cgroup/blkio rw,relatime - cgroup cgroup rw,blkio",
    "39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids",
];

pub const PRESSURE: &str = "some avg10=1.50 avg60=0.00 avg300=0.00 total=2500000\n\
    full avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n";

/// Every reading of a metric, in the order of a batch.
pub fn values(batch: &Batch, workload: &str, metric: &str) -> Vec<f64> {
    let of = |sample: &&Sample| sample.workload.as_str() == workload && sample.metric.as_str() == metric;
    batch.samples.iter().filter(of).map(|sample| sample.value).collect()
}
