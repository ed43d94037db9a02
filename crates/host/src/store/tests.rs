//! What can only be tested from inside: the steps between schemas, a file that may not grow or be written any more.

use super::{
    Access, Filter, Options, Store,
    schema::{self, KNOWN},
};
use apportion_core::{
    Batch, Binding, Change, Decision, DecisionId, Knob, Metric, Outcome, Reason, Refusal, Setting, Time, Verdict,
    WorkloadId, metric::name,
};
use rusqlite::Connection;
use std::path::Path;

fn decisions() -> [Decision; 2] {
    let change = |to| Change {
        workload: "web".into(),
        knob: Knob::CpuQuota,
        from: Setting::Unlimited,
        to,
        reason: Reason::only(Binding::Recent),
    };
    let outcome = Outcome::Applied { read_back: Setting::Value(2.0) };
    let admitted = Verdict::Admitted { to: Setting::Value(2.0), outcome };
    let refused = Verdict::Refused { why: Refusal::RecommendOnly };
    [
        Decision { id: DecisionId(1), time: Time::from_s(10), change: change(Setting::Value(1.5)), verdict: admitted },
        Decision { id: DecisionId(2), time: Time::from_s(20), change: change(Setting::Value(1.5)), verdict: refused },
    ]
}

/// A file as version 1 of the schema left it.
fn write_version_1(path: &Path) {
    let mut db = Connection::open(path).unwrap();
    schema::migrate(&mut db, path, 1).unwrap();
    for decision in decisions() {
        let json = serde_json::to_string(&decision).unwrap();
        let sql = "INSERT INTO decision (id, time_ms, workload, knob, version, json) VALUES (?1, ?2, 'web', 'cpu_quota_cores', 1, ?3)";
        db.execute(sql, (decision.id.0.cast_signed(), decision.time.0, json)).unwrap();
    }
}

#[test]
fn a_store_of_version_1_is_migrated_with_its_decisions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    write_version_1(&path);
    let error = Store::open(&path, Access::ReadOnly, Options::default()).err().unwrap();
    assert_eq!(error.label(), "older", "{error}");
    let store = Store::open(&path, Access::ReadWrite, Options::default()).unwrap();
    let [admitted, refused] = decisions();
    assert_eq!(store.decisions(&Filter::default()).unwrap(), [refused, admitted]);
    let columns = |store: &Store| -> Vec<String> {
        let inner = store.lock();
        let sql = "SELECT id || verdict || outcome || coalesce(from_value, '-') || to_value FROM decision ORDER BY id";
        let mut statement = inner.db.connection.prepare(sql).unwrap();
        statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let migrated = columns(&store);
    assert_eq!(migrated, ["1admittedapplied-2.0", "2refusedrecommend_only-1.5"]);
    // The step fills the columns exactly as recording does.
    let new = Store::in_memory(Options::default()).unwrap();
    new.record(&decisions()).unwrap();
    assert_eq!(columns(&new), migrated);
    // Recorded again, what an earlier version wrote stays.
    store.record(&decisions()).unwrap();
    assert_eq!(columns(&store), migrated);
    assert!(store.instructions(Time::from_s(0)).unwrap().is_empty());
    let inner = store.lock();
    let versions: i64 = inner.db.connection.query_row("SELECT count(*) FROM migration", (), |row| row.get(0)).unwrap();
    assert_eq!(versions, KNOWN);
}

#[test]
fn a_migrated_file_has_the_tables_of_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let tables = |path: &Path| -> Vec<String> {
        drop(Store::open(path, Access::ReadWrite, Options::default()).unwrap());
        let db = Connection::open(path).unwrap();
        let mut statement = db.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").unwrap();
        statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let (old, new) = (folder.path().join("old.db"), folder.path().join("new.db"));
    write_version_1(&old);
    assert_eq!(tables(&old), tables(&new));
}

fn feed(store: &Store, now_s: i64) {
    let mut batch = Batch::default();
    for k in 0..50 {
        let workload = WorkloadId::new(&format!("w{k}"));
        batch.push(
            &workload,
            &Metric::new(name::MEMORY),
            Time::from_s(now_s),
            (now_s * 7_919 * (k + 1) % 10_007) as f64,
        );
    }
    store.append(&batch, Time::from_s(now_s));
}

#[test]
fn a_file_that_may_not_grow_takes_nothing_half_and_catches_up_later() {
    let store = Store::in_memory(Options::default()).unwrap();
    let limit = |pages: i64| {
        let inner = store.lock();
        inner.db.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    };
    let run = |from_s: i64, to_s: i64| -> usize {
        let ticks = (from_s..to_s).step_by(10);
        ticks
            .filter(|now_s| {
                feed(&store, *now_s);
                store.maintain(Time::from_s(*now_s)).is_err_and(|error| error.label() == "full")
            })
            .count()
    };
    assert_eq!(run(0, 600), 0);
    limit(1);
    assert!(run(600, 9_000) > 700, "the file grew");
    // There may be room for these on a page that is there already; if not, they wait.
    let _ = store.record(&decisions());
    limit(1_000_000);
    assert_eq!(run(9_000, 20_000), 0);
    let window = apportion_core::Window { from_s: 10, to_s: 20_000, step_s: 10 };
    for k in [0, 17, 49] {
        let series = store.series_mean(&WorkloadId::new(&format!("w{k}")), &Metric::new(name::MEMORY), window).unwrap();
        assert_eq!(series.unwrap().present().count(), window.len(), "w{k} has gaps");
    }
    assert_eq!(store.decisions(&Filter::default()).unwrap().len(), 2);
    assert!(store.status().unwritten_samples <= 50 * 5, "{:?}", store.status());
}

#[test]
fn a_file_that_turns_read_only_is_told_and_what_waits_goes_out_later() {
    let store = Store::in_memory(Options::default()).unwrap();
    let query_only = |on: bool| store.lock().db.connection.pragma_update(None, "query_only", on).unwrap();
    query_only(true);
    feed(&store, 10);
    assert_eq!(store.maintain(Time::from_s(10)).unwrap_err().label(), "read_only");
    assert_eq!(store.record(&decisions()).unwrap_err().label(), "read_only");
    assert_eq!((store.status().unwritten_samples, store.decisions(&Filter::default()).unwrap().len()), (50, 2));
    query_only(false);
    store.maintain(Time::from_s(20)).unwrap();
    assert_eq!((store.status().unwritten_samples, store.decisions(&Filter::default()).unwrap().len()), (0, 2));
}

#[test]
fn a_file_that_was_larger_shrinks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let store = Store::open(&path, Access::ReadWrite, Options::default()).unwrap();
    (0..20_000).step_by(10).for_each(|now_s| {
        feed(&store, now_s);
        store.maintain(Time::from_s(now_s)).unwrap();
    });
    store.flush().unwrap();
    drop(store);
    let before = std::fs::metadata(&path).unwrap().len();
    let store = Store::open(&path, Access::ReadWrite, Options { most_bytes: before / 4 }).unwrap();
    (0..20).for_each(|k| store.maintain(Time::from_s(20_000 + k * 400)).unwrap());
    drop(store);
    let after = std::fs::metadata(&path).unwrap().len();
    assert!(after < before * 2 / 3, "{before} {after}");
}
