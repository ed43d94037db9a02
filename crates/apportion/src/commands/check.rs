//! `apportion check`.

use super::say;
use crate::{
    args::{Check, Global},
    config,
};

/// Says what is wrong with the configuration, or that nothing is; or prints every key.
///
/// # Errors
/// All faults of the file.
pub fn run(global: &Global, args: &Check) -> anyhow::Result<()> {
    if args.keys {
        say(config::REFERENCE.trim_end());
        return Ok(());
    }
    let config = global.configuration()?;
    let path = global.config.clone().unwrap_or_else(|| config::DEFAULT_PATH.into());
    if path.exists() {
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
