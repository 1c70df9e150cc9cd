//! Where renditions go as they are made.

use std::any::Any;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use crate::recipe::OutputFormat;
use crate::scratch::ScratchFile;

/// An encoded derivative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendition {
    /// The label of the derivative that it was made for.
    pub label: String,
    /// What it is encoded as.
    pub format: OutputFormat,
    /// Width in pixels, as stored.
    pub width: u32,
    /// Height in pixels, as stored.
    pub height: u32,
    /// The file.
    pub bytes: Vec<u8>,
}

/// A rendition that is about to be made and may be too large for memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coming {
    /// The label of the derivative that it is made for.
    pub label: String,
    /// What it is encoded as.
    pub format: OutputFormat,
    /// Width in pixels, as stored.
    pub width: u32,
    /// Height in pixels, as stored.
    pub height: u32,
    /// About the most bytes that it can come to.
    pub most: u64,
}

/// A rendition that was written to what the sink gave for it.
pub struct Written {
    /// What was said of it before.
    pub coming: Coming,
    /// What it was written to.
    pub output: Box<dyn Output>,
    /// Its length in bytes.
    pub length: u64,
}

/// Takes renditions, in the order of the recipe.
pub trait Sink {
    /// Takes one rendition.
    ///
    /// # Errors
    /// Whatever keeps it from being kept; [`derive`](crate::derive) then stops and answers
    /// [`ErrorKind::Sink`](crate::ErrorKind::Sink) with it as the cause.
    fn put(&mut self, rendition: Rendition) -> io::Result<()>;

    /// Something to write a large rendition to as it is made, which then goes to [`put_written`](Self::put_written), or
    /// is dropped if it cannot be made; none, unless a sink says otherwise, and all are made in memory.
    ///
    /// # Errors
    /// Whatever keeps it from being made, as for [`put`](Self::put).
    fn open(&mut self, _coming: &Coming) -> io::Result<Option<Box<dyn Output>>> {
        Ok(None)
    }

    /// So many bytes of a file for what cannot be used in the order it comes in and is too much for memory; none, unless
    /// a sink says otherwise, and it is held in memory. Where they are is forgotten when the file is closed.
    ///
    /// # Errors
    /// Whatever keeps it from being made, as for [`put`](Self::put).
    fn scratch(&mut self, _bytes: u64) -> io::Result<Option<ScratchFile>> {
        Ok(None)
    }

    /// Takes a rendition that was written to what [`open`](Self::open) gave.
    ///
    /// # Errors
    /// As for [`put`](Self::put).
    fn put_written(&mut self, _written: Written) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Sink for Vec<Rendition> {
    fn put(&mut self, rendition: Rendition) -> io::Result<()> {
        self.push(rendition);
        Ok(())
    }
}

/// Where a file is written whose first bytes are known last. A sink gets its own back by `Box<dyn Any>::downcast`.
pub trait Output: Any {
    /// Adds to the end.
    ///
    /// # Errors
    /// Whatever keeps the bytes from being kept.
    fn add(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Puts other bytes in the place of the first ones.
    ///
    /// # Errors
    /// As for [`add`](Self::add).
    fn begin_with(&mut self, bytes: &[u8]) -> io::Result<()>;
}

impl Output for Vec<u8> {
    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn begin_with(&mut self, bytes: &[u8]) -> io::Result<()> {
        let start = self.get_mut(..bytes.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        start.copy_from_slice(bytes);
        Ok(())
    }
}

impl Output for File {
    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn begin_with(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.stream_position()?;
        self.seek(SeekFrom::Start(0))?;
        self.write_all(bytes)?;
        self.seek(SeekFrom::Start(end)).map(drop)
    }
}
