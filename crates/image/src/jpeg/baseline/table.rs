//! Huffman tables for reading (ITU-T T.81 §F.2.2), with a look-up that mostly gives a whole coefficient at once.

use super::bits::Bits;

/// Bits that are looked up at once.
const AHEAD: u32 = 10;

/// What the next bits mean, packed.
///
/// Bits 0 to 4 are its length, 0 where the code is longer than the look-up; 13 to 20 are the symbol. Where nothing but
/// what was in sight belongs to it, `WHOLE` is set: then the length counts the coefficient's own bits, 21 to 31 are its
/// value, and 6 to 12 how many positions of a block it skips, past all of them at the end of the block.
#[derive(Clone, Copy)]
pub(super) struct Entry(u32);

const WHOLE: u32 = 1 << 5;
/// No position is as far.
const PAST_ALL: u32 = 64;

impl Entry {
    /// A symbol that `rest`, `spare` bits that follow its code, may hold the value of.
    fn new(symbol: u8, length: u32, rest: u32, spare: u32) -> Self {
        let size = u32::from(symbol & 15);
        let packed = u32::from(symbol) << 13;
        Self(match size {
            0 if symbol == 0 => packed | PAST_ALL << 6 | WHOLE | length,
            1.. if size <= spare => {
                let value = extend(rest >> (spare - size), size) as u32;
                value << 21 | packed | u32::from(symbol >> 4) << 6 | WHOLE | (length + size)
            }
            _ => packed | length,
        })
    }

    #[inline(always)]
    pub(super) fn is_whole(self) -> bool {
        self.0 & WHOLE != 0
    }

    #[inline(always)]
    pub(super) fn length(self) -> u32 {
        self.0 & 0x1F
    }

    #[inline(always)]
    pub(super) fn symbol(self) -> u8 {
        (self.0 >> 13) as u8
    }

    #[inline(always)]
    pub(super) fn value(self) -> i32 {
        self.0 as i32 >> 21
    }

    /// Positions that are skipped: zeros before the coefficient, or all there are.
    #[inline(always)]
    pub(super) fn skipped(self) -> usize {
        (self.0 >> 6 & 0x7F) as usize
    }
}

/// One table, ready to read with.
pub(super) struct Table {
    ahead: Box<[Entry; 1 << AHEAD]>,
    /// For each length, one more than its last code, moved up to 16 bits; what is below has at most that length.
    limits: [u32; 17],
    /// For each length, what its codes have to be moved by to become a place among the symbols.
    offsets: [i32; 17],
    symbols: Vec<u8>,
}

impl Table {
    /// From a DHT segment's counts of codes of 1 to 16 bits and their symbols; `None` if these make no prefix code.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut table = Self {
            ahead: Box::new([Entry(0); 1 << AHEAD]),
            limits: [0; 17],
            offsets: [0; 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut first) = (0u32, 0usize);
        for length in 1..=16u32 {
            let count = usize::from(counts[length as usize - 1]);
            table.offsets[length as usize] = first as i32 - code as i32;
            for symbol in symbols.get(first..first + count)? {
                if length <= AHEAD {
                    table.look_up_as(code, length, *symbol)?;
                }
                code += 1;
            }
            // The code of all ones is never used, which this checks too.
            if count > 0 && code >= 1 << length {
                return None;
            }
            table.limits[length as usize] = code << (16 - length);
            first += count;
            code <<= 1;
        }
        (first == symbols.len()).then_some(table)
    }

    fn look_up_as(&mut self, code: u32, length: u32, symbol: u8) -> Option<()> {
        let spare = AHEAD - length;
        for rest in 0..1u32 << spare {
            let entry = Entry::new(symbol, length, rest, spare);
            *self.ahead.get_mut((code << spare | rest) as usize)? = entry;
        }
        Some(())
    }

    /// What the next bits mean. At least 16 must be ready.
    #[inline(always)]
    pub(super) fn look_up(&self, bits: &Bits<'_>) -> Entry {
        self.ahead[(bits.peek(AHEAD) & ((1 << AHEAD) - 1)) as usize]
    }

    /// The symbol that comes next, which is read. At least 16 bits must be ready. `None` if there is no such code.
    #[inline(always)]
    pub(super) fn symbol(&self, bits: &mut Bits<'_>, entry: Entry) -> Option<u8> {
        if entry.length() != 0 {
            bits.skip(entry.length());
            return Some(entry.symbol());
        }
        let next = bits.peek(16);
        let length = (AHEAD as usize + 1..=16).find(|length| next < self.limits[*length])?;
        let code = next >> (16 - length);
        bits.skip(length as u32);
        self.symbols.get((code as i32 + self.offsets[length]) as usize).copied()
    }
}

/// The value that `size` bits stand for (T.81 §F.2.2.1): those that begin with a zero are negative.
#[inline(always)]
pub(super) fn extend(bits: u32, size: u32) -> i32 {
    let least = 1i32 << (size - 1);
    let value = bits as i32;
    if value < least { value - 2 * least + 1 } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_codes_say() {
        // Codes 0, 10, and behind 110 one of twelve bits: 110000000000.
        let mut counts = [0; 16];
        (counts[0], counts[1], counts[11]) = (1, 1, 1);
        let table = Table::new(&counts, &[0x02, 0x00, 0x31]).unwrap();
        // 0 then 01; 10; 110000000000 then 1.
        let data = [0b0011_0110, 0b0000_0000, 0b0100_0000];
        let mut bits = Bits::new(&data, 0);
        bits.refill();
        let first = table.look_up(&bits);
        assert!(first.is_whole());
        assert_eq!((first.value(), first.length(), first.symbol()), (-2, 3, 0x02));
        bits.skip(first.length());
        let second = table.look_up(&bits);
        assert!(second.is_whole());
        assert_eq!((second.value(), second.length(), second.symbol(), second.skipped()), (0, 2, 0x00, 64));
        bits.skip(second.length());
        let third = table.look_up(&bits);
        assert!(!third.is_whole());
        assert_eq!(table.symbol(&mut bits, third), Some(0x31));
        assert_eq!(bits.position(), 17);
    }

    #[test]
    fn what_is_no_prefix_code_is_refused() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(Table::new(&counts, &[1, 2, 3]).is_none());
        counts[0] = 2;
        assert!(Table::new(&counts, &[1, 2]).is_none(), "all ones is no code");
        counts[0] = 1;
        assert!(Table::new(&counts, &[1, 2]).is_none());
        assert!(Table::new(&counts, &[]).is_none());
        assert!(Table::new(&counts, &[1]).is_some());
    }
}
