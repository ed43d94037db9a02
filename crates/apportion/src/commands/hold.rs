//! `apportion hold` and `apportion release`.

use super::{
    control::{Control, segment},
    say,
};
use crate::{args, daemon, tell};
use anyhow::{Context as _, bail};
use apportion_core::WorkloadId;
use apportion_host::store::Store;

/// Puts a hold on a workload.
///
/// # Errors
/// No such workload was ever seen, the duration cannot be read, or neither the store nor a running loop can be reached.
pub fn hold(global: &args::Global, args: &args::Hold) -> anyhow::Result<()> {
    let now = daemon::now();
    let until = args.for_.as_deref().map(duration_s).transpose()?.map(|span_s| now.plus_s(span_s));
    if let Some(store) = global.open_to_write()? {
        check_seen(&store, &args.workload)?;
        store.hold(std::slice::from_ref(&args.workload), &args.why, until, now)?;
        say(&format!("{} is held", args.workload));
        return Ok(());
    }
    let path = format!("/api/v1/workloads/{}/hold", segment(&args.workload));
    let body = serde_json::json!({ "why": args.why, "until_s": until.map(apportion_core::Time::s) });
    say(&Control::find(&global.store_path())?.ask("POST", &path, Some(&body))?);
    Ok(())
}

/// A hold on a name that nothing has would protect nothing.
fn check_seen(store: &Store, name: &str) -> anyhow::Result<()> {
    if store.knows(|id| id.answers_to(name))? {
        return Ok(());
    }
    let what = format!("no workload is called {name}, so nothing is held; `apportion status` lists them");
    Err(super::NothingFound(what).into())
}

/// Ends holds of a workload.
///
/// # Errors
/// Neither the store nor a running loop can be reached, or nothing was held.
pub fn release(global: &args::Global, args: &args::Release) -> anyhow::Result<()> {
    if let Some(store) = global.open_to_write()? {
        if tell::release(&store, &WorkloadId::new(&args.workload), daemon::now())? == 0 {
            return Err(super::NothingFound(format!("{} is not held", args.workload)).into());
        }
        say(&format!("{} is sized again", args.workload));
        return Ok(());
    }
    let path = format!("/api/v1/workloads/{}/release", segment(&args.workload));
    say(&Control::find(&global.store_path())?.ask("POST", &path, None)?);
    Ok(())
}

/// `90m`, `8h`, `2d`, `45s`.
pub(super) fn duration_s(text: &str) -> anyhow::Result<i64> {
    let units = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];
    let unit = units.iter().find(|(suffix, _)| text.ends_with(*suffix));
    let Some((suffix, factor)) = unit else { bail!("--for {text}: give a number with s, m, h or d, e.g. 90m") };
    let number: i64 =
        text.trim_end_matches(*suffix).parse().with_context(|| format!("--for {text}: e.g. 90m, 8h, 2d"))?;
    if !(1..=366 * 86_400).contains(&number.saturating_mul(*factor)) {
        bail!("--for {text}: give 1s to 366d");
    }
    Ok(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in [("90m", 5_400), ("8h", 28_800), ("2d", 172_800), ("45s", 45)] {
            assert_eq!(duration_s(text).unwrap(), seconds, "{text}");
        }
        for text in ["", "m", "90", "-5m", "1w", "0s", "9999d", "1.5h"] {
            assert!(duration_s(text).is_err(), "{text}");
        }
    }
}
