//! Independent pieces of work on some threads; results in order, so that the number of threads changes nothing.

use crate::ReplayError;
use std::{
    ops::ControlFlow,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// Called with (done, total) now and then, from any thread. Where it breaks, nothing further is begun, and the whole ends with
/// [`ReplayError::BrokenOff`].
pub type Progress<'a> = &'a (dyn Fn(usize, usize) -> ControlFlow<()> + Sync);

/// A [`Progress`] that nobody looks at.
pub const fn unwatched(_done: usize, _total: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// How far several threads have come together.
pub(crate) struct Watch<'a> {
    progress: Progress<'a>,
    done: AtomicUsize,
    total: usize,
    is_broken: AtomicBool,
}

impl<'a> Watch<'a> {
    pub(crate) const fn new(progress: Progress<'a>, total: usize) -> Self {
        Self { progress, done: AtomicUsize::new(0), total, is_broken: AtomicBool::new(false) }
    }
    /// So much more is done.
    pub(crate) fn add(&self, count: usize) {
        let done = self.done.fetch_add(count, Ordering::Relaxed) + count;
        if (self.progress)(done, self.total).is_break() {
            self.is_broken.store(true, Ordering::Relaxed);
        }
    }
    /// What is under way is to end.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }
}

/// `work(0)`, ..., `work(count - 1)`.
pub(crate) fn map<T: Send>(count: usize, threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(count));
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|at| *at < count);
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, count.max(1)) {
            scope.spawn(|| {
                while let Some(at) = take() {
                    let result = work(at);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The same, of work that tells a watch how far it has come: all of it or none.
///
/// # Errors
/// [`ReplayError::BrokenOff`].
pub(crate) fn watched<T: Send>(
    count: usize,
    threads: usize,
    watch: &Watch<'_>,
    work: impl Fn(usize) -> T + Sync,
) -> Result<Vec<T>, ReplayError> {
    let made = map(count, threads, |at| (!watch.is_broken()).then(|| work(at)));
    let all: Option<Vec<T>> = made.into_iter().collect();
    all.filter(|_| !watch.is_broken()).ok_or(ReplayError::BrokenOff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_and_all_are_reported() {
        let reported = AtomicUsize::new(0);
        for threads in [1, 3, 100] {
            let count = |_, _| {
                reported.fetch_add(1, Ordering::Relaxed);
                ControlFlow::Continue(())
            };
            let watch = Watch::new(&count, 50);
            let square = |at| {
                watch.add(1);
                at * at
            };
            let found = watched(50, threads, &watch, square);
            assert_eq!(found, Ok((0..50).map(|at| at * at).collect::<Vec<_>>()));
        }
        assert_eq!(reported.into_inner(), 150);
        assert_eq!(map(0, 2, |at| at), Vec::<usize>::new());
    }

    #[test]
    fn what_is_broken_off_begins_nothing_more_and_gives_nothing() {
        for threads in [1, 3] {
            let begun = AtomicUsize::new(0);
            let third = |done, _| if done >= 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            let watch = Watch::new(&third, 1_000);
            let begin = |_| {
                begun.fetch_add(1, Ordering::Relaxed);
                watch.add(1);
            };
            let found = watched(1_000, threads, &watch, begin);
            assert_eq!(found, Err(ReplayError::BrokenOff));
            assert!(begun.into_inner() < 3 + 2 * threads);
        }
    }
}
