//! The command as a user meets it: help, exit statuses, errors that say what to do.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test; what is left out is said")]

use apportion_core::{
    Batch, Binding, Capacity, Change, Decision, DecisionId, Guard, Knob, Outcome, Reason, Sample, Setting, Snapshot,
    Standing, Time, Verdict, Workload, WorkloadKind, WorkloadState,
};
use apportion_host::store::{Access, Options, Store};
use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    os::unix::{fs::PermissionsExt as _, net::UnixListener},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

/// Runs the command with a store of its own in `folder`.
fn apportion(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_apportion"))
        .args(args)
        .env("APPORTION_STORE", folder.join("store/apportion.db"))
        .env_remove("APPORTION_CONFIG")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn exit_statuses_and_remedies() {
    let folder = tempfile::tempdir().unwrap();
    let check = |args: &[&str], status: i32, says: &str| {
        let output = apportion(folder.path(), args);
        let said = text(&output.stderr) + &text(&output.stdout);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {said}");
        assert!(said.contains(says), "{args:?}: {said}");
    };
    check(&[], 2, "Usage");
    check(&["--help"], 0, "Examples");
    check(&["--version"], 0, env!("CARGO_PKG_VERSION"));
    check(&["frobnicate"], 2, "unrecognized subcommand");
    check(&["history"], 3, "no store yet; `apportion run` makes one");
    check(&["rollback", "--all"], 1, "its folder is not there; `apportion run` makes it, --store names another file");
    check(&["history", "--store", "/"], 1, "/: not a store of Apportion (it is a folder); name another file");
    check(
        &["history", "--store", "/dev/null"],
        1,
        "/dev/null: not a store of Apportion (it is a device, a pipe or a socket)",
    );
    check(&["check", "--config", "none.toml"], 2, "none.toml: No such file");
    check(&["check", "--keys"], 0, "violation = 0.01");
    check(&["explain", "web"], 3, "no store yet");
    check(&["status"], 3, "no loop runs");
    check(&["hold", "web", "--for", "soon"], 1, "e.g. 90m");
    check(&["forecast", "missing.parquet", "--horizon", "8", "--out", "out.csv"], 1, "missing.parquet");
    check(&["forecast", "in.csv", "--horizon", "0", "--out", "out.csv"], 2, "0 is not in 1..=100000");
    check(&["completions", "bash"], 0, "_apportion");
    check(&["man"], 0, ".TH apportion 1");
}

#[test]
fn a_faulty_configuration_names_line_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("faulty.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:7070\"\nguard = \"wild\"\n").unwrap();
    let output = apportion(folder.path(), &["check", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("faulty.toml:2: guard = \"wild\" is not known; give \"careful\""), "{said}");
}

#[test]
fn what_run_would_refuse_check_refuses_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let (file, secrets) = (folder.path().join("a.toml"), folder.path().join("secrets"));
    std::fs::create_dir(&secrets).unwrap();
    let check = |rules: &str, expect: &str| {
        let named = format!("secrets = {:?}", secrets.to_str().unwrap());
        std::fs::write(&file, rules.replace("SECRETS", &named)).unwrap();
        let output = apportion(folder.path(), &["check", "--config", file.to_str().unwrap()]);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), said.contains(expect)), (Some(2), true), "{rules}: {said}");
    };
    check(
        "guard = \"normal\"\nlisten = \"0.0.0.0:7070\"",
        "a.toml:2: the page would be open to the network on 0.0.0.0:7070",
    );
    std::fs::write(secrets.join("token"), "short\n").unwrap();
    check("\nSECRETS", "a.toml:2: the token has 5 bytes");
    std::fs::write(secrets.join("token"), "long-enough-to-be-a-token").unwrap();
    check("listen = \"0.0.0.0:7070\"\nSECRETS", "a.toml:1: the page would be open");
    std::fs::write(secrets.join("tls.crt"), "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n").unwrap();
    check("SECRETS\nlisten = \"0.0.0.0:7070\"", "a.toml:1: ");
    check("SECRETS\nlisten = \"0.0.0.0:7070\"", "tls.key");
}

