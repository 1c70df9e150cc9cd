//! A JPEG's luma as a JPEG of its own, code by code: only what the codes are written with changes, and DC, whose
//! differences are taken in another order.

use super::super::huffman::{Counts, standard_tables};
use super::bits::Bits;
use super::block::{ac_codes, dc_difference};
use super::planes::ends_at;
use super::scan::Scan;
use super::writer::{Grey, ScanWriter, Token};
use crate::limits::Limits;

/// A DC difference of an 8-bit image has at most this many bits.
const DC_MOST: u32 = (1 << 11) - 1;

/// The grey JPEG of component 0, which must be at full size, with `exif` as what APP1 carries, and Huffman tables made for
/// it or the standard's. The bytes are those that libjpeg writes for the same coefficients. `None` if this reader is not
/// for the source.
pub(crate) fn luma_only(
    source: &[u8],
    size: (u32, u32),
    exif: Option<&[u8]>,
    optimised: bool,
    limits: &Limits,
) -> Option<Vec<u8>> {
    let scan = Scan::read(source)?;
    let luma = scan.components.first()?;
    if (scan.width, scan.height) != size || luma.blocks != scan.most {
        return None;
    }
    // Four bytes a code, of six bits or so, must not take more than the coefficients would.
    let blocks = scan.components.iter().map(|c| c.blocks.0 * c.blocks.1).sum::<usize>();
    if scan.data.len() * 7 > scan.mcus.0 * scan.mcus.1 * blocks * 128 {
        return None;
    }
    let mut steps = [0; 64];
    for (step, from) in steps.iter_mut().zip(luma.steps) {
        *step = u8::try_from(from).ok()?;
    }
    let grey = Grey {
        width: u16::try_from(scan.width).ok()?,
        height: u16::try_from(scan.height).ok()?,
        jfif: match scan.jfif {
            Some(jfif @ [1 | 2, ..]) => jfif,
            // Version 1.1, no unit, square: what libjpeg writes where a source says nothing it knows.
            Some([_, _, density @ ..]) => {
                let [unit, x1, x0, y1, y0] = density;
                [1, 1, unit, x1, x0, y1, y0]
            }
            None => [1, 1, 0, 0, 1, 0, 1],
        },
        exif,
        steps,
    };
    if !optimised {
        let (dc, ac) = standard_tables();
        let mut file = grey.head(&dc, &ac);
        file.reserve(scan.data.len());
        let mut writer = ScanWriter::new(&mut file, &dc, &ac);
        copy(&scan, limits, |tokens| writer.put(tokens))?;
        writer.finish();
        return Some(file);
    }
    // A code takes six bits or so; growing in steps would copy.
    let mut tokens = Vec::with_capacity(scan.data.len() * 3 / 2);
    copy(&scan, limits, |row| tokens.extend_from_slice(row))?;
    let (mut dc, mut ac) = ([0u64; 256], [0u64; 256]);
    let mut counts = [0u32; 512];
    tokens.iter().for_each(|token| counts[token.which()] += 1);
    for (total, count) in ac.iter_mut().chain(&mut dc).zip(counts) {
        *total = count.into();
    }
    let (dc, ac) = Counts::of(dc, ac).tables();
    let mut file = grey.head(&dc, &ac);
    file.reserve(scan.data.len());
    let mut writer = ScanWriter::new(&mut file, &dc, &ac);
    writer.put(&tokens);
    writer.finish();
    Some(file)
}

/// Reads the whole scan and gives luma's codes in the order of its own rows. `None` where something is unusual.
fn copy(scan: &Scan, limits: &Limits, put: impl FnMut(&[Token])) -> Option<()> {
    Copier { scan, put, last_dc: 0, rows: Default::default() }.copy(limits)
}

struct Copier<'a, P> {
    scan: &'a Scan,
    put: P,
    /// DC of the last block whose codes were given.
    last_dc: i32,
    /// A row of MCUs has up to two rows of blocks.
    rows: [Row; 2],
}

/// The codes of a row of blocks. Its first one, a DC difference, waits for what the row above ends with.
#[derive(Default)]
struct Row {
    tokens: Vec<Token>,
    first_dc: Option<i32>,
    last_dc: i32,
}

impl<P: FnMut(&[Token])> Copier<'_, P> {
    fn copy(mut self, limits: &Limits) -> Option<()> {
        let scan = self.scan;
        let mut bits = Bits::new(&scan.data, 0);
        let mut dc_before = [0; 3];
        for mcu in 0..scan.mcus.0 * scan.mcus.1 {
            if mcu % scan.interval == 0 && mcu > 0 {
                let end = *scan.ends.get(mcu / scan.interval - 1)?;
                ends_at(&bits, end).then_some(())?;
                bits = Bits::new(&scan.data, end);
                dc_before = [0; 3];
            }
            let column = mcu % scan.mcus.0;
            self.copy_mcu(&mut bits, column, &mut dc_before[0])?;
            if column + 1 == scan.mcus.0 {
                self.finish_rows(mcu / scan.mcus.0)?;
                limits.check_time().ok()?;
            }
        }
        ends_at(&bits, scan.data.len()).then_some(())
    }

    fn copy_mcu(&mut self, bits: &mut Bits<'_>, column: usize, dc_before: &mut i32) -> Option<()> {
        let across = (self.scan.width as usize).div_ceil(8);
        for (number, component) in self.scan.components.iter().enumerate() {
            let (dc, ac) = self.scan.codes(component)?;
            let (wide, high) = component.blocks;
            for block in 0..wide * high {
                let difference = dc_difference(bits, dc)?;
                if number > 0 {
                    ac_codes(bits, ac, |_| {})?;
                    continue;
                }
                *dc_before = dc_before.wrapping_add(difference);
                let row = &mut self.rows[block / wide];
                if column * wide + block % wide < across {
                    row.put_dc(*dc_before)?;
                    ac_codes(bits, ac, |code| row.tokens.push(Token::ac(code)))?;
                } else {
                    // Fills up the MCU, past the image's edge.
                    ac_codes(bits, ac, |_| {})?;
                }
            }
        }
        Some(())
    }

    /// Puts a row of MCUs behind those above.
    fn finish_rows(&mut self, mcu_row: usize) -> Option<()> {
        let down = (self.scan.height as usize).div_ceil(8);
        let high = self.scan.most.1;
        for (number, row) in self.rows.iter_mut().enumerate().take(high) {
            if mcu_row * high + number < down {
                (self.put)(&[difference_token(row.first_dc?, self.last_dc)?]);
                (self.put)(&row.tokens);
                self.last_dc = row.last_dc;
            }
            row.tokens.clear();
            row.first_dc = None;
        }
        Some(())
    }
}

impl Row {
    #[inline(always)]
    fn put_dc(&mut self, dc: i32) -> Option<()> {
        match self.first_dc {
            None => self.first_dc = Some(dc),
            Some(_) => self.tokens.push(difference_token(dc, self.last_dc)?),
        }
        self.last_dc = dc;
        Some(())
    }
}

#[inline(always)]
fn difference_token(dc: i32, before: i32) -> Option<Token> {
    let difference = dc.checked_sub(before)?;
    (difference.unsigned_abs() <= DC_MOST).then(|| Token::dc(difference))
}
