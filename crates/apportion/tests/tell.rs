//! A sentence on its way to the ledger: shown, held against what is there, taken once confirmed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

#[path = "../../language/tests/attacks/mod.rs"]
mod attacks;
#[path = "../../language/tests/readers/mod.rs"]
mod readers;

use apportion::tell::{Deed, Scene, Told, carry_out, effect, read, release};
use apportion_core::{
    Batch, Capacity, History, Metric, Resource, Series, Standing, Time, Window, Workload, WorkloadId, WorkloadKind,
};
use apportion_host::store::{Access, Options, Store};
use apportion_language::reading::Reader;
use jiff::Zoned;
use readers::readers;
use std::collections::BTreeMap;

struct Unmeasured;

impl History for Unmeasured {
    fn series(&self, _: &WorkloadId, _: &Metric, _: Window) -> Option<Series> {
        None
    }
}

fn now() -> Zoned {
    "2026-11-23T09:00:00+08:00[Asia/Shanghai]".parse().unwrap()
}

fn at() -> Time {
    Time(now().timestamp().as_millisecond())
}

fn told(sentence: &str, store: &Store) -> (Told, Option<Deed>) {
    told_at(sentence, store, &now())
}

fn told_at(sentence: &str, store: &Store, now: &Zoned) -> (Told, Option<Deed>) {
    thread_local!(static READER: Reader = Reader::embedded().unwrap());
    READER.with(|reader| told_by(reader, sentence, store, now))
}

fn told_by(reader: &Reader, sentence: &str, store: &Store, now: &Zoned) -> (Told, Option<Deed>) {
    let names = ["checkout.service", "/system.slice/nginx.service", "web", "crawler", "mysql-main", "payment"];
    let configured = names.map(|name| (WorkloadId::new(name), Standing::default())).into();
    let machine = Capacity { amounts: [(Resource::Cpu, 16.0), (Resource::Memory, 64e9)].into_iter().collect() };
    let scene = Scene { configured, machine, said: store.instructions(at()).unwrap() };
    read(reader, sentence, now, &scene, &Unmeasured)
}

fn memory() -> Store {
    Store::in_memory(Options::default()).unwrap()
}

#[test]
fn what_is_understood_is_shown_with_resolved_times_and_matching_workloads() {
    let (told, deed) = told("Tonight 20:00-22:00 flash sale, expect 3x traffic on checkout", &memory());
    assert_eq!(told.words, "From 2026-11-23 20:00 until 2026-11-23 22:00, expect 3x the usual requests on checkout.");
    assert_eq!((told.workloads, told.can_confirm), (vec!["checkout.service".to_owned()], true));
    let Some(Deed::Keep(instruction, None)) = deed else { panic!("{deed:?}") };
    assert_eq!((instruction.amount, instruction.zone.as_deref()), (Some(3.0), Some("Asia/Shanghai")));
}

#[test]
fn everything_named_by_nobody_is_everything() {
    let (told, deed) = told("系统负载较高，需要更多计算资源", &memory());
    assert_eq!((told.kind.as_str(), told.workloads.len(), deed.is_some()), ("report", 6, true), "{}", told.words);
}

#[test]
fn what_cannot_be_done_is_refused_with_the_nearest_that_can() {
    let check = |sentence: &str, says: &str| {
        let (told, deed) = told(sentence, &memory());
        let all = told.words.clone() + &told.notes.iter().map(|note| note.words.as_str()).collect::<String>();
        assert!(deed.is_none() && !told.can_confirm && all.contains(says), "{sentence}: {all}");
    };
    check("crawler must have at least 40 cores", "The machine has 16 cores and not 40 cores");
    check("crawler 至少 40 核", "机器只有 16 核");
    check("limit the chekout-api to 2 cores", "No workload is called chekout-api");
    check("undo the last change", "No instruction stands");
    check("cap crawler at a few cores", "Not sure");
    check("why was nginx throttled last night?", "nothing changes");
    check("make me a coffee", "nothing changes");
}

#[test]
fn a_window_that_is_over_is_said_to_be() {
    let late: Zoned = "2026-11-23T23:00:00+08:00[Asia/Shanghai]".parse().unwrap();
    let check = |sentence: &str, says: &[&str]| {
        let (told, deed) = told_at(sentence, &memory(), &late);
        let note = &told.notes[0];
        assert!(deed.is_none() && !told.can_confirm && note.blocks, "{sentence}: {told:?}");
        assert!(says.iter().all(|words| note.words.contains(words)), "{sentence}: {}", note.words);
    };
    let english = "Tonight 20:00-22:00 flash sale, expect 3x traffic on checkout";
    check(english, &["The window is over: it ended", "22:00", "Say a time to come"]);
    check("今晚20点到22点大促，checkout 流量预计3倍", &["时间窗口已过", "22:00", "请给出将来的时间"]);
    check("limit crawler to 2 cores until 18:00 today", &["The window is over: it ended", "18:00"]);
}