#[test]
fn every_key_is_printed_whatever_the_file_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("faulty.toml");
    std::fs::write(&file, "listne = 1\n").unwrap();
    let check = |args: &[&str]| apportion(folder.path(), &[args, &["--config", file.to_str().unwrap()]].concat());
    assert!(text(&check(&["check"]).stderr).contains("`apportion check --keys` prints every key"));
    let keys = check(&["check", "--keys"]);
    assert!(keys.status.success() && text(&keys.stdout).contains("# Share of time"), "{}", text(&keys.stdout));
}

/// A store in which two workloads are changed, open for writing as a loop has it.
fn changed_store(path: &Path) -> Store {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let store = Store::open(path, Access::ReadWrite, Options::default()).unwrap();
    for (id, name) in [(1, "gone"), (2, "web")] {
        let workload =
            Workload { id: name.into(), kind: WorkloadKind::Cgroup, path: format!("/{name}"), labels: BTreeMap::new() };
        let (knob, from, to) = (Knob::CpuQuota, Setting::Unlimited, Setting::Value(1.0));
        let state = WorkloadState {
            workload,
            standing: Standing::default(),
            latest: BTreeMap::new(),
            settings: BTreeMap::from([(knob, from)]),
            life: None,
            lost: Default::default(),
            own: false,
        };
        let now = Time::from_s(1_790_000_000);
        let workloads = BTreeMap::from([(name.into(), state)]);
        let snapshot = Snapshot { now, capacity: Capacity::default(), workloads };
        // An undo passes the guard without telemetry.
        let reason = Reason::only(Binding::RolledBack { of: DecisionId(0) });
        let change = Change { workload: name.into(), knob, from, to, reason };
        let admitted = Guard::default().admit(DecisionId(id), &change, &snapshot).unwrap();
        store.intend(&admitted, from, now).unwrap();
        store.settle(DecisionId(id), &Outcome::Applied { read_back: to }).unwrap();
    }
    store
}

/// Answers as a loop would, until so much was asked; gives what was.
fn stand_in(folder: &Path, requests: usize) -> std::thread::JoinHandle<Vec<String>> {
    let listener = UnixListener::bind(folder.join("store/apportion.sock")).unwrap();
    std::thread::spawn(move || {
        let mut asked = Vec::new();
        while asked.len() < requests {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4_096];
            let length = stream.read(&mut request).unwrap();
            let line = text(&request[..length]).lines().next().unwrap_or_default().to_owned();
            let answer = match line.contains("gone") {
                true => {
                    "HTTP/1.0 409 Conflict\r\n\r\n{\"where\":\"gone\",\"what\":\"it is odd\",\"remedy\":\"mend it\"}"
                }
                false => "HTTP/1.0 200 OK\r\n\r\n{\"done\":\"web is as it was\"}",
            };
            // The first connection only finds out whether somebody answers.
            let _ = stream.write_all(answer.as_bytes());
            asked.extend(Some(line).filter(|line| !line.is_empty()));
        }
        asked
    })
}

#[test]
fn a_rollback_without_a_name_takes_the_last_change_that_stands() {
    let folder = tempfile::tempdir().unwrap();
    let store = changed_store(&folder.path().join("store/apportion.db"));
    let applied = |id, name: &str, (from, to), binding| {
        let reason = Reason::only(binding);
        let change = Change { workload: name.into(), knob: Knob::CpuQuota, from, to, reason };
        let verdict = Verdict::Admitted { to, outcome: Outcome::Applied { read_back: to } };
        Decision { id: DecisionId(id), time: Time::from_s(1_790_000_000), change, verdict }
    };
    let cut = (Setting::Unlimited, Setting::Value(1.0));
    let hurt = applied(3, "web", (cut.1, cut.0), Binding::TakeBack { of: DecisionId(2) });
    store.record(&[applied(1, "gone", cut, Binding::Recent), applied(2, "web", cut, Binding::Recent), hurt]).unwrap();
    let stand_in = stand_in(folder.path(), 1);
    assert_eq!(apportion(folder.path(), &["rollback"]).status.code(), Some(0));
    assert_eq!(
        stand_in.join().unwrap(),
        ["POST /api/v1/decisions/1/rollback HTTP/1.0"],
        "2 hurt and was taken back by 3"
    );
}

