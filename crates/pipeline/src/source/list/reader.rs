//! A list row by row, whatever it is written in.

use std::sync::Arc;

use super::input::{ListFormat, ListInput};
use super::objects::Objects;
use super::records::Records;
use super::strict::OneColumn;
use crate::columns::{Columns, Header, Meaning};
use crate::error::{self, Error, Stage};

/// One row of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRow {
    /// Its URL.
    pub url: Arc<str>,
    /// What else the list says of it, if it has columns.
    pub columns: Option<Arc<Columns>>,
}

/// Reads a list row by row.
#[derive(Debug)]
pub struct Reader(Kind);

#[derive(Debug)]
enum Kind {
    OneColumn(OneColumn),
    Records(Records),
    Objects(Objects),
    #[cfg(feature = "parquet")]
    Parquet(super::parquet::Rows),
}

impl Reader {
    /// Opens the list and reads its header.
    ///
    /// # Errors
    /// What is wrong with it, naming the file, the line and what was expected.
    pub fn open(input: &ListInput) -> Result<Reader, Error> {
        Ok(Reader(match input.format() {
            ListFormat::Csv if input.is_strict() => Kind::OneColumn(OneColumn::open(input)?),
            ListFormat::Csv => Kind::Records(Records::open(input, b',')?),
            ListFormat::Tsv => Kind::Records(Records::open(input, b'\t')?),
            ListFormat::JsonLines => Kind::Objects(Objects::open(input)?),
            #[cfg(feature = "parquet")]
            ListFormat::Parquet => Kind::Parquet(super::parquet::Rows::open(input)?),
            #[cfg(not(feature = "parquet"))]
            ListFormat::Parquet => return Err(not_built_in(input)),
        }))
    }

    /// Its columns, if it is not a list with the one column `url`.
    pub fn header(&self) -> Option<&Arc<Header>> {
        match &self.0 {
            Kind::OneColumn(_) => None,
            Kind::Records(records) => Some(records.header()),
            Kind::Objects(objects) => Some(objects.header()),
            #[cfg(feature = "parquet")]
            Kind::Parquet(rows) => Some(rows.header()),
        }
    }

    /// The next row; blank lines are passed over.
    ///
    /// # Errors
    /// As [`Reader::open`].
    #[allow(clippy::should_implement_trait, reason = "an iterator would go on after an error")]
    pub fn next(&mut self) -> Result<Option<ListRow>, Error> {
        let columns = match &mut self.0 {
            Kind::OneColumn(list) => {
                return Ok(list.next()?.map(|url| ListRow { url, columns: None }));
            }
            Kind::Records(records) => records.next()?,
            Kind::Objects(objects) => objects.next()?,
            #[cfg(feature = "parquet")]
            Kind::Parquet(rows) => rows.next()?,
        };
        Ok(columns.map(|columns| ListRow { url: columns.url().into(), columns: Some(Arc::new(columns)) }))
    }
}

#[cfg(not(feature = "parquet"))]
fn not_built_in(input: &ListInput) -> Error {
    let message = format!(
        "{}: this build reads no Parquet; build it with `make build FEATURES=parquet`, or save the list as CSV or JSON lines",
        input.name()
    );
    Error::new(Stage::Source, error::Kind::UnsupportedFormat, message)
}

/// Reads CSV that has no header, because its columns are written elsewhere.
#[derive(Debug)]
pub struct HeadlessReader(Records);

