//! Knobs that are properties of systemd units, set at run time: systemd writes the cgroup files, and they are gone with the
//! next boot. Writing those files beside systemd's back would last until its next `daemon-reload`.
//!
//! Sources: `org.freedesktop.systemd1(5)`, `systemd.resource-control(5)`.

mod bus;

use super::{Access, ActError, Order, cgroup::refuse_to_kill, devices};
use crate::cgroupfs::{Controller, Hierarchy, Reader, Version};
use apportion_core::{Knob, Setting, Workload, WorkloadKind};
use bus::Bus;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Kinds of units that own a group, with the interface that has their limits.
const INTERFACES: [(&str, &str); 6] = [
    (".service", "org.freedesktop.systemd1.Service"),
    (".scope", "org.freedesktop.systemd1.Scope"),
    (".slice", "org.freedesktop.systemd1.Slice"),
    (".socket", "org.freedesktop.systemd1.Socket"),
    (".mount", "org.freedesktop.systemd1.Mount"),
    (".swap", "org.freedesktop.systemd1.Swap"),
];
/// What systemd shows for no limit.
const UNLIMITED: u64 = u64::MAX;
const MICROS: f64 = 1e6;

/// Properties of units of the system's systemd. To be called from threads without an async runtime.
pub struct SystemdUnits {
    bus: Bus,
    hierarchy: Hierarchy,
    seen: Mutex<BTreeMap<(String, Knob), (Instant, Setting)>>,
}

/// A unit, with the interface that has its limits.
struct Unit<'a> {
    name: &'a str,
    interface: &'static str,
}

impl SystemdUnits {
    /// The systemd that runs this machine, over the system bus.
    ///
    /// # Errors
    /// systemd does not run here, or does not answer.
    pub fn connect(hierarchy: Hierarchy) -> Result<Self, ActError> {
        Self::over(Bus::of_machine()?, hierarchy)
    }

    /// The systemd behind a bus address (`unix:path=...`).
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn connect_to(address: &str, hierarchy: Hierarchy) -> Result<Self, ActError> {
        Self::over(Bus::at(address), hierarchy)
    }

    fn over(bus: Bus, hierarchy: Hierarchy) -> Result<Self, ActError> {
        bus.version()?;
        Ok(Self { bus, hierarchy, seen: Mutex::default() })
    }

    fn unit<'a>(&self, workload: &'a Workload, knob: Knob) -> Result<Unit<'a>, ActError> {
        let (parents, last) = workload.path.rsplit_once('/').unwrap_or(("", &workload.path));
        // Units below a user's service belong to that user's systemd.
        let of_system = workload.kind == WorkloadKind::SystemdUnit && !parents.contains(".service");
        if !of_system || !self.offers(knob) {
            return Err(ActError::NotMine);
        }
        let name = workload.labels.get("unit").map_or(last, String::as_str);
        let kind = INTERFACES.iter().find(|(suffix, _)| name.ends_with(suffix));
        let (_, interface) = kind.filter(|_| name != "-.slice").ok_or(ActError::NotMine)?;
        Ok(Unit { name, interface })
    }

    /// systemd takes every property on every machine; on version 1 trees it has no file to put `MemoryHigh` into.
    fn offers(&self, knob: Knob) -> bool {
        match knob {
            Knob::NetworkSendMax => false,
            Knob::MemoryHigh => self.hierarchy.tree(Controller::Memory).is_some_and(|tree| tree.version == Version::V2),
            _ => true,
        }
    }

    fn limits_of_disks(&self, unit: &Unit<'_>, knob: Knob) -> Result<Vec<(String, u64)>, ActError> {
        let limits: Vec<(String, u64)> = self.bus.get(unit.name, unit.interface, property(knob))?;
        Ok(limits.into_iter().filter(|(_, limit)| *limit != UNLIMITED).collect())
    }

    /// The disks to limit: those limited already, else those that the group used, else the one under `/`.
    fn disks(&self, unit: &Unit<'_>, order: &Order) -> Result<Vec<String>, ActError> {
        let limited = self.limits_of_disks(unit, order.knob())?;
        if !limited.is_empty() {
            return Ok(limited.into_iter().map(|(disk, _)| disk).collect());
        }
        let place = self.hierarchy.group_dir(Controller::Io, &order.workload().path);
        let traffic = place.map(|(version, dir)| Reader::default().io_stat(version, &dir)).transpose()?.flatten();
        let root = self.hierarchy.root();
        let devices = devices::to_limit(root, &traffic.unwrap_or_default());
        let disks: Vec<String> = devices.iter().filter_map(|device| devices::node(root, *device)).collect();
        if disks.is_empty() {
            let why = "it has used no disk, and the root file system is on none: nothing to limit".to_owned();
            return Err(ActError::Unsafe { place: unit.name.to_owned(), why });
        }
        Ok(disks)
    }

    fn write_disks(&self, unit: &Unit<'_>, order: &Order) -> Result<(), ActError> {
        let limits: Vec<(String, u64)> = match order.to() {
            // An empty list takes all limits of this kind away.
            Setting::Unlimited => Vec::new(),
            Setting::Value(bytes_per_s) => {
                let disks = self.disks(unit, order)?;
                disks.into_iter().map(|disk| (disk, whole(bytes_per_s))).collect()
            }
        };
        self.bus.set(unit.name, property(order.knob()), &limits.into())
    }
}

