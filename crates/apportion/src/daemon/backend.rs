//! What the page asks for: answered from the store, or by the loop between two turns.

use super::{control::Request, glue::StoreHistory, why::Why};
use crate::ask::{Answered, StoreSources, ask};
use crate::encoder_model::OnDemand;
use crate::signals::Signals;
use crate::tell::{self, Deed, Scene, Told, effect::WITHIN};
use crate::web::{Action, ActionError, ActionErrorKind, Backend, DecisionQuery, ForecasterScore, Language, View};
use apportion_core::{
    Decision, DecisionId, Forecast, Forecaster, History as _, Instructed, LoopState, Metric, Rationale, Series,
    Standing, Time, Window, WorkloadId, tick::Forecasts,
};
use apportion_host::store::{Access, Filter, Options, Store};
use apportion_language::wording;
use jiff::{Zoned, tz::TimeZone};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

/// An action waits at most this long for the loop.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Answers from the store.
pub struct StoreBackend {
    store: Arc<Store>,
    requests: Mutex<mpsc::Sender<Request>>,
    forecasts: Mutex<BTreeMap<WorkloadId, Forecasts>>,
    reader: OnDemand,
    scene: Mutex<Scene>,
    signals: Arc<Signals>,
    why: Mutex<Why>,
}

impl StoreBackend {
    pub(super) fn new(
        store: Arc<Store>,
        requests: mpsc::Sender<Request>,
        signals: Arc<Signals>,
        why: Why,
    ) -> anyhow::Result<Self> {
        let (forecasts, scene, reader) = (Mutex::default(), Mutex::default(), OnDemand::new()?);
        Ok(Self { store, requests: Mutex::new(requests), forecasts, reader, scene, signals, why: Mutex::new(why) })
    }

    /// Takes the forecaster with the weights that are now in force.
    pub(super) fn set_forecaster(&self, forecaster: Arc<dyn Forecaster + Send + Sync>) {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).forecaster = forecaster;
    }

    /// Takes what sentences are held against.
    pub(super) fn set_scene(&self, scene: Scene) {
        *self.scene.lock().unwrap_or_else(PoisonError::into_inner) = scene;
    }

    /// Reads a sentence against what is known now.
    pub(super) fn read_here(&self, text: &str, now: &Zoned, also: &[String]) -> (Told, Option<Deed>) {
        let mut scene = self.scene.lock().unwrap_or_else(PoisonError::into_inner).clone();
        scene.configured.extend(also.iter().map(|name| (WorkloadId::new(name), Standing::default())));
        // As it is now, not as it was at the last turn: what was confirmed a moment ago counts.
        scene.said = self.store.instructions(Time::from_s(now.timestamp().as_second())).unwrap_or(scene.said);
        tell::read(self.reader.get(), text, now, &scene, &StoreHistory(Arc::clone(&self.store)))
    }

    /// Takes the newest forecasts of the workloads that were looked at anew.
    pub(super) fn note(&self, state: &LoopState, assessed: &[WorkloadId]) {
        let mut forecasts = self.forecasts.lock().unwrap_or_else(PoisonError::into_inner);
        forecasts.retain(|workload, _| state.forecasts.contains_key(workload));
        for workload in assessed {
            if let Some(newest) = state.forecasts.get(workload) {
                forecasts.insert(workload.clone(), newest.clone());
            }
        }
    }
}

impl Backend for StoreBackend {
    fn series(&self, workload: &WorkloadId, metric: &Metric, window: Window) -> Option<Series> {
        StoreHistory(Arc::clone(&self.store)).series(workload, metric, window)
    }

    fn forecast(&self, workload: &WorkloadId, metric: &Metric) -> Option<Forecast> {
        let forecasts = self.forecasts.lock().unwrap_or_else(PoisonError::into_inner);
        forecasts.get(workload)?.get(metric).map(|forecast| forecast.as_ref().clone())
    }

    fn rationale(&self, workload: &WorkloadId, metric: &Metric) -> Option<Rationale> {
        let why = self.why.lock().unwrap_or_else(PoisonError::into_inner).clone();
        why.rationale(&self.store, workload, metric, super::now()).unwrap_or_else(|error| {
            tracing::warn!("{error}");
            None
        })
    }

