//! JSON objects, one a line (JSONL, NDJSON): their keys are columns. Texts are taken as they are, numbers and what is
//! nested as they are written, `null` as empty.
//!
//! Objects need not have the same keys. A file is read through once to know all of them; of a pipe the first line has to
//! have them.

use std::fmt;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::LONGEST_RECORD;
use super::input::ListInput;
use super::lines::Lines;
use crate::columns::{Columns, Header, brief};
use crate::error::Error;

/// More columns than anybody means: keys that are data.
const MOST_COLUMNS: usize = 1000;

/// Reads such a list line by line.
#[derive(Debug)]
pub(super) struct Objects {
    lines: Lines,
    buffer: Vec<u8>,
    header: Arc<Header>,
    /// The first line of a pipe, which was read to know its keys.
    first: Option<Pairs>,
}

impl Objects {
    /// Opens the list and finds out what columns it has.
    pub fn open(input: &ListInput) -> Result<Objects, Error> {
        let (mut lines, mut buffer) = (Lines::open(input, LONGEST_RECORD)?, Vec::new());
        let (mut names, mut first) = (Vec::<String>::new(), None);
        while let Some(object) = next_object(&mut lines, &mut buffer)? {
            for (name, _) in &object.0 {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
            if names.len() > MOST_COLUMNS {
                return Err(
                    lines.wrong(&format!("there are more than {MOST_COLUMNS} different keys up to here"))
                );
            }
            if !input.is_regular_file() {
                first = Some(object);
                break;
            }
        }
        if names.is_empty() {
            return Err(lines.wrong_at(1, "there is no JSON object; expected one a line, with the key url"));
        }
        let header = Header::new(names, input.meaning()).map_err(|what| lines.wrong_at(1, &what))?;
        if first.is_none() {
            lines = Lines::open(input, LONGEST_RECORD)?;
        }
        Ok(Objects { lines, buffer, header: Arc::new(header), first })
    }

    pub fn header(&self) -> &Arc<Header> {
        &self.header
    }

    /// The next object; blank lines are passed over.
    pub fn next(&mut self) -> Result<Option<Columns>, Error> {
        let object = match self.first.take() {
            Some(first) => first,
            None => match next_object(&mut self.lines, &mut self.buffer)? {
                Some(object) => object,
                None => return Ok(None),
            },
        };
        let mut values = vec![String::new(); self.header.names().len()];
        for (name, value) in object.0 {
            let Some(place) = self.header.names().iter().position(|known| *known == name) else {
                let what =
                    format!("the key {:?} is not in the first line, which a pipe's has to be", brief(&name));
                return Err(self.lines.wrong(&what));
            };
            values[place] = value;
        }
        Ok(Some(Columns::new(Arc::clone(&self.header), values)))
    }
}

fn next_object(lines: &mut Lines, buffer: &mut Vec<u8>) -> Result<Option<Pairs>, Error> {
    loop {
        buffer.clear();
        if !lines.read(buffer)? {
            return Ok(None);
        }
        let text = lines.text(buffer)?.trim();
        if !text.is_empty() {
            let object = serde_json::from_str(text);
            return object
                .map(Some)
                .map_err(|error| lines.wrong(&format!("expected a JSON object: {error}")));
        }
    }
}

/// An object's keys and values, in its order.
#[derive(Debug)]
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pairs, D::Error> {
        struct AnyObject;
        impl<'de> Visitor<'de> for AnyObject {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Pairs, M::Error> {
                let mut pairs = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    pairs.push((name, as_text(value.get())));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(AnyObject)
    }
}

fn as_text(json: &str) -> String {
    match json.as_bytes().first() {
        Some(b'"') => serde_json::from_str(json).unwrap_or_else(|_| json.to_owned()),
        Some(b'n') => String::new(),
        _ => json.to_owned(),
    }
}
