//! The list: which images are pages of which manifest, in which order, and what is said of them.
//!
//! Columns have the names of the first line. `id` is the image's name in the store; `label`, `order`, `range`, `manifest`,
//! `manifest_label`, `summary`, `rights` and `required_statement` mean what they mean to the API; every other column is metadata:
//! of the manifest where it says the same in all of its rows, else of the page.

use std::collections::HashSet;
use std::path::Path;

use imgmill_pipeline::{Error, Kind, Stage};

/// The name of a manifest of rows that name none comes from the list's own.
const KNOWN: [&str; 9] = [
    "id",
    "label",
    "order",
    "range",
    "manifest",
    "manifest_label",
    "summary",
    "rights",
    "required_statement",
];

/// A manifest to be.
#[derive(Debug, PartialEq)]
pub(super) struct Manifest {
    /// Its file's name, without the ending.
    pub name: String,
    pub label: String,
    pub summary: Option<String>,
    pub rights: Option<String>,
    pub required_statement: Option<String>,
    /// Labels and values.
    pub metadata: Vec<(String, String)>,
    pub pages: Vec<Page>,
}

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Page {
    pub id: String,
    pub label: String,
    /// Headings that it is under, the outermost first.
    pub range: Vec<String>,
    pub metadata: Vec<(String, String)>,
    order: Option<f64>,
    manifest: String,
    /// Values of columns that are the whole manifest's.
    of_manifest: [Option<String>; 4],
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(Stage::Source, Kind::Corrupt, message.into())
}

/// Whose URIs name rights: the API wants them as they were given out, with http.
const RIGHTS: [&str; 2] = ["creativecommons.org/", "rightsstatements.org/"];

/// The URI of a licence or a rights statement as the API wants it.
///
/// # Errors
/// When it is no URI of the web.
pub fn rights(uri: &str) -> Result<String, String> {
    let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"));
    let plain = rest.map(|rest| rest.strip_prefix("www.").unwrap_or(rest));
    match plain {
        Some(rest) if RIGHTS.iter().any(|host| rest.starts_with(host)) => Ok(format!("http://{rest}")),
        Some(_) => Ok(uri.to_owned()),
        None => Err(format!("rights {uri:?} are no URI of a licence or a rights statement")),
    }
}

/// Reads a list; `label` is the title of a manifest that the list names none for.
pub(super) fn read(path: &Path, label: Option<&str>) -> Result<Vec<Manifest>, Error> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::new(Stage::Source, Kind::Io, format!("{shown} cannot be read")).caused_by(error)
    })?;
    let is_tsv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tsv"));
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("manifest");
    parse(&text, is_tsv, stem, label).map_err(|message| wrong(format!("{shown}: {message}")))
}

fn parse(text: &str, is_tsv: bool, stem: &str, label: Option<&str>) -> Result<Vec<Manifest>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let delimiter = if is_tsv { b'\t' } else { b',' };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    let columns: Vec<String> = reader
        .headers()
        .map_err(|error| error.to_string())?
        .iter()
        .map(|name| name.trim().to_owned())
        .collect();
    if !columns.iter().any(|name| name == "id") {
        return Err("the first line has no column `id`; it names the columns".into());
    }
    let mut seen = HashSet::new();
    if let Some(twice) = columns.iter().find(|name| !seen.insert(name.as_str())) {
        return Err(format!("there are two columns `{twice}`"));
    }
    let mut manifests: Vec<Manifest> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let line = record.position().map_or(0, csv::Position::line);
        let page = page(&columns, &record, stem).map_err(|message| format!("line {line}: {message}"))?;
        let found = manifests.iter().position(|manifest| manifest.name == page.manifest);
        match found {
            Some(at) => manifests[at].pages.push(page),
            None => manifests.push(Manifest::of(page)),
        }
    }
    if manifests.is_empty() {
        return Err("it names no images".into());
    }
    let alone = manifests.len() == 1;
    for manifest in &mut manifests {
        manifest.finish(label.filter(|_| alone))?;
    }
    Ok(manifests)
}

fn page(columns: &[String], record: &csv::StringRecord, stem: &str) -> Result<Page, String> {
    let cells = || columns.iter().map(String::as_str).zip(record.iter().map(str::trim));
    let cell = |name: &str| {
        cells()
            .find(|(column, _)| *column == name)
            .map(|(_, value)| value.to_owned())
            .filter(|v| !v.is_empty())
    };
    let id = cell("id").ok_or("the column `id` is empty")?;
    let order = match cell("order") {
        Some(text) => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Some(number),
            _ => return Err(format!("order {text:?} is no number")),
        },
        None => None,
    };
    let manifest = cell("manifest").unwrap_or_else(|| stem.to_owned());
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | ' ');
    if manifest.starts_with('.') || !manifest.chars().all(is_name) || manifest == super::COLLECTION {
        return Err(format!("{manifest:?} cannot be a file's name; a manifest is written under it"));
    }
    let stem_of_id = id.rsplit('/').next().unwrap_or(&id);
    let stem_of_id = stem_of_id.rsplit_once('.').map_or(stem_of_id, |(stem, _)| stem);
    let mut of_manifest = ["manifest_label", "summary", "rights", "required_statement"].map(cell);
    of_manifest[2] = of_manifest[2].take().map(|uri| rights(&uri)).transpose()?;
    let metadata = cells()
        .filter(|(column, value)| !KNOWN.contains(column) && !value.is_empty() && !column.is_empty())
        .map(|(column, value)| (column.to_owned(), value.to_owned()))
        .collect();
    Ok(Page {
        label: cell("label").unwrap_or_else(|| stem_of_id.to_owned()),
        range: cell("range")
            .map(|path| path.split('>').map(|part| part.trim().to_owned()).collect())
            .unwrap_or_default(),
        metadata,
        order,
        manifest,
        of_manifest,
        id,
    })
}

