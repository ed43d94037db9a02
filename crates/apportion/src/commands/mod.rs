//! One file a command. Each turns its arguments into what it needs, once, and does it.

pub mod announce;
pub mod ask;
pub mod audit;
pub mod check;
pub mod demo;
pub mod explain;
pub mod forecast;
pub mod generate;
pub mod history;
pub mod hold;
pub mod instructions;
pub mod interpret;
pub mod mcp;
pub mod model;
pub mod replay;
pub mod rollback;
pub mod run;
pub mod status;
pub mod tell;
pub mod train;
pub mod tune;

mod control;
mod desk;
mod loss_plot;
mod models;
mod page;
mod proposals;

use crate::{
    args::{self, Cli, Command, Global, LanguageArg},
    config::{Config, Faults},
    text_model::{Endpoint, Local, TextModel},
};
use anyhow::Context as _;
use apportion_host::store::{Access, OpenError, Options, Store};
use std::{path::PathBuf, process::ExitCode};

/// Exit status where arguments or configuration are wrong.
pub const EXIT_USAGE: u8 = 2;
/// Exit status where nothing was found.
pub const EXIT_NOTHING: u8 = 3;

/// Exit status where a sentence was not taken: not understood, not possible, or not confirmed.
pub const EXIT_NOT_TAKEN: u8 = 4;

/// A sentence was not taken.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotTaken(pub String);

/// Nothing was found: not a fault, but worth an exit status of its own.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NothingFound(pub String);

/// Does what the command line says and gives the exit status; what went wrong is on standard error.
#[must_use]
pub fn dispatch(cli: Cli) -> ExitCode {
    let done = carry_out(cli);
    let Err(error) = done else { return ExitCode::SUCCESS };
    tracing::debug!("{error:?}");
    say_error(&error);
    if error.is::<Faults>() {
        ExitCode::from(EXIT_USAGE)
    } else if error.is::<NothingFound>() {
        ExitCode::from(EXIT_NOTHING)
    } else if error.is::<NotTaken>() {
        ExitCode::from(EXIT_NOT_TAKEN)
    } else {
        ExitCode::FAILURE
    }
}

/// A time in a trace as people write it, a date and time or seconds, as seconds.
fn time_s(text: &str) -> Result<i64, String> {
    let text = text.trim();
    let timestamp = || text.parse::<jiff::Timestamp>().map(jiff::Timestamp::as_second);
    let wanted = |_| format!("'{text}' is no time, e.g. 2026-11-20T00:00:00Z, or seconds since 1970");
    text.parse().or_else(|_| timestamp()).map_err(wanted)
}

fn say_error(error: &anyhow::Error) {
    say_aside(&format!("apportion: {error:#}"));
}

fn carry_out(cli: Cli) -> anyhow::Result<()> {
    let global = &cli.global;
    match cli.command {
        Command::Run(args) => run::run(global, &args),
        Command::Status(args) => status::run(global, &args),
        Command::History(args) => history::run(global, &args),
        Command::Explain(args) => explain::run(global, &args),
        Command::Rollback(args) => rollback::run(global, &args),
        Command::Hold(args) => hold::hold(global, &args),
        Command::Release(args) => hold::release(global, &args),
        Command::Tell(args) => tell::run(global, &args),
        Command::Ask(args) => ask::run(global, &args),
        Command::Instructions(args) => instructions::run(global, &args),
        Command::Forecast(args) => forecast::run(global, &args),
        Command::Audit(args) => audit::run(global, &args),
        Command::Train(args) => train::run(global, &args),
        Command::Tune(args) => tune::run(global, &args),
        Command::Replay(args) => replay::run(global, &args),
        Command::Interpret(args) => interpret::run(&args),
        Command::Model(args) => model::run(&args),
        Command::Mcp => mcp::run(global),
        Command::Demo(args) => demo::run(global, &args),
        Command::DemoLoad(args) => {
            args.load.run(args.seconds);
            Ok(())
        }
        Command::Check(args) => check::run(global, &args),
        Command::Completions { shell } => generate::completions(shell),
        Command::Man => generate::man(),
    }
}

impl Global {
    /// The store's file.
    #[must_use]
    pub fn store_path(&self) -> PathBuf {
        self.store.clone().unwrap_or_else(default_store)
    }

    /// The configuration.
    ///
    /// # Errors
    /// All its faults.
    pub fn configuration(&self) -> Result<Config, Faults> {
        Config::load(self.config.as_deref())
    }

    /// The store, for reading beside a running loop.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn open_to_read(&self) -> anyhow::Result<Store> {
        let path = self.store_path();
        // One that may not be looked at is there for all that is known.
        if path.try_exists().is_ok_and(|is_there| !is_there) {
            let what = format!("{}: no store yet; `apportion run` makes one, --store names another", path.display());
            return Err(NothingFound(what).into());
        }
        Ok(Store::open(&path, Access::ReadOnly, Options::default())?)
    }

    /// The store, for writing; `None` where a running loop has it.
    ///
    /// # Errors
    /// It cannot be opened for another reason.
    pub fn open_to_write(&self) -> anyhow::Result<Option<Store>> {
        match Store::open(&self.store_path(), Access::ReadWrite, Options::default()) {
            Ok(store) => Ok(Some(store)),
            Err(OpenError::Locked { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The language of words.
    #[must_use]
    pub const fn words(&self) -> apportion_language::Language {
        match self.language {
            LanguageArg::En => apportion_language::Language::En,
            LanguageArg::Zh => apportion_language::Language::Zh,
        }
    }
}

impl args::TextModelArgs {
    /// The larger text model, where one is named.
    ///
    /// # Errors
    /// It cannot be used as it is named.
    pub fn open(&self) -> anyhow::Result<Option<Box<dyn TextModel>>> {
        let Some(place) = &self.llm else { return Ok(None) };
        if place.ends_with(".gguf") {
            let model = Local::open(place.as_ref(), self.llm_timeout).with_context(|| format!("--llm {place}"))?;
            return Ok(Some(Box::new(model)));
        }
        let key = std::env::var("APPORTION_LLM_KEY").ok().filter(|key| !key.trim().is_empty());
        let key = key.map(|key| key.trim().to_owned());
        Ok(Some(Box::new(Endpoint::new(place, &self.llm_model, key, self.llm_timeout)?)))
    }
}

fn default_store() -> PathBuf {
    let file = "apportion/apportion.db";
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib").join(file);
    }
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".local/state");
    std::env::var_os("XDG_STATE_HOME").map_or_else(home, PathBuf::from).join(file)
}

/// Writes to standard error: what is not the result itself.
#[allow(clippy::print_stderr, reason = "the one place where a command does so")]
pub(crate) fn say_aside(text: &str) {
    eprintln!("{text}");
}

/// Writes to standard output; a reader that has gone (`| head`) ends the program quietly.
pub(crate) fn say(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{text}").is_err() {
        std::process::exit(0);
    }
}