    fn scores(&self, workload: &WorkloadId) -> Vec<ForecasterScore> {
        let forecasts = self.forecasts.lock().unwrap_or_else(PoisonError::into_inner);
        let forecaster = Arc::clone(&self.why.lock().unwrap_or_else(PoisonError::into_inner).forecaster);
        let of = |metric: &Metric, by: &str, score: f32, chosen: bool| {
            (score.is_finite()).then(|| ForecasterScore {
                metric: metric.clone(),
                by: by.to_owned(),
                score: score.into(),
                chosen,
            })
        };
        let all = |(metric, forecast): (&Metric, &Arc<Forecast>)| {
            let chosen = forecast.score.and_then(|score| of(metric, &forecast.by, score, true));
            let tried = forecaster.scores(workload, metric).into_iter().filter(|(by, _)| *by != forecast.by);
            chosen.into_iter().chain(tried.filter_map(|(by, score)| of(metric, &by, score, false))).collect::<Vec<_>>()
        };
        forecasts.get(workload).into_iter().flatten().flat_map(all).collect()
    }

    fn decisions(&self, query: &DecisionQuery) -> Vec<Decision> {
        let DecisionQuery { workload, since, before, limit } = query.clone();
        self.store.decisions(&Filter { workload, since, before, limit }).unwrap_or_else(|error| {
            tracing::warn!("{error}");
            Vec::new()
        })
    }

    fn decision(&self, id: DecisionId) -> Option<Decision> {
        self.store.decision(id).unwrap_or_else(|error| {
            tracing::warn!("{error}");
            None
        })
    }

    fn explain(&self, decision: &Decision, language: Language) -> String {
        wording::explain(decision, words(language), &TimeZone::system())
    }

    fn read(&self, text: &str, at: Time, zone: Option<&str>, also: &[String]) -> Told {
        self.read_here(text, &tell::zoned(at, zone), also).0
    }

    /// From a reader of the store of its own, so that no turn waits for a lock.
    fn effect(&self, told: &Told, zone: Option<&str>) -> Option<String> {
        let now = tell::zoned(Time::from_s(told.at_s), zone);
        let open = || Ok(Store::open(self.store.path(), Access::ReadOnly, Options::default())?);
        aside(|| tell::effect::of(told, &now, WITHIN, open)).flatten()
    }

    fn ask(&self, text: &str, at: Time, zone: Option<&str>, view: &View) -> Answered {
        let forecast = |workload: &WorkloadId, metric: &Metric| self.forecast(workload, metric);
        let sources = StoreSources::new(Arc::clone(&self.store), forecast);
        Answered::new(text, &ask(self.reader.get(), text, &tell::zoned(at, zone), view, &sources))
    }

    fn instructions(&self) -> Vec<Instructed> {
        let mut all = self.store.instructions(Time(i64::MIN)).unwrap_or_else(|error| {
            tracing::warn!("{error}");
            Vec::new()
        });
        all.reverse();
        all
    }

    fn signals(&self) -> Arc<Signals> {
        Arc::clone(&self.signals)
    }

    fn act(&self, action: Action) -> Result<String, ActionError> {
        let (answer, answered) = mpsc::channel();
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let gone = |what: &str| ActionError {
            kind: ActionErrorKind::Failed,
            what: what.to_owned(),
            place: "loop".to_owned(),
            remedy: "look into the log; a loop that has ended can be started again".to_owned(),
        };
        requests.send(Request::Act(action, answer)).map_err(|_| gone("the loop has ended"))?;
        answered.recv_timeout(ANSWER_WITHIN).unwrap_or_else(|_| Err(gone("the loop did not answer in time")))
    }
}

/// Does it on a thread of its own at the lowest priority, so that the next turn has the processor when it wants it; `None` where it
/// panicked.
fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    let idly = || {
        if let Err(error) = rustix::process::nice(19) {
            tracing::warn!("an effect is computed at the loop's own priority: {error}");
        }
        work()
    };
    std::thread::scope(|scope| scope.spawn(idly).join().ok())
}

/// The language of the page as the language of words.
const fn words(language: Language) -> apportion_language::Language {
    match language {
        Language::En => apportion_language::Language::En,
        Language::Zh => apportion_language::Language::Zh,
    }
}
