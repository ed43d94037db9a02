//! Arguments as typed. What they mean together is worked out once, in the command that takes them.

use crate::{commands::announce::Announce, tell::effect::WITHIN};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Sizes the workloads of a machine: watches what each uses, forecasts what it will need, allots that, watches what
/// happened, takes back what hurt, and says why.
#[derive(Debug, Parser)]
#[command(name = "apportion", version, propagate_version = true, max_term_width = 110, arg_required_else_help = true)]
#[command(after_help = "Examples:
  apportion run                         watch and recommend; page at http://127.0.0.1:7070
  apportion run --apply                 manage the workloads that the configuration names
  apportion status                      what each workload uses, is forecast and would be allotted
  apportion explain nginx.service       why its numbers are what they are
  apportion tell 'tonight 20:00-22:00 expect 3x traffic on checkout'
  apportion ask 'why was nginx throttled last night?'
  apportion rollback --all              put every knob back to what it was before Apportion

Exit status: 0 done, 1 failed, 2 wrong arguments or configuration, 3 nothing found, 4 sentence not taken.")]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What holds for every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The store: one SQLite file of telemetry and decisions.
    /// Default: /var/lib/apportion/apportion.db for root, else ~/.local/state/apportion/apportion.db
    #[arg(long, global = true, env = "APPORTION_STORE", value_name = "FILE")]
    pub store: Option<PathBuf>,
    /// The configuration. Default: /etc/apportion/apportion.toml where it exists, else built-in defaults (recommend only)
    #[arg(long, global = true, env = "APPORTION_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Language of explanations.
    #[arg(long, global = true, value_enum, env = "APPORTION_LANGUAGE", default_value = "en")]
    pub language: LanguageArg,
    /// Seconds for which a command plays a sentence to show its effect.
    #[arg(long, global = true, hide = true, env = "APPORTION_EFFECT_WITHIN_S", default_value_t = WITHIN.as_secs())]
    pub effect_within_s: u64,
}

/// Language of explanations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LanguageArg {
    /// English.
    En,
    /// Chinese.
    Zh,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the loop and the page.
    Run(Run),
    /// What each workload uses, is forecast to need and would be allotted.
    Status(Status),
    /// What was decided, newest first.
    History(History),
    /// Why a workload's numbers are what they are.
    Explain(Explain),
    /// Put knobs back to what they were.
    Rollback(Rollback),
    /// Change nothing on a workload until it is released.
    Hold(Hold),
    /// End a hold, and take a knob over again that somebody else had turned.
    Release(Release),
    /// Say in English or Chinese what will change, what must hold or what is wrong; shown back before it is taken.
    Tell(Tell),
    /// Ask in English or Chinese why something was decided, what is used, forecast, allotted, changed, saved or said.
    Ask(Ask),
    /// What people said: list, show or revoke.
    Instructions(Instructions),
    /// Forecast every series of a trace file from its own end.
    Forecast(Forecast),
    /// Whether forecasts are right for every kind of series; corrects the kinds for which they are not.
    Audit(crate::commands::audit::Audit),
    /// Train a telemetry network on recorded series and synthetic ones.
    Train(crate::commands::train::Train),
    /// Fine-tune the telemetry network on your own series; kept only for the metrics where it wins.
    Tune(crate::commands::tune::Tune),
    /// Play recorded usage to policies: what each would have allotted, and how well.
    Replay(crate::commands::replay::Replay),
    /// Read operators' sentences (English or Chinese) from standard input, one a line; print what each means as JSON.
    Interpret(Interpret),
    /// Optional models: pull, list or remove them.
    Model(crate::commands::model::ModelArgs),
    /// Serve the Model Context Protocol on standard input and output: programs read, and propose what a person confirms.
    Mcp,
    /// Start three small workloads and watch the loop size them.
    Demo(Demo),
    /// One workload of the demonstration.
    #[command(hide = true)]
    DemoLoad(DemoLoad),
    /// Read the configuration and say what is wrong with it, or print every key.
    Check(Check),
    /// Print shell completions, e.g. `apportion completions bash > /etc/bash_completion.d/apportion`.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the man page.
    Man,
}

/// Arguments of `run`.
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// Write the knobs of workloads whose configuration says `apply = true`. Without it nothing is changed.
    #[arg(long)]
    pub apply: bool,
    /// Tune the telemetry network on the store's own series once a day, and when its forecasts become worse: in the background, on
    /// one thread at the lowest priority. Weights are kept only for the metrics where they win (`apportion tune --list`).
    #[arg(long, conflicts_with = "once")]
    pub tune: bool,
    /// One tick, then end.
    #[arg(long)]
    pub once: bool,
    /// With --once: print the result as one JSON object.
    #[arg(long, requires = "once")]
    pub json: bool,
    /// Address of the page, instead of the configured one; `off` for none.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Take log lines as hints: `follow` reads this machine's journal through journalctl; else a file of its JSON lines, or `-`.
    #[arg(long, value_name = "FROM", num_args = 0..=1, default_missing_value = "follow", conflicts_with = "once")]
    pub journal: Option<String>,
}

