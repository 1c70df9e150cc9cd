//! Merge: the parts that shards left become one list, in the order of the input and equal to what one run over all of it
//! would have written.
//!
//! The list is walked row by row, and every part's next row stands in a heap: what is in memory is one row of each
//! part, however long the list is. A row may be in several parts (a shard that was started twice); one that says it
//! was stored counts before one that says it failed.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use imgmill_pipeline::report::{PartialFile, ROW};
use imgmill_pipeline::source::list::{ListInput, ListRow, Reader};
use imgmill_pipeline::source::shard::Shard;
use imgmill_pipeline::{Error, Kind, Stage};

/// Missing rows that are named one by one.
const NAMED: usize = 10;
/// Where the URL stands in a part's line, and where the object that is stored.
const URL: usize = 0;
const STORED: usize = 3;

/// What is merged, and where it goes.
#[derive(Debug, Clone)]
pub struct Merge {
    /// The list that the shards worked on.
    pub input: ListInput,
    /// The parts, in any order.
    pub parts: Vec<PathBuf>,
    /// The list of what was stored.
    pub output: PathBuf,
    /// The list of what failed, if it is wanted.
    pub output_failed: Option<PathBuf>,
    /// The list of what no part tells of, if it is wanted.
    pub output_missing: Option<PathBuf>,
}

/// What came of the rows of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// Rows of the list.
    pub rows: u64,
    /// Rows of which something is stored.
    pub stored: u64,
    /// Rows that failed.
    pub failed: u64,
    /// Rows that no part tells of.
    pub missing: u64,
    /// The first of those.
    pub first_missing: Vec<u64>,
    /// Shards of which there is no part, as far as the parts' names say.
    pub absent: Vec<String>,
}

impl Merge {
    /// Merges. Everything there is is written, whatever is missing.
    ///
    /// # Errors
    /// [`Stage::Source`] for parts that are none, or of another list; else what cannot be written.
    pub fn run(&self) -> Result<Merged, Error> {
        let mut parts = Parts::open(&self.parts)?;
        let mut list = Reader::open(&self.input)?;
        let mut output = PartialFile::create(&self.output)?;
        output.append(parts.header.as_bytes())?;
        let names = list.header().map_or_else(|| vec!["url".to_owned()], |header| header.names().to_vec());
        let begin = |path: &Option<PathBuf>| -> Result<Option<PartialFile>, Error> {
            let Some(path) = path else { return Ok(None) };
            let mut file = PartialFile::create(path)?;
            file.append(&line(&names)?)?;
            Ok(Some(file))
        };
        let (mut failed, mut missing) = (begin(&self.output_failed)?, begin(&self.output_missing)?);
        let mut merged = Merged { absent: absent(&self.parts), ..Merged::default() };
        let mut text = String::new();
        while let Some(row) = list.next()? {
            merged.rows += 1;
            text.clear();
            match parts.take(merged.rows, &row.url, &mut text)? {
                Told::Stored => {
                    merged.stored += 1;
                    output.append(text.as_bytes())?;
                }
                Told::Failed => {
                    merged.failed += 1;
                    append(&mut failed, &row)?;
                }
                Told::Nothing => {
                    merged.missing += 1;
                    if merged.first_missing.len() < NAMED {
                        merged.first_missing.push(merged.rows);
                    }
                    append(&mut missing, &row)?;
                }
            }
        }
        parts.must_be_over(merged.rows)?;
        for file in [Some(&mut output), failed.as_mut(), missing.as_mut()].into_iter().flatten() {
            file.finish()?;
        }
        Ok(merged)
    }
}

/// A row as its list has it.
fn append(file: &mut Option<PartialFile>, row: &ListRow) -> Result<(), Error> {
    let Some(file) = file else { return Ok(()) };
    file.append(&match &row.columns {
        Some(columns) => line(columns.values())?,
        None => line(&[&*row.url])?,
    })
}

fn line(fields: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, Error> {
    let mut line = csv::Writer::from_writer(Vec::new());
    let internal = |error: String| Error::new(Stage::Report, Kind::Internal, error);
    line.write_record(fields).map_err(|error| internal(error.to_string()))?;
    line.into_inner().map_err(|error| internal(error.to_string()))
}

/// What the parts tell of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Stored,
    Failed,
    Nothing,
}

