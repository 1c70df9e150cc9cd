//! A list of image URLs: CSV with the one column `url`, from a file or standard input.
//!
//! It streams: one line is in memory at a time, and no line may be longer than any URL is. A URL holds no
//! line break, so a record is a line and errors can name it. A file is read through once before the run
//! ([`check`]); of a pipe only the header can be known before.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::Stream;
use tokio::sync::mpsc;

use super::Source;
use super::shard::Shard;
use crate::error::{Error, Kind, Stage};
use crate::job::{Delivery, Instructions, Job, Settlement};

/// A line longer than this is no URL (browsers and servers stop at a fraction of it).
const LONGEST_LINE: usize = 64 << 10;
/// The header that is asked for.
const HEADER: &str = "url";

/// Where a list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListInput {
    /// Standard input, `-` on a command line.
    Stdin,
    /// A file.
    File(PathBuf),
    /// A copy of what lies elsewhere.
    Copy {
        /// The copy.
        path: PathBuf,
        /// What it is called where it lies.
        name: String,
    },
}

impl ListInput {
    /// What a command line says: `-` or a path.
    pub fn new(text: &Path) -> Self {
        if text == Path::new("-") { ListInput::Stdin } else { ListInput::File(text.to_owned()) }
    }

    fn name(&self) -> String {
        match self {
            ListInput::Stdin => "standard input".to_owned(),
            ListInput::File(path) => path.display().to_string(),
            ListInput::Copy { name, .. } => name.clone(),
        }
    }

    fn open(&self) -> Result<Box<dyn Read + Send>, Error> {
        match self {
            ListInput::Stdin => Ok(Box::new(std::io::stdin())),
            ListInput::File(path) | ListInput::Copy { path, .. } => match File::open(path) {
                Ok(file) => Ok(Box::new(file)),
                Err(error) => Err(unreadable(&self.name(), &error)),
            },
        }
    }

    /// Whether it can be read twice: a pipe given as a path cannot.
    fn is_regular_file(&self) -> bool {
        matches!(self, ListInput::File(path) | ListInput::Copy { path, .. } if path.is_file())
    }
}

/// A list that was checked as far as it can be before its rows are worked on.
#[derive(Debug)]
pub struct List {
    input: ListInput,
    shard: Option<Shard>,
    rows: Option<u64>,
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
            while let Some(url) = reader.next()? {
                row += 1;
                own += u64::from(shard.is_none_or(|shard| shard.has(row, &url)));
            }
            rows = Some(own);
        }
        let reader = Reader::open(&input)?;
        Ok(List { input, shard, rows, instructions, opened: Some(reader).into() })
    }

    /// How many rows there are, where that is known beforehand.
    pub fn rows(&self) -> Option<u64> {
        self.rows
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
            Ok(Some(url)) => {
                row += 1;
                if shard.is_some_and(|shard| !shard.has(row, &url)) {
                    continue;
                }
                let job = Job { row, url, instructions: Arc::clone(instructions) };
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

/// Reads a list line by line.
pub struct Reader {
    name: String,
    lines: BufReader<Box<dyn Read + Send>>,
    line: u64,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("name", &self.name).field("line", &self.line).finish_non_exhaustive()
    }
}

impl Reader {
    /// Opens the list and reads its header.
    ///
    /// # Errors
    /// What is wrong with it, naming the file, the line and what was expected.
    pub fn open(input: &ListInput) -> Result<Reader, Error> {
        let lines = BufReader::with_capacity(64 << 10, input.open()?);
        let mut reader = Reader { name: input.name(), lines, line: 0, buffer: Vec::new() };
        let Some(header) = reader.next()? else {
            return Err(reader.wrong(1, "the file is empty; the first line must be the header: url"));
        };
        if &*header == HEADER {
            return Ok(reader);
        }
        let line = reader.line;
        Err(reader.wrong(line, &format!("the header is {:?}; expected one column named url", brief(&header))))
    }

    /// The next row's value; blank lines are passed over.
    ///
    /// # Errors
    /// As [`Reader::open`].
    #[allow(clippy::should_implement_trait, reason = "an iterator would go on after an error")]
    pub fn next(&mut self) -> Result<Option<Arc<str>>, Error> {
        loop {
            self.buffer.clear();
            let mut limited = (&mut self.lines).take(LONGEST_LINE as u64);
            let read = limited
                .read_until(b'\n', &mut self.buffer)
                .map_err(|error| unreadable(&self.name, &error))?;
            if read == 0 {
                return Ok(None);
            }
            self.line += 1;
            if read == LONGEST_LINE && self.buffer.last() != Some(&b'\n') {
                return Err(self.wrong(self.line, "the line is longer than any URL (65,536 bytes)"));
            }
            let value = self.value()?;
            if !value.is_empty() {
                return Ok(Some(value.into()));
            }
        }
    }

    /// The single field of the line in the buffer, without surrounding space.
    fn value(&self) -> Result<Cow<'_, str>, Error> {
        let mut bytes = &self.buffer[..];
        if self.line == 1 {
            bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            let what = if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
                "the text is UTF-16; save it as UTF-8"
            } else {
                "the text is not UTF-8"
            };
            return Err(self.wrong(self.line, what));
        };
        let text = text.trim();
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
                return Err(self.wrong(self.line, "the quoted field does not end on its line"));
            };
            value.push_str(part);
            match after.strip_prefix('"') {
                Some(more) => {
                    value.push('"');
                    rest = more;
                }
                None if after.is_empty() => return Ok(Cow::Owned(value.trim().to_owned())),
                None if after.trim_start().starts_with(',') => return Err(self.columns(text)),
                None => return Err(self.wrong(self.line, "there is text after the quoted field")),
            }
        }
    }

    fn columns(&self, text: &str) -> Error {
        let count = text.split(',').count();
        self.wrong(
            self.line,
            &format!("{count} columns; expected the one column url (quote a URL that holds a comma)"),
        )
    }

    fn wrong(&self, line: u64, what: &str) -> Error {
        Error::new(Stage::Source, Kind::Corrupt, format!("{}, line {line}: {what}", self.name))
    }
}

