//! The `apportion` command.

use clap::Parser as _;
use std::{io::IsTerminal as _, process::ExitCode};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let level = EnvFilter::try_from_env("APPORTION_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    // `NO_COLOR` is heeded too (https://no-color.org), and journals and files get plain text.
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let log = tracing_subscriber::fmt().with_env_filter(level).with_ansi(colours);
    log.with_writer(std::io::stderr).with_target(false).init();
    apportion::commands::dispatch(apportion::args::Cli::parse())
}
