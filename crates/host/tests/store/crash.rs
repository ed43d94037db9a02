//! A writing process is killed at random instants: the store opens, no recorded decision is lost, every knob that was
//! written can be put back, and at most a minute of readings is gone.

use crate::fixtures::{START_S, admitted, batch, memory, open, workload};
use apportion_core::{
    Batch, Decision, DecisionId, Guard, History, Knob, Outcome, Setting, TickReport, Time, Verdict, Window, WorkloadId,
};
use apportion_host::store::Filter;
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

/// Folder in which the writing process works.
const FOLDER: &str = "APPORTION_TEST_CRASH_FOLDER";
/// How often the writing process is killed; `APPORTION_TEST_KILLS` asks for more.
const KILLS: u64 = 30;
const ORIGINAL: Setting = Setting::Value(8.0);

/// The writing process: a loop of ticks of 10 s, as fast as they go. Tells on its standard output what is on disk.
#[test]
#[ignore = "the process that is killed by the test beside it"]
fn writer() {
    let folder = std::env::var(FOLDER).unwrap();
    let folder = Path::new(&folder);
    let store = open(&folder.join("a.db"));
    for open in store.unsettled().unwrap() {
        store.reconcile(&open, Some(knob(folder))).unwrap();
    }
    let mut state = store.load_state().unwrap();
    let mut out = std::io::stdout();
    let mut say = |word: &str, number: i64| {
        writeln!(out, "{word} {number}").unwrap();
        out.flush().unwrap();
    };
    let first_s = last_seen_s(&store.workloads().unwrap()) + 400;
    for now_s in (first_s..).step_by(10) {
        let now = Time::from_s(now_s);
        let readings: Vec<Batch> =
            (0..20).map(|k| batch(&format!("w{k}"), &memory(), &[(now_s as f64, now_s as f64)])).collect();
        for readings in &readings {
            store.append(readings, now);
        }
        let from = knob(folder);
        let to = Setting::Value(if from == Setting::Value(2.0) { 4.0 } else { 2.0 });
        let admitted = admitted(&mut Guard::default(), state.next_id.0, "w0", from, to, now);
        let id = admitted.id().0.cast_signed();
        store.intend(&admitted, from, now).unwrap();
        say("intent", id);
        fs::write(folder.join("knob"), admitted.to().to_string()).unwrap();
        let outcome = Outcome::Applied { read_back: admitted.to() };
        store.settle(admitted.id(), &outcome).unwrap();
        let verdict = Verdict::Admitted { to: admitted.to(), outcome };
        let decision = Decision { id: admitted.id(), time: now, change: admitted.change().clone(), verdict };
        state.next_id.0 += 1;
        let report = TickReport { decisions: vec![decision], ..TickReport::default() };
        store.record_tick(&report, &state, now).unwrap();
        say("decision", id);
        store.maintain(now).unwrap();
        say("tick", now_s);
    }
}

/// What the knob holds; a write that was cut short leaves it empty, which the kernel's files cannot be.
fn knob(folder: &Path) -> Setting {
    let text = fs::read_to_string(folder.join("knob")).unwrap_or_default();
    text.parse().map_or(ORIGINAL, Setting::Value)
}

fn last_seen_s(seen: &[apportion_host::store::Seen]) -> i64 {
    seen.iter().map(|seen| seen.last.s()).max().unwrap_or(START_S)
}

/// What the writing process had told before it was killed.
#[derive(Default)]
struct Told {
    decisions: BTreeSet<u64>,
    intents: BTreeSet<u64>,
    tick_s: i64,
}

fn run_and_kill(folder: &Path, after: Duration, told: &mut Told) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::writer", "--ignored", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reader = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>());
    std::thread::sleep(after);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9), "the writer ended by itself");
    for line in reader.join().unwrap() {
        match line.split_once(' ').and_then(|(word, number)| Some((word, number.parse::<u64>().ok()?))) {
            Some(("decision", id)) => drop(told.decisions.insert(id)),
            Some(("intent", id)) => drop(told.intents.insert(id)),
            Some(("tick", s)) => told.tick_s = s.cast_signed(),
            _ => {}
        }
    }
}

fn look(folder: &Path, told: &Told) {
    let path = folder.join("a.db");
    let store = open(&path);
    let recorded: BTreeSet<u64> = store
        .decisions(&Filter { limit: usize::MAX, ..Filter::default() })
        .unwrap()
        .iter()
        .map(|decision| decision.id.0)
        .collect();
    assert_eq!(told.decisions.difference(&recorded).next(), None, "a recorded decision is lost");
    let open: BTreeSet<u64> = store.unsettled().unwrap().iter().map(|intent| intent.id.0).collect();
    let known: BTreeSet<u64> = recorded.union(&open).copied().collect();
    assert_eq!(told.intents.difference(&known).next(), None, "an intent is lost");
    assert!(open.len() <= 1, "{open:?}");
    assert!(store.load_state().unwrap().next_id > DecisionId(known.last().copied().unwrap_or(0)) || known.is_empty());
    if knob(folder) != ORIGINAL {
        let originals = store.originals().unwrap();
        assert_eq!(originals.len(), 1);
        assert_eq!((&originals[0].workload, originals[0].knob), (&workload("w0"), Knob::CpuQuota));
        assert_eq!(originals[0].setting, ORIGINAL, "the knob cannot be put back");
    }
    if told.tick_s > 0 {
        let window = Window { from_s: told.tick_s - 60, to_s: told.tick_s + 3_600, step_s: 10 };
        let series = store.series(&WorkloadId::new("w7"), &memory(), window);
        assert!(series.is_some(), "more than a minute of readings is lost before {}", told.tick_s);
    }
    drop(store);
    let check: String =
        rusqlite::Connection::open(&path).unwrap().query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn survives_kill_9_at_any_instant() {
    let folder = tempfile::tempdir().unwrap();
    let kills = std::env::var("APPORTION_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let mut told = Told::default();
    let mut random = 20_261_122_u64;
    for _ in 0..kills {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        run_and_kill(folder.path(), Duration::from_micros(random >> 32 & 0x3_ffff), &mut told);
        look(folder.path(), &told);
    }
    assert!(told.decisions.len() as u64 > kills, "the writer hardly ran: {} decisions", told.decisions.len());
}
