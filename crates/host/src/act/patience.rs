//! What does not answer is waited for once, not once a knob: a tick has to go on.

use super::ActError;
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Whoever did not answer in time is not asked again for so long.
const REST: Duration = Duration::from_secs(30);

/// Asks somebody who may be silent.
pub(super) struct Patience {
    who: &'static str,
    remedy: &'static str,
    /// When it last did not answer; `None` once it did.
    silent: Mutex<Option<Instant>>,
}

impl Patience {
    pub(super) const fn with(who: &'static str, remedy: &'static str) -> Self {
        Self { who, remedy, silent: Mutex::new(None) }
    }

    /// Asks, unless there was no answer a moment ago. `question` says [`ActError::Silent`] where there is none in time.
    pub(super) fn ask<T>(&self, question: impl FnOnce() -> Result<T, ActError>) -> Result<T, ActError> {
        if self.silent().is_some_and(|since| since.elapsed() < REST) {
            return Err(self.silence(self.who));
        }
        let answer = question();
        let before = self.note(matches!(answer, Err(ActError::Silent { .. })));
        match &answer {
            Err(error @ ActError::Silent { .. }) if !before => tracing::warn!("{error}"),
            Err(ActError::Silent { .. }) => {}
            _ if before => tracing::info!("{} answers again", self.who),
            _ => {}
        }
        answer
    }

    /// That `place` did not answer.
    pub(super) fn silence(&self, place: &str) -> ActError {
        ActError::Silent { place: place.to_owned(), rest_s: REST.as_secs(), remedy: self.remedy }
    }

    fn silent(&self) -> Option<Instant> {
        *self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives whether it was silent before.
    fn note(&self, is_silent: bool) -> bool {
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        let now = is_silent.then(Instant::now);
        std::mem::replace(&mut *silent, now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_costs_one_wait_and_an_error_is_an_answer() {
        let (patience, mut asked) = (Patience::with("nobody", "wake it"), 0);
        let mut ask = |answer: Result<(), ActError>| {
            let said = patience.ask(|| {
                asked += 1;
                answer
            });
            (said.map_err(|error| error.to_string()), asked)
        };
        assert_eq!(ask(Err(ActError::NotMine)).1, 1);
        assert_eq!(ask(Ok(())), (Ok(()), 2));
        assert_eq!(ask(Err(patience.silence("nobody's knob"))).1, 3);
        let said = "nobody: no answer in time, so it is left alone for 30 s; wake it".to_owned();
        assert_eq!(ask(Ok(())), (Err(said), 3), "it is not asked again at once");
    }
}
