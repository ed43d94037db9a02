//! systemd's properties, against a stand-in for systemd on a bus of its own.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests")]

mod act_support;

use act_support::{MIB, admitted, group, left_out, put, v1_tree, v2_tree, workload};
use apportion_core::{
    Executor, Knob, Outcome,
    Setting::{self, Unlimited, Value},
    Workload, WorkloadKind,
};
use apportion_host::{
    act::{CgroupFiles, PutBack, Route, SystemdUnits, restore, systemd_runs},
    cgroupfs::Hierarchy,
};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};
use zbus::{OwnedObjectPath, OwnedVariant, fdo};

const WEB: &str = "/system.slice/web.service";
const NO_LIMIT: u64 = u64::MAX;

/// What the stand-in holds of `web.service`, and what it was told.
#[derive(Default)]
struct Unit {
    numbers: BTreeMap<String, u64>,
    disks: BTreeMap<String, Vec<(String, u64)>>,
    told: Vec<String>,
}

type Shared = Arc<Mutex<Unit>>;

struct Manager(Shared);

#[zbus::interface(name = "org.freedesktop.systemd1.Manager")]
impl Manager {
    #[zbus(property)]
    fn version(&self) -> String {
        "252".to_owned()
    }
    fn load_unit(&self, name: &str) -> fdo::Result<OwnedObjectPath> {
        let path = match name {
            "web.service" => "web",
            "stubborn.service" => "stubborn",
            _ => "missing",
        };
        Ok(OwnedObjectPath::try_from(format!("/org/freedesktop/systemd1/unit/{path}")).unwrap())
    }
    fn set_unit_properties(
        &self,
        name: &str,
        runtime: bool,
        properties: Vec<(String, OwnedVariant)>,
    ) -> fdo::Result<()> {
        if name == "stubborn.service" {
            return Err(fdo::Error::AccessDenied("Permission denied".to_owned()));
        }
        assert!(runtime, "nothing is to outlive the next boot");
        let mut unit = self.0.lock().unwrap();
        for (property, value) in properties {
            unit.told.push(property.clone());
            if property.starts_with("IO") {
                let disks: Vec<(String, u64)> = value.try_into().unwrap();
                unit.disks.insert(property, disks);
            } else {
                unit.numbers.insert(property, value.try_into().unwrap());
            }
        }
        Ok(())
    }
}

