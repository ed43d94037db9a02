//! What the demonstration shows in the terminal, and what it saved.

use super::scene::Scene;
use crate::{commands::say, daemon::Turn};
use apportion_core::{Knob, Setting, Snapshot, Time, WorkloadState, metric::name};
use apportion_language::{Language, wording::amount};

/// Knobs of the demonstration, each with what is used of it.
const KNOBS: [(Knob, &str); 2] = [(Knob::CpuQuota, name::CPU), (Knob::MemoryMax, name::MEMORY_WORKING_SET)];
/// Seconds between two tables.
const EVERY_S: i64 = 5;

pub(super) fn introduce(scene: &Scene, url: Option<&str>) {
    say(match (&scene.without_groups, &scene.without_limits) {
        (None, None) => {
            "Three workloads begin with 1 core and 512 MiB each, as somebody would set who does not know them:"
        }
        (None, Some(_)) => "Three workloads run, and not all of them are limited:",
        (Some(_), _) => "Three workloads run, and nothing limits them:",
    });
    say("  wave    a daily wave of CPU; a day is a minute here");
    say("  burst   a burst of CPU under 2 % of the day");
    say("  grower  memory that grows");
    if let Some(why) = &scene.without_groups {
        say(&format!("They run without groups of their own, so nothing can be set: {why}"));
        say(
            "The table has all that runs here. The three are rows of it; where a group holds what started them, part of its row.",
        );
    }
    if let Some(why) = &scene.without_limits {
        say(&format!("They should begin with 1 core and 512 MiB each: {why}"));
    }
    if let Some(url) = url {
        say(&format!("Watch it at {url}"));
    }
}

pub(super) fn show(turn: &Turn, scene: &Scene, (turns, end): (u64, Time), language: Language) {
    if !turns.is_multiple_of(EVERY_S.unsigned_abs()) {
        return;
    }
    say(&format!(
        "\n{:<8} {:>22} {:>16} {:>16} {:>16}   ({} s left)",
        "",
        "used",
        "forecast peak",
        "allotted",
        "set",
        (end.s() - turn.snapshot.now.s()).max(0)
    ));
    for state in turn.snapshot.workloads.values().filter(|state| !state.workload.id.is_machine()) {
        let name = scene.load_of(&state.workload).map_or(state.workload.id.as_str(), |load| load.name());
        for (knob, metric) in KNOBS {
            say(&line(turn, (name, state), knob, metric, language));
        }
    }
    for harm in &turn.report.harms {
        say(&format!(
            "taken back: {} of {} hurt ({} {:.2} -> {:.2})",
            harm.knob, harm.workload, harm.signal, harm.before, harm.now
        ));
    }
}

fn line(turn: &Turn, (name, state): (&str, &WorkloadState), knob: Knob, metric: &str, language: Language) -> String {
    let shown = |value: Option<f64>| value.map_or("-".to_owned(), |value| amount(knob, value, language));
    let id = &state.workload.id;
    let wants = turn.wanted.get(id).map_or(&[][..], |assessment| &assessment.wants);
    let expected = wants.iter().find(|want| want.knob == knob).and_then(|want| want.reason.expected.as_ref());
    let allotted = turn.report.allotted.get(id).and_then(|allotted| allotted.get(&knob)).copied();
    let set = state.settings.get(&knob).copied().and_then(Setting::value);
    format!(
        "{name:<8} {:>22} {:>16} {:>16} {:>16}",
        shown(state.value(metric)),
        shown(expected.map(|expected| expected.peak[2])),
        shown(allotted),
        shown(set)
    )
}

/// What was set and used over the demonstration, in core-seconds and byte-seconds.
#[derive(Default)]
pub(super) struct Saving {
    turns: f64,
    set: [f64; 2],
    used: [f64; 2],
    first: [f64; 2],
    throttled: f64,
    periods: f64,
    oom_kills: f64,
}

impl Saving {
    pub(super) fn count(&mut self, snapshot: &Snapshot) {
        self.turns += 1.0;
        for state in snapshot.workloads.values().filter(|state| !state.workload.id.is_machine()) {
            for (index, (knob, metric)) in KNOBS.into_iter().enumerate() {
                let Some(Setting::Value(set)) = state.settings.get(&knob) else { continue };
                self.set[index] += set;
                self.used[index] += state.value(metric).unwrap_or(0.0);
                self.first[index] += super::scene::first(knob);
            }
            self.throttled += state.value(name::CPU_THROTTLED_PERIODS).unwrap_or(0.0);
            self.periods += state.value(name::CPU_PERIODS).unwrap_or(0.0);
            self.oom_kills += state.value(name::OOM_KILLS).unwrap_or(0.0);
        }
    }

    pub(super) fn print(&self, language: Language) {
        if self.set[0] == 0.0 {
            say("\nNothing could be set, so nothing was saved; run as root to see it.");
            return;
        }
        say("\nOn the mean over the whole time, all three together:");
        for (index, (knob, _)) in KNOBS.into_iter().enumerate() {
            let mean = |sum: f64| amount(knob, sum / self.turns, language);
            let saved = 100.0 * (1.0 - self.set[index] / self.first[index]);
            let (first, set, used) = (mean(self.first[index]), mean(self.set[index]), mean(self.used[index]));
            say(&format!("  {knob}: {first} at first, {set} set, {used} used: {saved:.0} % saved"));
        }
        let share = 100.0 * self.throttled / self.periods.max(1.0);
        say(&format!(
            "  throttled in {share:.1} % of enforcement periods, {:.0} processes killed for want of memory",
            self.oom_kills
        ));
    }
}
