//! `run --tune`: one background thread at the lowest priority looks every hour whether forecasts have become worse, and tunes
//! once a day, or when they have. It reads the store as any other reader does; what it wins, the loop finds in the folder of
//! versions. It takes one core's spare time at most, and ends with the process.

use crate::{
    commands::NothingFound,
    learn::{self, STORE_STEP_S},
    tuning::{self, Job, Version, Versions, shipped},
};
use apportion_core::{Metric, Problem, Time, time::DAY_S};
use apportion_host::store::{Access, Options, Store};
use apportion_model::training::{GroupDrift, TuneConfig, drift};
use std::{
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The first look comes this long after the start, the others this long after the last.
const FIRST_AFTER: Duration = Duration::from_secs(600);
const EVERY: Duration = Duration::from_secs(3_600);
/// A tuning that takes longer is broken off: the machine has no time to spare, and the next try is a day later.
const MOST_TIME: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// Where forecasts have become worse, tuning is not tried again before this.
const AFTER_DRIFT_S: i64 = DAY_S / 4;
/// Steps of five minutes that count as of late: a day.
const LATE_STEPS: usize = 288;
/// So many workloads, by a hash of their names: all of it must live within the memory that the packaged service has.
const WORKLOADS: usize = 64;
/// Fewer steps than by hand, since it goes on day after day.
const STEPS: u64 = 200;

/// What the thread last found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Report {
    /// Per metric how the forecasts of the last day compare with those before.
    pub(super) drift: Vec<GroupDrift>,
    /// Why it could not look or tune.
    pub(super) problem: Option<String>,
}

impl Report {
    /// What a person should know: metrics whose forecasts have become worse, and what went wrong.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let worse = self.drift.iter().filter(|it| it.has_drifted()).map(|it| Problem {
            place: "forecasts".to_owned(),
            what: format!(
                "{}: over the last day the Transformer's loss, relative to the quantiles of the last 64 values, is {:.2} times \
                 that of the six days before ({} series); the next tuning takes it up",
                it.group, it.ratio, it.series
            ),
        });
        let wrong = self.problem.iter().map(|what| Problem { place: "tuning".to_owned(), what: what.clone() });
        worse.chain(wrong).collect()
    }
}

/// What the thread and its owner tell each other.
#[derive(Debug, Default)]
struct Signs {
    /// The thread is to end.
    stop: AtomicBool,
    /// The note beside the store is of this process.
    noted: AtomicBool,
}

/// The thread; it is told to end when this goes.
pub(super) struct Tuner {
    store: PathBuf,
    report: Arc<Mutex<Report>>,
    signs: Arc<Signs>,
}

impl Tuner {
    /// Begins to look after the weights of a store.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn start(store: PathBuf) -> io::Result<Self> {
        let tuner = Self { store: store.clone(), report: Arc::default(), signs: Arc::default() };
        let (report, signs) = (Arc::clone(&tuner.report), Arc::clone(&tuner.signs));
        thread::Builder::new().name("tuner".to_owned()).spawn(move || {
            if let Err(error) = rustix::process::nice(19) {
                tracing::warn!("tuning runs at the loop's own priority: {error}");
            }
            let mut wait = FIRST_AFTER;
            while sleep(wait, &signs.stop) {
                let (found, next) = look(&store, &signs);
                *report.lock().unwrap_or_else(PoisonError::into_inner) = found;
                wait = next;
            }
        })?;
        Ok(tuner)
    }

    /// What it last found.
    pub(super) fn report(&self) -> Report {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Tuner {
    fn drop(&mut self) {
        self.signs.stop.store(true, Ordering::Relaxed);
        // What ends with the loop was not killed; what an earlier process noted was.
        if self.signs.noted.load(Ordering::Relaxed) {
            Versions::of(&self.store).note_end();
        }
    }
}

/// False when told to end.
fn sleep(wait: Duration, stop: &AtomicBool) -> bool {
    let end = Instant::now() + wait;
    while Instant::now() < end && !stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_secs(1).min(wait));
    }
    !stop.load(Ordering::Relaxed)
}

