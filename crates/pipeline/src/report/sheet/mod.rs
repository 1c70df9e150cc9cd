//! The contact sheet: one HTML file in which a run can be looked through, with no other file and no server.
//!
//! Rows are written as they are reported, some at a time, each part as data in a script element that is no script; their
//! pictures wait in a file without a name and come last. The page ([`page`](mod@page)) begins when the facts of all rows are there,
//! which are few bytes, and looks at the pictures of a part when they are shown. So neither this program nor a browser holds
//! all pictures of a long list, and what a killed run leaves can be opened. Pictures are made of the files that are at hand
//! ([`picture`](mod@picture)), while the run goes on.

mod page;
mod picture;
mod row;

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::task::JoinSet;

use self::picture::Pictures;
use self::row::Row;
use super::{PartialFile, Reporter};
use crate::error::{Error, Kind, Stage};
use crate::outcome::Outcome;

/// Rows of a part: what a browser reads to show the pictures of one page.
const PART: usize = 50;

/// Bytes of pictures that are copied at a time.
const BLOCK: usize = 1 << 20;

/// The sheet of `--contact-sheet FILE.html`.
#[derive(Debug)]
pub struct ContactSheet {
    file: PartialFile,
    /// What is written of pictures so far.
    drawn: File,
    pictures: Arc<Pictures>,
    /// Rows whose pictures are being made, and how many may be.
    making: JoinSet<Row>,
    at_once: usize,
    /// Parts that are written, and rows of the next one.
    parts: usize,
    part: Vec<Row>,
}

impl ContactSheet {
    /// Begins the sheet at `path`; pictures are made on so many threads. Sources are drawn in this program only if they may
    /// be: `of_sources`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(path: &Path, threads: usize, of_sources: bool) -> Result<ContactSheet, Error> {
        let mut file = PartialFile::create(path)?;
        file.append(page::beginning().as_bytes())?;
        let drawn = tempfile::tempfile().map_err(not_kept)?;
        let (pictures, making) = (Arc::new(Pictures { of_sources }), JoinSet::new());
        Ok(ContactSheet {
            file,
            drawn,
            pictures,
            making,
            at_once: threads.max(1),
            parts: 0,
            part: Vec::new(),
        })
    }

    /// Takes the next row that has its pictures; false if there is none.
    async fn take(&mut self) -> Result<bool, Error> {
        let Some(made) = self.making.join_next().await else { return Ok(false) };
        let row = made.map_err(|join| {
            Error::new(Stage::Report, Kind::Internal, "making a row of the contact sheet failed")
                .caused_by(join)
        })?;
        self.part.push(row);
        if self.part.len() >= PART {
            self.write_part()?;
        }
        Ok(true)
    }

    fn write_part(&mut self) -> Result<(), Error> {
        if self.part.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.part);
        let failed = |error| {
            Error::new(Stage::Report, Kind::Internal, "writing rows of the contact sheet").caused_by(error)
        };
        self.file.append(page::facts(&rows).map_err(failed)?.as_bytes())?;
        let pictures = page::pictures(self.parts, &rows).map_err(failed)?;
        self.parts += 1;
        self.drawn.write_all(pictures.as_bytes()).map_err(not_kept)
    }

    /// Copies the pictures behind the rows.
    fn write_pictures(&mut self) -> Result<(), Error> {
        self.drawn.rewind().map_err(not_kept)?;
        let mut block = vec![0; BLOCK];
        loop {
            match self.drawn.read(&mut block).map_err(not_kept)? {
                0 => return Ok(()),
                read => self.file.append(&block[..read])?,
            }
        }
    }
}

#[async_trait]
impl Reporter for ContactSheet {
    async fn report(&mut self, outcome: &Outcome) -> Result<(), Error> {
        while self.making.len() >= self.at_once {
            self.take().await?;
        }
        let (mut row, wanted) = (Row::of(outcome), picture::Wanted::of(outcome));
        let pictures = Arc::clone(&self.pictures);
        self.making.spawn_blocking(move || {
            (row.before, row.after) = pictures.make(&wanted);
            row
        });
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), Error> {
        while self.take().await? {}
        self.write_part()?;
        self.file.append(page::begin().as_bytes())?;
        self.write_pictures()?;
        self.file.append(page::END.as_bytes())?;
        self.file.finish()
    }
}

fn not_kept(error: std::io::Error) -> Error {
    let message = "pictures of the contact sheet cannot be kept in the system's temporary folder";
    Error::new(Stage::Report, Kind::Io, message).caused_by(error)
}
