//! Parquet: its columns by their names, row by row. A page of each column is in memory at a time; the file has to be one
//! that can be read anywhere, since what is in it stands at its end.

use std::sync::Arc;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::record::reader::RowIter;

use super::input::ListInput;
use crate::columns::{Columns, Header};
use crate::error::{Error, Kind, Stage};

/// Rows that are taken from each column at once.
const AT_ONCE: usize = 256;

/// Reads such a list row by row.
pub(super) struct Rows {
    name: String,
    header: Arc<Header>,
    rows: RowIter<'static>,
    row: u64,
}

impl Rows {
    /// Opens the list and reads what is written at its end.
    pub fn open(input: &ListInput) -> Result<Rows, Error> {
        let name = input.name();
        let wrong = |what: String| Error::new(Stage::Source, Kind::Corrupt, format!("{name}: {what}"));
        let reader = SerializedFileReader::new(input.file()?);
        let reader = reader.map_err(|error| wrong(format!("not a Parquet file: {error}")))?;
        let fields = reader.metadata().file_metadata().schema().get_fields();
        let names = fields.iter().map(|field| field.name().to_owned()).collect();
        let header = Arc::new(Header::new(names, input.meaning()).map_err(wrong)?);
        let rows = RowIter::from_file_into(Box::new(reader)).with_batch_size(AT_ONCE);
        Ok(Rows { name, header, rows, row: 0 })
    }

    pub fn header(&self) -> &Arc<Header> {
        &self.header
    }

    /// The next row.
    pub fn next(&mut self) -> Result<Option<Columns>, Error> {
        let Some(row) = self.rows.next() else { return Ok(None) };
        self.row += 1;
        let row = row.map_err(|error| {
            let message = format!("{}, row {}: {error}", self.name, self.row);
            Error::new(Stage::Source, Kind::Corrupt, message)
        })?;
        let values = row.into_columns().into_iter().map(|(_, field)| as_text(field)).collect();
        Ok(Some(Columns::new(Arc::clone(&self.header), values)))
    }
}

fn as_text(field: Field) -> String {
    match field {
        Field::Null => String::new(),
        Field::Str(text) => text,
        Field::Bytes(bytes) => String::from_utf8_lossy(bytes.data()).into_owned(),
        field => field.to_string(),
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("name", &self.name).field("row", &self.row).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use parquet::basic::{Compression, ZstdLevel};
    use parquet::column::writer::ColumnWriter;
    use parquet::data_type::ByteArray;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    /// Two groups of rows: a text that may be missing, and a number.
    fn write(path: &Path, compression: Compression) {
        let schema = "message list { REQUIRED BYTE_ARRAY url (UTF8); OPTIONAL BYTE_ARRAY title (UTF8); REQUIRED INT64 n; }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let properties = WriterProperties::builder().set_compression(compression).build();
        let file = std::fs::File::create(path).unwrap();
        let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
        for group in 0..2i64 {
            let mut rows = writer.next_row_group().unwrap();
            while let Some(mut column) = rows.next_column().unwrap() {
                match column.untyped() {
                    ColumnWriter::Int64ColumnWriter(numbers) => {
                        numbers.write_batch(&[group, 1 << 60], None, None).unwrap();
                    }
                    ColumnWriter::ByteArrayColumnWriter(texts) if texts.get_descriptor().name() == "url" => {
                        let urls = [format!(" http://a/{group} "), "b".to_owned()];
                        let urls = urls.map(|url| ByteArray::from(url.as_str()));
                        texts.write_batch(&urls, None, None).unwrap();
                    }
                    ColumnWriter::ByteArrayColumnWriter(texts) => {
                        texts.write_batch(&[ByteArray::from("Ö,\n")], Some(&[1, 0]), None).unwrap();
                    }
                    _ => unreachable!(),
                }
                column.close().unwrap();
            }
            rows.close().unwrap();
        }
        writer.close().unwrap();
    }

    #[test]
    fn rows_come_as_texts_whatever_packed_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.parquet");
        for compression in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(Default::default()),
            Compression::ZSTD(ZstdLevel::default()),
        ] {
            write(&path, compression);
            let mut rows = Rows::open(&ListInput::new(&path)).unwrap();
            let mut all = Vec::new();
            while let Some(row) = rows.next().unwrap() {
                all.push(row.values().to_vec());
            }
            let large = (1i64 << 60).to_string();
            assert_eq!(
                all,
                [
                    ["http://a/0", "Ö,\n", "0"],
                    ["b", "", &large],
                    ["http://a/1", "Ö,\n", "1"],
                    ["b", "", &large]
                ]
            );
        }
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
        assert!(Rows::open(&ListInput::new(&path)).unwrap_err().message().contains("not a Parquet file"));
        let error = Rows::open(&ListInput::new(Path::new("-"))).unwrap_err();
        assert!(error.message().contains("name a file"), "{error}");
    }
}
