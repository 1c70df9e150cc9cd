//! Where a list is and how it is read: by what its name ends with, unpacked by what it begins with.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use crate::columns::Meaning;
use crate::error::{Error, Kind, Stage};

/// What a list is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListFormat {
    /// Comma-separated values (RFC 4180).
    Csv,
    /// The same with tabs.
    Tsv,
    /// A JSON object a line.
    JsonLines,
    /// Apache Parquet, in builds that have it.
    Parquet,
}

impl ListFormat {
    /// By the name of a file: CSV where it says nothing else.
    pub fn of_name(name: &str) -> ListFormat {
        let name = name.to_ascii_lowercase();
        let packed = [".gz", ".gzip", ".zst", ".zstd"];
        let plain = packed.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
        match plain.rsplit_once('.').map(|(_, ending)| ending) {
            Some("tsv" | "tab") => ListFormat::Tsv,
            Some("jsonl" | "ndjson" | "jsonlines") => ListFormat::JsonLines,
            Some("parquet" | "pq") => ListFormat::Parquet,
            _ => ListFormat::Csv,
        }
    }
}

/// How a list is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// What it is written in, where its name does not say so.
    pub format: Option<ListFormat>,
    /// What its columns mean.
    pub meaning: Meaning,
}

/// A list: where it is, and how it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListInput {
    origin: Origin,
    reading: Reading,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Stdin,
    File(PathBuf),
    /// A copy of what lies elsewhere, and what that is called there.
    Copy(PathBuf, String),
}

impl ListInput {
    /// What a command line says: `-` is standard input, all else a path. It has the one column `url`, as CSV, unless its
    /// name says otherwise.
    pub fn new(text: &Path) -> Self {
        let origin = if text == Path::new("-") { Origin::Stdin } else { Origin::File(text.to_owned()) };
        ListInput { origin, reading: Reading::default() }
    }

    /// A copy of what is called `name` where it lies.
    pub fn copy(path: PathBuf, name: String) -> Self {
        ListInput { origin: Origin::Copy(path, name), reading: Reading::default() }
    }

    /// The same, read otherwise.
    #[must_use]
    pub fn read_as(self, reading: Reading) -> Self {
        ListInput { reading, ..self }
    }

    /// What its columns mean.
    pub fn meaning(&self) -> &Meaning {
        &self.reading.meaning
    }

    /// What it is written in.
    pub fn format(&self) -> ListFormat {
        self.reading.format.unwrap_or_else(|| match &self.origin {
            Origin::Stdin => ListFormat::Csv,
            Origin::File(path) => ListFormat::of_name(&path.to_string_lossy()),
            Origin::Copy(_, name) => ListFormat::of_name(name),
        })
    }

    /// Whether it is what lists are by default: CSV with the one column `url`.
    pub fn is_strict(&self) -> bool {
        self.format() == ListFormat::Csv && self.reading.meaning.is_default()
    }

    /// Whether it can be read twice: a pipe given as a path cannot.
    pub(super) fn is_regular_file(&self) -> bool {
        matches!(&self.origin, Origin::File(path) | Origin::Copy(path, _) if path.is_file())
    }

    pub(super) fn name(&self) -> String {
        match &self.origin {
            Origin::Stdin => "standard input".to_owned(),
            Origin::File(path) => path.display().to_string(),
            Origin::Copy(_, name) => name.clone(),
        }
    }

    /// Its bytes, unpacked where gzip or zstd packed them.
    pub(super) fn open(&self) -> Result<Box<dyn Read + Send>, Error> {
        let failed = |error: std::io::Error| self.unreadable(&error);
        let mut bytes: Box<dyn Read + Send> = match &self.origin {
            Origin::Stdin => Box::new(std::io::stdin()),
            Origin::File(path) | Origin::Copy(path, _) => Box::new(File::open(path).map_err(failed)?),
        };
        let mut beginning = Vec::new();
        (&mut bytes).take(4).read_to_end(&mut beginning).map_err(failed)?;
        let packed = beginning.clone();
        let whole = Cursor::new(beginning).chain(bytes);
        Ok(match &packed[..] {
            [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(whole)),
            [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::Decoder::new(whole).map_err(failed)?),
            _ => Box::new(whole),
        })
    }

    /// The file itself, where it has to be one.
    #[cfg(feature = "parquet")]
    pub(super) fn file(&self) -> Result<File, Error> {
        match &self.origin {
            Origin::File(path) | Origin::Copy(path, _) if self.is_regular_file() || !path.exists() => {
                File::open(path).map_err(|error| self.unreadable(&error))
            }
            _ => {
                let message = format!("{}: Parquet cannot be read from a pipe; name a file", self.name());
                Err(Error::new(Stage::Source, Kind::BadRequest, message))
            }
        }
    }

    pub(super) fn unreadable(&self, error: &std::io::Error) -> Error {
        let what = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
            _ => error.to_string(),
        };
        let expected = match (self.is_strict(), self.format()) {
            (true, _) => "a CSV file with the one column url",
            (false, ListFormat::Csv) => "a CSV file",
            (false, ListFormat::Tsv) => "a TSV file",
            (false, ListFormat::JsonLines) => "a file with a JSON object a line",
            (false, ListFormat::Parquet) => "a Parquet file",
        };
        let message = format!("{}: {what}; expected {expected}", self.name());
        Error::new(Stage::Source, Kind::NotFound, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_the_format() {
        for (name, format) in [
            ("a.csv", ListFormat::Csv),
            ("list", ListFormat::Csv),
            ("a.b/list.TSV", ListFormat::Tsv),
            ("s3://b/list.jsonl.gz", ListFormat::JsonLines),
            ("list.ndjson.zst", ListFormat::JsonLines),
            ("list.csv.gz", ListFormat::Csv),
        ] {
            assert_eq!(ListFormat::of_name(name), format, "{name}");
        }
        assert!(ListInput::new(Path::new("a.csv.gz")).is_strict());
        assert!(!ListInput::new(Path::new("a.tsv")).is_strict());
    }
}
