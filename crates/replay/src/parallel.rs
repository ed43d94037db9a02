//! Independent pieces of work on some threads; results in order, so that the number of threads changes nothing.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

/// Called with (done, total) after each piece, from any thread.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// `work(0)`, ..., `work(count - 1)`.
pub(crate) fn map<T: Send>(
    count: usize,
    threads: usize,
    progress: Progress<'_>,
    work: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(count));
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, count.max(1)) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        break;
                    }
                    let result = work(at);
                    results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((at, result));
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1, count);
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_and_all_are_reported() {
        let reported = AtomicUsize::new(0);
        for threads in [1, 3, 100] {
            let found = map(
                50,
                threads,
                &|_, _| {
                    reported.fetch_add(1, Ordering::Relaxed);
                },
                |at| at * at,
            );
            assert_eq!(found, (0..50).map(|at| at * at).collect::<Vec<_>>());
        }
        assert_eq!(reported.into_inner(), 150);
        assert_eq!(map(0, 2, &|_, _| {}, |at| at), Vec::<usize>::new());
    }
}