#[test]
fn a_rollback_beside_a_loop_goes_on_after_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let store = changed_store(&folder.path().join("store/apportion.db"));
    let stand_in = stand_in(folder.path(), 2);
    let output = apportion(folder.path(), &["rollback", "--all"]);
    let (done, wrong) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{done}{wrong}");
    assert!(done.contains("web is as it was"), "{done}{wrong}");
    assert!(wrong.contains("gone: it is odd; mend it") && wrong.contains("1 of 2 could not be put back"), "{wrong}");
    let expect = ["gone", "web"].map(|name| format!("POST /api/v1/workloads/{name}/rollback HTTP/1.0"));
    assert_eq!(stand_in.join().unwrap(), expect);
    drop(store);
}

/// A loop that ends with this value.
struct Loop(Child);

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn commands_reach_a_loop_without_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_apportion"));
    command.args(["run", "--listen", "off"]).env("APPORTION_STORE", folder.path().join("store/apportion.db"));
    command.env("APPORTION_LOG", "info").env_remove("APPORTION_CONFIG").stdout(Stdio::null()).stderr(log);
    let running = Loop(command.spawn().unwrap());
    let socket = folder.path().join("store/apportion.sock");
    let status = || apportion(folder.path(), &["status", "--json"]);
    let picture = (0..300).find_map(|_| {
        std::thread::sleep(Duration::from_millis(200));
        let picture: serde_json::Value = serde_json::from_slice(&status().stdout).ok()?;
        picture["workloads"].get(0).is_some().then_some(picture)
    });
    let picture = picture.unwrap();
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let name = picture["workloads"][0]["id"].as_str().unwrap();
    let done = |args: &[&str]| {
        let output = apportion(folder.path(), args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    assert!(done(&["hold", name, "--for", "2h"]).contains("is held"));
    assert!(done(&["release", name]).contains("is sized again"));
    let set = |row: &&serde_json::Value| {
        row["cpu"]["knob"]["setting"].is_null() && row["cpu"]["knob"]["allotted"].is_number()
    };
    if let Some(unset) = picture["workloads"].as_array().unwrap().iter().find(set) {
        let words = done(&["explain", unset["id"].as_str().unwrap()]);
        assert!(words.contains("nothing here can set this limit") && words.contains("What decided"), "{words}");
    }
    drop(running);
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!log.contains('\u{1b}'), "colours in a file: {log}");
    assert_eq!(status().status.code(), Some(3), "no loop answers at the socket that it left");
}

#[test]
fn one_turn_sees_this_machine_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = apportion(folder.path(), &["run", "--once", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let picture: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let workloads = picture["workloads"].as_array().unwrap();
    assert!(!workloads.is_empty());
    assert!(workloads.iter().any(|workload| workload["cpu"]["used"].is_number()));
    assert!(workloads.iter().any(|workload| workload["memory"]["knob"]["allotted"].is_number()));
    assert!(workloads.iter().all(|workload| workload["footing"]["name"] != "managed"));
    let again = apportion(folder.path(), &["history", "--applied"]);
    assert_eq!(again.status.code(), Some(3), "nothing was applied: {}", text(&again.stdout));
}

#[test]
fn sentences_are_taken_when_confirmed_and_listed_without_a_loop() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("store")).unwrap();
    let check = |args: &[&str], status: i32, says: &str| {
        let output = apportion(folder.path(), args);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {said}");
        assert!(said.contains(says), "{args:?}: {said}");
    };
    let sale = "Tomorrow 20:00-22:00 flash sale, expect 3x traffic on checkout";
    check(&["tell", sale], 4, "No workload is called checkout");
    check(&["tell", sale, "--workload", "checkout"], 4, "Take it? [y/N]");
    check(&["instructions"], 0, "nothing stands");
    check(&["tell", sale, "--workload", "checkout", "--yes"], 0, "taken as instruction 1");
    check(&["tell", sale, "--workload", "checkout", "--json"], 4, "\"taken\":false");
    check(&["instructions"], 0, "expect 3x the usual requests on checkout");
    check(&["instructions", "--json"], 0, "\"id\":1");
    check(&["instructions", "show", "1"], 0, "flash sale");
    check(&["instructions", "show", "7"], 3, "there is no instruction 7");
    check(&["tell", "what", "a", "day", "--yes"], 4, "nothing was taken");
    check(&["tell", "undo the last change", "--yes"], 0, "instruction 1 is revoked");
    check(&["instructions", "revoke", "1"], 3, "no instruction 1 stands");
    check(&["instructions", "--all"], 0, "revoked");
}

