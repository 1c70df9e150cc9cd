//! What a list is by default: CSV with the one column `url`. A URL holds no line break, so a record is a line, and a quote
//! that is never closed cannot swallow a file.

use std::borrow::Cow;
use std::sync::Arc;

use super::LONGEST_URL;
use super::input::ListInput;
use super::lines::Lines;
use crate::columns::brief;
use crate::error::Error;

/// The header that is asked for.
const HEADER: &str = "url";

/// Reads such a list line by line.
#[derive(Debug)]
pub(super) struct OneColumn {
    lines: Lines,
    buffer: Vec<u8>,
}

impl OneColumn {
    /// Opens the list and reads its header.
    pub fn open(input: &ListInput) -> Result<OneColumn, Error> {
        let mut list = OneColumn { lines: Lines::open(input, LONGEST_URL)?, buffer: Vec::new() };
        let Some(header) = list.next()? else {
            let what = "the file is empty; the first line must be the header: url";
            return Err(list.lines.wrong_at(1, what));
        };
        if &*header == HEADER {
            return Ok(list);
        }
        Err(list.lines.wrong(&format!("the header is {:?}; expected one column named url", brief(&header))))
    }

    /// The next row's value; blank lines are passed over.
    pub fn next(&mut self) -> Result<Option<Arc<str>>, Error> {
        loop {
            self.buffer.clear();
            if !self.lines.read(&mut self.buffer)? {
                return Ok(None);
            }
            let value = self.value()?;
            if !value.is_empty() {
                return Ok(Some(value.into()));
            }
        }
    }

    /// The single field of the line in the buffer, without surrounding space.
    fn value(&self) -> Result<Cow<'_, str>, Error> {
        let text = self.lines.text(&self.buffer)?.trim();
        let Some(quoted) = text.strip_prefix('"') else {
            return match text.split_once(',') {
                Some(_) => Err(self.columns(text)),
                None => Ok(Cow::Borrowed(text)),
            };
        };
        // Inside quotes, a quote is written twice (RFC 4180 § 2.7).
        let mut value = String::new();
        let mut rest = quoted;
        loop {
            let Some((part, after)) = rest.split_once('"') else {
                return Err(self.lines.wrong("the quoted field does not end on its line"));
            };
            value.push_str(part);
            match after.strip_prefix('"') {
                Some(more) => {
                    value.push('"');
                    rest = more;
                }
                None if after.is_empty() => return Ok(Cow::Owned(value.trim().to_owned())),
                None if after.trim_start().starts_with(',') => return Err(self.columns(text)),
                None => return Err(self.lines.wrong("there is text after the quoted field")),
            }
        }
    }

    fn columns(&self, text: &str) -> Error {
        let count = text.split(',').count();
        self.lines.wrong(&format!(
            "{count} columns; expected the one column url (quote a URL that holds a comma; of a list with more columns, \
             say which one the URL's is: --url-column)"
        ))
    }
}
