//! Sorting on disk: records go in in any order and come out by key, with as much memory for a thousand as for a thousand
//! million.
//!
//! What fills the buffer is sorted and written to an unnamed file as a run; runs are read side by side, and made one when
//! they are many. Records of one key keep their order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes that are sorted at once.
const BUFFER: usize = 16 << 20;
/// Runs that are read side by side, 64 KiB of memory each.
const RUNS: usize = 64;

/// A key, and what belongs to it.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Takes records.
#[derive(Debug)]
pub struct Sorter {
    folder: PathBuf,
    most: usize,
    bytes: Vec<u8>,
    /// Where each record's key begins, where it ends, and where the record ends.
    records: Vec<(usize, usize, usize)>,
    runs: Vec<File>,
}

impl Sorter {
    /// Runs lie in `folder`, without names.
    pub fn new(folder: &Path) -> Sorter {
        Sorter::with_buffer(folder, BUFFER)
    }

    fn with_buffer(folder: &Path, most: usize) -> Sorter {
        Sorter { folder: folder.to_owned(), most, bytes: Vec::new(), records: Vec::new(), runs: Vec::new() }
    }

    /// Takes a record.
    ///
    /// # Errors
    /// A disk that is full.
    pub fn push(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let full = self.bytes.len() + self.records.len() * size_of::<(usize, usize, usize)>();
        if full + key.len() + value.len() > self.most && !self.records.is_empty() {
            self.spill()?;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.records.push((start, middle, self.bytes.len()));
        Ok(())
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        self.records.sort_by(|one, other| bytes[one.0..one.1].cmp(&bytes[other.0..other.1]));
    }

    fn spill(&mut self) -> io::Result<()> {
        self.sort();
        let mut run = BufWriter::with_capacity(256 << 10, tempfile::tempfile_in(&self.folder)?);
        for (start, middle, end) in self.records.drain(..) {
            write(&mut run, &self.bytes[start..middle], &self.bytes[middle..end])?;
        }
        self.bytes.clear();
        self.runs.push(run.into_inner().map_err(io::IntoInnerError::into_error)?);
        if self.runs.len() == RUNS {
            // Of runs that were made one, the first is longest: it counts as one all the same.
            let mut merged = Merged::of(std::mem::take(&mut self.runs))?;
            let mut run = BufWriter::with_capacity(256 << 10, tempfile::tempfile_in(&self.folder)?);
            while let Some((key, value)) = merged.next()? {
                write(&mut run, &key, &value)?;
            }
            self.runs.push(run.into_inner().map_err(io::IntoInnerError::into_error)?);
        }
        Ok(())
    }

    /// Gives the records back by key.
    ///
    /// # Errors
    /// A disk that is full.
    pub fn sorted(mut self) -> io::Result<Sorted> {
        if self.runs.is_empty() {
            self.sort();
            return Ok(Sorted::Memory { bytes: self.bytes, records: self.records.into_iter() });
        }
        if !self.records.is_empty() {
            self.spill()?;
        }
        Ok(Sorted::Runs(Merged::of(self.runs)?))
    }
}

/// Records by key.
#[derive(Debug)]
pub enum Sorted {
    /// They never left memory.
    Memory {
        /// All of them.
        bytes: Vec<u8>,
        /// Where each is.
        records: std::vec::IntoIter<(usize, usize, usize)>,
    },
    /// They lie in files.
    Runs(Merged),
}

impl Sorted {
    /// The next record.
    ///
    /// # Errors
    /// What the disk says.
    #[allow(clippy::should_implement_trait, reason = "an iterator would go on after an error")]
    pub fn next(&mut self) -> io::Result<Option<Pair>> {
        match self {
            Sorted::Memory { bytes, records } => Ok(records
                .next()
                .map(|(start, middle, end)| (bytes[start..middle].to_vec(), bytes[middle..end].to_vec()))),
            Sorted::Runs(merged) => merged.next(),
        }
    }
}

/// A key, the run that it is of, and what belongs to it.
type Next = (Vec<u8>, usize, Vec<u8>);

/// Runs that are read side by side.
#[derive(Debug)]
pub struct Merged {
    runs: Vec<BufReader<File>>,
    /// What comes next of each run; of one key, the earlier run's.
    next: BinaryHeap<Reverse<Next>>,
}

impl Merged {
    fn of(files: Vec<File>) -> io::Result<Merged> {
        let mut merged = Merged { runs: Vec::with_capacity(files.len()), next: BinaryHeap::new() };
        for (index, mut file) in files.into_iter().enumerate() {
            file.seek(SeekFrom::Start(0))?;
            merged.runs.push(BufReader::with_capacity(64 << 10, file));
            merged.refill(index)?;
        }
        Ok(merged)
    }

    fn refill(&mut self, index: usize) -> io::Result<()> {
        if let Some((key, value)) = read(&mut self.runs[index])? {
            self.next.push(Reverse((key, index, value)));
        }
        Ok(())
    }

    fn next(&mut self) -> io::Result<Option<Pair>> {
        let Some(Reverse((key, index, value))) = self.next.pop() else { return Ok(None) };
        self.refill(index)?;
        Ok(Some((key, value)))
    }
}

fn write(to: &mut impl Write, key: &[u8], value: &[u8]) -> io::Result<()> {
    for part in [key, value] {
        to.write_all(&(part.len() as u64).to_le_bytes())?;
    }
    to.write_all(key)?;
    to.write_all(value)
}

fn read(from: &mut impl Read) -> io::Result<Option<Pair>> {
    let mut lengths = [0; 16];
    match from.read_exact(&mut lengths) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = |at: usize| {
        let bytes = lengths[at..at + 8].try_into().unwrap_or_default();
        usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX)
    };
    let (mut key, mut value) = (vec![0; length(0)], vec![0; length(8)]);
    from.read_exact(&mut key)?;
    from.read_exact(&mut value)?;
    Ok(Some((key, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(records: &[(Vec<u8>, u32)], buffer: usize) -> Vec<(Vec<u8>, u32)> {
        let folder = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::with_buffer(folder.path(), buffer);
        records.iter().for_each(|(key, value)| sorter.push(key, &value.to_le_bytes()).unwrap());
        let mut sorted = sorter.sorted().unwrap();
        let mut all = Vec::new();
        while let Some((key, value)) = sorted.next().unwrap() {
            all.push((key, u32::from_le_bytes(value.try_into().unwrap())));
        }
        all
    }

    proptest::proptest! {
        #[test]
        fn any_buffer_gives_one_order(keys in proptest::collection::vec("[a-c/]{0,4}", 0..300), buffer in 1usize..4000) {
            let records: Vec<(Vec<u8>, u32)> = keys.into_iter().map(String::into_bytes).zip(0..).collect();
            let mut expected = records.clone();
            expected.sort_by(|one, other| one.0.cmp(&other.0));
            proptest::prop_assert_eq!(sorted(&records, buffer), expected);
        }
    }
}
