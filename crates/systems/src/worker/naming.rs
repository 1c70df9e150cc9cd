//! What images are called: `images-resized/{bucket_name}/{id}_{label}.jpeg`, as image-service's users know it.
//!
//! `{id}` comes from the source's bytes, so that the same image has the same name whenever a message about it comes.

use imgmill_image::OutputFormat;
use imgmill_pipeline::Error;
use imgmill_pipeline::naming::{Named, Naming, Placement};

/// The folder of all images.
const FOLDER: &str = "images-resized";
/// Hex digits of the source's SHA-256: as many as the old service's identifiers had.
const DIGITS: usize = 32;

/// Names the images of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageNames {
    /// `bucket_name`, which is one folder's name.
    pub bucket_name: Option<String>,
}

impl Naming for ImageNames {
    fn key(&self, of: &Named<'_>) -> Result<String, Error> {
        let id = of.source.to_string();
        let id = &id[..DIGITS.min(id.len())];
        let folder =
            self.bucket_name.iter().fold(FOLDER.to_owned(), |folder, name| format!("{folder}/{name}"));
        let extension = match of.derivative.request.format {
            OutputFormat::Jpg => "jpeg",
            other => other.extension(),
        };
        Ok(format!("{folder}/{id}_{}.{extension}", of.derivative.label))
    }

    fn placement(&self) -> Placement {
        Placement::Immutable
    }

    fn identity(&self) -> String {
        // No name begins with a slash, so none is taken for the lack of one.
        format!("{FOLDER}/{}", self.bucket_name.as_deref().unwrap_or("/"))
    }
}
