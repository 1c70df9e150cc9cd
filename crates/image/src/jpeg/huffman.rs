//! Huffman tables made for one image's coefficients (ITU-T T.81, annex K.2).
//!
//! libjpeg can make them too, but counts a third of the time that copying luma takes. Counting here looks only at
//! the coefficients that are not zero; the tables are the same.

/// Zigzag position → place in a block, row by row (T.81 figure A.6).
pub(super) const PLACE: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7,
    14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39,
    46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Place in a block → zigzag position.
const POSITION: [u8; 64] = {
    let mut position = [0; 64];
    let mut at = 0;
    while at < 64 {
        position[PLACE[at] as usize] = at as u8;
        at += 1;
    }
    position
};

/// A run of sixteen zeros, as a symbol.
const ZERO_RUN: usize = 0xF0;
/// Bits of the largest AC coefficient of an 8-bit image; a DC difference may have one more.
const AC_BITS: u32 = 10;
/// No code may be longer (T.81 § K.2).
const LONGEST: usize = 16;

/// How often each symbol is needed to write a component.
pub(super) struct Counts {
    dc: [u64; 256],
    ac: [u64; 256],
    last_dc: i32,
}

/// A table as a JPEG file has it: how many codes of each length, and the symbols from short to long.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// Number of codes of 1 to 16 bits; element 0 is not used.
    pub lengths: [u8; 17],
    pub symbols: [u8; 256],
}

impl Counts {
    pub(super) fn new() -> Self {
        Self { dc: [0; 256], ac: [0; 256], last_dc: 0 }
    }

    /// From how often each symbol was met.
    pub(super) fn of(dc: [u64; 256], ac: [u64; 256]) -> Self {
        Self { dc, ac, last_dc: 0 }
    }

    /// Counts the symbols of the component's next block. `false` if it holds what no 8-bit image can.
    #[must_use]
    pub(super) fn add(&mut self, block: &[i16; 64]) -> bool {
        let dc = i32::from(block[0]);
        let difference = bits((dc - self.last_dc).unsigned_abs());
        self.last_dc = dc;
        self.dc[difference as usize] += 1;
        let mut largest = 0;
        let mut before = 0;
        let mut waiting = zigzag_of_nonzero(block) & !1;
        while waiting != 0 {
            let position = waiting.trailing_zeros();
            waiting &= waiting - 1;
            let mut zeros = position - before - 1;
            before = position;
            while zeros > 15 {
                self.ac[ZERO_RUN] += 1;
                zeros -= 16;
            }
            let value = block[usize::from(PLACE[position as usize & 63])];
            let size = bits(u32::from(value.unsigned_abs()));
            largest = largest.max(size);
            self.ac[(zeros << 4 | size) as usize & 0xFF] += 1;
        }
        if before < 63 {
            self.ac[0] += 1;
        }
        largest <= AC_BITS && difference <= AC_BITS + 1
    }

    /// The tables for DC and AC, the shortest there are for these counts.
    pub(super) fn tables(&self) -> (Table, Table) {
        (Table::shortest(&self.dc), Table::shortest(&self.ac))
    }
}

/// Bits that a magnitude takes.
fn bits(magnitude: u32) -> u32 {
    u32::BITS - magnitude.leading_zeros()
}

/// A set bit for each zigzag position whose coefficient is not zero.
fn zigzag_of_nonzero(block: &[i16; 64]) -> u64 {
    let mut nonzero = [0u8; 64];
    for (flag, value) in nonzero.iter_mut().zip(block) {
        *flag = u8::from(*value != 0);
    }
    let mut zigzag = 0u64;
    for (row, flags) in nonzero.as_chunks::<8>().0.iter().enumerate() {
        // Gathers the lowest bit of each of eight bytes into one byte.
        let mut row_bits = u64::from_le_bytes(*flags).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        while row_bits != 0 {
            let column = row_bits.trailing_zeros() as usize;
            row_bits &= row_bits - 1;
            zigzag |= 1 << POSITION[row * 8 + column];
        }
    }
    zigzag
}

/// The tables for luma of T.81 tables K.3 and K.5, which hold every symbol of an 8-bit image.
pub(super) fn standard_tables() -> (Table, Table) {
    const DC: [u8; 16] = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
    const AC: [u8; 16] = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125];
    #[rustfmt::skip]
    const FREQUENT: [u8; 42] = [
        0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71,
        0x14, 0x32, 0x81, 0x91, 0xA1, 0x08, 0x23, 0x42, 0xB1, 0xC1, 0x15, 0x52, 0xD1, 0xF0, 0x24, 0x33, 0x62, 0x72,
        0x82, 0x09, 0x0A, 0x16, 0x17, 0x18,
    ];
    // The others have the longest codes, in their own order.
    let sized = (0..=255u8).filter(|symbol| (1..=AC_BITS as u8).contains(&(symbol & 15)));
    let rare = sized.filter(|symbol| !FREQUENT.contains(symbol));
    let ac: Vec<u8> = FREQUENT.into_iter().chain(rare).collect();
    (Table::of(DC, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]), Table::of(AC, &ac))
}

impl Table {
    fn of(counts: [u8; 16], sorted: &[u8]) -> Table {
        let mut table = Table { lengths: [0; 17], symbols: [0; 256] };
        table.lengths[1..].copy_from_slice(&counts);
        table.symbols[..sorted.len()].copy_from_slice(sorted);
        table
    }

