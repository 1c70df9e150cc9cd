//! A source that ends with an error once a deadline has passed: what stops a decoder that reads as it goes.

use std::io::{BufRead, Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::time::Instant;

use crate::limits::Limits;

/// A source that looks at the clock for every piece that is read of it.
pub(super) struct Timed<R> {
    inner: R,
    deadline: Option<Instant>,
}

impl<R> Timed<R> {
    pub(super) fn new(inner: R, limits: &Limits) -> Self {
        Self { inner, deadline: limits.deadline }
    }

    fn check(&self) -> Result<()> {
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Error::from(ErrorKind::TimedOut)),
            _ => Ok(()),
        }
    }
}

impl<R: Read> Read for Timed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.check()?;
        self.inner.read(buffer)
    }
}

impl<R: BufRead> BufRead for Timed<R> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        self.check()?;
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.inner.consume(amount);
    }
}

impl<R: Seek> Seek for Timed<R> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.inner.seek(to)
    }
}
