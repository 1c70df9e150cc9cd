//! A list spread over a queue: a message for each row, so that as many workers as there are share it.

use futures::{StreamExt as _, stream};
use imgmill_pipeline::source::list::{ListInput, ListRow, Reader};
use imgmill_pipeline::source::queue::{Outgoing, Queue};
use imgmill_pipeline::{Error, Kind, Stage};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::send::{self, Names};

/// Sent in one request; SQS takes no more.
const AT_ONCE: usize = 10;
/// Requests under way. They may overtake each other: rows of one image are one group, whose order nobody promised.
const REQUESTS: usize = 8;

/// What is sent of which rows.
#[derive(Debug, Clone)]
pub struct Enqueue {
    /// The list. Its other columns are fields of their messages.
    pub input: ListInput,
    /// What every message has besides `image_url` and `row`: `redirect_queue`, `postback_url`, `bucket_name`, others.
    pub added: Map<String, Value>,
    /// Rows up to this one were sent before.
    pub after: u64,
}

/// What came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Enqueued {
    /// Messages sent.
    pub sent: u64,
    /// All rows up to this one were sent, now or before.
    pub up_to: u64,
    /// It was stopped before the last row.
    pub interrupted: bool,
}

impl Enqueue {
    /// Checks every row, and answers how many messages will be sent: of a list with a mistake in it nothing is.
    ///
    /// # Errors
    /// The row, and what is wrong with it.
    pub fn check(&self) -> Result<u64, Error> {
        let mut rows = Rows::open(self)?;
        let mut count = 0;
        while rows.next()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    /// Sends. `sent` hears how many messages were taken by each request.
    ///
    /// # Errors
    /// When the queue does not take them; it says from where to go on.
    pub async fn send(
        &self,
        queue: &dyn Queue,
        shutdown: &CancellationToken,
        mut sent: impl FnMut(u64),
    ) -> Result<Enqueued, Error> {
        let mut enqueued = Enqueued { up_to: self.after, ..Enqueued::default() };
        let rows = Rows::open(self)?;
        let batches = stream::unfold(rows, |mut rows| async {
            let batch = rows.batch().transpose()?;
            Some((batch, rows))
        });
        // In the order of the list, so that what was sent is known by one number.
        let mut requests = std::pin::pin!(
            batches
                .map(|batch| async move {
                    let (last, messages) = batch?;
                    queue.send(&messages).await?;
                    Ok((last, messages.len() as u64))
                })
                .buffered(REQUESTS)
        );
        loop {
            let answered: Option<Result<(u64, u64), Error>> = tokio::select! {
                answered = requests.next() => answered,
                () = shutdown.cancelled() => {
                    enqueued.interrupted = true;
                    return Ok(enqueued);
                }
            };
            match answered {
                None => return Ok(enqueued),
                Some(Ok((last, count))) => {
                    enqueued.sent += count;
                    enqueued.up_to = last;
                    sent(count);
                }
                Some(Err(error)) => {
                    let message = format!(
                        "the rows up to {} were sent before this failed; go on with --after {}",
                        enqueued.up_to, enqueued.up_to
                    );
                    let transient = error.is_transient();
                    return Err(Error::new(Stage::Report, Kind::Io, message)
                        .transient(transient)
                        .caused_by(error));
                }
            }
        }
    }
}

/// The messages of a list, row by row.
struct Rows<'a> {
    of: &'a Enqueue,
    reader: Reader,
    row: u64,
}

impl<'a> Rows<'a> {
    fn open(of: &'a Enqueue) -> Result<Rows<'a>, Error> {
        Ok(Rows { of, reader: Reader::open(&of.input)?, row: 0 })
    }

    fn next(&mut self) -> Result<Option<Outgoing>, Error> {
        while let Some(ListRow { url, columns }) = self.reader.next()? {
            self.row += 1;
            if self.row <= self.of.after {
                continue;
            }
            let mut message = self.of.added.clone();
            for (name, value) in columns.iter().flat_map(|columns| columns.carried()) {
                // What was asked for by name, and what is ours, counts before a column of the same name.
                message.entry(name).or_insert_with(|| Value::from(value));
            }
            message.insert("image_url".to_owned(), Value::from(&*url));
            message.insert("row".to_owned(), Value::from(self.row));
            let outgoing = send::outgoing(&Value::Object(message).to_string(), &Names::default());
            return outgoing.map(Some).map_err(|why| {
                Error::new(Stage::Source, Kind::BadRequest, format!("row {}: {why}", self.row))
            });
        }
        Ok(None)
    }

    /// The next messages, and the row of the last of them.
    fn batch(&mut self) -> Result<Option<(u64, Vec<Outgoing>)>, Error> {
        let mut messages = Vec::with_capacity(AT_ONCE);
        while messages.len() < AT_ONCE {
            match self.next()? {
                Some(message) => messages.push(message),
                None => break,
            }
        }
        Ok(if messages.is_empty() { None } else { Some((self.row, messages)) })
    }
}
