//! Lines of a list: one in memory at a time, none longer than it may be, each with its number.

use std::io::{BufRead, BufReader, Read};

use super::input::ListInput;
use crate::error::{Error, Kind, Stage};

/// A list's lines.
pub(super) struct Lines {
    input: ListInput,
    bytes: BufReader<Box<dyn Read + Send>>,
    longest: usize,
    number: u64,
}

impl Lines {
    /// Lines of up to `longest` bytes.
    pub fn open(input: &ListInput, longest: usize) -> Result<Lines, Error> {
        let bytes = BufReader::with_capacity(64 << 10, input.open()?);
        Ok(Lines { input: input.clone(), bytes, longest, number: 0 })
    }

    /// Adds the next line to `buffer`, its end included; `false` after the last one. What was in `buffer` counts for how
    /// long it may get.
    pub fn read(&mut self, buffer: &mut Vec<u8>) -> Result<bool, Error> {
        let room = self.longest.saturating_sub(buffer.len());
        if room == 0 {
            return Err(self.too_long());
        }
        let mut limited = (&mut self.bytes).take(room as u64);
        let read = limited.read_until(b'\n', buffer).map_err(|error| self.input.unreadable(&error))?;
        if read == 0 {
            return Ok(false);
        }
        self.number += 1;
        if self.number == 1 && buffer.starts_with(b"\xef\xbb\xbf") {
            buffer.drain(..3);
        }
        if read == room && buffer.last() != Some(&b'\n') {
            return Err(self.too_long());
        }
        Ok(true)
    }

    fn too_long(&self) -> Error {
        self.wrong(&match self.longest {
            super::LONGEST_URL => "the line is longer than any URL (65,536 bytes)".to_owned(),
            longest => format!("the record is longer than {longest} bytes"),
        })
    }

    /// How many lines were read.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Bytes of a line as text.
    pub fn text<'a>(&self, bytes: &'a [u8]) -> Result<&'a str, Error> {
        std::str::from_utf8(bytes).map_err(|_| {
            let is_utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
            self.wrong(match is_utf16 {
                true => "the text is UTF-16; save it as UTF-8",
                false => "the text is not UTF-8",
            })
        })
    }

    /// Something is wrong with the line that was read last.
    pub fn wrong(&self, what: &str) -> Error {
        self.wrong_at(self.number, what)
    }

    /// The same of another line.
    pub fn wrong_at(&self, line: u64, what: &str) -> Error {
        Error::new(Stage::Source, Kind::Corrupt, format!("{}, line {line}: {what}", self.input.name()))
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines")
            .field("input", &self.input)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}
