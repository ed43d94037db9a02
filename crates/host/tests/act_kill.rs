//! An applying run is killed at random instants: the store opens, no decision that was told is lost, and every knob can be
//! put back. The knobs are the kernel's, in groups made for the purpose.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests")]

mod act_support;

use act_support::{MIB, group, left_out};
use apportion_core::{
    Admitted, Assessment, Binding, Capacity, Change, Decision, DecisionId, Executor, Forecast, Forecaster, GuardLimits,
    History, Knob, Latest, Metric, Mode, Outcome, Plan, Policy, Reason, Series,
    Setting::{self, Unlimited, Value},
    Snapshot, Standing, Time, Window, WorkloadId, WorkloadState, tick,
    tick::{Cadence, Parts},
    traits::{AssessInput, ForecastInput},
};
use apportion_host::{
    act::{CgroupFiles, Journal, OwnGroup, PutBack, Recorded, Route, restore},
    cgroupfs::Hierarchy,
    store::{Access, Filter, Options, Store},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::{BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, UNIX_EPOCH},
};

/// Folder of the store, and the groups, that the run works on.
const FOLDER: &str = "APPORTION_TEST_KILL_FOLDER";
const GROUPS: &str = "APPORTION_TEST_KILL_GROUPS";
/// How often the run is killed, unless this says otherwise.
const KILLS: (&str, u64) = ("APPORTION_TEST_KILLS", 200);
/// What the knobs of every group are set to before the first run.
const ORIGINALS: [(Knob, Setting); 2] = [(Knob::CpuQuota, Value(0.8)), (Knob::MemoryMax, Unlimited)];

fn open(folder: &Path) -> Store {
    Store::open(&folder.join("a.db"), Access::ReadWrite, Options::default()).unwrap()
}

fn machine() -> Route {
    Route::new(vec![Box::new(CgroupFiles::new(Hierarchy::discover(Path::new("/")).unwrap()))])
}

fn say(word: &str, id: DecisionId) {
    let mut out = std::io::stdout();
    writeln!(out, "{word} {id}").unwrap();
    out.flush().unwrap();
}

/// Tells what is on disk, as soon as it is.
struct Telling(Arc<Store>);

impl Journal for Telling {
    fn intend(&mut self, change: &Admitted, former: Setting) -> Result<(), String> {
        self.0.intend(change, former, Time::from_s(0)).map_err(|error| error.to_string())?;
        say("intent", change.id());
        Ok(())
    }
    fn settle(&mut self, id: DecisionId, outcome: &Outcome) -> Result<(), String> {
        assert!(outcome.is_applied(), "{id}: {outcome:?}");
        self.0.settle(id, outcome).map_err(|error| error.to_string())
    }
}

/// Turns every knob at every tick.
struct Restless;

impl Policy for Restless {
    fn name(&self) -> &'static str {
        "restless"
    }
    fn assess(&self, _: &AssessInput<'_>) -> Assessment {
        Assessment::default()
    }
    fn plan(&self, snapshot: &Snapshot, _: &BTreeMap<WorkloadId, Assessment>) -> Plan {
        let knobs = snapshot.workloads.values().flat_map(|state| {
            state.settings.iter().map(|(knob, from)| Change {
                workload: state.workload.id.clone(),
                knob: *knob,
                from: *from,
                to: another(*knob, *from),
                reason: Reason::only(Binding::Rule("restless".to_owned())),
            })
        });
        Plan { changes: knobs.collect(), ..Plan::default() }
    }
}

fn another(knob: Knob, from: Setting) -> Setting {
    let values = if knob == Knob::CpuQuota { [0.3, 0.5] } else { [64.0 * MIB, 96.0 * MIB] };
    Value(if from.same(Value(values[0]), knob) { values[1] } else { values[0] })
}

/// Nothing is known and nothing forecast.
struct Nothing;