impl HeadlessReader {
    /// Opens such a list.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub fn open(input: &ListInput, names: Vec<String>, meaning: &Meaning) -> Result<HeadlessReader, Error> {
        let header = Header::new(names, meaning);
        let header = header.map_err(|what| Error::new(Stage::Source, error::Kind::Corrupt, what))?;
        Ok(HeadlessReader(Records::headless(input, b',', header)?))
    }

    /// The next row.
    ///
    /// # Errors
    /// As [`Reader::open`].
    #[allow(clippy::should_implement_trait, reason = "an iterator would go on after an error")]
    pub fn next(&mut self) -> Result<Option<Columns>, Error> {
        self.0.next()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::LONGEST_URL;
    use super::super::input::Reading;
    use super::*;

    fn read_as(name: &str, bytes: &[u8], meaning: Meaning) -> Result<Vec<Vec<String>>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let strip = |error: Error| error.message().replace(&path.display().to_string(), "LIST");
        let mut reader =
            Reader::open(&ListInput::new(&path).read_as(Reading { format: None, meaning })).map_err(strip)?;
        let mut rows = Vec::new();
        while let Some(row) = reader.next().map_err(strip)? {
            rows.push(match &row.columns {
                Some(columns) => columns.values().to_vec(),
                None => vec![row.url.to_string()],
            });
        }
        Ok(rows)
    }

    fn read(bytes: &[u8]) -> Result<Vec<String>, String> {
        Ok(read_as("list.csv", bytes, Meaning::default())?.concat())
    }

    fn url_column(name: &str) -> Meaning {
        Meaning { url: Some(name.to_owned()), ..Meaning::default() }
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
        let long = [b"url\n".to_vec(), vec![b'a'; LONGEST_URL + 1]].concat();
        assert!(read(&long).unwrap_err().contains("line 2: the line is longer"));
    }

    #[test]
    fn columns_come_along() {
        let csv = "\u{feff}id,image,note\r\n7,http://a,\"two\r\nlines, \"\"x\"\"\"\r\n\r\n8, http://b ,\r\n";
        let expected = [["7", "http://a", "two\r\nlines, \"x\""], ["8", "http://b", ""]];
        assert_eq!(read_as("l.csv", csv.as_bytes(), url_column("image")).unwrap(), expected);
        let tsv = "url\tnote\na,b\tc \"d\"\n\t\n";
        assert_eq!(
            read_as("l.tsv", tsv.as_bytes(), Meaning::default()).unwrap(),
            [["a,b", "c \"d\""], ["", ""]]
        );
        let jsonl = "{\"url\": \"a\\u0062\", \"n\": 1.50, \"x\": null}\n\n{\"n\": [1, 2], \"url\": \"c\", \"late\": true}\n";
        assert_eq!(
            read_as("l.jsonl", jsonl.as_bytes(), Meaning::default()).unwrap(),
            [["ab", "1.50", "", ""], ["c", "[1, 2]", "", "true"]]
        );
    }

    #[test]
    fn what_is_wrong_with_columns_names_the_line() {
        let csv = |bytes: &str, says: &str| {
            let error = read_as("l.csv", bytes.as_bytes(), url_column("u")).unwrap_err();
            assert!(error.contains(says), "{error}");
        };
        csv("", "LIST, line 1: the file is empty; the first line must name the columns");
        csv("a,b\n", "line 1: there is no column named \"u\"; there are a, b");
        csv("u,a,a\n", "line 1: two columns are named \"a\"");
        csv("u,a\nx,y\nx\n", "LIST, line 3: 1 fields; the header has 2");
        csv("u,a\nx,\"y\nz\n", "line 2: the quoted field does not end");
        csv("u,a\nx,\"y\"z\n", "line 2: there is text after a quoted field");
        csv("u,a\n\"x\ny\",1,2\n", "line 2: 3 fields");
        let jsonl = |bytes: &str, says: &str| {
            let error = read_as("l.jsonl", bytes.as_bytes(), Meaning::default()).unwrap_err();
            assert!(error.contains(says), "{error}");
        };
        jsonl("", "there is no JSON object");
        jsonl("{\"url\": \"a\"}\n[1]\n", "LIST, line 2: expected a JSON object");
        jsonl("{\"u\": \"a\"}\n", "there is no column named \"url\"; there are u");
        let long = format!("u,a\nx,\"{}", "y\n".repeat(super::super::LONGEST_RECORD));
        csv(&long, "the record is longer than");
    }

    #[test]
    fn packed_lists_are_unpacked() {
        let text = b"url\nhttp://a\nhttp://b\n";
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).unwrap();
        let gzip = gzip.finish().unwrap();
        let zstd = zstd::encode_all(&text[..], 1).unwrap();
        for bytes in [&gzip[..], &zstd[..], &[&gzip[..], &gzip[..]].concat()[..]] {
            let rows = read(bytes).unwrap();
            assert_eq!(rows[..2], ["http://a", "http://b"]);
        }
        assert!(read(&gzip[..gzip.len() - 12]).unwrap_err().starts_with("LIST: "), "cut");
    }

    #[test]
    fn a_missing_file_is_named() {
        let nowhere = ListInput::new(std::path::Path::new("/no/such/list.csv"));
        let error = Reader::open(&nowhere).unwrap_err();
        assert!(error.message().contains("/no/such/list.csv: there is no such file"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_rows_or_an_error(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            if let Ok(rows) = read(&bytes) {
                proptest::prop_assert!(rows.iter().all(|row| !row.is_empty() && !row.contains('\n')));
            }
            drop(read_as("l.csv", &bytes, url_column("u")));
            drop(read_as("l.jsonl", &bytes, Meaning::default()));
        }
    }
}
