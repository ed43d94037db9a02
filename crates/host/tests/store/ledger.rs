//! The ledger: decisions, what was about to be written, what hurt, what people said, what the loop remembers.

use crate::fixtures::{admitted, change, in_memory, open};
use apportion_core::{
    Decision, DecisionId, Guard, Harm, Knob, LoopState, Outcome, Refusal, Setting, TickReport, Time, Verdict,
    instruction::{Instruction, InstructionKind, Repeat},
};
use apportion_host::store::{Filter, Store};

const UNLIMITED: Setting = Setting::Unlimited;

fn cores(cores: f64) -> Setting {
    Setting::Value(cores)
}

fn refused(id: u64, workload: &str, s: i64) -> Decision {
    let why = Refusal::Held { why: "month end".to_owned() };
    let change = change(workload, UNLIMITED, cores(0.1 + 0.2));
    Decision { id: DecisionId(id), time: Time::from_s(s), change, verdict: Verdict::Refused { why } }
}

fn applied(id: u64, workload: &str, from: Setting, to: Setting) -> Decision {
    let outcome = Outcome::Applied { read_back: to };
    let verdict = Verdict::Admitted { to, outcome };
    Decision { id: DecisionId(id), time: Time::from_s(id.cast_signed()), change: change(workload, from, to), verdict }
}

#[allow(clippy::field_reassign_with_default, reason = "it has private fields")]
fn numbered(next_id: u64) -> LoopState {
    let mut state = LoopState::default();
    state.next_id = DecisionId(next_id);
    state
}

fn ids(decisions: &[Decision]) -> Vec<u64> {
    decisions.iter().map(|decision| decision.id.0).collect()
}

#[test]
fn decisions_come_back_as_they_were_by_workload_time_and_number() {
    let store = in_memory();
    let decisions = [
        refused(1, "web", 100),
        applied(2, "db", UNLIMITED, cores(2.0 / 3.0)),
        refused(3, "web", 300),
        refused(4, "web", 400),
    ];
    store.record(&decisions).unwrap();
    let page = |workload: Option<&str>, since: Option<i64>, before: Option<u64>, limit, expect: &[u64]| {
        let (since, before) = (since.map(Time::from_s), before.map(DecisionId));
        let filter = Filter { workload: workload.map(Into::into), since, before, limit };
        assert_eq!(ids(&store.decisions(&filter).unwrap()), expect, "{filter:?}");
    };
    let check = |workload, since, limit, expect: &[u64]| page(workload, since, None, limit, expect);
    check(None, None, 9, &[4, 3, 2, 1]);
    check(None, None, 2, &[4, 3]);
    check(Some("web"), None, 9, &[4, 3, 1]);
    check(Some("web"), Some(300), 9, &[4, 3]);
    check(Some("cron"), None, 9, &[]);
    page(None, None, Some(4), 2, &[3, 2]);
    page(Some("web"), None, Some(3), 9, &[1]);
    page(None, None, Some(1), 9, &[]);
    for decision in &decisions {
        assert_eq!(store.decision(decision.id).unwrap().as_ref(), Some(decision));
    }
    assert_eq!(store.decision(DecisionId(9)).unwrap(), None);
    // Recorded again, it stays.
    store.record(&decisions[..1]).unwrap();
    check(None, None, 9, &[4, 3, 2, 1]);
}

#[test]
fn a_recorded_decision_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let (store, first) = (open(&path), refused(1, "web", 100));
    store.record(std::slice::from_ref(&first)).unwrap();
    let error = store.record(&[refused(1, "db", 200)]).unwrap_err().to_string();
    assert!(error.contains("decision 1 is recorded already"), "{error}");
    drop(store);
    assert_eq!(open(&path).decision(DecisionId(1)).unwrap(), Some(first));
}