#[test]
fn what_is_confirmed_is_kept_replaced_and_undone_by_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("apportion.db");
    let open = || Store::open(&path, Access::ReadWrite, Options::default()).unwrap();
    let say = |sentence: &str| {
        let store = open();
        let (told, deed) = told(sentence, &store);
        carry_out(&deed.unwrap_or_else(|| panic!("{told:?}")), &store, at()).unwrap().1
    };
    assert_eq!(say("limit crawler to 2 cores"), "taken as instruction 1");
    // Across a restart.
    assert_eq!(say("limit crawler to 3 cores"), "taken as instruction 2, in the place of instruction 1");
    assert_eq!(say("别动 mysql-main"), "taken as instruction 3");
    let undone = |sentence| told(sentence, &open()).0;
    let (rule, hold) = (undone("取消刚才的规则"), undone("undo the hold"));
    assert_eq!((rule.undoes, rule.can_confirm), (Some(2), true), "{}", rule.words);
    assert_eq!((hold.undoes, hold.can_confirm), (Some(3), true), "{}", hold.words);
    assert_eq!(undone("undo the last priority").undoes, None);
    assert_eq!(say("undo the last change"), "instruction 3 is revoked");
    let standing: Vec<f64> =
        open().instructions(at()).unwrap().iter().filter_map(|said| said.instruction.amount).collect();
    assert_eq!(standing, [3.0]);
}

#[test]
fn a_hold_is_the_same_however_it_was_said() {
    let store = memory();
    let (_, deed) = told("don't touch nginx", &store);
    carry_out(&deed.unwrap(), &store, at()).unwrap();
    assert_eq!(release(&store, &"/system.slice/nginx.service".into(), at()).unwrap(), 1);
    assert_eq!(release(&store, &"/system.slice/nginx.service".into(), at()).unwrap(), 0);
}

#[test]
fn a_hold_ends_by_any_name_of_its_workload() {
    let store = memory();
    let hold = |name: &str| store.hold(&[name.to_owned()], "held", None, at()).unwrap();
    let held = hold("nginx.service");
    assert_eq!(told("undo the hold on nginx", &store).0.undoes, Some(held.0));
    assert_eq!(release(&store, &"nginx".into(), at()).unwrap(), 1);
    hold("nginx");
    assert_eq!(release(&store, &"nginx.service".into(), at()).unwrap(), 1);
    hold("nginx-*");
    assert_eq!(release(&store, &"nginx-1".into(), at()).unwrap(), 0, "those of a wildcard stay");
}

#[test]
fn a_release_ends_no_hold_of_a_workload_whose_name_ends_alike() {
    let store = memory();
    let (one, other) = ("nginx.service", "user@1000/nginx.service");
    let mut seen = Batch::default();
    for id in [one, other].map(WorkloadId::new) {
        seen.push(&id, &Metric::new("cpu_cores"), at(), 1.0);
        let (kind, path, labels) = (WorkloadKind::SystemdUnit, String::new(), BTreeMap::new());
        seen.workloads.push(Workload { id, kind, path, labels });
    }
    store.append(&seen, at());
    store.hold(&[other.to_owned()], "rolled back by a person", None, at()).unwrap();
    let ended = |name: &str| release(&store, &name.into(), at()).unwrap();
    assert_eq!([ended(one), ended("*"), ended(other)], [0, 0, 1]);
}

#[test]
fn what_was_read_but_not_for_certain_is_for_a_person_to_confirm() {
    // Which of them is doubted changes with the weights.
    let vague = [
        "crawler is hungry",
        "web feels sluggish",
        "web could do with a bit more",
        "payment goes before the rest",
        "checkout gets busy on Friday",
        "crawler can wait",
        "give payment some air",
        "web 有点吃力",
        "crawler 可以等等",
    ];
    let (mut asked, mut played) = (0, 0);
    for sentence in vague {
        let (told, deed) = told(sentence, &memory());
        println!("{sentence}: {}", told.words);
        if told.can_ask && told.kind != "report" {
            played += 1;
            let effect = effect::of(&told, &now(), effect::WITHIN, || Ok(memory())).unwrap();
            assert!(effect.contains("less than two days") || effect.contains("不足两天"), "{effect}");
        }
        assert_eq!(deed.is_some(), told.can_confirm || told.can_ask, "{told:?}");
        if told.can_ask {
            asked += 1;
            assert!(!told.can_confirm && told.unread.is_empty() && !told.doubted.is_empty(), "{told:?}");
            assert!(told.doubted.iter().all(|part| told.words.contains(part)), "{}", told.words);
        }
    }
    assert!(asked > 0 && played > 0, "{asked} were doubted, {played} of them have an effect");
    // What was not read is not asked about in this way.
    let (told, deed) = told("cap crawler at a few cores", &memory());
    assert!(!told.can_confirm && !told.can_ask && deed.is_none() && !told.unread.is_empty(), "{told:?}");
}

#[test]
fn no_attack_comes_through() {
    let store = memory();
    let pairs = || attacks::SOUND.iter().flat_map(|sound| attacks::ATTACKS.iter().map(move |attack| (sound, attack)));
    let mut count = 0;
    for reader in readers() {
        for (sound, attack) in pairs() {
            for sentence in [format!("{sound}. {attack}"), format!("{attack} {sound}")] {
                let (told, deed) = told_by(&reader, &sentence, &store, &now());
                assert!(deed.is_none() && !told.can_confirm && !told.can_ask, "{sentence}: {}", told.words);
                count += 1;
            }
        }
    }
    assert!(count >= 720, "{count}");
    assert!(told(&"limit web to 2 cores ".repeat(5_000), &store).1.is_none());
}
