//! What the server was asked and what it gave, kept so that a test can count it afterwards.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::Request;

/// One request and what became of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What was asked.
    pub request: Request,
    /// The status sent; nothing where none was.
    pub status: Option<u16>,
    /// Bytes of body handed to the network.
    pub body_bytes: u64,
    /// When the request had been read.
    pub began: Instant,
    /// When the answer was through, or the client gone.
    pub ended: Option<Instant>,
}

#[derive(Default)]
struct Books {
    exchanges: Vec<Exchange>,
    open: usize,
    most_open: usize,
    open_by_path: HashMap<String, usize>,
    most_open_by_path: HashMap<String, usize>,
}

/// All exchanges so far.
#[derive(Clone, Default)]
pub(super) struct Record(Arc<Mutex<Books>>);

impl Record {
    /// Enters a request; what becomes of it is told to the entry, which closes it when dropped.
    pub fn open(&self, request: Request) -> Entry {
        let mut books = self.0.lock().unwrap();
        books.open += 1;
        books.most_open = books.most_open.max(books.open);
        let open_here = books.open_by_path.entry(request.path.clone()).or_default();
        *open_here += 1;
        let open_here = *open_here;
        let most_here = books.most_open_by_path.entry(request.path.clone()).or_default();
        *most_here = (*most_here).max(open_here);
        books.exchanges.push(Exchange {
            request,
            status: None,
            body_bytes: 0,
            began: Instant::now(),
            ended: None,
        });
        Entry { record: self.clone(), index: books.exchanges.len() - 1 }
    }

    pub fn exchanges(&self) -> Vec<Exchange> {
        self.0.lock().unwrap().exchanges.clone()
    }

    pub fn count(&self, matches: impl Fn(&Exchange) -> bool) -> usize {
        self.0.lock().unwrap().exchanges.iter().filter(|exchange| matches(exchange)).count()
    }

    pub fn open_now(&self) -> usize {
        self.0.lock().unwrap().open
    }

    pub fn most_at_once(&self) -> usize {
        self.0.lock().unwrap().most_open
    }

    pub fn most_at_once_on(&self, path: &str) -> usize {
        self.0.lock().unwrap().most_open_by_path.get(path).copied().unwrap_or(0)
    }
}

/// An exchange under way.
pub(super) struct Entry {
    record: Record,
    index: usize,
}

impl Entry {
    pub fn sent_status(&self, status: u16) {
        self.record.0.lock().unwrap().exchanges[self.index].status = Some(status);
    }

    pub fn sent_body(&self, bytes: usize) {
        self.record.0.lock().unwrap().exchanges[self.index].body_bytes += bytes as u64;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut books = self.record.0.lock().unwrap();
        books.open -= 1;
        books.exchanges[self.index].ended = Some(Instant::now());
        let path = books.exchanges[self.index].request.path.clone();
        *books.open_by_path.entry(path).or_insert(1) -= 1;
    }
}
