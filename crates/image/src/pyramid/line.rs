//! Work done by several threads and taken back in the order it was given.
//!
//! The thread that gives the work is one of them: when it has to wait for a result, it works.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Tasks on their way to results.
pub(crate) struct Line<'a, T, R> {
    shared: &'a Shared<T, R>,
    work: Box<dyn FnMut(T) -> R + 'a>,
    /// Tasks given, results taken.
    given: u64,
    taken: u64,
}

struct Shared<T, R> {
    state: Mutex<State<T, R>>,
    /// Told when a task comes, or none will any more.
    tasks: Condvar,
    /// Told when a result comes.
    results: Condvar,
}

struct State<T, R> {
    waiting: VecDeque<(u64, T)>,
    /// Results not taken yet, the first being number `taken`; `None` where one is still worked on.
    done: VecDeque<Option<R>>,
    taken: u64,
    closed: bool,
}

/// Runs `lead` with a line behind which `threads` threads work, its own among them. `worker` makes what one thread
/// works with; it must not panic, and nor must that.
pub(crate) fn with_line<'w, T: Send, R: Send, A>(
    threads: NonZeroUsize,
    worker: impl Fn() -> Box<dyn FnMut(T) -> R + 'w> + Sync,
    lead: impl FnOnce(&mut Line<'_, T, R>) -> A,
) -> A {
    let state = State { waiting: VecDeque::new(), done: VecDeque::new(), taken: 0, closed: false };
    let shared = Shared { state: Mutex::new(state), tasks: Condvar::new(), results: Condvar::new() };
    std::thread::scope(|scope| {
        // Dropped when `lead` is through, or has panicked: nobody may wait for tasks after that.
        let _closing = Closing(&shared);
        for number in 1..threads.get() {
            let name = format!("tiles-{number}");
            let (shared, worker) = (&shared, &worker);
            // With fewer threads the same is done more slowly.
            let _ = std::thread::Builder::new().name(name).spawn_scoped(scope, move || {
                let mut work = worker();
                while let Some((number, task)) = shared.wait_for_task() {
                    let result = work(task);
                    shared.finish(number, result);
                }
            });
        }
        lead(&mut Line { shared: &shared, work: worker(), given: 0, taken: 0 })
    })
}

impl<T, R> Line<'_, T, R> {
    /// Gives a task.
    pub(crate) fn give(&mut self, task: T) {
        let mut state = self.shared.lock();
        state.waiting.push_back((self.given, task));
        state.done.push_back(None);
        self.given += 1;
        drop(state);
        self.shared.tasks.notify_one();
    }

    /// The result of the oldest task whose result was not taken, if it is there.
    pub(crate) fn ready(&mut self) -> Option<R> {
        let mut state = self.shared.lock();
        if state.done.front().is_some_and(Option::is_some) {
            self.taken += 1;
            return state.take();
        }
        None
    }

    /// The same, waited and worked for; `None` if no task is left.
    pub(crate) fn next(&mut self) -> Option<R> {
        while self.taken < self.given {
            if let Some(result) = self.ready() {
                return Some(result);
            }
            let mut state = self.shared.lock();
            if let Some((number, task)) = state.waiting.pop_front() {
                drop(state);
                let result = (self.work)(task);
                self.shared.finish(number, result);
            } else if state.done.front().is_some_and(Option::is_none) {
                drop(self.shared.results.wait(state).unwrap_or_else(PoisonError::into_inner));
            }
        }
        None
    }
}

impl<T, R> Shared<T, R> {
    fn lock(&self) -> MutexGuard<'_, State<T, R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for_task(&self) -> Option<(u64, T)> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            match state.waiting.pop_front() {
                Some(task) => return Some(task),
                None => state = self.tasks.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn finish(&self, number: u64, result: R) {
        let mut state = self.lock();
        let place = usize::try_from(number - state.taken).unwrap_or(usize::MAX);
        if let Some(slot) = state.done.get_mut(place) {
            *slot = Some(result);
        }
        drop(state);
        self.results.notify_one();
    }
}

impl<T, R> State<T, R> {
    fn take(&mut self) -> Option<R> {
        self.taken += 1;
        self.done.pop_front().flatten()
    }
}

/// Ends the threads when it is dropped: what waits is not begun any more.
struct Closing<'a, T, R>(&'a Shared<T, R>);

impl<T, R> Drop for Closing<'_, T, R> {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.tasks.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_on_any_number_of_threads() {
        for threads in [1, 2, 7] {
            let threads = NonZeroUsize::new(threads).unwrap();
            let worker = || -> Box<dyn FnMut(u64) -> u64> {
                Box::new(|n| {
                    if n % 3 == 0 {
                        std::thread::sleep(std::time::Duration::from_micros(300));
                    }
                    n * n
                })
            };
            let results = with_line(threads, worker, |line| {
                let mut results = Vec::new();
                for n in 0..100 {
                    line.give(n);
                    results.extend(line.ready());
                }
                results.extend(std::iter::from_fn(|| line.next()));
                results
            });
            assert_eq!(results, (0..100).map(|n| n * n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_was_not_begun_is_dropped_with_the_line() {
        let threads = NonZeroUsize::new(3).unwrap();
        with_line(threads, || Box::new(|n: u8| n), |line| (0..50).for_each(|n| line.give(n)));
    }
}
