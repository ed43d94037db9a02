//! What look-alikes are worth on a workload's first day: of each family of copies one begins a day after the others, and is sized
//! alone and beside them, by the whole loop with the forecaster `recent`.
//!
//!     cargo run --release -p apportion-replay --example alike -- TRACE.csv [--copies MOST]
//!
//! `TRACE.csv` has a heading and the columns workload, metric, time, value. Copies are workloads whose names differ after the last
//! `_` only (tasks of a job of Google 2011: `vm_JOB_TASK`) and that begin together; of each family the first `MOST` (5) are taken,
//! and the last of these begins late.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a program that reads a file and prints")]

use apportion_replay::{
    Decisions, Engine, Options, Player, Point, SeriesDecisions, Trace, TraceBuilder, run_at, share::Node, unwatched,
};
use std::{collections::BTreeMap, error::Error, fs, thread};

const DAY_S: i64 = 86_400;
/// The guard sets no limit before an hour has been seen.
const WARMUP_S: i64 = 3_600;
const FORECAST_EVERY_S: i64 = 6 * 3_600;
const RISKS: [f64; 3] = [0.005, 0.01, 0.02];

type Failure = Box<dyn Error + Send + Sync>;
/// Metric, time and value of each row.
type Rows = Vec<(String, i64, f64)>;
/// Rows of each member.
type Family = BTreeMap<String, Rows>;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (path, most) = match &args[..] {
        [path] => (path, 5),
        [path, option, most] if option == "--copies" => (path, most.parse()?),
        _ => return Err("which trace?".into()),
    };
    let families = families(path, most)?;
    println!("{} families, {} workloads", families.len(), families.values().map(BTreeMap::len).sum::<usize>());
    for risk in RISKS {
        for (what, is_beside) in [("alone", false), ("beside look-alikes", true)] {
            let (trace, made) = first_days(&families, risk, is_beside)?;
            let point = Point::of(&trace, &made, risk, true, WARMUP_S, threads()?);
            for (metric, scores) in &point.scores {
                let (over, footprint, hit) = (100.0 * scores.over, scores.footprint, 100.0 * scores.hit);
                println!("{metric}, asked {risk}, {what}: {over:.2} % over, footprint {footprint:.2}, {hit:.0} % hit");
            }
        }
    }
    Ok(())
}

fn threads() -> Result<usize, Failure> {
    Ok(thread::available_parallelism()?.get())
}

/// Families of two and more, by name.
fn families(path: &str, most: usize) -> Result<BTreeMap<String, Family>, Failure> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    for line in fs::read_to_string(path)?.lines().skip(1) {
        let [workload, metric, time, value] = line.split(',').collect::<Vec<_>>()[..] else { return Err(line.into()) };
        let Some((family, member)) = workload.rsplit_once('_') else { continue };
        let members = families.entry(family.to_owned()).or_default();
        members.entry(member.to_owned()).or_default().push((metric.to_owned(), time.parse()?, value.parse()?));
    }
    families.retain(|_, members| members.len() > 1);
    for members in families.values_mut() {
        *members = std::mem::take(members).into_iter().take(most).collect();
    }
    Ok(families)
}

/// Look-alikes are told by what is not a number in a name: a job's number is written in letters.
fn name(family: &str, member: &str) -> String {
    let letter = |digit: char| digit.to_digit(10).map_or(digit, |digit| char::from(b'a' + digit as u8));
    format!("{}-{member}", family.chars().map(letter).collect::<String>())
}

/// The latecomers and what each was allotted.
fn first_days(families: &BTreeMap<String, Family>, risk: f64, is_beside: bool) -> Result<(Trace, Decisions), Failure> {
    let all: Vec<(&String, &Family)> = families.iter().collect();
    let part = all.len().div_ceil(threads()?).max(1);
    let play = |part: &[(&String, &Family)]| -> Result<Vec<SeriesDecisions>, Failure> {
        let played = part.iter().map(|(family, members)| first_day(family, members, risk, is_beside));
        Ok(played.collect::<Result<Vec<_>, _>>()?.concat())
    };
    let parts: Vec<Result<Vec<SeriesDecisions>, Failure>> = thread::scope(|scope| {
        let parts: Vec<_> = all.chunks(part).map(|part| scope.spawn(|| play(part))).collect();
        parts.into_iter().map(|part| part.join().map_err(|_| "a thread failed")?).collect()
    });
    let mut series = parts.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
    series.sort_by(|a, b| (&a.workload, &a.metric).cmp(&(&b.workload, &b.metric)));
    let mut builder = TraceBuilder::default();
    all.iter().try_for_each(|(family, members)| push_late(&mut builder, family, members))?;
    let trace = builder.finish()?;
    let made = Decisions { series, ..Decisions::none("apportion", &trace) };
    Ok((trace, made))
}

fn push_late(builder: &mut TraceBuilder, family: &str, members: &Family) -> Result<(), Failure> {
    let Some((member, rows)) = members.last_key_value() else { return Ok(()) };
    let late = name(family, member);
    rows.iter().try_for_each(|(metric, time, value)| builder.push(&late, metric, time + DAY_S, *value))?;
    Ok(())
}

/// What the latecomer of one family was allotted.
fn first_day(family: &str, members: &Family, risk: f64, is_beside: bool) -> Result<Vec<SeriesDecisions>, Failure> {
    let mut builder = TraceBuilder::default();
    push_late(&mut builder, family, members)?;
    for (member, rows) in members.iter().take(if is_beside { members.len() - 1 } else { 0 }) {
        let known = name(family, member);
        rows.iter().try_for_each(|(metric, time, value)| builder.push(&known, metric, *time, *value))?;
    }
    let engine = Engine::apportion("recent", FORECAST_EVERY_S)?;
    // A node without amounts: all in one loop, and nothing to share out.
    let options = Options { node: Some(Node::default()), ..Options::default() };
    let made = run_at(&builder.finish()?, Player::Engine(&engine), risk, &options, &unwatched)?;
    let late = members.last_key_value().map(|(member, _)| name(family, member)).unwrap_or_default();
    Ok(made.series.into_iter().filter(|series| *series.workload == *late).collect())
}
