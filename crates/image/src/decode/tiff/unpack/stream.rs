//! Strips unpacked a piece at a time: for one that is so high that nobody wants all of it in memory.

use std::io::{self, Read};

use weezl::{BitOrder, LzwStatus, decode::Decoder};

/// LZW (TIFF 6.0 §13). The first writers packed codes from the lowest bit on, which shows in the first code: it is Clear.
pub(super) struct Lzw<'a> {
    decoder: Decoder,
    rest: &'a [u8],
}

impl<'a> Lzw<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        let decoder = match data {
            [0, second, ..] if second & 1 == 1 => Decoder::new(BitOrder::Lsb, 8),
            _ => Decoder::with_tiff_size_switch(BitOrder::Msb, 8),
        };
        Self { decoder, rest: data }
    }
}

impl Read for Lzw<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let result = self.decoder.decode_bytes(self.rest, into);
            self.rest = self.rest.get(result.consumed_in..).unwrap_or_default();
            match result.status {
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
                Ok(LzwStatus::Ok) if result.consumed_out == 0 && result.consumed_in > 0 => {}
                Ok(_) => return Ok(result.consumed_out),
            }
        }
    }
}

/// Runs and literals (TIFF 6.0 §9).
pub(super) struct PackBits<'a> {
    rest: &'a [u8],
    now: Packet<'a>,
}

enum Packet<'a> {
    Literal(&'a [u8]),
    Run(u8, usize),
}

impl<'a> PackBits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { rest: data, now: Packet::Literal(&[]) }
    }

    /// Goes to the next packet; false if there is none.
    fn next(&mut self) -> bool {
        let [control, tail @ ..] = self.rest else { return false };
        (self.now, self.rest) = match control {
            0..=127 => {
                let (literal, tail) = tail.split_at(tail.len().min(usize::from(*control) + 1));
                (Packet::Literal(literal), tail)
            }
            128 => (Packet::Literal(&[]), tail),
            129..=255 => match tail.split_first() {
                Some((value, tail)) => (Packet::Run(*value, 257 - usize::from(*control)), tail),
                None => return false,
            },
        };
        true
    }
}

impl Read for PackBits<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < into.len() {
            let left = &mut into[done..];
            let count = match &mut self.now {
                Packet::Literal(bytes) => {
                    let count = bytes.len().min(left.len());
                    let (some, others) = bytes.split_at(count);
                    left[..count].copy_from_slice(some);
                    *bytes = others;
                    count
                }
                Packet::Run(value, length) => {
                    let count = left.len().min(*length);
                    left[..count].fill(*value);
                    *length -= count;
                    count
                }
            };
            done += count;
            if count == 0 && !self.next() {
                break;
            }
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Apple's technical note 1023.
    #[test]
    fn runs_and_literals_in_pieces_of_any_size() {
        let packed =
            [0xFE, 0xAA, 0x02, 0x80, 0x00, 0x2A, 0x80, 0xFD, 0xAA, 0x03, 0x80, 0x00, 0x2A, 0x22, 0xF7, 0xAA];
        let runs =
            [&[0xAA; 3][..], &[0x80, 0, 0x2A], &[0xAA; 4], &[0x80, 0, 0x2A, 0x22], &[0xAA; 10]].concat();
        for size in [1, 2, 5, 100] {
            let mut stream = PackBits::new(&packed);
            let mut found = Vec::new();
            let mut piece = vec![0; size];
            loop {
                match stream.read(&mut piece).unwrap() {
                    0 => break,
                    count => found.extend_from_slice(&piece[..count]),
                }
            }
            assert_eq!(found, runs, "{size}");
        }
        // A run or a literal that is cut.
        for cut in [&[0xFE][..], &[0x05, 1]] {
            let mut found = Vec::new();
            PackBits::new(cut).read_to_end(&mut found).unwrap();
            assert!(found.len() < 2);
        }
    }
}