impl Manifest {
    fn of(first: Page) -> Self {
        Manifest {
            name: first.manifest.clone(),
            label: String::new(),
            summary: None,
            rights: None,
            required_statement: None,
            metadata: Vec::new(),
            pages: vec![first],
        }
    }

    /// Puts the pages into order, and what is said in all rows to the manifest.
    fn finish(&mut self, label: Option<&str>) -> Result<(), String> {
        // Rows without a number stay where they stand, behind those that have one before them.
        let mut last = f64::NEG_INFINITY;
        for page in &mut self.pages {
            last = *page.order.get_or_insert(last);
        }
        self.pages.sort_by(|a, b| a.order.partial_cmp(&b.order).unwrap_or(std::cmp::Ordering::Equal));
        let mut said: [Option<String>; 4] = Default::default();
        for page in &mut self.pages {
            for (said, value) in said.iter_mut().zip(&mut page.of_manifest) {
                match (&said, value.take()) {
                    (Some(before), Some(now)) if *before != now => {
                        return Err(format!(
                            "the rows of the manifest {:?} say both {before:?} and {now:?}",
                            self.name
                        ));
                    }
                    (None, now) => *said = now,
                    _ => {}
                }
            }
        }
        let [own, summary, rights, required_statement] = said;
        self.label = own.or_else(|| label.map(String::from)).unwrap_or_else(|| self.name.clone());
        (self.summary, self.rights, self.required_statement) = (summary, rights, required_statement);
        let shared: Vec<_> = self.pages[0]
            .metadata
            .iter()
            .filter(|pair| self.pages.len() > 1 && self.pages.iter().all(|page| page.metadata.contains(pair)))
            .cloned()
            .collect();
        self.pages.iter_mut().for_each(|page| page.metadata.retain(|pair| !shared.contains(pair)));
        self.metadata = shared;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Manifest>, String> {
        parse(text, false, "book", Some("A book"))
    }

    #[test]
    fn columns_mean_what_their_names_say() {
        let manifests = read(
            "id,label,order,range,Shelf mark,Scribe,rights\n\
             b,second,2,Part I > Chapter 1,MS 7,,http://rightsstatements.org/vocab/NoC-US/1.0/\n\
             a.tif,,1,,MS 7,Ann,\n",
        )
        .unwrap();
        let [book] = manifests.as_slice() else { panic!("{manifests:?}") };
        assert_eq!((book.name.as_str(), book.label.as_str()), ("book", "A book"));
        assert_eq!(book.metadata, [("Shelf mark".to_owned(), "MS 7".to_owned())]);
        assert_eq!(book.rights.as_deref(), Some("http://rightsstatements.org/vocab/NoC-US/1.0/"));
        let labels: Vec<_> = book.pages.iter().map(|page| page.label.as_str()).collect();
        assert_eq!(labels, ["a", "second"]);
        assert_eq!(book.pages[0].metadata, [("Scribe".to_owned(), "Ann".to_owned())]);
        assert_eq!(book.pages[1].range, ["Part I", "Chapter 1"]);
    }

    #[test]
    fn rows_go_to_the_manifests_that_they_name() {
        let manifests = read("manifest,id,manifest_label\nx,1,\ny,2,Why\nx,3,Ex\n").unwrap();
        let found: Vec<_> = manifests.iter().map(|m| (m.label.as_str(), m.pages.len())).collect();
        assert_eq!(found, [("Ex", 2), ("Why", 1)]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, says) in [
            ("url\nx\n", "no column `id`"),
            ("id,id\nx,y\n", "two columns `id`"),
            ("id\n", "names no images"),
            ("id,order\nx,first\n", "line 2: order \"first\" is no number"),
            ("id,label\n,x\n", "line 2: the column `id` is empty"),
            ("id,manifest\nx,../y\n", "cannot be a file's name"),
            ("id,manifest\nx,collection\n", "cannot be a file's name"),
            ("id,rights\nx,http://a\ny,http://b\n", "say both"),
            ("id,label\nx\n", "record 1"),
            ("id,rights\nx,mine\n", "line 2: rights \"mine\""),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(says), "{text:?}: {error}");
        }
    }
}