#[test]
fn the_demonstration_says_what_it_can_show() {
    let folder = tempfile::tempdir().unwrap();
    let output = apportion(folder.path(), &["demo", "--seconds", "30", "--listen", "off"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    let is_grouped = !said.contains("without groups of their own");
    assert_eq!(said.contains("begin with 1 core and 512 MiB each"), is_grouped, "{said}");
    assert_eq!(said.contains("nothing limits them"), !is_grouped, "{said}");
    let row = |name: &str| said.lines().any(|line| line.starts_with(name) && line.contains("512 MiB"));
    assert_eq!(["wave", "burst", "grower"].map(row), [is_grouped; 3], "{said}");
    assert_eq!(said.contains("On the mean over the whole time"), is_grouped, "{said}");
}

/// From the top of every tree of groups, as after a log-in, by somebody who may make none.
const AS_NOBODY: &str = "for tree in $(awk '$3 ~ /^cgroup/ { print $2 }' /proc/self/mounts); do
    { echo $$ > $tree/cgroup.procs; } 2> /dev/null
done
exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";

#[test]
fn without_groups_every_load_of_the_demonstration_is_a_row_and_none_is_said_to_be_limited() {
    let is_root = |output: Output| text(&output.stdout).trim() == "0";
    if !Command::new("id").arg("-u").output().is_ok_and(is_root) {
        return println!("LEFT OUT: the demonstration as nobody: only root may become somebody else");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (built, program) = (env!("CARGO_BIN_EXE_apportion"), folder.path().join("apportion"));
    std::fs::hard_link(built, &program).or_else(|_| std::fs::copy(built, &program).map(drop)).unwrap();
    let demo = [
        program.as_os_str(),
        "demo".as_ref(),
        "--seconds".as_ref(),
        "30".as_ref(),
        "--listen".as_ref(),
        "off".as_ref(),
    ];
    let output = Command::new("sh").args(["-c", AS_NOBODY, "sh"]).args(demo).output().unwrap();
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    assert!(said.contains("nothing limits them") && !said.contains("begin with 1 core"), "{said}");
    assert!(said.contains("Nothing could be set"), "{said}");
    let rows = |name: &str| said.lines().filter(|line| line.starts_with(name) && line.contains("MiB")).count();
    let counts = ["wave", "burst", "grower"].map(rows);
    assert!(counts.iter().all(|count| *count == counts[0] && *count > 1), "{counts:?}: {said}");
}

#[test]
fn holds_are_kept_and_released_without_a_loop() {
    let folder = tempfile::tempdir().unwrap();
    let store = changed_store(&folder.path().join("store/apportion.db"));
    store.mark_restored(&"gone".into(), Knob::CpuQuota).unwrap();
    let workload =
        Workload { id: "web".into(), kind: WorkloadKind::Cgroup, path: "/web".to_owned(), labels: BTreeMap::new() };
    let sample =
        Sample { workload: "web".into(), metric: "cpu_cores".into(), time: Time::from_s(1_790_000_000), value: 1.0 };
    store.append(
        &Batch { workloads: vec![workload], samples: vec![sample], ..Batch::default() },
        Time::from_s(1_790_000_000),
    );
    store.mark_restored(&"web".into(), Knob::CpuQuota).unwrap();
    store.flush().unwrap();
    drop(store);
    let done = |args: &[&str]| {
        let output = apportion(folder.path(), args);
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let (status, said) = done(&["hold", "wbe", "--for", "2h"]);
    assert_eq!((status, said.contains("no workload is called wbe, so nothing is held")), (Some(3), true), "{said}");
    assert_eq!(done(&["hold", "web", "--for", "2h", "--why", "audit"]).0, Some(0));
    assert_eq!(done(&["release", "web"]).0, Some(0));
    assert_eq!(done(&["release", "web"]).0, Some(3), "it is not held any more");
    assert_eq!(done(&["rollback", "--all"]).0, Some(3), "nothing was changed");
}
