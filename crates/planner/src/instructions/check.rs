//! What stands against an instruction before it is accepted: impossibilities and conflicts, with the nearest thing that works.

use super::{AtWork, UNSIZED, asked_for, bound_on, concerns, demand, is_in_force, is_of_total, knobs, names, spans};
use apportion_core::{
    Capacity, History, Instructed, Instruction, Knob, Metric, Mode, Objection, Resource, Standing, Window, WorkloadId,
    edits,
    instruction::{Effect, InstructionKind, Topic, Unit},
    stats,
    time::DAY_S,
};
use std::collections::{BTreeMap, BTreeSet};

/// Conflicts are looked for this far ahead, seconds.
const LOOK_AHEAD_S: i64 = 30 * DAY_S;
/// What is used now is the mean of so many steps of so many seconds.
const USED_STEP_S: u32 = 60;
const USED_STEPS: usize = 5;
/// At most so many near names are told.
const NEAREST_MOST: usize = 3;

/// What there is to hold an instruction against.
pub struct World<'a> {
    /// What stands already.
    pub at_work: AtWork<'a>,
    /// Every workload with what the configuration says of it.
    pub configured: &'a BTreeMap<WorkloadId, Standing>,
    /// All that the machine has.
    pub machine: &'a Capacity,
    /// The past.
    pub history: &'a dyn History,
}

/// The workloads that are called nearly so, nearest first.
#[must_use]
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a WorkloadId>) -> Vec<String> {
    let distance = |workload: &WorkloadId| {
        let whole = workload.as_str().to_lowercase();
        let last = whole.rsplit('/').next().unwrap_or_default();
        edits(name, last.split('.').next().unwrap_or_default()).min(edits(name, &whole))
    };
    let most = (name.chars().count() / 2).max(2);
    let mut near: Vec<(usize, &WorkloadId)> =
        known.filter(|known| !known.is_machine()).map(|known| (distance(known), known)).collect();
    near.retain(|(distance, _)| *distance <= most);
    near.sort();
    near.into_iter().take(NEAREST_MOST).map(|(_, known)| known.to_string()).collect()
}