/// All parts, each at the next row that it has something to say of.
struct Parts {
    header: String,
    parts: Vec<Part>,
    /// Rows that come next, and which part has them: of the same row, the part that was named first.
    next: BinaryHeap<Reverse<(u64, usize)>>,
}

impl Parts {
    fn open(paths: &[PathBuf]) -> Result<Parts, Error> {
        let mut parts: Vec<Part> = paths.iter().map(|path| Part::open(path)).collect::<Result<_, _>>()?;
        let Some(header) = parts.first().map(|part| part.header.clone()) else {
            return Err(Error::new(Stage::Source, Kind::NotFound, "there are no parts to merge"));
        };
        if let Some(other) = parts.iter().find(|part| part.header != header) {
            let message = format!(
                "{} and {} have different columns: they are of different recipes",
                paths[0].display(),
                other.path.display()
            );
            return Err(Error::new(Stage::Source, Kind::Corrupt, message));
        }
        let mut next = BinaryHeap::new();
        for (index, part) in parts.iter_mut().enumerate() {
            next.extend(part.read()?.map(|row| Reverse((row, index))));
        }
        Ok(Parts { header, parts, next })
    }

    /// What is told of `row`, whose lines are put into `text` if it was stored.
    fn take(&mut self, row: u64, url: &str, text: &mut String) -> Result<Told, Error> {
        let mut told = Told::Nothing;
        while let Some(Reverse((next, index))) = self.next.peek().copied().filter(|next| next.0.0 == row) {
            self.next.pop();
            let part = &mut self.parts[index];
            let mut lines = String::new();
            let this = part.take(next, url, &mut lines)?;
            if this == Told::Stored && told != Told::Stored {
                *text = lines;
            }
            told = if told == Told::Stored { told } else { this };
            self.next.extend(part.ahead().map(|row| Reverse((row, index))));
        }
        Ok(told)
    }

    /// Nothing may be left when the list ends.
    fn must_be_over(&self, rows: u64) -> Result<(), Error> {
        let Some(Reverse((row, index))) = self.next.peek() else { return Ok(()) };
        let part = &self.parts[*index];
        Err(part.wrong(&format!("it tells of row {row}, and the list has {rows}: it is of another list")))
    }
}

/// One part, and the line of it that comes next.
struct Part {
    path: PathBuf,
    header: String,
    lines: BufReader<File>,
    line: u64,
    ahead: Option<(u64, String)>,
}

impl Part {
    fn open(path: &Path) -> Result<Part, Error> {
        let file = File::open(path).map_err(|error| {
            let message = format!("the part {} cannot be read: {error}", path.display());
            Error::new(Stage::Source, Kind::NotFound, message)
        })?;
        let lines = BufReader::with_capacity(64 << 10, file);
        let mut part = Part { path: path.to_owned(), header: String::new(), lines, line: 0, ahead: None };
        let mut header = String::new();
        part.read_line(&mut header)?;
        match header.strip_prefix(ROW).and_then(|rest| rest.strip_prefix(',')) {
            Some(rest) if rest.starts_with("url,") => part.header = rest.to_owned(),
            _ => return Err(part.wrong("not a part: expected what run --shard writes, columns row,url,…")),
        }
        Ok(part)
    }

    fn read_line(&mut self, line: &mut String) -> Result<usize, Error> {
        let read = self.lines.read_line(line).map_err(|error| self.wrong(&error.to_string()))?;
        self.line += 1;
        Ok(read)
    }

    fn ahead(&self) -> Option<u64> {
        self.ahead.as_ref().map(|(row, _)| *row)
    }

    /// Reads the next line, and answers whose it is: several where a column that the list had holds line breaks. What a
    /// killed run left may end in half a line.
    fn read(&mut self) -> Result<Option<u64>, Error> {
        let mut line = String::new();
        loop {
            let read = self.read_line(&mut line)?;
            if read == 0 || !line.ends_with('\n') {
                self.ahead = None;
                return Ok(None);
            }
            // As it is written, every field that holds a line break or a quote is quoted.
            if line.bytes().filter(|byte| *byte == b'"').count() % 2 == 0 {
                break;
            }
        }
        let Some((row, rest)) = line.split_once(',') else { return Err(self.wrong("not a part's line")) };
        let row: u64 = row.parse().map_err(|_| self.wrong("the line does not begin with its row"))?;
        if self.ahead().is_some_and(|before| before > row) {
            return Err(self.wrong(&format!("row {row} stands behind later ones")));
        }
        self.ahead = Some((row, rest.to_owned()));
        Ok(Some(row))
    }

