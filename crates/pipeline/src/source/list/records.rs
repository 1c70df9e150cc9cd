//! CSV and TSV with columns (RFC 4180): what is quoted may hold separators, quotes and line breaks. A record may be
//! [`LONGEST_RECORD`] bytes long, so a quote that is never closed is an error and not the rest of the file.

use std::sync::Arc;

use super::LONGEST_RECORD;
use super::input::ListInput;
use super::lines::Lines;
use crate::columns::{Columns, Header};
use crate::error::Error;

/// Reads such a list record by record.
#[derive(Debug)]
pub(super) struct Records {
    lines: Lines,
    separator: u8,
    buffer: Vec<u8>,
    header: Arc<Header>,
}

impl Records {
    /// Opens the list and reads its header.
    pub fn open(input: &ListInput, separator: u8) -> Result<Records, Error> {
        let mut lines = Lines::open(input, LONGEST_RECORD)?;
        let mut buffer = Vec::new();
        let Some(names) = next_fields(&mut lines, &mut buffer, separator)? else {
            return Err(lines.wrong_at(1, "the file is empty; the first line must name the columns"));
        };
        let names = names.into_iter().map(|name| name.trim().to_owned()).collect();
        let header = Header::new(names, input.meaning()).map_err(|what| lines.wrong(&what))?;
        Ok(Records { lines, separator, buffer, header: Arc::new(header) })
    }

    /// The same of a list whose columns are known from elsewhere.
    pub fn headless(input: &ListInput, separator: u8, header: Header) -> Result<Records, Error> {
        let lines = Lines::open(input, LONGEST_RECORD)?;
        Ok(Records { lines, separator, buffer: Vec::new(), header: Arc::new(header) })
    }

    pub fn header(&self) -> &Arc<Header> {
        &self.header
    }

    /// The next record; blank lines are passed over.
    pub fn next(&mut self) -> Result<Option<Columns>, Error> {
        let begins = self.lines.number() + 1;
        let Some(fields) = next_fields(&mut self.lines, &mut self.buffer, self.separator)? else {
            return Ok(None);
        };
        let columns = self.header.names().len();
        if fields.len() != columns {
            let number = fields.len();
            // Blank lines before it are few; the line that it begins on is the one to look at.
            let line = begins.max(self.lines.number().saturating_sub(newlines(&self.buffer)));
            return Err(self.lines.wrong_at(line, &format!("{number} fields; the header has {columns}")));
        }
        Ok(Some(Columns::new(Arc::clone(&self.header), fields)))
    }
}

fn newlines(record: &[u8]) -> u64 {
    let text = record.strip_suffix(b"\n").unwrap_or(record);
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Where in a record its bytes have come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Plain,
    Quoted,
    /// A quote inside quotes: the field's end, or one of two.
    Quote,
}

impl State {
    fn after(self, byte: u8, separator: u8) -> Option<State> {
        Some(match (self, byte) {
            (State::Start, b'"') => State::Quoted,
            (State::Quoted, b'"') => State::Quote,
            (State::Quoted, _) => State::Quoted,
            (State::Quote, b'"') => State::Quoted,
            (_, byte) if byte == separator => State::Start,
            (State::Quote, b'\r' | b'\n' | b' ') => State::Quote,
            (State::Quote, _) => return None,
            _ => State::Plain,
        })
    }
}

/// The fields of the next record, which is then in `buffer`.
fn next_fields(lines: &mut Lines, buffer: &mut Vec<u8>, separator: u8) -> Result<Option<Vec<String>>, Error> {
    loop {
        buffer.clear();
        let (mut state, mut seen, mut begins) = (State::Start, 0, None);
        loop {
            if !lines.read(buffer)? {
                return match begins {
                    Some(line) => Err(lines.wrong_at(line, "the quoted field does not end")),
                    None => Ok(None),
                };
            }
            let first = *begins.get_or_insert(lines.number());
            for byte in &buffer[seen..] {
                state = state
                    .after(*byte, separator)
                    .ok_or_else(|| lines.wrong_at(first, "there is text after a quoted field"))?;
            }
            seen = buffer.len();
            if state != State::Quoted {
                break;
            }
        }
        let text = lines.text(buffer)?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if !text.trim().is_empty() || (separator == b'\t' && text.contains('\t')) {
            return Ok(Some(fields(text, separator)));
        }
    }
}

/// The fields of one whole record.
fn fields(text: &str, separator: u8) -> Vec<String> {
    let mut fields = vec![Vec::new()];
    let mut state = State::Start;
    for byte in text.bytes() {
        let next = state.after(byte, separator).unwrap_or(State::Plain);
        match (state, next, fields.last_mut()) {
            (State::Quoted, State::Quoted, Some(field))
            | (State::Quote, State::Quoted, Some(field))
            | (State::Start | State::Plain, State::Plain, Some(field)) => field.push(byte),
            (State::Start | State::Plain | State::Quote, State::Start, _) => fields.push(Vec::new()),
            _ => {}
        }
        state = next;
    }
    // The text was UTF-8 and is divided at ASCII only.
    fields.into_iter().map(|field| String::from_utf8_lossy(&field).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_divided_as_rfc_4180_has_it() {
        for (text, expected) in [
            ("a,b,c", &["a", "b", "c"][..]),
            (",,", &["", "", ""]),
            ("\"a,b\",\"say \"\"hi\"\"\",\"\"", &["a,b", "say \"hi\"", ""]),
            ("\"two\nlines\", x\"y\" ", &["two\nlines", " x\"y\" "]),
            ("\"a\" ,b", &["a", "b"]),
        ] {
            assert_eq!(fields(text, b','), expected, "{text}");
        }
        assert_eq!(fields("a,b\t\"c\td\"", b'\t'), ["a,b", "c\td"]);
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read(rows in proptest::collection::vec(
            proptest::collection::vec("[a-z\",\n\r\t é]{0,8}", 3), 1..5)
        ) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["url", "b", "c"]).unwrap();
            rows.iter().for_each(|row| writer.write_record(row).unwrap());
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), writer.into_inner().unwrap()).unwrap();
            let mut records = Records::open(&ListInput::new(file.path()), b',').unwrap();
            for row in rows {
                let read = records.next().unwrap().unwrap();
                proptest::prop_assert_eq!(read.url(), row[0].trim());
                proptest::prop_assert_eq!(&read.values()[1..], &row[1..]);
            }
            proptest::prop_assert!(records.next().unwrap().is_none());
        }
    }
}
