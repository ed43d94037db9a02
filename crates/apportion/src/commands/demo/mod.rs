//! `apportion demo`: three small real workloads, sized live.

mod load;
mod scene;
mod table;

pub use load::Load;

use super::page;
use crate::{
    args,
    config::Config,
    daemon::{self, Settings},
};
use anyhow::Context as _;
use apportion_core::tick::{Cadence, Resolution};
use apportion_host::cgroupfs::Hierarchy;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Time between turns: a day of the demonstration is a minute.
const EVERY: Duration = Duration::from_secs(1);

/// Rules of the demonstration: its own groups are managed, and quickly.
const RULES: &str = r#"
guard = "brisk"
[[workloads]]
match = "*apportion-demo*"
apply = true
violation = 0.02
"#;

/// Runs the demonstration and prints what it saved.
///
/// # Errors
/// The workloads cannot be started, or the page cannot be served.
pub fn run(global: &args::Global, args: &args::Demo) -> anyhow::Result<()> {
    let folder = Folder::make()?;
    let store = folder.0.join("demo.db");
    let config = Config::parse(RULES, Path::new("the demonstration's rules"))?;
    let mut scene = scene::Scene::start(f64::from(args.seconds))?;
    scene.set_first_limits(&mut daemon::route(&Hierarchy::discover(Path::new("/"))?, false));
    let (only, named) = (scene.root(), scene.sessions());
    let here = Settings::here(store.clone());
    let settings = Settings { apply: true, network: false, every: EVERY, cadence: cadence(), only, named, ..here };
    let mut assembled = daemon::assemble(&config, settings)?;
    let served = page::serve(&config, &args.listen, &store, &assembled)?;
    super::run::stop_on_signal(assembled.daemon.requests())?;
    table::introduce(&scene, served.url.as_deref());
    show(&mut assembled.daemon, &scene, args, global);
    assembled.daemon.close()
}

fn show(daemon: &mut daemon::Daemon, scene: &scene::Scene, args: &args::Demo, global: &args::Global) {
    let mut saving = table::Saving::default();
    let end = daemon::now().plus_s(i64::from(args.seconds));
    for turns in 0.. {
        let next = Instant::now() + EVERY;
        let turn = daemon.turn(daemon::now());
        // Without groups of its own it sees all that runs here, whose limits it did not set.
        if scene.without_groups.is_none() {
            saving.count(&turn.snapshot);
        }
        table::show(&turn, scene, (turns, end), global.words());
        if turn.snapshot.now >= end || !daemon.answer_until(next) {
            break;
        }
    }
    saving.print(global.words());
}

/// A day is a minute, so everything is looked at in seconds.
fn cadence() -> Cadence {
    let resolutions = vec![Resolution { step_s: 1, context: 600, horizon: 60, enough: 0 }];
    Cadence { every_s: 5.0, most_per_tick: 16, resolutions, ..Cadence::default() }
}

/// A folder that goes with the demonstration.
struct Folder(PathBuf);

impl Folder {
    fn make() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("apportion-demo-{}", std::process::id()));
        std::fs::create_dir(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
