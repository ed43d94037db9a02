//! `apportion history`.

use super::{NothingFound, say};
use crate::args;
use apportion_core::Decision;
use apportion_host::store::Filter;
use apportion_language::wording;

/// Prints decisions, newest first.
///
/// # Errors
/// There is no store, it cannot be read, or it holds no such decision.
pub fn run(global: &args::Global, args: &args::History) -> anyhow::Result<()> {
    for decision in &find(global, args)? {
        say(&if args.json { serde_json::to_string(decision)? } else { line(global, decision)? });
    }
    Ok(())
}

/// The decisions that are asked for, newest first.
pub(super) fn find(global: &args::Global, args: &args::History) -> anyhow::Result<Vec<Decision>> {
    let store = global.open_to_read()?;
    let workload = args.workload.as_deref().map(Into::into);
    let limit = if args.applied { usize::MAX } else { args.limit };
    let mut decisions = store.decisions(&Filter { workload, limit, ..Filter::default() })?;
    decisions.retain(|decision| !args.applied || decision.is_applied());
    decisions.truncate(args.limit);
    if decisions.is_empty() {
        return Err(NothingFound("no decision yet; `apportion run` makes them".to_owned()).into());
    }
    Ok(decisions)
}

pub(super) fn line(global: &args::Global, decision: &Decision) -> anyhow::Result<String> {
    let time = jiff::Timestamp::from_millisecond(decision.time.0)?.to_zoned(jiff::tz::TimeZone::system());
    let headline = wording::headline(decision, global.words());
    Ok(format!("{:>6}  {}  {headline}", decision.id, time.strftime("%Y-%m-%d %H:%M:%S")))
}
