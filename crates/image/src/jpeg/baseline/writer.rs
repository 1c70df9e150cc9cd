//! Writes a grey baseline JPEG from codes: the segments that libjpeg would write, in its order, and its scan.

use super::super::huffman::Table;
use super::block::Code;

/// What the headers of a grey JPEG say.
pub(super) struct Grey<'a> {
    pub width: u16,
    pub height: u16,
    /// JFIF's version, unit and density.
    pub jfif: [u8; 7],
    /// What APP1 carries, if there is one.
    pub exif: Option<&'a [u8]>,
    /// Quantisation steps in zigzag order.
    pub steps: [u8; 64],
}

impl Grey<'_> {
    /// All that stands before the scan's data.
    pub(super) fn head(&self, dc: &Table, ac: &Table) -> Vec<u8> {
        let mut file = vec![0xFF, 0xD8];
        // No thumbnail.
        segment(&mut file, 0xE0, &[b"JFIF\0", &self.jfif[..], &[0, 0]]);
        if let Some(exif) = self.exif {
            segment(&mut file, 0xE1, &[exif]);
        }
        segment(&mut file, 0xDB, &[&[0], &self.steps]);
        // One component, number 1, sampled once, quantised by table 0.
        let (height, width) = (self.height.to_be_bytes(), self.width.to_be_bytes());
        segment(&mut file, 0xC0, &[&[8], &height, &width, &[1, 1, 0x11, 0]]);
        for (kind, table) in [(0x00, dc), (0x10, ac)] {
            let count: u8 = table.lengths[1..].iter().sum();
            segment(&mut file, 0xC4, &[&[kind], &table.lengths[1..], &table.symbols[..usize::from(count)]]);
        }
        // The same component with tables 0, all its coefficients.
        segment(&mut file, 0xDA, &[&[1, 1, 0x00, 0, 63, 0]]);
        file
    }
}

fn segment(file: &mut Vec<u8>, marker: u8, parts: &[&[u8]]) {
    let length = 2 + parts.iter().map(|part| part.len()).sum::<usize>();
    file.extend([0xFF, marker]);
    file.extend((length as u16).to_be_bytes());
    parts.iter().for_each(|part| file.extend_from_slice(part));
}

/// A code of the scan to be, packed: its bits, its symbol, and whether that is DC's.
#[derive(Clone, Copy)]
pub(super) struct Token(u32);

impl Token {
    const DC: u32 = 1 << 24;

    #[inline(always)]
    pub(super) fn ac(code: Code) -> Self {
        Self(u32::from(code.symbol) << 16 | code.bits)
    }

    /// For a difference of at most eleven bits (T.81 §F.1.2.1).
    #[inline(always)]
    pub(super) fn dc(difference: i32) -> Self {
        let size = u32::BITS - difference.unsigned_abs().leading_zeros();
        let bits = if difference < 0 { difference - 1 } else { difference } as u32;
        Self(Self::DC | size << 16 | bits & ((1 << size) - 1))
    }

    /// Which of all symbols it is: 0 to 255 are AC's, 256 to 511 DC's.
    #[inline(always)]
    pub(super) fn which(self) -> usize {
        (self.0 >> 16) as usize & 511
    }
}

/// Writes codes and their bits behind the headers, stuffed.
pub(super) struct ScanWriter<'a> {
    file: &'a mut Vec<u8>,
    /// By [`Token::which`].
    codes: [(u16, u8); 512],
    /// The topmost bits that are not yet written end at bit 0; between two tokens they are fewer than 32.
    waiting: u64,
    count: u32,
}

impl<'a> ScanWriter<'a> {
    pub(super) fn new(file: &'a mut Vec<u8>, dc: &Table, ac: &Table) -> Self {
        let mut codes = [(0, 0); 512];
        number(ac, &mut codes[..256]);
        number(dc, &mut codes[256..]);
        Self { file, codes, waiting: 0, count: 0 }
    }

    pub(super) fn put(&mut self, tokens: &[Token]) {
        let (mut waiting, mut count) = (self.waiting, self.count);
        for token in tokens {
            let (code, length) = self.codes[token.which()];
            let size = token.0 >> 16 & 15;
            // At most 16 bits of code and 11 behind it.
            waiting = (waiting << length | u64::from(code)) << size | u64::from(token.0 & 0xFFFF);
            count += u32::from(length) + size;
            if count >= 32 {
                count -= 32;
                put_word(self.file, (waiting >> count) as u32);
            }
        }
        (self.waiting, self.count) = (waiting, count);
    }

    /// Fills the last byte with ones (T.81 §F.1.2.3) and ends the image.
    pub(super) fn finish(mut self) {
        while self.count > 0 {
            let missing = 8u32.saturating_sub(self.count);
            self.waiting = self.waiting << missing | ((1 << missing) - 1);
            self.count = self.count + missing - 8;
            put_byte(self.file, (self.waiting >> self.count) as u8);
        }
        self.file.extend([0xFF, 0xD9]);
    }
}

#[inline(always)]
fn put_word(file: &mut Vec<u8>, word: u32) {
    // Whether a byte is 0xFF is whether its complement is zero.
    let complement = !word;
    if complement.wrapping_sub(0x0101_0101) & !complement & 0x8080_8080 == 0 {
        file.extend_from_slice(&word.to_be_bytes());
    } else {
        word.to_be_bytes().into_iter().for_each(|byte| put_byte(file, byte));
    }
}

fn put_byte(file: &mut Vec<u8>, byte: u8) {
    file.push(byte);
    if byte == 0xFF {
        file.push(0);
    }
}

/// Gives each symbol of a table its code and length (T.81 annex C).
fn number(table: &Table, codes: &mut [(u16, u8)]) {
    let mut symbols = table.symbols.iter();
    let mut code = 0u32;
    for length in 1..=16u8 {
        for symbol in symbols.by_ref().take(usize::from(table.lengths[usize::from(length)])) {
            codes[usize::from(*symbol)] = (code as u16, length);
            code += 1;
        }
        code <<= 1;
    }
}