    /// Takes the lines of `row`, which is next.
    fn take(&mut self, row: u64, url: &str, lines: &mut String) -> Result<Told, Error> {
        let mut told = Told::Failed;
        while self.ahead() == Some(row) {
            let Some((_, line)) = self.ahead.take() else { break };
            let fields = self.fields(&line)?;
            let (Some(told_url), Some(stored)) = (fields.get(URL), fields.get(STORED)) else {
                return Err(self.wrong("columns are missing"));
            };
            if told_url != url {
                let message =
                    format!("row {row} is {told_url}, and in the list {url}: it is of another list");
                return Err(self.wrong(&message));
            }
            if !stored.is_empty() {
                told = Told::Stored;
            }
            lines.push_str(&line);
            // Its order is looked after by what is ahead, which was taken.
            self.ahead = Some((row, String::new()));
            if self.read()?.is_none() {
                break;
            }
        }
        Ok(told)
    }

    fn fields(&self, line: &str) -> Result<csv::StringRecord, Error> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
        let mut fields = csv::StringRecord::new();
        reader.read_record(&mut fields).map_err(|error| self.wrong(&error.to_string()))?;
        Ok(fields)
    }

    fn wrong(&self, what: &str) -> Error {
        let message = format!("{}, line {}: {what}", self.path.display(), self.line);
        Error::new(Stage::Source, Kind::Corrupt, message)
    }
}