struct Loaded(&'static str);

#[zbus::interface(name = "org.freedesktop.systemd1.Unit")]
impl Loaded {
    #[zbus(property)]
    fn load_state(&self) -> String {
        self.0.to_owned()
    }
}

struct Service(Shared);

impl Service {
    fn number(&self, name: &str) -> u64 {
        self.0.lock().unwrap().numbers.get(name).copied().unwrap_or(NO_LIMIT)
    }
    fn disks(&self, name: &str) -> Vec<(String, u64)> {
        self.0.lock().unwrap().disks.get(name).cloned().unwrap_or_default()
    }
}

#[zbus::interface(name = "org.freedesktop.systemd1.Service")]
impl Service {
    #[zbus(property, name = "CPUQuotaPerSecUSec")]
    fn cpu_quota(&self) -> u64 {
        self.number("CPUQuotaPerSecUSec")
    }
    #[zbus(property)]
    fn memory_high(&self) -> u64 {
        self.number("MemoryHigh")
    }
    #[zbus(property)]
    fn memory_max(&self) -> u64 {
        self.number("MemoryMax")
    }
    #[zbus(property, name = "IOReadBandwidthMax")]
    fn io_read(&self) -> Vec<(String, u64)> {
        self.disks("IOReadBandwidthMax")
    }
    #[zbus(property, name = "IOWriteBandwidthMax")]
    fn io_write(&self) -> Vec<(String, u64)> {
        self.disks("IOWriteBandwidthMax")
    }
}

/// A bus with the stand-in on it, until dropped.
struct Machine {
    daemon: Child,
    address: String,
    unit: Shared,
    root: tempfile::TempDir,
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

impl Machine {
    fn start() -> Option<Self> {
        let root = tempfile::tempdir().unwrap();
        let socket = root.path().join("bus");
        let mut daemon = Command::new("dbus-daemon");
        daemon.args(["--session", "--nofork", "--nopidfile", "--print-address"]);
        daemon.arg(format!("--address=unix:path={}", socket.display())).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut daemon = match daemon.spawn() {
            Ok(daemon) => daemon,
            Err(error) => {
                left_out("systemd over D-Bus", &format!("dbus-daemon: {error}"));
                return None;
            }
        };
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let (address, unit) = (address.trim().to_owned(), Shared::default());
        serve(address.clone(), Arc::clone(&unit));
        Some(Self { daemon, address, unit, root })
    }

    fn route(&self, hierarchy: Hierarchy) -> Route {
        let units = SystemdUnits::connect_to(&self.address, hierarchy.clone()).unwrap();
        Route::new(vec![Box::new(units), Box::new(CgroupFiles::new(hierarchy))])
    }
}

/// Serves the stand-in from a thread of its own; returns when it answers.
fn serve(address: String, unit: Shared) {
    let (ready, wait) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let at = |name: &str| format!("/org/freedesktop/systemd1/unit/{name}");
            let _connection = zbus::conn::Builder::address(address.as_str())
                .serve_at("/org/freedesktop/systemd1", Manager(Arc::clone(&unit)))
                .serve_at(at("web"), Loaded("loaded"))
                .serve_at(at("web"), Service(Arc::clone(&unit)))
                .serve_at(at("stubborn"), Loaded("loaded"))
                .serve_at(at("stubborn"), Service(Shared::default()))
                .serve_at(at("missing"), Loaded("not-found"))
                .name("org.freedesktop.systemd1")
                .build()
                .await
                .unwrap();
            ready.send(()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    wait.recv().unwrap();
}

fn unit(path: &str) -> Workload {
    workload(path, WorkloadKind::SystemdUnit)
}

fn said(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed { error } => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn units_are_set_through_systemd_and_their_files_left_to_it() {
    let Some(machine) = Machine::start() else { return };
    let mut route = machine.route(v2_tree(machine.root.path(), WEB));
    let mut set = |knob, to: Setting| {
        assert_eq!(route.observe(&unit(WEB), knob), Some(Unlimited), "{knob}");
        let outcome = route.apply(&admitted(&unit(WEB), knob, Unlimited, to));
        assert_eq!(outcome, Outcome::Applied { read_back: to }, "{knob}");
        assert_eq!(route.observe(&unit(WEB), knob), Some(to), "{knob}");
    };
    set(Knob::CpuQuota, Value(0.25));
    set(Knob::MemoryHigh, Value(64.0 * MIB));
    set(Knob::MemoryMax, Value(96.0 * MIB));
    set(Knob::IoReadMax, Value(MIB));
    set(Knob::IoWriteMax, Value(2.0 * MIB));
    {
        let held = machine.unit.lock().unwrap();
        assert_eq!(held.numbers["CPUQuotaPerSecUSec"], 250_000);
        assert_eq!(held.numbers["MemoryMax"], 96 << 20);
        assert_eq!(held.disks["IOReadBandwidthMax"], [("/dev/sda".to_owned(), 1 << 20)], "the disk that it used");
        let ours = ["CPUQuotaPerSecUSec", "MemoryHigh", "MemoryMax", "IOReadBandwidthMax", "IOWriteBandwidthMax"];
        assert_eq!(held.told, ours);
    }
    let file = machine.root.path().join("sys/fs/cgroup/system.slice/web.service/cpu.max");
    assert_eq!(std::fs::read_to_string(file).unwrap(), "max 100000\n", "files of units are systemd's to write");
    let former = [Knob::CpuQuota, Knob::MemoryHigh, Knob::MemoryMax, Knob::IoReadMax, Knob::IoWriteMax];
    let results = restore(former.map(|knob| (unit(WEB), knob, Unlimited)).to_vec(), &mut route);
    assert!(results.iter().all(|one| one.result == PutBack::Done), "{results:?}");
    let held = machine.unit.lock().unwrap();
    assert_eq!(held.numbers["MemoryHigh"], NO_LIMIT);
    assert_eq!(held.disks["IOReadBandwidthMax"], []);
}

#[test]
fn what_is_not_systemds_goes_to_the_files() {
    let Some(machine) = Machine::start() else { return };
    let root = machine.root.path();
    let inside = "/system.slice/docker-1.scope/app";
    let mut files = machine.route(v2_tree(root, inside));
    assert!(files.apply(&admitted(&group(inside), Knob::CpuQuota, Unlimited, Value(0.5))).is_applied());
    assert_eq!(machine.unit.lock().unwrap().told, [""; 0], "a group inside a unit is not systemd's");
    let of_user = "/user.slice/user@1000.service/app.slice/web.service";
    let route = machine.route(v2_tree(root, of_user));
    assert_eq!(route.observe(&unit(of_user), Knob::CpuQuota), None, "it belongs to that user's systemd");
    // On version 1 trees systemd has no file for this property, though it takes it.
    let v1 = tempfile::tempdir().unwrap();
    let route = machine.route(v1_tree(v1.path(), WEB));
    assert_eq!(route.observe(&unit(WEB), Knob::MemoryHigh), None);
    assert_eq!(route.observe(&unit(WEB), Knob::NetworkSendMax), None);
    assert_eq!(route.observe(&unit("/-.slice"), Knob::CpuQuota), None, "the root slice is the root group");
    assert_eq!(route.observe(&group("/"), Knob::CpuQuota), None);
}

#[test]
fn refusals_and_vanished_units_are_outcomes() {
    let Some(machine) = Machine::start() else { return };
    let mut route = machine.route(v2_tree(machine.root.path(), WEB));
    let mut apply = |path: &str, knob, to| route.apply(&admitted(&unit(path), knob, Unlimited, to));
    let refused = said(apply("/system.slice/stubborn.service", Knob::CpuQuota, Value(0.5)));
    assert!(refused.contains("stubborn.service") && refused.contains("run as root"), "{refused}");
    let gone = said(apply("/system.slice/missing.scope", Knob::CpuQuota, Value(0.5)));
    assert!(gone.contains("missing.scope") && gone.contains("gone"), "{gone}");
    let dir = machine.root.path().join("sys/fs/cgroup/system.slice/web.service");
    put(&dir, "memory.current", "104857600\n");
    let deadly = said(apply(WEB, Knob::MemoryMax, Value(64.0 * MIB)));
    assert!(deadly.contains("would kill"), "{deadly}");
    let results = restore(vec![(unit("/system.slice/missing.scope"), Knob::CpuQuota, Unlimited)], &mut route);
    assert_eq!(results[0].result, PutBack::Gone);
    machine.unit.lock().unwrap().disks.insert(
        "IOReadBandwidthMax".to_owned(),
        vec![("/dev/sda".to_owned(), 5_000_000), ("/dev/sdb".to_owned(), 9_000_000)],
    );
    assert_eq!(route.observe(&unit(WEB), Knob::IoReadMax), None, "uneven disks could not be put back");
}

#[test]
fn a_silent_bus_and_async_callers_are_errors_not_hangs() {
    let Some(mut machine) = Machine::start() else { return };
    let mut route = machine.route(v2_tree(machine.root.path(), WEB));
    let change = admitted(&unit(WEB), Knob::CpuQuota, Unlimited, Value(0.5));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let inside = runtime.block_on(async { said(route.apply(&change)) });
    assert!(inside.contains("thread of their own"), "{inside}");
    machine.daemon.kill().unwrap();
    machine.daemon.wait().unwrap();
    let broken = said(route.apply(&change));
    assert!(broken.contains("web.service") && broken.contains("is systemd running, and is dbus installed"), "{broken}");
    let missing = SystemdUnits::connect_to(&machine.address, v2_tree(Path::new(machine.root.path()), WEB));
    assert!(missing.is_err());
}

#[test]
fn a_systemd_that_hangs_is_waited_for_once() {
    let Some(machine) = Machine::start() else { return };
    let mut route = machine.route(v2_tree(machine.root.path(), WEB));
    let signal = |name: &str| {
        let pid = machine.daemon.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    };
    signal("-STOP");
    let begin = Instant::now();
    let knobs = [Knob::CpuQuota, Knob::MemoryHigh, Knob::MemoryMax, Knob::IoReadMax, Knob::IoWriteMax];
    for knob in knobs.repeat(8) {
        assert_eq!(route.observe(&unit(WEB), knob), None, "{knob}");
    }
    let silent = said(route.apply(&admitted(&unit(WEB), Knob::CpuQuota, Unlimited, Value(0.5))));
    let connecting = SystemdUnits::connect_to(&machine.address, v2_tree(Path::new(machine.root.path()), WEB));
    signal("-CONT");
    assert!(begin.elapsed() < Duration::from_secs(14), "{:?}", begin.elapsed());
    assert!(silent.contains("systemd: no answer in time, so it is left alone for 30 s"), "{silent}");
    assert!(connecting.is_err(), "nor does a connection wait for ever");
}

/// A unit of the systemd that runs this machine, stopped when dropped.
struct Started(String);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = Command::new("systemctl").args(["stop", &self.0]).status();
    }
}

impl Started {
    fn busy() -> Option<Self> {
        let name = format!("apportion-test-{}.service", std::process::id());
        let unit = format!("--unit={name}");
        let disk = std::env::var("APPORTION_TEST_DISK").unwrap_or_else(|_| env!("CARGO_TARGET_TMPDIR").to_owned());
        let file = format!("{disk}/{name}");
        let script = format!("dd if=/dev/zero of={file} bs=4k count=1 conv=fsync; rm {file}; while :; do :; done");
        let mut run = Command::new("systemd-run");
        run.args(["--quiet", &unit, "--property=IOAccounting=yes", "sh", "-c", &script]);
        let output = run.output();
        match output {
            Ok(output) if output.status.success() => Some(Self(name)),
            Ok(output) => {
                left_out("a real systemd", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                left_out("a real systemd", &format!("systemd-run: {error}"));
                None
            }
        }
    }
}

#[test]
fn a_real_systemd_sets_the_files_and_keeps_them() {
    if !systemd_runs(Path::new("/")) {
        return left_out("a real systemd", "it is not the init of this machine");
    }
    let Some(started) = Started::busy() else { return };
    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    let web = unit(&format!("/system.slice/{}", started.0));
    let units = SystemdUnits::connect(hierarchy.clone()).unwrap();
    let mut route = Route::new(vec![Box::new(units)]);
    let files = Route::new(vec![Box::new(CgroupFiles::new(hierarchy))]);
    let wanted = [
        (Knob::CpuQuota, Value(0.2)),
        (Knob::MemoryHigh, Value(64.0 * MIB)),
        (Knob::MemoryMax, Value(96.0 * MIB)),
        (Knob::IoReadMax, Value(4.0 * MIB)),
    ];
    let holds = |knob, to: Setting| {
        // systemd answers before it has written the file; a controller that no limit needs any more it switches off.
        let held = || files.observe(&group(&web.path), knob).or((to == Unlimited).then_some(Unlimited));
        let shown = (0..100).any(|_| {
            thread::sleep(std::time::Duration::from_millis(50));
            held() == Some(to)
        });
        assert!(shown, "{knob} should be {to} but is {:?}", held());
    };
    for (knob, to) in wanted {
        assert_eq!(route.observe(&web, knob), Some(Unlimited), "{knob}");
        let outcome = route.apply(&admitted(&web, knob, Unlimited, to));
        assert_eq!(outcome, Outcome::Applied { read_back: to }, "{knob}");
        holds(knob, to);
    }
    assert!(Command::new("systemctl").arg("daemon-reload").status().unwrap().success());
    for (knob, to) in wanted {
        holds(knob, to);
    }
    let results = restore(wanted.map(|(knob, _)| (web.clone(), knob, Unlimited)).to_vec(), &mut route);
    assert!(results.iter().all(|one| one.result == PutBack::Done), "{results:?}");
    for (knob, _) in wanted {
        holds(knob, Unlimited);
    }
    drop(started);
    let results = restore(vec![(web, Knob::CpuQuota, Unlimited)], &mut route);
    assert_eq!(results[0].result, PutBack::Gone);
}