/// Arguments of `check`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  apportion check                             what is wrong with the configuration, where, and what to do
  apportion check --keys                      every key with its default, unit and range
  apportion check --keys > apportion.toml     a file to begin with")]
pub struct Check {
    /// Print every key with its default, unit and range, whatever the file says.
    #[arg(long)]
    pub keys: bool,
}

/// Arguments of `status`.
#[derive(Clone, Debug, Args)]
pub struct Status {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `history`.
#[derive(Clone, Debug, Args)]
pub struct History {
    /// Only this workload.
    pub workload: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
    /// Leave refusals out.
    #[arg(long)]
    pub applied: bool,
    /// Print JSON lines.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `explain`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  apportion explain nginx.service
  apportion explain 42
  apportion explain nginx.service --forecast   which past, which rhythm and which announcement drive what is forecast")]
pub struct Explain {
    /// A workload, or the number of a decision.
    pub what: String,
    /// Explain the workload's forecasts instead: each part is taken away, and the forecast made again.
    #[arg(long)]
    pub forecast: bool,
    /// With --forecast: of this metric only.
    #[arg(long, requires = "forecast", value_name = "NAME")]
    pub metric: Option<String>,
    /// Print the records instead of words.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `rollback`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  apportion rollback 42             take decision 42 back
  apportion rollback nginx.service  every knob of nginx.service as it was before Apportion
  apportion rollback --all          every knob of every workload; also after a crash")]
pub struct Rollback {
    /// A decision's number or a workload; without it the last applied decision.
    #[arg(conflicts_with = "all")]
    pub what: Option<String>,
    /// Every knob that Apportion ever turned and did not put back.
    #[arg(long)]
    pub all: bool,
}

/// Arguments of `hold`.
#[derive(Clone, Debug, Args)]
pub struct Hold {
    /// Which workload.
    pub workload: String,
    /// Why; shown wherever the hold stops a change.
    #[arg(long, default_value = "a person asked for it")]
    pub why: String,
    /// For how long, e.g. 90m, 8h, 2d; without it until released.
    #[arg(long = "for", value_name = "DURATION")]
    pub for_: Option<String>,
}

/// Arguments of `release`.
#[derive(Clone, Debug, Args)]
pub struct Release {
    /// Which workload.
    pub workload: String,
}

/// Arguments of `tell`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  apportion tell \"Tonight 20:00-22:00 flash sale, expect 3x traffic on checkout\"
  apportion tell \"every weekday 9-18 crm needs at least 4 cores\" --yes
  apportion tell 系统负载较高，需要更多计算资源
  apportion tell \"undo the last change\"

Nothing is taken before it is confirmed. Exit status 4: not understood, not possible, or not confirmed.")]
pub struct Tell {
    /// The sentence.
    #[arg(required = true)]
    pub sentence: Vec<String>,
    /// Take it without asking, where it can be.
    #[arg(long)]
    pub yes: bool,
    /// What the time is, RFC 3339; its zone is that of the sentence. Default: now, here.
    #[arg(long, value_name = "TIME")]
    pub now: Option<String>,
    /// A workload that will exist, so that its name is known; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub workload: Vec<String>,
    /// Print what was understood, and whether it was taken, as JSON. Asks nothing: without --yes nothing is taken.
    #[arg(long)]
    pub json: bool,
    /// A second opinion.
    #[command(flatten)]
    pub second: TextModelArgs,
}

/// A larger text model.
#[derive(Clone, Debug, Default, Args)]
pub struct TextModelArgs {
    /// A larger text model: the address of an OpenAI-compatible API (http://127.0.0.1:8080/v1), or a GGUF file that is run here. It reads
    /// what is told too, and where it reads otherwise a person is asked, whatever --yes says; of what is asked it gives other words with --reword.
    /// Names are replaced by aliases before anything is sent. The key, where one is needed, is taken from APPORTION_LLM_KEY.
    #[arg(long, env = "APPORTION_LLM", value_name = "URL|FILE")]
    pub llm: Option<String>,
    /// Name of the model at that address.
    #[arg(long, env = "APPORTION_LLM_MODEL", value_name = "NAME", default_value = "default")]
    pub llm_model: String,
    /// How long its answer may take, seconds; without one what was read or worded here stands.
    #[arg(long, env = "APPORTION_LLM_TIMEOUT_S", value_name = "S", default_value_t = 20)]
    pub llm_timeout: u32,
}

/// Arguments of `ask`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  apportion ask \"why was nginx throttled last night?\"
  apportion ask 昨晚 nginx 为什么被限流？
  apportion ask \"would search have been throttled with 1 core?\"
  apportion ask \"what can you do?\"

Answers come from store and ledger; every number in them is in the records that are named. Exit status 3: nothing is known, or
not understood.")]
pub struct Ask {
    /// The question.
    #[arg(required = true)]
    pub question: Vec<String>,
    /// What the time is, RFC 3339; its zone is that of the question. Default: now, here.
    #[arg(long, value_name = "TIME")]
    pub now: Option<String>,
    /// Print the answer with the typed question and the records as JSON.
    #[arg(long)]
    pub json: bool,
    /// Have the larger text model of --llm put the answer in other words, above Apportion's own. Its figures, times and names are held
    /// against the records; where one is not there, its words are dropped and that is said.
    #[arg(long)]
    pub reword: bool,
    /// Who rewords.
    #[command(flatten)]
    pub model: TextModelArgs,
}

/// Arguments of `instructions`.
#[derive(Clone, Debug, Args)]
pub struct Instructions {
    /// What to do; without it, list those that stand.
    #[command(subcommand)]
    pub what: Option<InstructionsWhat>,
    /// List those that are past or revoked too.
    #[arg(long)]
    pub all: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What to do with instructions.
#[derive(Clone, Debug, Subcommand)]
pub enum InstructionsWhat {
    /// Everything of one.
    Show {
        /// Its number.
        id: i64,
    },
    /// Take what a program proposed over MCP, or list what waits; asks at the terminal.
    Confirm {
        /// Its number; without it, list what waits.
        id: Option<u32>,
    },
    /// Take one back.
    Revoke {
        /// Its number.
        id: i64,
    },
}

/// Arguments of `forecast`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "IN has the columns workload, metric, time (seconds since 1970) and value; OUT has workload, metric, time,
q0.1 ... q0.9. Parquet or CSV by the file's ending.

Examples:
  apportion forecast usage.parquet --horizon 288 --out forecast.parquet
  apportion forecast usage.csv --horizon 288 --announce 2026-11-27T20:00:00Z..2026-11-27T22:00:00Z=3x:checkout --out sale.csv
  apportion forecast --from-store --horizon 288 --out forecast.csv"
)]
pub struct Forecast {
    /// Trace to forecast.
    #[arg(value_name = "IN", required_unless_present = "from_store", conflicts_with = "from_store")]
    pub input: Option<PathBuf>,
    /// Forecast what the own store holds, in steps of five minutes, as `run` does: from a week of the past, with what is announced,
    /// and for auto and transformer with the weights that were tuned on it.
    #[arg(long)]
    pub from_store: bool,
    /// Demand in IN is or will be FACTOR times usual after START until END, of one workload or of all: taken out of the past, and
    /// told to the forecaster of what is to come. Times as IN counts them, or RFC 3339; may be given several times.
    #[arg(long, value_name = "START..END=FACTORx[:WORKLOAD]", conflicts_with = "from_store")]
    pub announce: Vec<Announce>,
    /// Use the weights tuned on the own store for a trace too (`apportion tune --list`); for auto and transformer.
    #[arg(long)]
    pub tuned: bool,
    /// Steps ahead.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub horizon: u32,
    /// Forecaster: auto, transformer, gru, recent, seasonal-naive, ets, mstl; weights:FILE for a network made by
    /// `apportion train`; bolt:FOLDER for a Chronos-Bolt model (model.safetensors and config.json).
    #[arg(long, default_value = "auto", value_name = "NAME")]
    pub model: String,
    /// Where to write.
    #[arg(long, value_name = "OUT")]
    pub out: PathBuf,
    /// Correct the forecasts by group, as `apportion audit` found: its corrections.json.
    #[arg(long, value_name = "FILE")]
    pub corrections: Option<PathBuf>,
    /// Print as well, a line a series, what its forecast rests on: each part is taken away, and the forecast made again.
    #[arg(long)]
    pub explain: bool,
}

/// Arguments of `interpret`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:
  echo 'Tonight 20:00-22:00 flash sale, expect 3x traffic on checkout' | apportion interpret")]
pub struct Interpret {
    /// What the time is, RFC 3339; its zone is that of the sentences. Default: now, here.
    #[arg(long, value_name = "TIME")]
    pub now: Option<String>,
    /// A workload that exists, so that its name is known; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub workload: Vec<String>,
    /// A second opinion.
    #[command(flatten)]
    pub second: TextModelArgs,
}

/// Arguments of `demo`.
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// How long, seconds.
    #[arg(long, default_value_t = 180, value_name = "S", value_parser = clap::value_parser!(u32).range(30..=86_400))]
    pub seconds: u32,
    /// Address of the page; `off` for none.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7070")]
    pub listen: String,
}

/// Arguments of `demo-load`.
#[derive(Clone, Debug, Args)]
pub struct DemoLoad {
    /// Which.
    pub load: crate::commands::demo::Load,
    /// How long, seconds.
    #[arg(long, value_name = "S")]
    pub seconds: f64,
}
