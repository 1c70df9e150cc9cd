//! Bits of a scan whose stuffing was taken out, from the most significant on.

/// A position in scan data. Past the end there are zeros, so reading never fails; [`position`](Self::position) tells
/// whether it went too far.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    /// The next byte that is not in the buffer.
    at: usize,
    /// The next bits, topmost first.
    buffer: u64,
    /// How many of them are whole; what is below is not to be relied on.
    count: u32,
}

impl<'a> Bits<'a> {
    /// Starts at a byte.
    pub(super) fn new(data: &'a [u8], at: usize) -> Self {
        Self { data, at, buffer: 0, count: 0 }
    }

    /// Makes at least 32 bits ready, which is more than a code and what follows it take.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        if self.count < 32 {
            let ahead = self.data.get(self.at..).and_then(|rest| rest.first_chunk::<8>());
            let word = ahead.map_or_else(|| self.last_bytes(), |bytes| u64::from_be_bytes(*bytes));
            self.buffer |= word >> self.count;
            // As many whole bytes as there was room for.
            self.at += (63 - self.count as usize) / 8;
            self.count |= 56;
        }
    }

    #[cold]
    fn last_bytes(&self) -> u64 {
        let mut bytes = [0; 8];
        for (byte, left) in bytes.iter_mut().zip(self.data.get(self.at..).unwrap_or_default()) {
            *byte = *left;
        }
        u64::from_be_bytes(bytes)
    }

    /// The next `count` bits, 1 to 32.
    #[inline(always)]
    pub(super) fn peek(&self, count: u32) -> u32 {
        (self.buffer >> (64 - count)) as u32
    }

    /// Goes on by at most as many bits as are ready.
    #[inline(always)]
    pub(super) fn skip(&mut self, count: u32) {
        self.buffer <<= count;
        self.count -= count;
    }

    /// Bits that were read, counted from the start of the data.
    pub(super) fn position(&self) -> usize {
        self.at * 8 - self.count as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_in_order_and_then_zeros() {
        let data: Vec<u8> = (1..=21).collect();
        let mut bits = Bits::new(&data, 2);
        for expected in data[2..].iter().chain(&[0; 12]) {
            for half in [expected >> 4, expected & 15] {
                bits.refill();
                assert_eq!(bits.peek(4), u32::from(half));
                bits.skip(4);
            }
        }
        assert_eq!(bits.position(), (21 + 12) * 8);
    }
}
