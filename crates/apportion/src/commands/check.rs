//! `apportion check`.

use super::{page, say};
use crate::{
    args::{Check, Global},
    config, daemon,
};

/// Says what is wrong with the configuration, or that nothing is; or prints every key.
///
/// # Errors
/// All faults of the file, or the first thing for which `run` would not start: an open page, a secret that cannot be used.
pub fn run(global: &Global, args: &Check) -> anyhow::Result<()> {
    if args.keys {
        say(config::REFERENCE.trim_end());
        return Ok(());
    }
    let config = global.configuration()?;
    let path = global.config.clone().unwrap_or_else(|| config::DEFAULT_PATH.into());
    if path.exists() {
        let refused = |key: &str, why: anyhow::Error| config::Faults::of_key(&path, key, format!("{why:#}"));
        page::check(&config).map_err(|(key, why)| refused(key, why))?;
        daemon::prometheus::collector(&config).map_err(|why| refused("prometheus", why))?;
        let managed = config.rules.iter().filter(|rule| rule.standing.mode == apportion_core::Mode::Apply).count();
        say(&format!(
            "{}: no faults; {} rules, {managed} of them with apply = true",
            path.display(),
            config.rules.len()
        ));
    } else {
        say(&format!("{}: not there; these defaults hold:\n\n{}", path.display(), config::REFERENCE));
    }
    Ok(())
}
