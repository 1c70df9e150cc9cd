//! Work done once: what is under way is waited for, what was done lately is remembered.
//!
//! Bounded, so that a list of any length leaves memory alone; what is forgotten is found again in the store.
//! The bound must be larger than the window of rows, so that what is under way is never forgotten.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use tokio::sync::OnceCell;

use crate::error::Error;

type Cell<V> = Arc<OnceCell<Result<V, Arc<Error>>>>;

/// Results by a 32-byte hash.
#[derive(Debug)]
pub(crate) struct Memo<V> {
    cells: Mutex<LruCache<[u8; 32], Cell<V>>>,
    keeps: bool,
}

impl<V: Clone> Memo<V> {
    /// Without `keeps`, only what is under way is known.
    pub fn new(remembered: NonZeroUsize, keeps: bool) -> Self {
        Memo { cells: Mutex::new(LruCache::new(remembered)), keeps }
    }

    /// The result for `key`: remembered, waited for, or made now by `make`.
    pub async fn once<F>(&self, key: [u8; 32], make: F) -> Result<V, Arc<Error>>
    where
        F: Future<Output = Result<V, Error>>,
    {
        let cell = {
            let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(cells.get_or_insert(key, Cell::default))
        };
        let result = cell.get_or_init(|| async { make.await.map_err(Arc::new) }).await.clone();
        if !self.keeps {
            let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
            // Somebody may have begun anew meanwhile.
            if cells.peek(&key).is_some_and(|known| Arc::ptr_eq(known, &cell)) {
                cells.pop(&key);
            }
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn makes_once_and_forgets_the_oldest() {
        let memo = Memo::new(NonZeroUsize::new(2).unwrap(), true);
        let made = AtomicUsize::new(0);
        let ask = |key: u8| {
            memo.once([key; 32], async {
                tokio::task::yield_now().await;
                Ok(made.fetch_add(1, Ordering::Relaxed))
            })
        };
        let (a, b, c) = tokio::join!(ask(1), ask(1), ask(2));
        let a = a.unwrap();
        assert_eq!(a, b.unwrap());
        assert_ne!(a, c.unwrap());
        ask(2).await.unwrap();
        ask(3).await.unwrap();
        assert_eq!(ask(1).await.unwrap(), 3, "1 was forgotten and made again");
    }

    #[tokio::test]
    async fn without_a_memory_only_what_is_under_way_is_shared() {
        let memo = Memo::new(NonZeroUsize::new(8).unwrap(), false);
        let made = AtomicUsize::new(0);
        let ask = || {
            memo.once([1; 32], async {
                tokio::task::yield_now().await;
                Ok(made.fetch_add(1, Ordering::Relaxed))
            })
        };
        let (a, b) = tokio::join!(ask(), ask());
        assert_eq!((a.unwrap(), b.unwrap()), (0, 0));
        assert_eq!(ask().await.unwrap(), 1);
        assert!(memo.cells.lock().unwrap().is_empty());
    }
}
