//! ISO base media boxes (ISO/IEC 14496-12 §4.2): a length, four letters, a payload. Nothing here is copied or allocated.

use crate::error::Error;

/// Four letters that name a box, an item or a reference.
pub(super) type Kind = [u8; 4];

/// Reads big-endian numbers from the front of some bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(cut)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A number of 0 to 8 bytes; of none it is 0.
    pub(super) fn number(&mut self, bytes: usize) -> Result<u64, Error> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    pub(super) fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn short(&mut self) -> Result<u16, Error> {
        Ok(self.number(2)? as u16)
    }

    pub(super) fn long(&mut self) -> Result<u32, Error> {
        Ok(self.number(4)? as u32)
    }

    pub(super) fn kind(&mut self) -> Result<Kind, Error> {
        let letters = self.take(4)?;
        Ok([letters[0], letters[1], letters[2], letters[3]])
    }

    /// The version and flags that a full box begins with.
    pub(super) fn version(&mut self) -> Result<(u8, u32), Error> {
        let word = self.long()?;
        Ok(((word >> 24) as u8, word & 0x00FF_FFFF))
    }

    /// The next box: its kind and payload.
    pub(super) fn next_box(&mut self) -> Result<(Kind, Reader<'a>), Error> {
        let whole = self.0;
        let short_length = self.long()?;
        let kind = self.kind()?;
        let length = match short_length {
            // To the end of the file.
            0 => whole.len(),
            1 => usize::try_from(self.number(8)?).map_err(|_| cut())?,
            length => length as usize,
        };
        let header = whole.len() - self.0.len();
        let payload =
            length.checked_sub(header).ok_or_else(|| Error::corrupt("the AVIF has a box too short"))?;
        Ok((kind, Reader(self.take(payload)?)))
    }
}

pub(super) fn cut() -> Error {
    Error::truncated("the AVIF ends before its image does")
}
