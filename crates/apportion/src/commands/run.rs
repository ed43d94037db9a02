//! `apportion run`.

use super::{page, say, status};
use crate::{
    args, daemon,
    daemon::{Request, Settings},
};
use apportion_core::tick::{Cadence, Resolution};
use apportion_language::Language;
use std::{sync::mpsc::Sender, time::Duration};

/// Turns of `--once`: a rate takes two readings, and a finished step of a second a third.
const TURNS_ONCE: usize = 3;

/// Runs the loop and the page until told to stop, or one turn.
///
/// # Errors
/// The configuration has faults, the store cannot be opened, or the page cannot be served.
pub fn run(global: &args::Global, args: &args::Run) -> anyhow::Result<()> {
    let config = global.configuration()?;
    let store = global.store_path();
    let mut settings = Settings { apply: args.apply, ..Settings::here(store.clone()) };
    if args.once {
        settings.cadence.resolutions = at_once();
    }
    let mut assembled = daemon::assemble(&config, settings)?;
    if args.once {
        once(&mut assembled, args, global.words())?;
        return assembled.daemon.close();
    }
    let listen = args.listen.clone().unwrap_or_else(|| config.listen.clone());
    let page = page::serve(&config, &listen, &store, &assembled)?;
    introduce(args, page.as_ref().map(|page| page.url.as_str()), &store);
    stop_on_signal(assembled.daemon.requests())?;
    assembled.daemon.run()
}

/// The usual grids, and one of seconds for a machine that is looked at for the first time.
fn at_once() -> Vec<Resolution> {
    let mut resolutions = Cadence::default().resolutions;
    if let Some(finest) = resolutions.last_mut() {
        finest.enough = 1;
    }
    resolutions.push(Resolution { step_s: 1, context: 60, horizon: 60, enough: 0 });
    resolutions
}

/// Some turns a second apart, so that counters have a rate; the last one is shown.
fn once(assembled: &mut daemon::Assembled, args: &args::Run, language: Language) -> anyhow::Result<()> {
    for _ in 1..TURNS_ONCE {
        assembled.daemon.turn(daemon::now());
        std::thread::sleep(Duration::from_secs(1));
    }
    let turn = assembled.daemon.turn(daemon::now());
    for problem in &turn.problems {
        tracing::warn!("{}: {}", problem.place, problem.what);
    }
    let picture = status::picture(&assembled.views.borrow())?;
    say(&if args.json { serde_json::to_string(&picture)? } else { status::table(picture, language)? });
    Ok(())
}

fn introduce(args: &args::Run, url: Option<&str>, store: &std::path::Path) {
    let mode = if args.apply {
        "managing the workloads that the configuration names"
    } else {
        "recommending only; nothing is changed"
    };
    say(&format!("apportion {}: {mode}", env!("CARGO_PKG_VERSION")));
    say(&format!("page   {}", url.unwrap_or("off")));
    say(&format!("store  {}", store.display()));
    say("Ctrl-C ends it; what was set stays set: `apportion rollback --all` puts everything back");
}

/// Ctrl-C and SIGTERM end the loop after its turn.
pub(super) fn stop_on_signal(requests: Sender<Request>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
            let Ok(mut terminate) = terminate else { return };
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        });
        let _ = requests.send(Request::Stop);
    })?;
    Ok(())
}