fn unreadable(name: &str, error: &std::io::Error) -> Error {
    let what = match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        _ => error.to_string(),
    };
    Error::new(
        Stage::Source,
        Kind::NotFound,
        format!("{name}: {what}; expected a CSV file with the one column url"),
    )
}

fn brief(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<String>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let name = file.path().display().to_string();
        let strip = |error: Error| error.message().replace(&name, "LIST");
        let mut reader = Reader::open(&ListInput::File(file.path().to_owned())).map_err(strip)?;
        let mut rows = Vec::new();
        while let Some(url) = reader.next().map_err(|error| error.message().replace(&name, "LIST"))? {
            rows.push(url.to_string());
        }
        Ok(rows)
    }

    #[test]
    fn reads_what_people_save() {
        assert_eq!(read(b"url\nhttp://a\n").unwrap(), ["http://a"]);
        assert_eq!(
            read(b"\xef\xbb\xbfurl\r\n\r\n\"http://a,b\"\r\n   \r\n http://c ").unwrap(),
            ["http://a,b", "http://c"]
        );
        assert_eq!(read(b"\"url\"\n").unwrap(), [""; 0]);
        assert_eq!(
            read(b"url\na\"b.jpg\n\"a\"\"b.jpg\"\n").unwrap(),
            ["a\"b.jpg", "a\"b.jpg"],
            "as the failed list has it"
        );
    }

    #[test]
    fn names_line_and_expectation() {
        for (bytes, says) in [
            (&b""[..], "LIST, line 1: the file is empty"),
            (b"\n\n", "the file is empty"),
            (b"link\nhttp://a\n", "LIST, line 1: the header is \"link\"; expected one column named url"),
            (b"url,name\nhttp://a,b\n", "line 1: 2 columns; expected the one column url"),
            (b"url\nhttp://a\nhttp://b,c\n", "LIST, line 3: 2 columns"),
            (b"url\n\"http://b\",c\n", "line 2: 2 columns"),
            (b"url\n\"http://b\n", "line 2: the quoted field does not end"),
            (b"url\n\"http://b\"c\n", "line 2: there is text after"),
            (b"url\nhttp://\xff\n", "line 2: the text is not UTF-8"),
            (b"\xff\xfeu\0r\0l\0\n\0", "UTF-16"),
        ] {
            let error = read(bytes).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        let long = [b"url\n".to_vec(), vec![b'a'; LONGEST_LINE + 1]].concat();
        assert!(read(&long).unwrap_err().contains("line 2: the line is longer"));
    }

    #[test]
    fn a_missing_file_is_named() {
        let nowhere = ListInput::new(Path::new("/no/such/list.csv"));
        let error = List::open(nowhere, Instructions::gray().into()).unwrap_err();
        assert!(error.message().contains("/no/such/list.csv: there is no such file"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_rows_or_an_error(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            if let Ok(rows) = read(&bytes) {
                proptest::prop_assert!(rows.iter().all(|row| !row.is_empty() && !row.contains('\n')));
            }
        }
    }
}
