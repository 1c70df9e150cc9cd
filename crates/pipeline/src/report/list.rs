//! The two lists of a batch: what was stored, and the URLs that failed, which are valid input again.

use std::path::Path;

use async_trait::async_trait;

use super::{Order, PartialFile, Reporter};
use crate::error::{Error, Kind, Stage};
use crate::outcome::{Outcome, Status};

/// `url,input,output,s3url`, and `derivative` where a recipe has more than one.
#[derive(Debug)]
pub struct OutputList {
    file: PartialFile,
    names_derivatives: bool,
}

impl OutputList {
    /// Begins the list at `path` with its header.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(path: &Path, derivatives: usize) -> Result<OutputList, Error> {
        let names_derivatives = derivatives > 1;
        let mut file = PartialFile::create(path)?;
        let mut header = vec!["url", "input", "output", "s3url"];
        if names_derivatives {
            header.push("derivative");
        }
        file.append(&lines([header])?)?;
        Ok(OutputList { file, names_derivatives })
    }
}

#[async_trait]
impl Reporter for OutputList {
    fn order(&self) -> Order {
        Order::AsListed
    }

    async fn report(&mut self, outcome: &Outcome) -> Result<(), Error> {
        let Ok(derived) = &outcome.result else { return Ok(()) };
        let text = |path: &Option<std::path::PathBuf>| {
            path.as_ref().map_or(String::new(), |path| path.display().to_string())
        };
        let input = text(&derived.source.kept);
        let rows = derived.renditions.iter().map(|rendition| {
            let mut fields = vec![
                outcome.job.url.to_string(),
                input.clone(),
                text(&rendition.kept),
                rendition.url.clone(),
            ];
            if self.names_derivatives {
                fields.push(rendition.label.clone());
            }
            fields
        });
        let lines = lines(rows)?;
        self.file.append(&lines)
    }

    async fn finish(&mut self) -> Result<(), Error> {
        self.file.finish()
    }
}

/// The one column `url`: rows that failed.
#[derive(Debug)]
pub struct FailedList {
    file: PartialFile,
}

impl FailedList {
    /// Begins the list at `path` with its header.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(path: &Path) -> Result<FailedList, Error> {
        let mut file = PartialFile::create(path)?;
        file.append(b"url\n")?;
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
        self.file.append(&lines([[&*outcome.job.url]])?)
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