impl History for Nothing {
    fn series(&self, _: &WorkloadId, _: &Metric, _: Window) -> Option<Series> {
        None
    }
}

impl Forecaster for Nothing {
    fn name(&self) -> &'static str {
        "nothing"
    }
    fn forecast(&self, _: &[ForecastInput], _: usize) -> Vec<Forecast> {
        Vec::new()
    }
}

fn snapshot(groups: &str, executor: &dyn Executor, now: Time) -> Snapshot {
    let states = groups.split(',').map(|path| {
        let workload = group(path);
        let observed = ORIGINALS.map(|(knob, _)| (knob, executor.observe(&workload, knob).unwrap()));
        let fresh = ORIGINALS.map(|(knob, _)| (Metric::new(knob.demand_metric()), Latest { time: now, value: 0.0 }));
        let state = WorkloadState {
            workload,
            standing: Standing { mode: Mode::Apply, ..Standing::default() },
            latest: fresh.into(),
            settings: observed.into(),
            life: None,
            lost: Default::default(),
            own: false,
        };
        (state.workload.id.clone(), state)
    });
    Snapshot { now, capacity: Capacity::default(), workloads: states.collect() }
}

/// The run that is killed: one tick after the other, as fast as they go.
#[test]
#[ignore = "the process that is killed by the test beside it"]
fn run() {
    let (folder, groups) = (env::var(FOLDER).unwrap(), env::var(GROUPS).unwrap());
    let store = Arc::new(open(Path::new(&folder)));
    let mut executor = Recorded::new(machine(), Telling(Arc::clone(&store)));
    for intent in store.unsettled().unwrap() {
        let found = executor.observe(&intent.workload, intent.change.knob);
        store.reconcile(&intent, found).unwrap();
    }
    let mut state = store.load_state().unwrap();
    state.guard.limits =
        GuardLimits { cut_share: 1.0, raise_share: 1e9, cool_down_s: 0.0, blast_share: 1.0, ..GuardLimits::default() };
    // What was rolled back in between looks like somebody else's hand; here a person hands it over again.
    groups.split(',').for_each(|path| state.guard.take_over(&WorkloadId::new(path)));
    loop {
        let now = Time(i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap());
        let snapshot = snapshot(&groups, &executor, now);
        let mut parts = Parts {
            history: &Nothing,
            forecaster: &Nothing,
            policy: &Restless,
            executor: &mut executor,
            cadence: &Cadence::default(),
            announced: &|_, _, _| apportion_core::Announced::default(),
        };
        let report = tick(&mut state, &snapshot, &mut parts);
        store.record_tick(&report, &state, now).unwrap();
        assert!(
            report.decisions.iter().any(Decision::is_applied),
            "nothing is turned any more: {:?}",
            report.decisions
        );
        for decision in report.decisions.iter().filter(|decision| decision.is_applied()) {
            say("decision", decision.id);
        }
    }
}

/// What the run had told before it was killed.
#[derive(Default)]
struct Told {
    decisions: BTreeSet<u64>,
    intents: BTreeSet<u64>,
}

impl Told {
    fn take(&mut self, line: &str) {
        // The harness writes its own words into the same line.
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let Some([word, id]) = words.last_chunk() else { return };
        match (*word, id.parse()) {
            ("decision", Ok(id)) => drop(self.decisions.insert(id)),
            ("intent", Ok(id)) => drop(self.intents.insert(id)),
            _ => {}
        }
    }
}

/// Runs until it has told `lines` things and a little longer, then kills it.
fn run_and_kill(folder: &Path, groups: &str, lines: u64, longer: Duration, told: &mut Told) {
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "run", "--ignored", "--nocapture"]).env(FOLDER, folder).env(GROUPS, groups);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    for _ in 0..lines {
        told.take(&output.next().unwrap_or_default());
    }
    thread::sleep(longer);
    child.kill().unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.signal(), Some(9), "it ended by itself: {}", String::from_utf8_lossy(&ended.stderr));
    output.for_each(|line| told.take(&line));
}

