//! What people say to the invented machine.

use super::{World, refused};
use apportion::{
    tell::{self, Deed, Scene, Told},
    web::{ActionError, ActionErrorKind},
};
use apportion_core::{
    Batch, Capacity, History, Instructed, InstructionId, Metric, Resource, Series, Time, Window, WorkloadId,
    metric::name,
};
use apportion_host::store::{Options, Store};
use apportion_language::reading::Reader;

pub(super) fn none() -> Store {
    Store::in_memory(Options::default()).unwrap()
}

struct Unmeasured;

impl History for Unmeasured {
    fn series(&self, _: &WorkloadId, _: &Metric, _: Window) -> Option<Series> {
        None
    }
}

impl World {
    /// What these workloads used in the last eight days.
    pub(super) fn recorded(&self, workloads: &[String]) -> Store {
        let store = none();
        for spec in self.specs.values().filter(|spec| workloads.iter().any(|name| name == spec.workload.id.as_str())) {
            let mut batch = Batch { workloads: vec![spec.workload.clone()], ..Batch::default() };
            for metric in [name::CPU, name::MEMORY_WORKING_SET].map(Metric::new) {
                let series = spec.load.series(&metric, Window::last(self.now, 300, 3 * 288)).unwrap();
                for (at, value) in series.values.iter().enumerate() {
                    let time = Time::from_s(series.time_s(at));
                    batch.push(&spec.workload.id, &metric, time, f64::from(*value));
                }
            }
            store.backfill(&batch, self.now).unwrap();
        }
        store
    }

    pub(super) fn read(&self, text: &str, at: Time, zone: Option<&str>) -> (Told, Option<Deed>) {
        let configured = self.specs.iter().map(|(id, spec)| (id.clone(), spec.standing.clone())).collect();
        let machine = Capacity { amounts: [(Resource::Cpu, 32.0), (Resource::Memory, 128e9)].into_iter().collect() };
        let scene = Scene { configured, machine, said: self.said.instructions(at).unwrap() };
        tell::read(&Reader::embedded().unwrap(), text, &tell::zoned(at, zone), &scene, &Unmeasured)
    }

    pub(super) fn instruct(
        &mut self,
        text: &str,
        at: Time,
        zone: Option<&str>,
        shown: &str,
    ) -> Result<(), ActionError> {
        let (told, deed) = self.read(text, at, zone);
        let deed = deed.filter(|_| tell::changed_since(&told, shown).is_none());
        let deed = deed.ok_or_else(|| refused(ActionErrorKind::Conflict, "text"))?;
        tell::carry_out(&deed, &self.said, at).unwrap();
        Ok(())
    }

    pub(super) fn revoke(&mut self, id: InstructionId) -> Result<(), ActionError> {
        let known = self.instructions().iter().any(|said| said.id == id);
        match self.said.revoke(id, apportion::daemon::now()).unwrap() {
            true => Ok(()),
            false => {
                Err(refused(if known { ActionErrorKind::Conflict } else { ActionErrorKind::NotFound }, "instruction"))
            }
        }
    }

    pub(super) fn instructions(&self) -> Vec<Instructed> {
        let mut all = self.said.instructions(Time(i64::MIN)).unwrap();
        all.reverse();
        all
    }
}
