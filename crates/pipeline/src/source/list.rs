//! A list of image URLs from a file or standard input: CSV with the one column `url`, or CSV, TSV, JSON objects a line or
//! Parquet whose other columns come along; packed or not.
//!
//! It streams: one record is in memory at a time, and none may be longer than makes sense. A file is read through once
//! before the run ([`List::open`]); of a pipe only the header can be known before.

mod input;
mod lines;
mod objects;
#[cfg(feature = "parquet")]
mod parquet;
mod reader;
mod records;
mod strict;

use std::sync::Arc;

use futures::Stream;
use tokio::sync::mpsc;

pub use input::{ListFormat, ListInput, Reading};
pub use reader::{HeadlessReader, ListRow, Reader};

use super::Source;
use super::shard::Shard;
use crate::columns::Header;
use crate::error::Error;
use crate::job::{Delivery, Instructions, Job, Settlement};

/// A line longer than this is no URL (browsers and servers stop at a fraction of it).
const LONGEST_URL: usize = 64 << 10;
/// A record with columns may be so long.
const LONGEST_RECORD: usize = 1 << 20;

/// A list that was checked as far as it can be before its rows are worked on.
#[derive(Debug)]
pub struct List {
    input: ListInput,
    shard: Option<Shard>,
    rows: Option<u64>,
    header: Option<Arc<Header>>,
    instructions: Arc<Instructions>,
    opened: std::sync::Mutex<Option<Reader>>,
}

impl List {
    /// Opens and checks a list: a file whole, a pipe's header. All its images are for the same instructions.
    ///
    /// # Errors
    /// What is wrong with it, naming the file, the line and what was expected.
    pub fn open(input: ListInput, instructions: Arc<Instructions>) -> Result<List, Error> {
        List::open_shard(input, None, instructions)
    }

    /// The same; of the list, only a shard's rows are jobs. They keep their numbers.
    ///
    /// # Errors
    /// As [`List::open`].
    pub fn open_shard(
        input: ListInput,
        shard: Option<Shard>,
        instructions: Arc<Instructions>,
    ) -> Result<List, Error> {
        let mut rows = None;
        if input.is_regular_file() {
            let (mut reader, mut row, mut own) = (Reader::open(&input)?, 0, 0);
            while let Some(found) = reader.next()? {
                row += 1;
                own += u64::from(shard.is_none_or(|shard| shard.has(row, &found.url)));
            }
            rows = Some(own);
        }
        let reader = Reader::open(&input)?;
        let header = reader.header().cloned();
        Ok(List { input, shard, rows, header, instructions, opened: Some(reader).into() })
    }

    /// How many rows there are, where that is known beforehand.
    pub fn rows(&self) -> Option<u64> {
        self.rows
    }

    /// Its columns, if it is not a list with the one column `url`.
    pub fn header(&self) -> Option<&Arc<Header>> {
        self.header.as_ref()
    }
}

impl Source for List {
    type Receipt = ();

    fn deliveries(&self) -> impl Stream<Item = Result<Delivery<()>, Error>> + Send {
        let (sender, receiver) = mpsc::channel(256);
        let opened = self.opened.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        match opened {
            // A thread of its own: reading standard input cannot be given up once begun.
            Some(reader) => {
                let (shard, instructions) = (self.shard, Arc::clone(&self.instructions));
                drop(std::thread::spawn(move || send_rows(reader, shard, &instructions, &sender)));
            }
            None => tracing::error!("{} was read already", self.input.name()),
        }
        futures::stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) })
    }

    async fn settle(&self, (): (), _: Settlement) -> Result<(), Error> {
        Ok(())
    }
}

fn send_rows(
    mut reader: Reader,
    shard: Option<Shard>,
    instructions: &Arc<Instructions>,
    to: &mpsc::Sender<Result<Delivery<()>, Error>>,
) {
    let mut row = 0;
    loop {
        let item = match reader.next() {
            Ok(None) => return,
            Ok(Some(ListRow { url, columns })) => {
                row += 1;
                if shard.is_some_and(|shard| !shard.has(row, &url)) {
                    continue;
                }
                let job = Job { row, url, instructions: Arc::clone(instructions), columns };
                Ok(Delivery { jobs: vec![job], receipt: () })
            }
            Err(error) => Err(error),
        };
        let last = item.is_err();
        if to.blocking_send(item).is_err() || last {
            return;
        }
    }
}