#[test]
fn people_can_read_decisions_with_sqlite3() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let store = open(&path);
    store.record(&[refused(1, "web", 100), applied(2, "db", cores(1.0), cores(0.5))]).unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    let sql = "SELECT id || ' ' || workload || ' ' || knob || ' ' || verdict || ' ' || outcome || ' '
        || coalesce(from_value, 'unlimited') || ' ' || round(to_value, 3) FROM decision ORDER BY id";
    let mut statement = db.prepare(sql).unwrap();
    let rows: Vec<String> = statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let expect = ["1 web cpu_quota_cores refused held unlimited 0.3", "2 db cpu_quota_cores admitted applied 1.0 0.5"];
    assert_eq!(rows, expect);
}

#[test]
fn a_record_of_a_later_version_is_named_and_not_guessed_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let store = open(&path);
    store.record(&[refused(1, "web", 100), refused(2, "web", 100)]).unwrap();
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute("UPDATE decision SET version = 99 WHERE id = 1", ()).unwrap();
    db.execute("UPDATE decision SET json = '{' WHERE id = 2", ()).unwrap();
    let error = |id| store.decision(DecisionId(id)).unwrap_err().to_string();
    assert_eq!(error(1), "broken record: decision 1: version 99, newest known is 1");
    assert!(error(2).starts_with("broken record: decision 2: EOF"), "{}", error(2));
}

/// One change of web's quota, noted, and then settled where `outcome` is given.
fn turn(store: &Store, id: u64, from: Setting, to: Setting, outcome: Option<Outcome>) {
    let now = Time::from_s(1_000 + id.cast_signed());
    let admitted = admitted(&mut Guard::default(), id, "web", from, to, now);
    store.intend(&admitted, from, now).unwrap();
    if let Some(outcome) = outcome {
        store.settle(DecisionId(id), &outcome).unwrap();
    }
}

const fn applied_to(to: Setting) -> Option<Outcome> {
    Some(Outcome::Applied { read_back: to })
}

fn originals(store: &Store) -> Vec<(String, Setting, Setting)> {
    let originals = store.originals().unwrap().into_iter();
    originals.map(|original| (original.workload.path, original.setting, original.last)).collect()
}

#[test]
fn the_original_is_what_stood_before_the_first_change_that_was_not_taken_back() {
    let web = |setting, last| vec![("/web.slice".to_owned(), setting, last)];
    let store = in_memory();
    assert_eq!(originals(&store), []);
    // Not written: nothing to take back.
    turn(&store, 1, UNLIMITED, cores(3.0), Some(Outcome::Drifted { found: cores(9.0) }));
    turn(&store, 2, UNLIMITED, cores(3.0), Some(Outcome::DryRun));
    turn(&store, 3, UNLIMITED, cores(3.0), Some(Outcome::Unchanged));
    assert_eq!(originals(&store), []);
    turn(&store, 4, UNLIMITED, cores(2.0), applied_to(cores(2.0)));
    turn(&store, 5, cores(2.0), cores(1.0), applied_to(cores(1.0)));
    assert_eq!(originals(&store), web(UNLIMITED, cores(1.0)));
    // One step back is not the whole way; nor is a failure, or a crash in between.
    turn(&store, 6, cores(1.0), cores(2.0), applied_to(cores(2.0)));
    turn(&store, 7, cores(2.0), cores(1.5), Some(Outcome::Failed { error: "EBUSY".to_owned() }));
    turn(&store, 8, cores(2.0), cores(1.25), None);
    assert_eq!(originals(&store), web(UNLIMITED, cores(1.25)));
    assert_eq!(store.originals().unwrap()[0].by, DecisionId(8));
    // Back at the original: done.
    turn(&store, 9, cores(1.25), UNLIMITED, applied_to(UNLIMITED));
    assert_eq!(originals(&store), []);
    // The next change has an original of its own, also where it never came to its outcome.
    turn(&store, 10, cores(8.0), cores(4.0), None);
    assert_eq!(originals(&store), web(cores(8.0), cores(4.0)));
    store.mark_restored(&"web".into(), Knob::CpuQuota).unwrap();
    assert_eq!(originals(&store), []);
}

