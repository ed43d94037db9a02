//! Independent pieces of work on some threads; results in order, so that the number of threads changes nothing.

use crate::ReplayError;
use std::{
    ops::ControlFlow,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// Called with (done, total) after each piece, from any thread. Where it breaks, no further piece is begun, and the whole ends with
/// [`ReplayError::BrokenOff`].
pub type Progress<'a> = &'a (dyn Fn(usize, usize) -> ControlFlow<()> + Sync);

/// A [`Progress`] that nobody looks at.
pub const fn unwatched(_done: usize, _total: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// `work(0)`, ..., `work(count - 1)`, all of them.
pub(crate) fn map<T: Send>(count: usize, threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    until_broken(count, threads, &unwatched, work).0
}

/// The same, watched: all of them or none.
///
/// # Errors
/// [`ReplayError::BrokenOff`].
pub(crate) fn watched<T: Send>(
    count: usize,
    threads: usize,
    progress: Progress<'_>,
    work: impl Fn(usize) -> T + Sync,
) -> Result<Vec<T>, ReplayError> {
    let (made, is_broken) = until_broken(count, threads, progress, work);
    if is_broken { Err(ReplayError::BrokenOff) } else { Ok(made) }
}

/// What was done until `progress` broke, and whether it did.
fn until_broken<T: Send>(
    count: usize,
    threads: usize,
    progress: Progress<'_>,
    work: impl Fn(usize) -> T + Sync,
) -> (Vec<T>, bool) {
    let is_broken = AtomicBool::new(false);
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(count));
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, count.max(1)) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count || is_broken.load(Ordering::Relaxed) {
                        break;
                    }
                    let result = work(at);
                    results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((at, result));
                    if progress(done.fetch_add(1, Ordering::Relaxed) + 1, count).is_break() {
                        is_broken.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    (results.into_iter().map(|(_, result)| result).collect(), is_broken.into_inner())
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
            let found = watched(50, threads, &count, |at| at * at);
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
            let found = watched(1_000, threads, &third, |_| begun.fetch_add(1, Ordering::Relaxed));
            assert_eq!(found, Err(ReplayError::BrokenOff));
            assert!(begun.into_inner() < 3 + 2 * threads);
        }
    }
}
