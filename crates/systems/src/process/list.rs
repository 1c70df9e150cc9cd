//! URIs from CSV files: a column `uri`; or `source_id` and `alternate_id`, as tile seeding has them.

use super::place::encoded;

/// The URIs of a CSV file, in order.
///
/// # Errors
/// A missing column, or a line with another number of fields than the first, by its number.
pub fn uris(text: &str) -> Result<Vec<String>, String> {
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let column = |name: &str| header.iter().position(|field| field.trim() == name);
    let (uri, source, name) = (column("uri"), column("source_id"), column("alternate_id"));
    if uri.is_none() && source.is_none() {
        return Err("the first line has to name the column uri, or source_id and alternate_id".to_owned());
    }
    let mut uris = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let field =
            |column: Option<usize>| Some(record.get(column?)?.trim()).filter(|field| !field.is_empty());
        match (field(uri), field(source), field(name)) {
            (Some(uri), _, _) => uris.push(uri.to_owned()),
            (None, Some(source), Some(name)) => uris.push(format!("{source}?target={}", encoded(name))),
            (None, Some(source), None) => uris.push(source.to_owned()),
            (None, None, _) => {}
        }
    }
    Ok(uris)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_a_column_of_uris_or_two_of_names() {
        assert_eq!(
            uris("\u{feff}note,uri\r\nx,a.jpg\r\n,\"b, c.jpg\"\r\ny,\r\n").unwrap(),
            ["a.jpg", "b, c.jpg"]
        );
        assert_eq!(
            uris("source_id,alternate_id\na.jpg,t/u v\nb.jpg,\n").unwrap(),
            ["a.jpg?target=t/u%20v", "b.jpg"]
        );
        assert!(uris("url\na.jpg\n").unwrap_err().contains("column uri"));
        assert!(uris("uri,note\na.jpg\n").is_err());
    }
}