/// Nothing that was told is lost, and what stands otherwise than it did can be put back.
fn look(store: &Store, groups: &[OwnGroup], told: &Told) {
    let all = Filter { limit: usize::MAX, ..Filter::default() };
    let recorded: BTreeSet<u64> = store.decisions(&all).unwrap().iter().map(|decision| decision.id.0).collect();
    assert_eq!(told.decisions.difference(&recorded).next(), None, "a decision is lost");
    let route = machine();
    let originals = store.originals().unwrap();
    for (made, (knob, original)) in groups.iter().flat_map(|made| ORIGINALS.map(|each| (made, each))) {
        let now = route.observe(&group(made.path()), knob).unwrap();
        let known = originals.iter().find(|known| known.knob == knob && known.workload == group(made.path()));
        match known {
            Some(known) => assert!(known.setting.same(original, knob), "{knob}: {} is not {original}", known.setting),
            None => assert!(now.same(original, knob), "{knob} of {} is {now} and nothing says why", made.path()),
        }
    }
}

/// What `apportion rollback --all` does.
fn roll_back(store: &Store, groups: &[OwnGroup]) {
    let originals = store.originals().unwrap().into_iter();
    let knobs = originals.map(|original| (original.workload, original.knob, original.setting)).collect();
    let mut route = machine();
    for restored in restore(knobs, &mut route) {
        assert!(matches!(restored.result, PutBack::Done | PutBack::AlreadySo), "{restored:?}");
        store.mark_restored(&restored.workload.id, restored.knob).unwrap();
    }
    for (made, (knob, original)) in groups.iter().flat_map(|made| ORIGINALS.map(|each| (made, each))) {
        let now = route.observe(&group(made.path()), knob).unwrap();
        assert!(now.same(original, knob), "{knob} of {} is {now}, was {original}", made.path());
    }
    assert_eq!(store.originals().unwrap(), []);
}

#[test]
fn a_killed_run_can_be_undone() {
    let hierarchy = Hierarchy::discover(Path::new("/")).unwrap();
    let path = |number: u32| format!("/apportion-test-{}-kill{number}", std::process::id());
    let made: Result<Vec<OwnGroup>, _> = (0..3).map(|number| OwnGroup::create(&hierarchy, &path(number))).collect();
    let groups = match made {
        Ok(groups) => groups,
        Err(error) => return left_out("killing an applying run", &error.to_string()),
    };
    let paths: Vec<&str> = groups.iter().map(OwnGroup::path).collect();
    let knobs = || paths.iter().flat_map(|path| ORIGINALS.map(|(knob, original)| (group(path), knob, original)));
    if knobs().any(|(workload, knob, _)| machine().observe(&workload, knob).is_none()) {
        return left_out("killing an applying run", "the knobs of groups of our own cannot be set here");
    }
    restore(knobs().collect(), &mut machine());
    let folder = tempfile::tempdir().unwrap();
    let kills = env::var(KILLS.0).map_or(KILLS.1, |kills| kills.parse().unwrap());
    let (mut told, mut seed) = (Told::default(), 7_u64);
    for kill in 0..kills {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (lines, longer) = ((seed >> 33) % 24, Duration::from_micros((seed >> 40) % 4_000));
        run_and_kill(folder.path(), &paths.join(","), lines, longer, &mut told);
        let store = open(folder.path());
        look(&store, &groups, &told);
        // Now and then the next run carries on from where this one was killed.
        if kill % 4 != 3 {
            roll_back(&store, &groups);
        }
    }
    let store = open(folder.path());
    roll_back(&store, &groups);
    let (decisions, intents) = (told.decisions.len(), told.intents.len());
    println!("{kills} kills; told {intents} intents and {decisions} decisions, none lost; every knob was put back");
    assert!(decisions > 0 && intents > decisions, "the kills did not fall in between");
}
