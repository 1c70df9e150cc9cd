//! The sink of one source's renditions: small ones in memory, large ones on their way to where they are kept.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use imgmill_image::{Coming, Output, OutputFormat, Rendition, ScratchFile, Sink, Written};

use crate::objects::Upload;

/// Where renditions go that may be too large for memory, while they are made.
#[derive(Clone)]
pub struct Outlet {
    /// Begins the upload of one; none, and it is made in memory all the same.
    pub open: Arc<Open>,
    /// A folder for files without a name.
    pub scratch: PathBuf,
}

/// See [`Outlet::open`].
pub type Open = dyn Fn(&Coming) -> io::Result<Option<Upload>> + Send + Sync;

/// A rendition that was made.
#[derive(Debug)]
pub struct MadeRendition {
    /// What it is encoded as.
    pub format: OutputFormat,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The file.
    pub content: Content,
}

/// Where a rendition's bytes are.
#[derive(Debug)]
pub enum Content {
    /// In memory, or in a file that is mapped to it.
    Bytes(Bytes),
    /// On their way to the store.
    Upload(Upload),
}

impl MadeRendition {
    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        match &self.content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Upload(upload) => upload.length(),
        }
    }

    /// Bytes of it that are in memory.
    pub(super) fn in_memory(&self) -> u64 {
        if matches!(self.content, Content::Bytes(_)) { self.length() } else { 0 }
    }
}

impl From<Rendition> for MadeRendition {
    fn from(rendition: Rendition) -> Self {
        let Rendition { format, width, height, bytes, .. } = rendition;
        MadeRendition { format, width, height, content: Content::Bytes(Bytes::from(bytes)) }
    }
}

/// Renditions in the order that they were made.
pub(super) struct Collected {
    pub renditions: Vec<MadeRendition>,
    /// Where large ones go; none, and all are kept in memory.
    pub outlet: Option<Outlet>,
}

impl Sink for Collected {
    fn put(&mut self, rendition: Rendition) -> io::Result<()> {
        self.renditions.push(rendition.into());
        Ok(())
    }

    fn open(&mut self, coming: &Coming) -> io::Result<Option<Box<dyn Output>>> {
        let Some(outlet) = &self.outlet else { return Ok(None) };
        Ok((outlet.open)(coming)?.map(|upload| Box::new(upload) as Box<dyn Output>))
    }

    fn scratch(&mut self, _bytes: u64) -> io::Result<Option<ScratchFile>> {
        let Some(outlet) = &self.outlet else { return Ok(None) };
        Ok(Some(ScratchFile { file: tempfile::tempfile_in(&outlet.scratch)?.into(), start: 0 }))
    }

    fn put_written(&mut self, written: Written) -> io::Result<()> {
        let Coming { format, width, height, .. } = written.coming;
        let output: Box<dyn std::any::Any> = written.output;
        let upload = output.downcast::<Upload>().map_err(|_| io::ErrorKind::InvalidData)?;
        self.renditions.push(MadeRendition { format, width, height, content: Content::Upload(*upload) });
        Ok(())
    }
}
