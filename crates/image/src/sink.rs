//! Where renditions go as they are made.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use crate::recipe::OutputFormat;

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

/// A derivative that was encoded into a file the sink gave: one that may be too large for memory.
#[derive(Debug)]
pub struct FileRendition {
    /// The label of the derivative that it was made for.
    pub label: String,
    /// What it is encoded as.
    pub format: OutputFormat,
    /// Width in pixels, as stored.
    pub width: u32,
    /// Height in pixels, as stored.
    pub height: u32,
    /// The file, from its start to its end; where its cursor stands says nothing.
    pub file: File,
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

    /// An empty file to write a large rendition to, which then goes to [`put_file`](Self::put_file); none, unless a
    /// sink says otherwise, and all are made in memory. It is the caller's to remove.
    ///
    /// # Errors
    /// Whatever keeps it from being made, as for [`put`](Self::put).
    fn file(&mut self) -> io::Result<Option<File>> {
        Ok(None)
    }

    /// Takes a rendition that was written to a file which [`file`](Self::file) gave.
    ///
    /// # Errors
    /// As for [`put`](Self::put).
    fn put_file(&mut self, rendition: FileRendition) -> io::Result<()> {
        let FileRendition { label, format, width, height, mut file, length } = rendition;
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        file.seek(SeekFrom::Start(0))?;
        io::Read::read_to_end(&mut file, &mut bytes)?;
        self.put(Rendition { label, format, width, height, bytes })
    }
}

impl Sink for Vec<Rendition> {
    fn put(&mut self, rendition: Rendition) -> io::Result<()> {
        self.push(rendition);
        Ok(())
    }
}

/// Where a file is written whose first bytes are known last.
pub trait Output {
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