/// Shards that no part is named after, where the names say how many there are.
fn absent(paths: &[PathBuf]) -> Vec<String> {
    let named: Vec<(u32, u32)> = paths.iter().filter_map(|path| Shard::of_part(path)).collect();
    let Some(&(_, count)) = named.first() else { return Vec::new() };
    if named.iter().any(|(_, other)| *other != count) {
        return Vec::new();
    }
    let there: BTreeSet<u32> = named.iter().map(|(index, _)| *index).collect();
    (0..count).filter(|index| !there.contains(index)).map(|index| format!("{index}/{count}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use imgmill_pipeline::columns::Meaning;
    use imgmill_pipeline::source::list::Reading;

    struct Bench {
        folder: tempfile::TempDir,
        reading: Reading,
    }

    impl Bench {
        fn new(urls: &[&str]) -> Bench {
            let bench = Bench { folder: tempfile::tempdir().unwrap(), reading: Reading::default() };
            bench.write("list.csv", &format!("url\n{}\n", urls.join("\n")));
            bench
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.path(name), text).unwrap();
        }

        fn read(&self, name: &str) -> String {
            std::fs::read_to_string(self.path(name)).unwrap()
        }

        fn merge(&self, parts: &[&str]) -> Result<Merged, String> {
            let merge = Merge {
                input: ListInput::new(&self.path("list.csv")).read_as(self.reading.clone()),
                parts: parts.iter().map(|name| self.path(name)).collect(),
                output: self.path("out.csv"),
                output_failed: Some(self.path("failed.csv")),
                output_missing: Some(self.path("missing.csv")),
            };
            merge.run().map_err(|error| error.message().to_owned())
        }
    }

    const HEADER: &str = "row,url,input,output,s3url\n";

    #[test]
    fn rows_come_in_the_lists_order_and_what_is_missing_is_known() {
        let bench = Bench::new(&["a", "b", "a", "\"c,d\"", "e", "f"]);
        bench.write("out.0-of-3.csv", &format!("{HEADER}1,a,,,S1\n4,\"c,d\",\"i,n\",o,S4\n"));
        bench.write("out.1-of-3.csv", &format!("{HEADER}2,b,,,\n3,a,,,S1\n5,e,,,S5\n6,f,,,S"));
        let merged = bench.merge(&["out.1-of-3.csv", "out.0-of-3.csv"]).unwrap();
        assert_eq!(
            bench.read("out.csv"),
            "url,input,output,s3url\na,,,S1\na,,,S1\n\"c,d\",\"i,n\",o,S4\ne,,,S5\n"
        );
        assert_eq!(
            (bench.read("failed.csv"), bench.read("missing.csv")),
            ("url\nb\n".into(), "url\nf\n".into())
        );
        let expected = Merged {
            rows: 6,
            stored: 4,
            failed: 1,
            missing: 1,
            first_missing: vec![6],
            absent: vec!["2/3".into()],
        };
        assert_eq!(merged, expected);
    }

    #[test]
    fn several_derivatives_of_a_row_stay_together() {
        let bench = Bench::new(&["a", "b"]);
        let header = HEADER.replace("s3url", "s3url,derivative");
        bench.write("p", &format!("{header}1,a,,,S,small\n1,a,,,T,large\n"));
        bench.write("q", &format!("{header}2,b,,,U,small\n2,b,,,V,large\n"));
        assert_eq!(bench.merge(&["q", "p"]).unwrap().stored, 2);
        assert_eq!(
            bench.read("out.csv"),
            "url,input,output,s3url,derivative\na,,,S,small\na,,,T,large\nb,,,U,small\nb,,,V,large\n"
        );
    }

    #[test]
    fn columns_come_along() {
        let mut bench = Bench::new(&[]);
        bench.reading.meaning = Meaning { url: Some("u".into()), ..Meaning::default() };
        bench.write("list.csv", "note,u\n\"x\n, \"\"y\"\"\",a\nz,b\n\"1\n2\",c\n");
        let header = "row,url,input,output,s3url,note\n";
        bench.write("p", &format!("{header}1,a,,,S,\"x\n, \"\"y\"\"\"\n3,c,,,S3,\"1\n"));
        bench.write("q", &format!("{header}2,b,,,,z\n"));
        let merged = bench.merge(&["p", "q"]).unwrap();
        assert_eq!((merged.stored, merged.failed, merged.missing), (1, 1, 1));
        assert_eq!(bench.read("out.csv"), "url,input,output,s3url,note\na,,,S,\"x\n, \"\"y\"\"\"\n");
        assert_eq!(bench.read("failed.csv"), "note,u\nz,b\n");
        assert_eq!(bench.read("missing.csv"), "note,u\n\"1\n2\",c\n");
    }

    #[test]
    fn of_a_row_that_was_tried_twice_success_counts() {
        let bench = Bench::new(&["a", "b"]);
        bench.write("p", &format!("{HEADER}1,a,,,\n2,b,,,S2\n"));
        bench.write("q", &format!("{HEADER}1,a,,,S1\n2,b,,,\n"));
        for parts in [["p", "q"], ["q", "p"]] {
            let merged = bench.merge(&parts).unwrap();
            assert_eq!((merged.stored, merged.failed), (2, 0));
            assert_eq!(bench.read("out.csv"), "url,input,output,s3url\na,,,S1\nb,,,S2\n");
        }
    }

    #[test]
    fn what_is_no_part_of_the_list_is_refused() {
        let bench = Bench::new(&["a", "b"]);
        for (text, says) in [
            ("url,input,output,s3url\n", "line 1: not a part"),
            ("", "not a part"),
            ("row,url,input,output,s3url\n1,b,,,S\n", "row 1 is b, and in the list a"),
            ("row,url,input,output,s3url\n2,b,,,S\n1,a,,,S\n", "line 3: row 1 stands behind"),
            ("row,url,input,output,s3url\n3,c,,,S\n", "tells of row 3, and the list has 2"),
            ("row,url,input,output,s3url\nx,c,,,S\n", "line 2: the line does not begin"),
            ("row,url,input,output,s3url\n1,a\n", "columns are missing"),
        ] {
            bench.write("p", text);
            let error = bench.merge(&["p"]).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        assert!(bench.merge(&["none"]).unwrap_err().contains("cannot be read"));
        bench.write("p", HEADER);
        bench.write("q", &HEADER.replace("s3url", "s3url,derivative"));
        assert!(bench.merge(&["p", "q"]).unwrap_err().contains("different recipes"));
    }
}