impl Access for SystemdUnits {
    fn name(&self) -> &'static str {
        "systemd"
    }

    fn read(&self, workload: &Workload, knob: Knob) -> Result<Setting, ActError> {
        let unit = self.unit(workload, knob)?;
        match knob {
            Knob::IoReadMax | Knob::IoWriteMax => shared_limit(&unit, &self.limits_of_disks(&unit, knob)?, knob),
            _ => Ok(setting(knob, self.bus.get(unit.name, unit.interface, property(knob))?)),
        }
    }

    fn glance(&self, workload: &Workload, knob: Knob) -> Result<Setting, ActError> {
        let key = (self.unit(workload, knob)?.name.to_owned(), knob);
        let known = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if let Some((_, setting)) = known.filter(|(when, _)| when.elapsed() < lifetime(&key.0)) {
            return Ok(setting);
        }
        let setting = self.read(workload, knob)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|(name, _), (when, _)| when.elapsed() < lifetime(name));
        seen.insert(key, (Instant::now(), setting));
        Ok(setting)
    }

    fn write(&mut self, order: &Order) -> Result<(), ActError> {
        let (knob, to) = (order.knob(), order.to());
        let unit = self.unit(order.workload(), knob)?;
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(&(unit.name.to_owned(), knob));
        if matches!(knob, Knob::IoReadMax | Knob::IoWriteMax) {
            return self.write_disks(&unit, order);
        }
        if let (Knob::MemoryMax, Some((version, dir))) =
            (knob, self.hierarchy.group_dir(Controller::Memory, &order.workload().path))
        {
            refuse_to_kill(version, &dir, unit.name, to)?;
        }
        let factor = if knob == Knob::CpuQuota { MICROS } else { 1.0 };
        let value = to.value().map_or(UNLIMITED, |value| whole(value * factor));
        self.bus.set(unit.name, property(knob), &value.into())
    }
}

/// Asking systemd costs both sides, so an answer serves for half a minute to a minute; units differ in it, so that they do
/// not all come due at one tick.
fn lifetime(unit: &str) -> Duration {
    let spread: u64 = unit.bytes().map(u64::from).sum();
    Duration::from_secs(30 + spread % 31)
}

const fn property(knob: Knob) -> &'static str {
    match knob {
        Knob::CpuQuota => "CPUQuotaPerSecUSec",
        Knob::MemoryHigh => "MemoryHigh",
        Knob::MemoryMax => "MemoryMax",
        Knob::IoReadMax => "IOReadBandwidthMax",
        // `offers` keeps the network knob out.
        Knob::IoWriteMax | Knob::NetworkSendMax => "IOWriteBandwidthMax",
    }
}

#[allow(clippy::cast_precision_loss, reason = "above 2^53 a knob's tolerance is far wider than the rounding")]
fn setting(knob: Knob, value: u64) -> Setting {
    let factor = if knob == Knob::CpuQuota { MICROS } else { 1.0 };
    if value == UNLIMITED { Setting::Unlimited } else { Setting::Value(value as f64 / factor) }
}

fn shared_limit(unit: &Unit<'_>, limits: &[(String, u64)], knob: Knob) -> Result<Setting, ActError> {
    let Some((_, first)) = limits.first() else { return Ok(Setting::Unlimited) };
    let first = setting(knob, *first);
    if limits.iter().all(|(_, other)| first.same(setting(knob, *other), knob)) {
        return Ok(first);
    }
    let why = "disks have different limits, which one number could not put back; make them equal or leave this knob";
    Err(ActError::Uneven { place: format!("{} of {}", property(knob), unit.name), why: why.to_owned() })
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates; settings are not negative")]
const fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// True where systemd is the init of this machine; `root` is `/` in life.
#[must_use]
pub fn systemd_runs(root: &Path) -> bool {
    root.join("run/systemd/system").is_dir()
}
