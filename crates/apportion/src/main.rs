//! The `apportion` command.

use clap::Parser as _;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let level = EnvFilter::try_from_env("APPORTION_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(level).with_writer(std::io::stderr).with_target(false).init();
    apportion::commands::dispatch(apportion::args::Cli::parse())
}