    /// The procedure of T.81 § K.2. Ties go to the larger symbol, as there, so that the table is the one that every
    /// encoder which follows it makes.
    fn shortest(counts: &[u64; 256]) -> Table {
        let sizes = code_sizes(counts);
        let mut lengths = [0u32; 257];
        sizes.iter().for_each(|size| lengths[*size] += 1);
        lengths[0] = 0;
        shorten(&mut lengths);
        // The reserved symbol has one of the longest codes; it is not written.
        if let Some(last) = lengths.iter_mut().rev().find(|count| **count > 0) {
            *last -= 1;
        }
        let mut table = Table { lengths: [0; 17], symbols: [0; 256] };
        for (count, length) in table.lengths.iter_mut().zip(lengths) {
            *count = length as u8;
        }
        let mut used: Vec<usize> = (0..256).filter(|symbol| sizes[*symbol] > 0).collect();
        used.sort_by_key(|symbol| (sizes[*symbol], *symbol));
        for (slot, symbol) in table.symbols.iter_mut().zip(used) {
            *slot = symbol as u8;
        }
        table
    }
}

/// The length of each symbol's code, and of the reserved one behind them, which keeps the code of all ones free
/// (figure K.1). Lengths over 16 are dealt with later.
fn code_sizes(counts: &[u64; 256]) -> [usize; 257] {
    let mut weights = [0u64; 257];
    weights[..256].copy_from_slice(counts);
    weights[256] = 1;
    let mut sizes = [0; 257];
    // Which symbols hang together below one node of the tree.
    let mut members: Vec<Vec<usize>> = (0..257).map(|symbol| vec![symbol]).collect();
    let lightest = |weights: &[u64; 257], but: Option<usize>| {
        let candidates = (0..257).filter(|symbol| weights[*symbol] > 0 && Some(*symbol) != but);
        candidates.min_by_key(|symbol| (weights[*symbol], std::cmp::Reverse(*symbol)))
    };
    while let Some(first) = lightest(&weights, None)
        && let Some(second) = lightest(&weights, Some(first))
    {
        weights[first] += weights[second];
        weights[second] = 0;
        let joining = std::mem::take(&mut members[second]);
        members[first].extend(joining);
        members[first].iter().for_each(|symbol| sizes[*symbol] += 1);
    }
    sizes
}

/// Brings all lengths to at most sixteen (figure K.3): a pair of too long codes gives its shared prefix to one of
/// them, and the other goes below a shorter code.
fn shorten(lengths: &mut [u32; 257]) {
    for length in (LONGEST + 1..257).rev() {
        while lengths[length] > 0 {
            let Some(shorter) = (1..length - 1).rev().find(|shorter| lengths[*shorter] > 0) else { return };
            lengths[length] -= 2;
            lengths[length - 1] += 1;
            lengths[shorter + 1] += 2;
            lengths[shorter] -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_the_standard_would_write() {
        let mut counts = Counts::new();
        let mut block = [0i16; 64];
        block[0] = 5;
        block[usize::from(PLACE[1])] = -3;
        block[usize::from(PLACE[40])] = 1;
        assert!(counts.add(&block));
        assert_eq!(counts.dc[3], 1);
        // Two bits right away; 38 zeros are two runs of sixteen and six; then the end of the block.
        assert_eq!((counts.ac[0x02], counts.ac[ZERO_RUN], counts.ac[0x61], counts.ac[0]), (1, 2, 1, 1));
        block[63] = 1;
        assert!(counts.add(&block));
        assert_eq!((counts.dc[0], counts.ac[0]), (1, 1), "no end is written after the last coefficient");
        block[1] = 1024;
        assert!(!counts.add(&block), "eleven bits are too many");
    }

    #[test]
    fn no_code_is_longer_than_sixteen_bits() {
        // Fibonacci weights make the longest codes there are.
        let mut counts = [0u64; 256];
        let (mut a, mut b) = (1, 1);
        for count in counts.iter_mut().take(40) {
            *count = a;
            (a, b) = (b, a + b);
        }
        let table = Table::shortest(&counts);
        let codes: u32 = table.lengths.iter().map(|count| u32::from(*count)).sum();
        assert_eq!(codes, 40);
        // Kraft's sum leaves room for the reserved code of all ones.
        let room: u32 = (1..=16).map(|length| u32::from(table.lengths[length]) << (16 - length)).sum();
        assert!(room < 1 << 16);
    }

    proptest::proptest! {
        #[test]
        fn frequent_symbols_never_have_longer_codes(counts in proptest::collection::vec(0u64..10_000, 256)) {
            let counts: [u64; 256] = counts.try_into().unwrap();
            // Bringing longer codes to sixteen bits moves some symbols of equal length apart.
            proptest::prop_assume!(code_sizes(&counts).iter().all(|size| *size <= LONGEST));
            let table = Table::shortest(&counts);
            let used = counts.iter().filter(|count| **count > 0).count();
            let lengths = (1..=16).flat_map(|length| std::iter::repeat_n(length, usize::from(table.lengths[length])));
            let coded: Vec<(usize, u64)> =
                lengths.zip(table.symbols).map(|(length, symbol)| (length, counts[usize::from(symbol)])).collect();
            proptest::prop_assert_eq!(coded.len(), used);
            for pair in coded.windows(2) {
                proptest::prop_assert!(pair[0].0 == pair[1].0 || pair[0].1 >= pair[1].1);
            }
        }
    }
}
