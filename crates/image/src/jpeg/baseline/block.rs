//! The coefficients of one block (ITU-T T.81 §F.2.2).

use super::bits::Bits;
use super::table::{Entry, Table, extend};

/// A DC difference of an 8-bit image has at most this many bits, an AC coefficient one less.
const DC_BITS: u32 = 11;
const AC_BITS: u32 = 10;
/// The symbol that ends a block.
const END: u8 = 0;

/// A symbol and the bits behind it.
#[derive(Clone, Copy)]
pub(super) struct Code {
    pub symbol: u8,
    /// As many as the symbol's lower half says.
    pub bits: u32,
}

/// Reads how much DC differs from the block before. `None` where the data is damaged.
#[inline(always)]
pub(super) fn dc_difference(bits: &mut Bits<'_>, table: &Table) -> Option<i32> {
    bits.refill();
    let entry = table.look_up(bits);
    if entry.is_whole() && entry.symbol() <= DC_BITS as u8 {
        bits.skip(entry.length());
        return Some(entry.value());
    }
    let size = u32::from(table.symbol(bits, entry)?);
    match size {
        0 => Some(0),
        1..=DC_BITS => Some(take(bits, size)),
        _ => None,
    }
}

/// Reads the 63 AC coefficients and gives each that is not zero, with its zigzag position. `None` where the data is
/// damaged.
#[inline(always)]
pub(super) fn ac_values(bits: &mut Bits<'_>, table: &Table, mut put: impl FnMut(usize, i32)) -> Option<()> {
    let mut position = 1;
    while position < 64 {
        bits.refill();
        let entry = table.look_up(bits);
        if entry.is_whole() {
            bits.skip(entry.length());
            position += entry.skipped();
            if position > 63 {
                return (entry.symbol() == END).then_some(());
            }
            put(position, entry.value());
            position += 1;
        } else {
            match long(bits, table, entry, &mut position)? {
                Long::End => break,
                Long::Zeros => {}
                Long::Coefficient(code) => {
                    let size = u32::from(code.symbol & 15);
                    put(position, extend(code.bits, size));
                    position += 1;
                }
            }
        }
    }
    Some(())
}

/// The same, as they are coded. Sixteen zeros at a time and the end of the block are given too. Zeros that are coded
/// although nothing follows them are damage here: no encoder would write them again.
#[inline(always)]
pub(super) fn ac_codes(bits: &mut Bits<'_>, table: &Table, mut put: impl FnMut(Code)) -> Option<()> {
    let (mut position, mut zeros_to) = (1, 0);
    while position < 64 {
        bits.refill();
        let entry = table.look_up(bits);
        if entry.is_whole() {
            let symbol = entry.symbol();
            if position + entry.skipped() > 63 {
                let ends = symbol == END && position != zeros_to;
                bits.skip(entry.length());
                put(Code { symbol, bits: 0 });
                return ends.then_some(());
            }
            position += entry.skipped() + 1;
            let size = symbol & 15;
            put(Code { symbol, bits: bits.peek(entry.length()) & ((1 << size) - 1) });
            bits.skip(entry.length());
        } else {
            match long(bits, table, entry, &mut position)? {
                Long::End if position == zeros_to => return None,
                Long::End => {
                    put(Code { symbol: END, bits: 0 });
                    break;
                }
                Long::Zeros => {
                    zeros_to = position;
                    put(Code { symbol: 0xF0, bits: 0 });
                }
                Long::Coefficient(code) => {
                    put(code);
                    position += 1;
                }
            }
        }
    }
    Some(())
}

/// What a look-up did not give whole.
enum Long {
    End,
    Zeros,
    Coefficient(Code),
}

/// Moves on to where the coefficient is.
#[inline(always)]
fn long(bits: &mut Bits<'_>, table: &Table, entry: Entry, position: &mut usize) -> Option<Long> {
    let symbol = table.symbol(bits, entry)?;
    let (zeros, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
    match (zeros, size) {
        (0, 0) => return Some(Long::End),
        (15, 0) => {
            *position += 16;
            // Zeros to the end are coded as the end.
            return (*position < 64).then_some(Long::Zeros);
        }
        (_, 1..=AC_BITS) => {}
        _ => return None,
    }
    *position += zeros;
    if *position > 63 {
        return None;
    }
    let raw = bits.peek(size);
    bits.skip(size);
    Some(Long::Coefficient(Code { symbol, bits: raw }))
}

#[inline(always)]
fn take(bits: &mut Bits<'_>, size: u32) -> i32 {
    let raw = bits.peek(size);
    bits.skip(size);
    extend(raw, size)
}
