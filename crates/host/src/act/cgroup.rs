//! Knobs that are files of the cgroup trees, versions 1 and 2.

use super::{
    Access, ActError, Order, devices,
    limit_file::{self, LimitFile},
};
use crate::cgroupfs::{DeviceNumber, Hierarchy, Reader, Version};
use apportion_core::{Knob, Setting, Workload, WorkloadKind};
use rustix::fs::{Access as Permission, access};
use std::{
    fs, io,
    io::Write as _,
    path::{Component, Path, PathBuf},
};

/// The limit files of groups. Never the root group's, and never a controller switched on: that changes other groups too.
pub struct CgroupFiles {
    hierarchy: Hierarchy,
}

/// One limit file of one group.
struct Place {
    version: Version,
    dir: PathBuf,
    file: LimitFile,
}

impl Place {
    fn path(&self) -> PathBuf {
        self.dir.join(self.file.name())
    }
    fn gone(&self) -> ActError {
        ActError::Gone { place: self.dir.display().to_string() }
    }
}

impl CgroupFiles {
    /// The groups of these trees.
    #[must_use]
    pub const fn new(hierarchy: Hierarchy) -> Self {
        Self { hierarchy }
    }

    fn place(&self, workload: &Workload, knob: Knob) -> Result<Place, ActError> {
        // A unit's files are its systemd's to write, also where that cannot be spoken to.
        if workload.kind != WorkloadKind::Cgroup || !names_a_group(&workload.path) {
            return Err(ActError::NotMine);
        }
        let controller = limit_file::controller(knob).ok_or(ActError::NotMine)?;
        let (version, dir) = self.hierarchy.group_dir(controller, &workload.path).ok_or(ActError::NotMine)?;
        let file = LimitFile::of(version, knob).ok_or(ActError::NotMine)?;
        let place = Place { version, dir, file };
        if place.path().exists() {
            return Ok(place);
        }
        if place.dir.exists() {
            return Err(controller_off(&place, controller.v2_name().unwrap_or_default()));
        }
        let elsewhere = self.hierarchy.trees().iter().any(|tree| tree.group_dir(&workload.path).exists());
        Err(if elsewhere { ActError::NotMine } else { place.gone() })
    }

    fn write_cpu(place: &Place, to: Setting) -> Result<(), ActError> {
        let now = Reader::default().cpu_max(place.version, &place.dir)?.ok_or_else(|| place.gone())?;
        let text = limit_file::cpu_text(place.version, to, now.period_us).ok_or_else(|| ActError::Unsafe {
            place: place.path().display().to_string(),
            why: format!("{to} cores of its period of {} µs are below the kernel's least of 1 ms", now.period_us),
        })?;
        write(&place.path(), &text)
    }

    fn write_memory(place: &Place, knob: Knob, to: Setting) -> Result<(), ActError> {
        if knob == Knob::MemoryMax {
            refuse_to_kill(place.version, &place.dir, &place.path().display().to_string(), to)?;
        }
        write(&place.path(), &limit_file::memory_text(place.version, to))
    }

    fn write_io(&self, place: &Place, key: Option<&str>, to: Setting) -> Result<(), ActError> {
        let limited: Vec<DeviceNumber> = limited(place, key)?.into_iter().map(|(device, _)| device).collect();
        let devices = if limited.is_empty() && to != Setting::Unlimited {
            let traffic = Reader::default().io_stat(place.version, &place.dir)?.unwrap_or_default();
            devices::to_limit(self.hierarchy.root(), &traffic)
        } else {
            limited
        };
        if devices.is_empty() && to != Setting::Unlimited {
            let why = "the group has used no disk, and the root file system is on none: nothing to limit".to_owned();
            return Err(ActError::Unsafe { place: place.path().display().to_string(), why });
        }
        devices.into_iter().try_for_each(|device| write(&place.path(), &limit_file::io_text(device, key, to)))
    }
}

