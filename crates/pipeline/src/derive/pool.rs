//! As many threads as images may be made at once, and no more.
//!
//! Not the runtime's blocking pool: that has hundreds of threads, and an allocator keeps freed pixels for
//! each thread that ever held some. A few threads that do nothing else reuse the same memory.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

type Task = Box<dyn FnOnce() + Send>;

/// The threads. They end when it is dropped.
#[derive(Debug)]
pub(super) struct Pool {
    tasks: Sender<Task>,
}

impl Pool {
    /// Starts `threads` threads.
    ///
    /// # Errors
    /// When the system gives none at all.
    pub fn new(threads: usize) -> std::io::Result<Pool> {
        let (tasks, waiting) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let mut started = Ok(());
        for number in 0..threads.max(1) {
            let waiting = Arc::clone(&waiting);
            let name = format!("derive-{number}");
            match std::thread::Builder::new().name(name).spawn(move || work(&waiting)) {
                Ok(_) => {}
                Err(error) if number == 0 => started = Err(error),
                Err(error) => tracing::warn!("only {number} of {threads} threads could be started: {error}"),
            }
        }
        started.map(|()| Pool { tasks })
    }

    /// Runs `work` when a thread is free; nothing comes back if it panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (done, result) = oneshot::channel();
        let task = Box::new(move || {
            // The row may have been given up while its turn had not come: then nobody wants this.
            if !done.is_closed() {
                let _ = done.send(work());
            }
        });
        self.tasks.send(task).ok()?;
        result.await.ok()
    }
}

fn work(waiting: &Mutex<Receiver<Task>>) {
    loop {
        // The lock is held while waiting for a task, and let go before it runs.
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(task) = next else { return };
        // A task that panics drops its result's sender, which is how its caller knows; the thread lives on.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(task));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[tokio::test]
    async fn runs_as_many_at_once_as_it_has_threads() {
        let pool = Pool::new(2).unwrap();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let task = || {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            pool.run(move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(20));
                now.fetch_sub(1, Ordering::SeqCst);
            })
        };
        futures::future::join_all((0..6).map(|_| task())).await;
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn outlives_a_panic() {
        let pool = Pool::new(1).unwrap();
        assert_eq!(pool.run(|| std::panic::resume_unwind(Box::new("poison"))).await, None::<()>);
        assert_eq!(pool.run(|| 7).await, Some(7));
    }
}
