//! go-iiif's names for what is made of an image.

use std::sync::Arc;

use imgmill_pipeline::naming::{Named, Naming, Placement};
use imgmill_pipeline::{Error, Kind, Stage};

use super::instructions::Spelling;
use super::uri::Uri;

/// Where what is made of one URI goes.
#[derive(Debug)]
pub(super) struct Paths {
    pub uri: Uri,
    pub spellings: Arc<[Spelling]>,
    /// The target is the name itself, whatever the URI's scheme: how single transformations are stored.
    pub plain: bool,
}

impl Paths {
    /// The path of a derivative, below the cache.
    pub(super) fn path(&self, label: &str) -> Option<String> {
        if let (true, Some(path)) = (self.plain, self.uri.plain_path()) {
            return Some(path.to_owned());
        }
        let spelling = self.spellings.iter().find(|spelling| spelling.label == label)?;
        Some(self.uri.path_of(spelling))
    }
}

impl Naming for Paths {
    fn key(&self, of: &Named<'_>) -> Result<String, Error> {
        let label = &of.derivative.label;
        self.path(label).ok_or_else(|| {
            let message = format!("the instructions have no {label:?}, whose name is wanted");
            Error::new(Stage::Store, Kind::Internal, message)
        })
    }

    /// Processing an image again is how people replace what was made of it.
    fn placement(&self) -> Placement {
        Placement::Replaced
    }

    fn identity(&self) -> String {
        format!("{}{}", self.uri, if self.plain { " plain" } else { "" })
    }
}
