//! Bytes that are too many for memory: in a file without a name, mapped, so that the system may write them out and take
//! their memory back. What a decoder can only make whole, or in another order than it is wanted in, lies here.
//!
//! The room is taken on the disk before anything is written: a disk that is full is an error then, with its name, and
//! not a signal (SIGBUS) at some later write. A disk that breaks, and file systems that take room without keeping it
//! (those that compress, or share blocks), are left to the signal.

use std::fs::File;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use memmap2::{MmapMut, MmapOptions};

use crate::error::{Error, ErrorKind};

/// Bytes that are not worth a file.
pub(crate) const SMALL: u64 = 32 << 20;

/// A part of a file that nobody else reads or writes, all of it zero.
#[derive(Debug)]
pub struct ScratchFile {
    /// The file, open for reading and writing.
    pub file: Arc<File>,
    /// Where the part begins: at a page of memory, so at a multiple of 64 KiB. It may go beyond the file's end.
    pub start: u64,
}

impl ScratchFile {
    /// Takes the room on the disk.
    pub(crate) fn reserve(&self, bytes: u64) -> Result<(), Error> {
        reserve(&self.file, self.start, bytes).map_err(no_room)
    }
}

/// Gives so many bytes of a file; none, and memory has to do.
pub(crate) type Scratch<'s> = &'s mut dyn FnMut(u64) -> io::Result<Option<ScratchFile>>;

/// Bytes in memory, or in a file if they are many.
pub(crate) enum Buffer {
    Memory(Vec<u8>),
    Mapped { map: MmapMut, length: usize },
}

impl Buffer {
    /// So many zeros.
    pub(crate) fn blank(length: usize, scratch: Scratch<'_>) -> Result<Self, Error> {
        let bytes = length as u64;
        let place = if bytes > SMALL { scratch(bytes).map_err(no_room)? } else { None };
        match place {
            None => Ok(Self::Memory(vec![0; length])),
            Some(place) => {
                place.reserve(bytes)?;
                Ok(Self::Mapped { map: map(&place, length).map_err(no_room)?, length })
            }
        }
    }

    /// Forgets what is behind the first `length` bytes.
    pub(crate) fn truncate(&mut self, to: usize) {
        match self {
            Self::Memory(bytes) => bytes.truncate(to),
            Self::Mapped { length, .. } => *length = to.min(*length),
        }
    }

    pub(crate) fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Memory(bytes) => bytes,
            Self::Mapped { .. } => self.to_vec(),
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Memory(bytes) => bytes,
            Self::Mapped { map, length } => &map[..*length],
        }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Memory(bytes) => bytes,
            Self::Mapped { map, length } => &mut map[..*length],
        }
    }
}

#[allow(unsafe_code)]
fn map(place: &ScratchFile, length: usize) -> io::Result<MmapMut> {
    // SAFETY: the map is sound while nobody else changes or shortens this part of the file, which is what whoever gives
    // a `ScratchFile` promises; the room behind it was just taken. The map outlives the handle.
    unsafe { MmapOptions::new().offset(place.start).len(length).map_mut(&*place.file) }
}

/// Takes room in a file, of zeros.
fn reserve(file: &File, start: u64, bytes: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    loop {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        match fallocate(file, FallocateFlags::empty(), start, bytes) {
            Ok(()) => return Ok(()),
            Err(Errno::INTR) => {}
            // A file system that cannot.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => break,
            Err(error) => return Err(error.into()),
        }
    }
    fill(file, start, bytes)
}

/// The same by writing zeros.
fn fill(file: &File, start: u64, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; 1 << 20];
    let mut done = 0;
    while done < bytes {
        let some = usize::try_from(bytes - done).unwrap_or(usize::MAX).min(zeros.len());
        file.write_all_at(&zeros[..some], start + done)?;
        done += some as u64;
    }
    Ok(())
}

pub(crate) fn no_room(error: io::Error) -> Error {
    let message = format!("the image could not be laid aside in a scratch file: {error}");
    Error::new(ErrorKind::Sink, message).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(start: u64) -> impl FnMut(u64) -> io::Result<Option<ScratchFile>> {
        move |_| Ok(Some(ScratchFile { file: tempfile::tempfile()?.into(), start }))
    }

    #[test]
    fn what_is_large_lies_in_the_file() {
        let length = SMALL as usize + 1;
        let file = tempfile::tempfile().unwrap();
        let kept = file.try_clone().unwrap();
        let mut file = Some(file);
        let mut scratch = |_| Ok(file.take().map(|file| ScratchFile { file: file.into(), start: 1 << 16 }));
        let mut buffer = Buffer::blank(length, &mut scratch).unwrap();
        assert!(matches!(buffer, Buffer::Mapped { .. }) && buffer.len() == length);
        assert!(buffer.iter().all(|byte| *byte == 0));
        buffer[length - 1] = 7;
        let mut last = [0];
        kept.read_exact_at(&mut last, (1 << 16) + SMALL).unwrap();
        assert_eq!(last, [7]);
        buffer.truncate(3);
        assert_eq!(buffer.into_vec(), [0; 3]);
    }

    #[test]
    fn what_is_small_or_has_no_file_lies_in_memory() {
        assert!(matches!(Buffer::blank(SMALL as usize, &mut from(0)).unwrap(), Buffer::Memory(_)));
        assert!(matches!(Buffer::blank(SMALL as usize + 1, &mut |_| Ok(None)).unwrap(), Buffer::Memory(_)));
    }

    #[test]
    fn room_that_is_not_there_is_an_error_before_anything_is_written() {
        let full = |_| Err(io::ErrorKind::StorageFull.into());
        let error = Buffer::blank(SMALL as usize + 1, &mut { full }).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Sink);
        let read_only = |_| Ok(Some(ScratchFile { file: File::open("/dev/null")?.into(), start: 0 }));
        let error = Buffer::blank(SMALL as usize + 1, &mut { read_only }).err().unwrap();
        assert!(error.to_string().contains("scratch file"), "{error}");
    }

    #[test]
    fn zeros_are_written_where_room_cannot_be_taken() {
        let file = tempfile::tempfile().unwrap();
        fill(&file, 5, (1 << 20) + 3).unwrap();
        assert_eq!(file.metadata().unwrap().len(), (1 << 20) + 8);
    }
}