#[test]
fn what_somebody_else_set_in_between_is_the_original_of_what_comes_after() {
    let store = in_memory();
    turn(&store, 1, cores(2.0), cores(1.5), applied_to(cores(1.5)));
    turn(&store, 2, cores(1.5), cores(1.0), applied_to(cores(1.0)));
    let web = |setting, last| vec![("/web.slice".to_owned(), setting, last)];
    turn(&store, 3, cores(4.0), cores(3.0), Some(Outcome::Drifted { found: cores(5.0) }));
    assert_eq!(originals(&store), web(cores(2.0), cores(1.0)), "nothing was written over it");
    turn(&store, 4, cores(4.0), cores(3.0), applied_to(cores(3.0)));
    assert_eq!(originals(&store), web(cores(4.0), cores(3.0)));
    turn(&store, 5, cores(3.0), cores(4.0), applied_to(cores(4.0)));
    assert_eq!(originals(&store), []);
}

#[test]
fn a_knob_that_fails_at_every_tick_does_not_fill_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let store = open(&path);
    for id in 10..30 {
        turn(&store, id, cores(id as f64), cores(40.0), Some(Outcome::Failed { error: "EINVAL".to_owned() }));
    }
    assert_eq!(originals(&store), [("/web.slice".to_owned(), cores(10.0), cores(40.0))]);
    let db = rusqlite::Connection::open(&path).unwrap();
    let rows: i64 = db.query_row("SELECT count(*) FROM intent", (), |row| row.get(0)).unwrap();
    assert_eq!(rows, 2);
}

#[test]
fn a_change_that_was_settled_and_not_recorded_is_reconciled_too() {
    let store = in_memory();
    turn(&store, 1, UNLIMITED, cores(2.0), applied_to(cores(2.0)));
    let open = store.unsettled().unwrap();
    assert_eq!(open.iter().map(|intent| intent.id.0).collect::<Vec<_>>(), [1]);
    assert!(store.reconcile(&open[0], Some(cores(2.0))).unwrap().is_applied());
    assert_eq!(store.unsettled().unwrap(), []);
    assert_eq!(originals(&store).len(), 1);
}

#[test]
fn a_recorded_decision_settles_its_intent() {
    let store = in_memory();
    turn(&store, 1, UNLIMITED, cores(2.0), None);
    assert_eq!(store.unsettled().unwrap().len(), 1);
    store.record(&[applied(1, "web", UNLIMITED, cores(2.0))]).unwrap();
    assert_eq!(store.unsettled().unwrap(), []);
    assert_eq!(originals(&store).len(), 1);
}

#[test]
fn what_a_crash_cut_short_is_reconciled_by_what_the_knob_holds() {
    let check = |found: Option<Setting>, applied: bool, stands: bool| {
        let store = in_memory();
        turn(&store, 1, cores(4.0), cores(2.0), None);
        let open = store.unsettled().unwrap();
        assert_eq!((open[0].former, open[0].to, open[0].change.knob), (cores(4.0), cores(2.0), Knob::CpuQuota));
        let outcome = store.reconcile(&open[0], found).unwrap();
        assert_eq!(outcome.is_applied(), applied, "{found:?} {outcome:?}");
        assert_eq!(!originals(&store).is_empty(), stands, "{found:?}");
        assert_eq!(store.unsettled().unwrap(), []);
        let recorded = store.decision(DecisionId(1)).unwrap().unwrap();
        assert_eq!(recorded.verdict, Verdict::Admitted { to: cores(2.0), outcome });
    };
    check(Some(cores(2.0)), true, true);
    check(Some(cores(4.0)), false, false);
    check(Some(cores(3.0)), false, true);
    check(None, false, true);
}