impl World<'_> {
    /// The workloads that an instruction is for, in the order of names.
    #[must_use]
    pub fn matches(&self, instruction: &Instruction) -> Vec<&WorkloadId> {
        self.configured.keys().filter(|workload| names(instruction, workload)).collect()
    }

    /// All that stands against an instruction, what cannot be done first.
    #[must_use]
    pub fn objections(&self, new: &Instruction) -> Vec<Objection> {
        let mut found: Vec<Objection> = self.unknown_names(new);
        if new.kind == InstructionKind::Undo {
            found.extend(self.at_work.undone(new).is_none().then_some(Objection::NothingToUndo));
            return found;
        }
        found.extend(self.is_over(new));
        found.extend(self.void(new));
        found.extend(self.not_measured(new));
        found.extend(self.repeats(new));
        if !found.iter().any(Objection::blocks) {
            found.extend(self.too_little(new));
            found.extend(self.too_much(new));
            found.extend(self.crossing_bounds(new));
        }
        found.extend(self.to_know(new));
        found.sort_by_key(|objection| !objection.blocks());
        found
    }

    fn unknown_names(&self, new: &Instruction) -> Vec<Objection> {
        let known = |name: &&String| !self.configured.keys().any(|workload| workload.answers_to(name));
        let unknown = new.workloads.iter().filter(known);
        unknown
            .map(|name| Objection::NoSuchWorkload {
                name: name.clone(),
                nearest: nearest(name, self.configured.keys()),
            })
            .collect()
    }

    fn is_over(&self, new: &Instruction) -> Option<Objection> {
        let end = new.end.filter(|_| new.repeat.is_none())?;
        (end <= self.at_work.now || new.start.is_some_and(|start| start >= end)).then_some(Objection::Past { end })
    }

    /// Nothing would come of it.
    fn void(&self, new: &Instruction) -> Option<Objection> {
        if is_void(new) {
            return Some(Objection::NothingToSet);
        }
        let is_share = new.kind == InstructionKind::Rule && new.unit == Some(Unit::Percent);
        if is_share && is_of_total(new) && new.effect == Some(Effect::AtLeast) {
            return Some(Objection::FloorOnTotal);
        }
        let is_unknown = is_share && knobs(new).all(|knob| bound_on(new, knob, self.machine).is_none());
        is_unknown.then(|| Objection::ShareOfUnknown { resource: new.resource.and_then(Topic::resource) })
    }

    fn not_measured(&self, new: &Instruction) -> Option<Objection> {
        let counts_requests = new.kind == InstructionKind::Event
            && new.effect == Some(Effect::Add)
            && new.resource == Some(Topic::Requests);
        let unmeasured =
            |workload: &&WorkloadId| demand::usual_requests(self.history, workload, self.at_work.now).is_none();
        let first = self.matches(new).into_iter().filter(|_| counts_requests).find(unmeasured)?;
        Some(Objection::NotMeasured { workload: first.to_string() })
    }

    /// The same, or otherwise of the same, said before.
    fn repeats(&self, new: &Instruction) -> Option<Objection> {
        let old = self.same_before(new)?;
        let same = |a: &Instruction, b: &Instruction| {
            (a.amount, a.unit, a.direction, a.level) == (b.amount, b.unit, b.direction, b.level)
        };
        Some(match same(&old.instruction, new) {
            true if new.kind != InstructionKind::Report => Objection::SaidAlready { by: old.id },
            _ => Objection::Replaces { what: old.id },
        })
    }

    /// What stands of the same workloads, resource and time.
    fn same_before(&self, new: &Instruction) -> Option<&Instructed> {
        let alike = |old: &&Instructed| {
            let old = &old.instruction;
            (old.kind, &old.workloads, old.resource, old.repeat) == (new.kind, &new.workloads, new.resource, new.repeat)
                && old.effect == new.effect
                && (old.start, old.end) == (new.start, new.end)
        };
        self.standing().find(alike)
    }

    fn standing(&self) -> impl Iterator<Item = &Instructed> {
        self.at_work.said.iter().filter(|said| !said.is_past(self.at_work.now))
    }

    /// A ceiling that nothing can run under.
    fn too_little(&self, new: &Instruction) -> Option<Objection> {
        let nothing = new.amount.filter(|amount| *amount == 0.0);
        knobs(new).filter(|_| is_ceiling(new)).find_map(|knob| {
            let (asked, least) = (bound_on(new, knob, self.machine).or(nothing)?, knob.smallest());
            (asked < least).then_some(Objection::CeilingTooSmall { knob, asked, least })
        })
    }

    /// A ceiling below what is used now; what is used is a mean of the last minutes.
    fn below_use(&self, new: &Instruction, matched: &[&WorkloadId]) -> Option<Objection> {
        let limits = |knob: &Knob| is_ceiling(new) && !is_of_total(new) && bound_on(new, *knob, self.machine).is_some();
        let knob = knobs(new).find(limits)?;
        let asked = bound_on(new, knob, self.machine)?;
        let window = Window::last(self.at_work.now, USED_STEP_S, USED_STEPS);
        let used = |workload: &WorkloadId| {
            let series = self.history.series(workload, &Metric::new(knob.demand_metric()), window)?;
            stats::mean(&series.present().collect::<Vec<f32>>()).map(f64::from)
        };
        let more = |workload: &&&WorkloadId| used(workload).is_some_and(|used| used > asked);
        let all: Vec<&&WorkloadId> = matched.iter().filter(more).collect();
        let first = *all.first()?;
        let (workload, used) = (first.to_string(), used(first)?);
        Some(Objection::BelowUse { workload, knob, asked, used, others: all.len() - 1 })
    }

    /// More of a resource than there is, for one workload.
    fn too_much(&self, new: &Instruction) -> Option<Objection> {
        let asks = match new.effect {
            Some(Effect::AtLeast) => !is_of_total(new),
            Some(Effect::Add) => new.kind != InstructionKind::Rule,
            _ => false,
        };
        let knob = knobs(new).find(|knob| bound_on(new, *knob, self.machine).is_some()).filter(|_| asks)?;
        let (asked, has) = (bound_on(new, knob, self.machine)?, self.machine.of(knob.resource())?);
        (asked > has).then_some(Objection::MoreThanMachine { resource: knob.resource(), asked, has })
    }

    /// More of a resource than there is, for all that are named together.
    fn beyond_machine(&self, new: &Instruction, matched: &[&WorkloadId]) -> Option<Objection> {
        let expected = |workload: &WorkloadId, knob: Knob| {
            let (metric, now) = (Metric::new(knob.demand_metric()), self.at_work.now);
            match new.kind {
                InstructionKind::Event => demand::expected(new, self.history, workload, &metric, now),
                InstructionKind::Report if new.amount.is_some() => {
                    let asked = asked_for(new, knob.resource());
                    let usual = demand::usual(self.history, workload, &metric, now).unwrap_or(0.0);
                    Some(usual * asked.factor + asked.added)
                }
                _ => None,
            }
        };
        knobs(new).find_map(|knob| {
            let (resource, has) = (knob.resource(), self.machine.of(knob.resource())?);
            let all: Vec<f64> = matched.iter().filter_map(|workload| expected(workload, knob)).collect();
            let (workloads, asked) = (all.len(), all.iter().sum::<f64>());
            (asked > has).then_some(Objection::BeyondMachine { resource, workloads, asked, has })
        })
    }

    /// A floor above a ceiling, or floors that together are more than there is, at any time that the new rule is in force.
    fn crossing_bounds(&self, new: &Instruction) -> Vec<Objection> {
        if new.kind != InstructionKind::Rule || is_of_total(new) {
            return Vec::new();
        }
        let others = self.at_the_same_time(new);
        let mut found = Vec::new();
        for workload in self.matches(new) {
            found.extend(knobs(new).find_map(|knob| self.crossing(new, workload, knob, &others)));
        }
        found.truncate(1);
        found.extend(found.is_empty().then(|| self.floors_together(new, &others)).flatten());
        found
    }

    /// The rules that are in force while the new one is, without the one that it takes the place of.
    fn at_the_same_time(&self, new: &Instruction) -> Vec<&Instructed> {
        let now = self.at_work.now;
        let replaced = self.same_before(new).map(|old| old.id);
        let new =
            Instructed { id: apportion_core::InstructionId(0), time: now, revoked: None, instruction: new.clone() };
        let within = |said: &Instructed| spans(said, now.s(), now.s() + LOOK_AHEAD_S, self.at_work.offset);
        let (mine, rules) =
            (within(&new), self.standing().filter(|said| said.instruction.kind == InstructionKind::Rule));
        let meets = |said: &&Instructed| {
            within(said).iter().any(|theirs| mine.iter().any(|mine| mine.0 < theirs.1 && theirs.0 < mine.1))
        };
        rules.filter(|said| Some(said.id) != replaced).filter(meets).collect()
    }

    /// A bound of the same effect that is tighter, so that the new one changes nothing while both are in force.
    fn tighter(&self, new: &Instruction, matched: &[&WorkloadId]) -> Option<Objection> {
        if new.kind != InstructionKind::Rule {
            return None;
        }
        let mut others = self.at_the_same_time(new);
        let is_alike = |old: &Instruction| old.effect == new.effect && is_of_total(old) == is_of_total(new);
        others.retain(|said| is_alike(&said.instruction));
        if is_of_total(new) {
            return knobs(new).find_map(|knob| self.tighter_on(new, None, knob, &others));
        }
        let of = |workload| knobs(new).find_map(|knob| self.tighter_on(new, Some(workload), knob, &others));
        matched.iter().find_map(|workload| of(*workload))
    }

    fn tighter_on(
        &self,
        new: &Instruction,
        workload: Option<&WorkloadId>,
        knob: Knob,
        others: &[&Instructed],
    ) -> Option<Objection> {
        let value = bound_on(new, knob, self.machine)?;
        let is_of = |rule: &Instruction| {
            workload.is_none_or(|workload| names(rule, workload)) && concerns(rule, knob.resource())
        };
        let said = others.iter().filter(|said| is_of(&said.instruction));
        let said = said.filter_map(|said| Some((bound_on(&said.instruction, knob, self.machine)?, Some(said.id))));
        let configured = workload.and_then(|workload| self.configured.get(workload)?.bounds.get(&knob).copied());
        let is_floor = new.effect == Some(Effect::AtLeast);
        let set = configured.and_then(|bounds| if is_floor { Some(bounds.min) } else { bounds.max });
        let is_tighter = |(bound, _): &(f64, _)| if is_floor { *bound > value } else { *bound < value };
        let all = said.chain(set.map(|set| (set, None))).filter(is_tighter);
        let (bound, by) = all.min_by(|a, b| if is_floor { b.0.total_cmp(&a.0) } else { a.0.total_cmp(&b.0) })?;
        Some(Objection::Tighter { workload: workload.map(ToString::to_string), knob, bound, by })
    }

    fn crossing(
        &self,
        new: &Instruction,
        workload: &WorkloadId,
        knob: Knob,
        others: &[&Instructed],
    ) -> Option<Objection> {
        let value = bound_on(new, knob, self.machine)?;
        let configured = self.configured.get(workload)?.bounds.get(&knob).copied().unwrap_or_default();
        let is_floor = new.effect == Some(Effect::AtLeast);
        let against = if is_floor { Effect::AtMost } else { Effect::AtLeast };
        let rules =
            others.iter().filter(|said| said.instruction.effect == Some(against) && names(&said.instruction, workload));
        let said = rules.filter_map(|said| Some((bound_on(&said.instruction, knob, self.machine)?, Some(said.id))));
        let set = if is_floor { configured.max } else { Some(configured.min).filter(|min| *min > 0.0) };
        let all = said.chain(set.map(|set| (set, None)));
        let crosses = |(bound, _): &(f64, _)| if is_floor { value > *bound } else { value < *bound };
        let (bound, by) =
            all.filter(crosses).min_by(|a, b| if is_floor { a.0.total_cmp(&b.0) } else { b.0.total_cmp(&a.0) })?;
        let (floor, ceiling) = if is_floor { (value, bound) } else { (bound, value) };
        Some(Objection::FloorAboveCeiling { workload: workload.to_string(), knob, floor, ceiling, by })
    }

    fn floors_together(&self, new: &Instruction, others: &[&Instructed]) -> Option<Objection> {
        if new.effect != Some(Effect::AtLeast) {
            return None;
        }
        let knob = knobs(new).find(|knob| bound_on(new, *knob, self.machine).is_some())?;
        let has = self.machine.of(knob.resource())?;
        let value = bound_on(new, knob, self.machine)?;
        let floor = |workload: &WorkloadId, configured: &Standing| {
            let said = others
                .iter()
                .filter(|said| said.instruction.effect == Some(Effect::AtLeast) && names(&said.instruction, workload));
            let said = said.filter_map(|said| bound_on(&said.instruction, knob, self.machine));
            said.fold(configured.bounds.get(&knob).map_or(0.0, |bounds| bounds.min), f64::max)
        };
        let (mut named, mut sum, mut rest) = (0_u32, 0.0, 0.0);
        for (workload, configured) in self.configured.iter().filter(|(workload, _)| !workload.is_machine()) {
            let before = floor(workload, configured);
            let is_named = names(new, workload);
            sum += if is_named { before.max(value) } else { before };
            rest += if is_named { 0.0 } else { before };
            named += u32::from(is_named);
        }
        let left = ((has - rest) / f64::from(named.max(1))).max(0.0);
        (sum > has).then_some(Objection::FloorsTogether { resource: knob.resource(), sum, has, left })
    }

    fn to_know(&self, new: &Instruction) -> Vec<Objection> {
        let mut found = Vec::new();
        let matched = self.matches(new);
        let is_sizing = matches!(new.kind, InstructionKind::Event | InstructionKind::Rule | InstructionKind::Report);
        if is_sizing {
            found.extend(self.below_use(new, &matched));
            found.extend(self.tighter(new, &matched));
            found.extend(self.beyond_machine(new, &matched));
            found.extend(self.held(new, &matched));
        }
        let only =
            |workload: &&&WorkloadId| self.configured.get(**workload).is_some_and(|set| set.mode == Mode::Recommend);
        let workloads = matched.iter().filter(only).count();
        found.extend((is_sizing && workloads > 0).then_some(Objection::RecommendOnly { workloads }));
        let is_open = new.end.is_none() && new.repeat.is_none();
        found.extend((is_open && new.kind == InstructionKind::Event).then_some(Objection::NoEnd));
        let unsized_event = new.kind == InstructionKind::Event && new.effect.is_none();
        found.extend(unsized_event.then_some(Objection::NoSize { factor: UNSIZED }));
        found
    }

    fn held(&self, new: &Instruction, matched: &[&WorkloadId]) -> Option<Objection> {
        let from = new.start.unwrap_or(self.at_work.now).max(self.at_work.now);
        let resources: BTreeSet<Resource> = knobs(new).map(Knob::resource).collect();
        let holds = |said: &&Instructed| {
            let touched = knobs(&said.instruction).any(|knob| resources.contains(&knob.resource()));
            said.instruction.kind == InstructionKind::Hold && touched && is_in_force(said, from, self.at_work.offset)
        };
        let of = |hold: &Instructed| {
            matched.iter().find(|workload| names(&hold.instruction, workload)).map(ToString::to_string)
        };
        let (hold, workload) = self.standing().filter(holds).find_map(|hold| Some((hold, of(hold)?)))?;
        Some(Objection::Held {
            workload,
            by: hold.id,
            until: hold.instruction.end.filter(|_| hold.instruction.repeat.is_none()),
        })
    }
}

fn is_ceiling(new: &Instruction) -> bool {
    new.kind == InstructionKind::Rule && new.effect == Some(Effect::AtMost)
}

/// True where nothing that can be set here counts in what was said.
fn is_void(new: &Instruction) -> bool {
    let Some(Topic::Replicas) = new.resource else {
        let counted = |knob: Knob| demand::counts(new.unit, knob.resource());
        let is_share = new.unit == Some(Unit::Percent);
        return match new.kind {
            InstructionKind::Rule => !knobs(new).any(|knob| is_share || counted(knob)),
            InstructionKind::Event | InstructionKind::Report if new.effect == Some(Effect::Add) => {
                new.resource != Some(Topic::Requests) && !knobs(new).any(counted)
            }
            _ => false,
        };
    };
    true
}
