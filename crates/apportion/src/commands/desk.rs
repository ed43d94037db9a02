//! Where a sentence is read and kept from the command line: the loop that has the store, else the store itself.

use super::control::{Control, segment};
use crate::{
    args::Global,
    config::Config,
    daemon,
    tell::{self, Deed, Scene, Told},
};
use anyhow::{Context as _, bail};
use apportion_core::{Capacity, Collector as _, Standing, Time, WorkloadId, time::DAY_S};
use apportion_host::{cgroupfs::Hierarchy, collect::MachineCollector, store::Store};
use apportion_language::reading::zone_name;
use jiff::Zoned;
use serde::Deserialize;
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// Workloads that were seen within this time exist.
const SEEN_WITHIN_S: i64 = DAY_S;

/// A sentence, when and where it was said.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// In English or Chinese.
    pub(super) text: String,
    /// Its zone is that of the sentence's times.
    pub(super) now: Zoned,
    /// Workloads that will exist.
    pub(super) also: Vec<String>,
}

impl Said {
    /// An IANA name, else an offset.
    pub(super) fn zone(&self) -> String {
        zone_name(&self.now)
    }

    /// As an API takes it.
    pub(super) fn query(&self) -> String {
        let (text, at_s) = (segment(&self.text), self.now.timestamp().as_second());
        format!("text={text}&at_s={at_s}&zone={}", segment(&self.zone()))
    }

    pub(super) fn at(&self) -> Time {
        Time(self.now.timestamp().as_millisecond())
    }
}

/// What is read of the loop's workloads.
#[derive(Deserialize)]
struct Picture {
    workloads: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    id: WorkloadId,
}

/// Where a sentence is read, and kept once confirmed.
pub(super) enum Desk {
    /// No loop runs: the store, and what the configuration says of its workloads.
    Store(Arc<Store>, Box<Config>),
    /// A loop has the store.
    Loop(Control),
}

impl Desk {
    /// Where sentences can be kept.
    ///
    /// # Errors
    /// Neither store nor loop can be reached.
    pub(super) fn open(global: &Global) -> anyhow::Result<Self> {
        match global.open_to_write()? {
            Some(store) => Ok(Self::Store(Arc::new(store), Box::new(global.configuration()?))),
            None => Ok(Self::Loop(Control::find(&global.store_path())?)),
        }
    }

    /// Where sentences can be read; takes nothing and locks nothing.
    ///
    /// # Errors
    /// There is no store, or it cannot be read.
    pub(super) fn open_to_read(global: &Global) -> anyhow::Result<Self> {
        if let Ok(way) = Control::find(&global.store_path())
            && way.get("/api/v1/status").is_ok()
        {
            return Ok(Self::Loop(way));
        }
        Ok(Self::Store(Arc::new(global.open_to_read()?), Box::new(global.configuration()?)))
    }

    /// What a sentence would do.
    ///
    /// # Errors
    /// The store or the loop cannot be read.
    pub(super) fn read(&self, said: &Said) -> anyhow::Result<Told> {
        match self {
            Self::Store(store, config) => Ok(read(store, config, said)?.0),
            Self::Loop(way) => serde_json::from_value(way.get(&format!(
                "/api/v1/reading?{}&also={}",
                said.query(),
                segment(&said.also.join(","))
            ))?)
            .context("the loop is of another version"),
        }
    }

    /// Names by which workloads are known here.
    ///
    /// # Errors
    /// The store or the loop cannot be read.
    pub(super) fn names(&self, said: &Said) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Store(store, config) => Ok(tell::names(scene(config, store, said)?.configured.keys())),
            Self::Loop(way) => {
                let picture: Picture = serde_json::from_value(way.get("/api/v1/workloads")?)?;
                let known: Vec<WorkloadId> = picture.workloads.into_iter().map(|row| row.id).collect();
                let also: Vec<WorkloadId> = said.also.iter().map(|name| WorkloadId::new(name)).collect();
                Ok(tell::names(known.iter().chain(&also)))
            }
        }
    }

    /// Does what a person confirmed, read again: what they saw is what `was` told; gives what was done, in words.
    ///
    /// # Errors
    /// It can no longer be taken or would do something else by now, or the store or the loop refuses.
    pub(super) fn take(&self, said: &Said, was: &Told) -> anyhow::Result<String> {
        match self {
            Self::Store(store, config) => {
                let (told, deed) = read(store, config, said)?;
                let deed = deed.context("nothing was understood that could be taken")?;
                if let Some(what) = tell::changed_since(&told, &was.shown) {
                    bail!("{what}; nothing was taken");
                }
                Ok(tell::carry_out(&deed, store, said.at())?.1)
            }
            Self::Loop(way) => {
                let at_s = said.now.timestamp().as_second();
                let body = serde_json::json!({ "text": said.text, "at_s": at_s, "zone": said.zone(), "also": said.also, "shown": was.shown, "guessed": was.can_ask });
                way.ask("POST", "/api/v1/instructions", Some(&body))
            }
        }
    }
}

fn read(store: &Arc<Store>, config: &Config, said: &Said) -> anyhow::Result<(Told, Option<Deed>)> {
    let scene = scene(config, store, said)?;
    let history = daemon::StoreHistory(Arc::clone(store));
    Ok(tell::read(crate::encoder_model::reader()?, &said.text, &said.now, &scene, &history))
}

/// What there is without a loop: the workloads that the store saw lately, and the machine.
fn scene(config: &Config, store: &Store, said: &Said) -> anyhow::Result<Scene> {
    let now = said.at();
    let seen = store.workloads()?.into_iter().filter(|seen| now.since_s(seen.last) < SEEN_WITHIN_S as f64);
    let known = seen.map(|seen| seen.workload.id).filter(|id| !id.is_machine());
    let configured = |id: WorkloadId| (id.clone(), config.standing(&id, true));
    let mut configured: BTreeMap<_, _> = known.map(configured).collect();
    configured.extend(said.also.iter().map(|name| (WorkloadId::new(name), Standing::default())));
    Ok(Scene { configured, machine: machine(now), said: store.instructions(now)? })
}

/// What the machine has; nothing where that cannot be read.
pub(super) fn machine(now: Time) -> Capacity {
    let Ok(hierarchy) = Hierarchy::discover(Path::new("/")) else { return Capacity::default() };
    let mut machine = MachineCollector::new(hierarchy);
    machine.collect(now);
    machine.capacity().clone()
}