#[test]
fn the_loops_memory_comes_back_and_numbers_are_never_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let store = open(&path);
    assert_eq!(store.load_state().unwrap(), LoopState::default());
    let mut state = numbered(5);
    state.margins.raise(&"web".into(), Knob::CpuQuota, Time::from_s(7));
    store.save_state(&state).unwrap();
    drop(store);
    let store = open(&path);
    assert_eq!(store.load_state().unwrap(), state);
    // A decision that was recorded, and an intent that was noted, after the memory was saved.
    store.record(&[refused(6, "web", 1)]).unwrap();
    assert_eq!(store.load_state().unwrap().next_id, DecisionId(7));
    turn(&store, 11, UNLIMITED, cores(1.0), None);
    assert_eq!(store.load_state().unwrap().next_id, DecisionId(12));
    assert_eq!(store.load_state().unwrap().margins, state.margins);
    // A memory that cannot be understood is given up; the numbers go on.
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute("UPDATE state SET json = '{}'", ()).unwrap();
    assert_eq!(store.load_state().unwrap(), numbered(12));
}

#[test]
fn a_tick_is_recorded_whole_and_a_quiet_one_costs_nothing() {
    let store = in_memory();
    let of = DecisionId(1);
    let harm = Harm {
        of,
        workload: "web".into(),
        knob: Knob::CpuQuota,
        signal: "cpu_throttled_periods_per_s".to_owned(),
        before: 0.0,
        now: 0.25,
        after_s: 30.0,
    };
    let report = TickReport {
        decisions: vec![applied(1, "web", UNLIMITED, cores(2.0))],
        harms: vec![harm.clone()],
        ..TickReport::default()
    };
    let state = numbered(2);
    store.record_tick(&report, &state, Time::from_s(50)).unwrap();
    store.record_tick(&TickReport::default(), &state, Time::from_s(60)).unwrap();
    assert_eq!(ids(&store.decisions(&Filter::default()).unwrap()), [1]);
    assert_eq!(store.harms(&Filter::default()).unwrap(), [(Time::from_s(50), harm)]);
    assert_eq!(store.harms(&Filter { since: Some(Time::from_s(51)), ..Filter::default() }).unwrap(), []);
    assert_eq!(store.load_state().unwrap(), state);
}

#[test]
fn holds_stand_until_released_or_past() {
    let store = in_memory();
    let at = Time::from_s;
    let (web, all) = (vec!["web-*".to_owned()], Vec::new());
    let first = store.hold(&web, "month end", Some(at(200)), at(100)).unwrap();
    let second = store.hold(&all, "incident", None, at(110)).unwrap();
    let standing = |now| -> Vec<String> {
        store.instructions(at(now)).unwrap().into_iter().map(|said| said.instruction.text).collect()
    };
    assert_eq!(standing(120), ["month end", "incident"]);
    assert_eq!(standing(200), ["incident"]);
    assert!(store.revoke(first, at(130)).unwrap());
    assert!(!store.revoke(first, at(131)).unwrap());
    assert_eq!(standing(130), ["incident"]);
    assert_eq!(standing(129), ["month end", "incident"], "as it stood then");
    let instead = Instruction::new(InstructionKind::Hold, "audit");
    store.instruct_instead(&instead, second, at(140)).unwrap();
    assert_eq!(standing(140), ["audit"]);
    let revoked: Vec<Option<Time>> = store.instructions(at(0)).unwrap().into_iter().map(|said| said.revoked).collect();
    assert_eq!(revoked, [Some(at(130)), Some(at(140)), None]);
}

#[test]
fn an_instruction_that_repeats_is_never_past() {
    let store = in_memory();
    let sale = Instruction {
        workloads: vec!["checkout".to_owned()],
        effect: Some(apportion_core::instruction::Effect::Multiply),
        amount: Some(3.0),
        start: Some(Time::from_s(100)),
        end: Some(Time::from_s(200)),
        repeat: Some(Repeat::Daily),
        ..Instruction::new(InstructionKind::Event, "每天晚上三倍流量")
    };
    let id = store.instruct(&sale, Time::from_s(50)).unwrap();
    let standing = store.instructions(Time::from_s(1_000_000)).unwrap();
    assert_eq!((standing[0].id, standing[0].time, &standing[0].instruction), (id, Time::from_s(50), &sale));
}
