//! `apportion run`.

use super::{page, say, status};
use crate::{
    allocator::give_back_early,
    args, daemon,
    daemon::{Request, Settings},
    signals::journal,
};
use apportion_language::Language;
use std::{sync::mpsc::Sender, time::Duration};

/// Turns of `--once` at the most: two finished steps of ten seconds, and some.
const MOST_TURNS_ONCE: usize = 25;

/// Runs the loop and the page until told to stop, or one turn.
///
/// # Errors
/// The configuration has faults, the store cannot be opened, or the page cannot be served.
pub fn run(global: &args::Global, args: &args::Run) -> anyhow::Result<()> {
    give_back_early();
    let config = global.configuration()?;
    let store = global.store_path();
    let settings = Settings { apply: args.apply, tune: args.tune, ..Settings::here(store.clone()) };
    let mut assembled = daemon::assemble(&config, settings)?;
    if args.once {
        once(&mut assembled, args, global.words())?;
        return assembled.daemon.close();
    }
    let listen = args.listen.clone().unwrap_or_else(|| config.listen.clone());
    let served = page::serve(&config, &listen, &store, &assembled)?;
    let _journal = args.journal.as_deref().map(|from| journal::read(from, assembled.daemon.signals())).transpose()?;
    introduce(args, served.url.as_deref(), &store);
    stop_on_signal(assembled.daemon.requests())?;
    assembled.daemon.run()
}

/// Turns a second apart, so that counters have a rate, until something is known of what to allot: at once where the store
/// has history, after a finished step of ten seconds on a machine that is looked at for the first time.
fn once(assembled: &mut daemon::Assembled, args: &args::Run, language: Language) -> anyhow::Result<()> {
    let mut turn = assembled.daemon.turn(daemon::now());
    for _ in 1..MOST_TURNS_ONCE {
        std::thread::sleep(Duration::from_secs(1));
        turn = assembled.daemon.turn(daemon::now());
        if turn.report.allotted.len() * 2 >= turn.snapshot.workloads.len() {
            break;
        }
    }
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