/// One look: drift, a tuning where it is due, and when to look again. While it lasts it is noted beside the store.
fn look(store: &Path, signs: &Signs) -> (Report, Duration) {
    let (versions, now) = (Versions::of(store), super::now());
    if let Some(began) = versions.begun().filter(|began| is_within(DAY_S, began.as_second(), now)) {
        let what = format!(
            "the one that began at {began} never ended: the process was killed, perhaps for want of memory; the next comes a day after it"
        );
        return (Report { problem: Some(what), ..Report::default() }, EVERY);
    }
    if let Err(error) = versions.note_begin(jiff::Timestamp::now()) {
        return (Report { problem: Some(error.to_string()), ..Report::default() }, EVERY);
    }
    signs.noted.store(true, Ordering::Relaxed);
    let found = look_noted(store, now, &signs.stop);
    versions.note_end();
    signs.noted.store(false, Ordering::Relaxed);
    found
}

/// True for what was less than so long ago. What is to come was noted under a clock that has been put right since.
fn is_within(span_s: i64, then_s: i64, now: Time) -> bool {
    (0..span_s).contains(&(now.s() - then_s))
}

fn look_noted(store: &Path, now: Time, stop: &AtomicBool) -> (Report, Duration) {
    let mut report = Report::default();
    let next = match look_and_tune(store, now, stop, &mut report) {
        Ok(next) => next,
        Err(error) if error.is::<NothingFound>() => {
            tracing::info!("{error}");
            EVERY
        }
        Err(error) => {
            tracing::warn!("tuning: {error:#}");
            report.problem = Some(format!("{error:#}"));
            EVERY
        }
    };
    (report, next)
}