impl Access for CgroupFiles {
    fn name(&self) -> &'static str {
        "cgroup files"
    }

    fn read(&self, workload: &Workload, knob: Knob) -> Result<Setting, ActError> {
        let place = self.place(workload, knob)?;
        check_writable(&place.path())?;
        match place.file {
            LimitFile::Cpu(_) => {
                let limit = Reader::default().cpu_max(place.version, &place.dir)?;
                limit.map(|limit| limit.setting()).ok_or_else(|| place.gone())
            }
            LimitFile::Memory(file) => Reader::default().limit(&place.dir, file)?.ok_or_else(|| place.gone()),
            LimitFile::Io(_, key) => {
                limit_file::shared_limit(&limited(&place, key)?, knob).ok_or_else(|| uneven(&place))
            }
        }
    }

    fn write(&mut self, order: &Order) -> Result<(), ActError> {
        let place = self.place(order.workload(), order.knob())?;
        match place.file {
            LimitFile::Cpu(_) => Self::write_cpu(&place, order.to()),
            LimitFile::Memory(_) => Self::write_memory(&place, order.knob(), order.to()),
            LimitFile::Io(_, key) => self.write_io(&place, key, order.to()),
        }
    }
}

fn uneven(place: &Place) -> ActError {
    let why = "disks have different limits, which one number could not put back; make them equal or leave this knob";
    ActError::Uneven { place: place.path().display().to_string(), why: why.to_owned() }
}

/// True for a path to a group below the root one, without steps upwards.
pub(super) fn names_a_group(path: &str) -> bool {
    let parts = || Path::new(path).components();
    path.starts_with('/')
        && parts().any(|part| matches!(part, Component::Normal(_)))
        && !parts().any(|part| part == Component::ParentDir)
}

fn limited(place: &Place, key: Option<&str>) -> Result<Vec<(DeviceNumber, f64)>, ActError> {
    let parse = |bytes: &[u8]| limit_file::parse_io(bytes, key);
    Reader::default().parsed(&place.dir, place.file.name(), parse)?.ok_or_else(|| place.gone())
}

fn check_writable(path: &Path) -> Result<(), ActError> {
    access(path, Permission::WRITE_OK).map_err(|error| refused(path, "not writable", error.into()))
}

fn controller_off(place: &Place, controller: &str) -> ActError {
    let control = place.dir.parent().unwrap_or(&place.dir).join("cgroup.subtree_control");
    let why = format!(
        "no such file: the {controller} controller is not on for this group; \
         if its neighbours may have it too: echo +{controller} > {}",
        control.display()
    );
    ActError::Unsafe { place: place.path().display().to_string(), why }
}

/// The kernel kills where the hard limit is set below what cannot be dropped, so such a limit is not set at all.
pub(super) fn refuse_to_kill(version: Version, dir: &Path, place: &str, to: Setting) -> Result<(), ActError> {
    let mut reader = Reader::default();
    let charged_bytes = reader.memory_bytes(version, dir)?.unwrap_or(0);
    let droppable_bytes = reader.memory_stat(dir)?.and_then(|stat| stat.inactive_file_bytes).unwrap_or(0);
    let in_use_bytes = charged_bytes.saturating_sub(droppable_bytes);
    #[allow(clippy::cast_precision_loss, reason = "bytes in use; nothing hangs on the last of 2^53")]
    if in_use_bytes as f64 <= to.or_infinite() {
        return Ok(());
    }
    let why = format!(
        "{in_use_bytes} bytes are in use, more than the limit of {to}: setting it would kill processes; \
         let the group use less first"
    );
    Err(ActError::Unsafe { place: place.to_owned(), why })
}

fn write(path: &Path, text: &str) -> Result<(), ActError> {
    // Truncating matters for ordinary files only (trees in tests); the kernel takes each write as a whole.
    let written = fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.raw_os_error() {
        Some(NO_DEVICE) => ActError::Gone { place: path.display().to_string() },
        _ => refused(path, "cannot be set", error),
    })
}

/// `ENODEV`, which the kernel gives for a file of a group that was removed after opening.
const NO_DEVICE: i32 = 19;

fn refused(path: &Path, what: &'static str, source: io::Error) -> ActError {
    let remedy = match source.kind() {
        io::ErrorKind::NotFound => return ActError::Gone { place: path.display().to_string() },
        io::ErrorKind::PermissionDenied => {
            "run as root, or give this user the group (systemd: Delegate=yes in the unit)"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "the cgroup tree is mounted read-only; run on the host or mount it writable"
        }
        io::ErrorKind::ResourceBusy => "more is in use than the limit and cannot be reclaimed; set a higher one",
        io::ErrorKind::InvalidInput => {
            "the kernel refuses the value: in version 1 a group cannot have more CPU than its parent or less than its \
             children, nor a memory limit above memory.memsw.limit_in_bytes"
        }
        _ => "see dmesg",
    };
    ActError::io(path, what, source, remedy)
}
