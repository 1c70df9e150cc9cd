//! The two lists of a batch: what was stored, and the URLs that failed, which are valid input again.
//!
//! A shard's list has the number of each row before it, and failed rows too, with nothing stored: so the lists of all
//! shards together say what became of every row.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Order, PartialFile, Reporter};
use crate::columns::Header;
use crate::error::{Error, Kind, Stage};
use crate::outcome::{Outcome, Status};

/// `url,input,output,s3url`, and `derivative` where a recipe has more than one; then the other columns of the list that the
/// rows come from, if it has any.
#[derive(Debug)]
pub struct OutputList {
    file: PartialFile,
    names_derivatives: bool,
    is_part: bool,
    carried: usize,
}

/// The column that only parts have.
pub const ROW: &str = "row";
/// The columns that are ours; the last is there where a recipe has more than one derivative.
const OWN: [&str; 5] = ["url", "input", "output", "s3url", "derivative"];

/// All names that are ours, whether they occur in a list or not: so all lists of a run call a column the same.
fn header_names() -> Vec<&'static str> {
    std::iter::once(ROW).chain(OWN).collect()
}

impl OutputList {
    /// Begins the list at `path` with its header.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(
        path: &Path,
        derivatives: usize,
        listed: Option<&Arc<Header>>,
    ) -> Result<OutputList, Error> {
        OutputList::begin(path, derivatives, listed, false)
    }

    /// Begins a shard's part of the list.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create_part(
        path: &Path,
        derivatives: usize,
        listed: Option<&Arc<Header>>,
    ) -> Result<OutputList, Error> {
        OutputList::begin(path, derivatives, listed, true)
    }

    fn begin(
        path: &Path,
        derivatives: usize,
        listed: Option<&Arc<Header>>,
        is_part: bool,
    ) -> Result<OutputList, Error> {
        let names_derivatives = derivatives > 1;
        let mut file = PartialFile::create(path)?;
        let row = is_part.then_some(ROW);
        let mut header: Vec<&str> = row.into_iter().chain(OWN).collect();
        if !names_derivatives {
            header.pop();
        }
        let carried = listed.map_or_else(Vec::new, |listed| listed.carried_names(&header_names()));
        header.extend(carried.iter().map(String::as_str));
        file.append(&lines([header])?)?;
        Ok(OutputList { file, names_derivatives, is_part, carried: carried.len() })
    }

    /// What a list has before everything else, if it is a part.
    fn row(&self, outcome: &Outcome) -> Vec<String> {
        if self.is_part { vec![outcome.job.row.to_string()] } else { Vec::new() }
    }

    /// What the row's own list says of it, behind everything else.
    fn carried<'a>(&self, outcome: &'a Outcome) -> impl Iterator<Item = String> + 'a {
        let columns = outcome.job.columns.as_deref();
        let values =
            columns.into_iter().flat_map(|columns| columns.carried().map(|(_, value)| value.to_owned()));
        values.chain(std::iter::repeat(String::new())).take(self.carried)
    }

    /// A row of which nothing is stored.
    fn nothing(&self, outcome: &Outcome) -> Result<Vec<u8>, Error> {
        let mut fields = self.row(outcome);
        fields.push(outcome.job.url.to_string());
        let empty = if self.names_derivatives { 4 } else { 3 };
        fields.extend(std::iter::repeat_n(String::new(), empty));
        fields.extend(self.carried(outcome));
        lines([fields])
    }
}

#[async_trait]
impl Reporter for OutputList {
    fn order(&self) -> Order {
        Order::AsListed
    }

    async fn report(&mut self, outcome: &Outcome) -> Result<(), Error> {
        let derived = match &outcome.result {
            Ok(derived) => derived,
            Err(_) if self.is_part => return self.file.append(&self.nothing(outcome)?),
            Err(_) => return Ok(()),
        };
        let text = |path: &Option<std::path::PathBuf>| {
            path.as_ref().map_or(String::new(), |path| path.display().to_string())
        };
        let input = text(&derived.source.kept);
        let rows = derived.renditions.iter().map(|rendition| {
            let mut fields = self.row(outcome);
            fields.extend([
                outcome.job.url.to_string(),
                input.clone(),
                text(&rendition.kept),
                rendition.url.clone(),
            ]);
            if self.names_derivatives {
                fields.push(rendition.label.clone());
            }
            fields.extend(self.carried(outcome));
            fields
        });
        let lines = lines(rows)?;
        self.file.append(&lines)
    }

    async fn finish(&mut self) -> Result<(), Error> {
        self.file.finish()
    }
}

/// The rows that failed, valid input again: the one column `url`, or all that the list had.
#[derive(Debug)]
pub struct FailedList {
    file: PartialFile,
}

impl FailedList {
    /// Begins the list at `path` with its header.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(path: &Path, listed: Option<&Arc<Header>>) -> Result<FailedList, Error> {
        let mut file = PartialFile::create(path)?;
        match listed {
            Some(listed) => file.append(&lines([listed.names()])?)?,
            None => file.append(b"url\n")?,
        }
        Ok(FailedList { file })
    }
}

#[async_trait]
impl Reporter for FailedList {
    fn order(&self) -> Order {
        Order::AsListed
    }

    async fn report(&mut self, outcome: &Outcome) -> Result<(), Error> {
        if outcome.status != Status::Failed {
            return Ok(());
        }
        self.file.append(&match &outcome.job.columns {
            Some(columns) => lines([columns.values()])?,
            None => lines([[&*outcome.job.url]])?,
        })
    }

    async fn finish(&mut self) -> Result<(), Error> {
        self.file.finish()
    }
}

fn lines<R>(rows: impl IntoIterator<Item = R>) -> Result<Vec<u8>, Error>
where
    R: IntoIterator,
    R::Item: AsRef<[u8]>,
{
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = rows.into_iter().try_for_each(|row| writer.write_record(row));
    let failed =
        |error: String| Error::new(Stage::Report, Kind::Internal, format!("making a CSV line: {error}"));
    written.map_err(|error| failed(error.to_string()))?;
    writer.into_inner().map_err(|error| failed(error.to_string()))
}
