//! The workloads of the demonstration: processes of this very program, in groups of their own where that is allowed.

use super::Load;
use anyhow::Context as _;
use apportion_core::{Knob, Setting, Workload, WorkloadId, WorkloadKind};
use apportion_host::{
    act::{OwnGroup, PutBack, Route, restore},
    cgroupfs::Hierarchy,
};
use std::{
    collections::BTreeMap,
    process::{Child, Command, Stdio},
};

/// What somebody who does not know the future would have set.
pub(super) const fn first(knob: Knob) -> f64 {
    match knob {
        Knob::CpuQuota => 1.0,
        _ => 512.0 * 1_048_576.0,
    }
}

/// Running workloads. They end with this value, and their groups go with them.
pub(super) struct Scene {
    children: Vec<Child>,
    groups: Vec<OwnGroup>,
    /// Why there are no groups, where there are none.
    pub(super) without_groups: Option<String>,
    /// Why not every group has the limits that it should begin with.
    pub(super) without_limits: Option<String>,
}

impl Scene {
    pub(super) fn start(seconds: f64) -> anyhow::Result<Self> {
        let mut scene = Self { children: Vec::new(), groups: Vec::new(), without_groups: None, without_limits: None };
        if let Err(error) = scene.make_groups() {
            scene.groups.clear();
            scene.without_groups = Some(format!("{error:#}"));
        }
        for (index, load) in Load::ALL.into_iter().enumerate() {
            let mut child = start(load, seconds)?;
            let begin = child.stdin.take();
            scene.children.push(child);
            if let Some((group, child)) = scene.groups.get(index).zip(scene.children.last()) {
                group.add(child.id()).context("a demonstration process cannot be put into its group")?;
            }
            // It begins when its input ends, so that all it uses is counted in its group.
            drop(begin);
        }
        Ok(scene)
    }

    /// One group a workload, and the one around them last, so that they are removed before it.
    fn make_groups(&mut self) -> anyhow::Result<()> {
        let hierarchy = Hierarchy::discover("/".as_ref())?;
        let root = OwnGroup::create(&hierarchy, &format!("/apportion-demo-{}", std::process::id()))?;
        for load in Load::ALL {
            self.groups.push(root.child(&hierarchy, load.name())?);
        }
        self.groups.push(root);
        Ok(())
    }

    /// The group that holds the others, where there are groups.
    pub(super) fn root(&self) -> Option<String> {
        self.groups.last().map(|root| root.path().to_owned())
    }

    /// Each load's name by its session, in which it begins.
    pub(super) fn sessions(&self) -> BTreeMap<String, WorkloadId> {
        let loads = self.children.iter().zip(Load::ALL);
        loads.map(|(child, load)| (child.id().to_string(), load.name().into())).collect()
    }

    /// The load that a workload is: by its group, or by its session.
    pub(super) fn load_of(&self, workload: &Workload) -> Option<Load> {
        let session = workload.labels.get("session");
        let is_it = |index: usize| match self.groups.get(index) {
            Some(group) => group.path() == workload.path,
            None => self.children.get(index).is_some_and(|child| session == Some(&child.id().to_string())),
        };
        Load::ALL.into_iter().enumerate().find(|(index, _)| is_it(*index)).map(|(_, load)| load)
    }

    /// Sets the limits that are there before Apportion looks.
    pub(super) fn set_first_limits(&mut self, route: &mut Route) {
        let groups = self.groups.iter().take(Load::ALL.len());
        let limit = |group, knob| (workload(group), knob, Setting::Value(first(knob)));
        let knobs = groups.flat_map(|group| [Knob::CpuQuota, Knob::MemoryMax].map(|knob| limit(group, knob)));
        let why = |result| match result {
            PutBack::Failed(why) => Some(why),
            PutBack::Gone => Some("its group is gone".to_owned()),
            PutBack::Done | PutBack::AlreadySo => None,
        };
        self.without_limits = restore(knobs.collect(), route).into_iter().find_map(|restored| why(restored.result));
    }
}

fn workload(group: &OwnGroup) -> Workload {
    Workload {
        id: group.path().into(),
        kind: WorkloadKind::Cgroup,
        path: group.path().to_owned(),
        labels: Default::default(),
    }
}

fn start(load: Load, seconds: f64) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    Command::new(program)
        .args(["demo-load", load.name(), "--seconds", &seconds.to_string()])
        .stdin(Stdio::piped())
        .spawn()
        .with_context(|| format!("the workload {} cannot be started", load.name()))
}

impl Drop for Scene {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself, which is as good.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
