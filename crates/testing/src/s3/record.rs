//! Requests as they arrived and what came of them, and the faults that wait for the next ones.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::Fault;

/// One request to the S3 server.
#[derive(Clone, Debug)]
pub struct S3Request {
    /// The operation by its S3 name, such as `PutObject`; nothing where the request was refused before
    /// it was understood, as with a wrong signature.
    pub operation: Option<String>,
    /// `GET`, `PUT`, `HEAD` …
    pub method: String,
    /// `/bucket/key`, as sent.
    pub path: String,
    /// What followed the path behind `?`, as sent.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The status of the answer; nothing while there is none, or where it was lost.
    pub status: Option<u16>,
}

impl S3Request {
    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// All requests so far and all faults to come, shared by every connection.
#[derive(Clone, Default)]
pub(super) struct Record(Arc<Mutex<Books>>);

#[derive(Default)]
struct Books {
    requests: Vec<S3Request>,
    faults: Vec<Pending>,
}

struct Pending {
    operation: String,
    left: usize,
    fault: Fault,
}

impl Record {
    pub fn open(&self, request: S3Request) -> Entry {
        let mut books = self.0.lock().unwrap();
        books.requests.push(request);
        let index = books.requests.len() - 1;
        Entry { record: self.clone(), index, loses_answer: Arc::default() }
    }

    pub fn requests(&self) -> Vec<S3Request> {
        self.0.lock().unwrap().requests.clone()
    }

    pub fn count(&self, matches: impl Fn(&S3Request) -> bool) -> usize {
        self.0.lock().unwrap().requests.iter().filter(|request| matches(request)).count()
    }

    pub fn add_fault(&self, operation: &str, times: usize, fault: Fault) {
        let pending = Pending { operation: operation.to_owned(), left: times, fault };
        self.0.lock().unwrap().faults.push(pending);
    }

    /// The fault that is this operation's turn, used up once.
    pub fn take_fault(&self, operation: &str) -> Option<Fault> {
        let mut books = self.0.lock().unwrap();
        let pending = books.faults.iter_mut().find(|fault| fault.left > 0 && fault.operation == operation)?;
        pending.left -= 1;
        Some(pending.fault)
    }
}

/// A request under way. It travels with the request through `s3s`, which tells it the operation
/// and the fault that strikes it.
#[derive(Clone)]
pub(super) struct Entry {
    record: Record,
    index: usize,
    loses_answer: Arc<AtomicBool>,
}

impl Entry {
    pub fn is_operation(&self, name: &str) {
        self.record.0.lock().unwrap().requests[self.index].operation = Some(name.to_owned());
    }

    /// Has the answer thrown away once the work is done.
    pub fn lose_answer(&self) {
        self.loses_answer.store(true, Ordering::Relaxed);
    }

    pub fn loses_answer(&self) -> bool {
        self.loses_answer.load(Ordering::Relaxed)
    }

    pub fn answered(&self, status: u16) {
        self.record.0.lock().unwrap().requests[self.index].status = Some(status);
    }
}
