//! The sink of one source's renditions: in memory, and large ones in unnamed files that are mapped when whole.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use imgmill_image::{FileRendition, OutputFormat, Rendition, Sink};

use crate::body;

/// A rendition whose bytes may be shared.
#[derive(Debug, Clone)]
pub struct MadeRendition {
    /// What it is encoded as.
    pub format: OutputFormat,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The file; whether it is in memory or on disk makes no difference to who reads it.
    pub bytes: Bytes,
    /// Whether it is on disk.
    pub spooled: bool,
}

impl From<Rendition> for MadeRendition {
    fn from(rendition: Rendition) -> Self {
        let Rendition { format, width, height, bytes, .. } = rendition;
        MadeRendition { format, width, height, bytes: Bytes::from(bytes), spooled: false }
    }
}

/// Renditions in the order that they were made.
#[derive(Debug)]
pub(super) struct Collected {
    pub renditions: Vec<MadeRendition>,
    /// Where large ones go; none, and all are kept in memory.
    pub spool_dir: Option<PathBuf>,
}

impl Sink for Collected {
    fn put(&mut self, rendition: Rendition) -> io::Result<()> {
        self.renditions.push(rendition.into());
        Ok(())
    }

    fn file(&mut self) -> io::Result<Option<File>> {
        self.spool_dir.as_ref().map(tempfile::tempfile_in).transpose()
    }

    fn put_file(&mut self, rendition: FileRendition) -> io::Result<()> {
        let FileRendition { format, width, height, file, .. } = rendition;
        let bytes = Bytes::from_owner(body::map(&file)?);
        self.renditions.push(MadeRendition { format, width, height, bytes, spooled: true });
        Ok(())
    }
}