fn look_and_tune(store: &Path, now: Time, stop: &AtomicBool, report: &mut Report) -> anyhow::Result<Duration> {
    let versions = Versions::of(store);
    let found = Arc::new(Store::open(store, Access::ReadOnly, Options::default())?);
    let found = learn::from_store(&found, now, WORKLOADS)?;
    let config = TuneConfig { steps: STEPS, seed: now.s().unsigned_abs(), threads: 1, ..TuneConfig::default() };
    let job = Job::new(found, Vec::new(), vec!["the store".to_owned()], config);
    let in_use = versions.in_use(shipped()?)?.transformer;
    report.drift = drift(&job.set.series, &|group| in_use.model(&Metric::new(group), STORE_STEP_S), LATE_STEPS, 1);
    let has_drifted = report.drift.iter().any(GroupDrift::has_drifted);
    if !is_due(versions.last_tried().as_ref(), has_drifted, now) {
        return Ok(EVERY);
    }
    let begin = Instant::now();
    let go_on = |_: &_| {
        let may = begin.elapsed() < MOST_TIME && !stop.load(Ordering::Relaxed);
        if may { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let Some(version) = tuning::tune(&versions, job, go_on)? else {
        report.problem = Some("broken off after an hour, since the machine has no time to spare".to_owned());
        return Ok(DAY);
    };
    tracing::info!(version = version.number, kept = version.is_kept(), "tuned");
    Ok(EVERY)
}

/// Once a day, and a quarter of a day after the last where forecasts have become worse.
fn is_due(last: Option<&Version>, has_drifted: bool, now: Time) -> bool {
    let wait_s = if has_drifted { AFTER_DRIFT_S } else { DAY_S };
    last.is_none_or(|last| !is_within(wait_s, last.made.as_second(), now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuning::tests::{put_in_force, version};
    use apportion_core::{Batch, Sample, Workload, WorkloadId, WorkloadKind};

    #[test]
    fn tunes_once_a_day_and_sooner_where_forecasts_have_become_worse() {
        let now = Time::from_s(1_700_000_000);
        let check = |hours_ago: i64, drifted: bool, due: bool| {
            let last = version(now.s() - hours_ago * 3_600);
            assert_eq!(is_due(Some(&last), drifted, now), due, "{hours_ago} h ago, drifted: {drifted}");
        };
        assert!(is_due(None, false, now));
        check(23, false, false);
        check(24, false, true);
        check(5, true, false);
        check(6, true, true);
        check(-48, false, true);
    }

    #[test]
    fn a_clean_end_takes_back_its_own_note_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("apportion.db");
        let versions = Versions::of(&path);
        versions.note_begin(jiff::Timestamp::now()).unwrap();
        let tuner = |noted| {
            let signs = Arc::new(Signs { noted: AtomicBool::new(noted), ..Signs::default() });
            Tuner { store: path.clone(), report: Arc::default(), signs }
        };
        drop(tuner(false));
        assert!(versions.begun().is_some(), "a process that was killed wrote it");
        drop(tuner(true));
        assert!(versions.begun().is_none());
    }

    #[test]
    fn says_which_forecasts_have_become_worse_and_what_went_wrong() {
        let drift = |group: &str, ratio: f64, ratio_low: f64| GroupDrift {
            group: group.to_owned(),
            series: 3,
            ratio,
            ratio_low,
        };
        let drift = vec![drift("cpu_cores", 1.4, 1.2), drift("memory_bytes", 1.4, 0.9), drift("io", 1.05, 1.01)];
        let said = Report { drift, problem: Some("no room".to_owned()) }.problems();
        let said: Vec<String> = said.iter().map(|it| format!("{}: {}", it.place, it.what)).collect();
        assert!(said.len() == 2 && said[0].contains("cpu_cores") && said[0].contains("1.40 times"), "{said:?}");
        assert_eq!(said[1], "tuning: no room");
    }

    #[test]
    fn a_store_with_little_history_is_no_fault_and_one_that_cannot_be_read_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("apportion.db");
        let (signs, now) = (Signs::default(), super::super::now());
        let (report, next) = look(&path, &signs);
        assert!(report.problem.is_some() && next == EVERY, "{report:?}");
        let store = Store::open(&path, Access::ReadWrite, Options::default()).unwrap();
        let workload = Workload {
            id: WorkloadId::new("web"),
            kind: WorkloadKind::Trace,
            path: String::new(),
            labels: std::collections::BTreeMap::new(),
        };
        let sample =
            Sample { workload: workload.id.clone(), metric: Metric::new("requests_per_s"), time: now, value: 1.0 };
        store.append(&Batch { workloads: vec![workload], samples: vec![sample], problems: Vec::new() }, now);
        store.flush().unwrap();
        let versions = Versions::of(&path);
        versions.note_begin(jiff::Timestamp::from_second(now.s() + 2 * DAY_S).unwrap()).unwrap();
        let (report, next) = look(&path, &signs);
        assert_eq!((report, next), (Report::default(), EVERY), "a note of what is to come keeps nobody");
        assert!(versions.last_tried().is_none() && versions.begun().is_none());
    }

    /// Six workloads for four days, busy for a sixth of every four hours.
    fn record(path: &Path, now: Time) {
        let mut batch = Batch::default();
        for k in 0..6_u16 {
            let id = WorkloadId::new(&format!("w{k}"));
            for step in 0..1_152_i64 {
                let busy = f64::from(u8::from((step + i64::from(k)) % 48 < 9));
                let (time, bytes) = (now.plus_s(-300 * (1_152 - step)), 5e8 + 1e8 * f64::from(k) + 3e8 * busy);
                batch.push(&id, &Metric::new("memory_working_set_bytes"), time, bytes);
            }
            let (kind, path, labels) = (WorkloadKind::Cgroup, format!("/{id}"), std::collections::BTreeMap::new());
            batch.workloads.push(Workload { id, kind, path, labels });
        }
        Store::open(path, Access::ReadWrite, Options::default()).unwrap().backfill(&batch, now).unwrap();
    }

    #[test]
    fn a_look_tunes_where_that_is_due_and_not_after_one_that_took_the_process_down() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("apportion.db");
        let (signs, versions, now) = (Signs::default(), Versions::of(&path), super::super::now());
        record(&path, now);
        // Weights that have learnt nothing are soon beaten, and a small network is soon tuned.
        put_in_force(&versions, "memory_working_set_bytes", |_| ());
        let hours_ago = |hours: i64| jiff::Timestamp::from_second(now.s() - hours * 3_600).unwrap();
        versions.note_begin(hours_ago(23)).unwrap();
        let problem = look(&path, &signs).0.problem.unwrap_or_default();
        assert!(problem.contains("never ended") && versions.current().unwrap() == 1, "{problem}");
        versions.note_begin(hours_ago(25)).unwrap();
        let (report, next) = look(&path, &signs);
        let tried = versions.last_tried().unwrap();
        assert_eq!((report.problem, next, tried.number, versions.begun()), (None, EVERY, 2, None));
        assert_eq!((tried.is_kept(), versions.current().unwrap()), (true, 2), "{:?}", tried.scores);
    }
}
