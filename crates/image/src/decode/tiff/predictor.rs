//! Differences undone: samples stored as what they add to their left neighbour. TIFF 6.0 §14, Technical Note 3.

use super::layout::Layout;
use super::unsupported;
use crate::error::Error;

/// Makes samples of differences, in the rows of a piece `width` pixels wide.
pub(super) fn undo(rows: &mut [u8], layout: &Layout, width: u32) -> Result<(), Error> {
    // Fax and JPEG have no use for it, and files exist that name one there.
    if layout.predictor == 1 || matches!(layout.compression, 2..=4 | 6 | 7) {
        return Ok(());
    }
    let step = layout.together();
    let stride = layout.row_bytes(width).max(1);
    for row in rows.chunks_exact_mut(stride) {
        match (layout.predictor, layout.bits) {
            (2, 8) => {
                for at in step..row.len() {
                    row[at] = row[at].wrapping_add(row[at - step]);
                }
            }
            (2, 16) => add_words::<2>(row, step, layout.little),
            (2, 32) => add_words::<4>(row, step, layout.little),
            (2, 64) => add_words::<8>(row, step, layout.little),
            (3, bits @ (16 | 24 | 32 | 64)) => floats(row, step, usize::from(bits / 8), layout.little),
            (predictor, bits) => {
                return Err(unsupported(format!("predictor {predictor} for {bits} bits a sample")));
            }
        }
    }
    Ok(())
}

/// Samples of several bytes; the bytes stay in the file's order.
fn add_words<const N: usize>(row: &mut [u8], step: usize, little: bool) {
    let (words, _) = row.as_chunks_mut::<N>();
    let value = |word: [u8; N]| {
        let fold = |number: u64, byte: u8| (number << 8) | u64::from(byte);
        if little { word.into_iter().rev().fold(0, fold) } else { word.into_iter().fold(0, fold) }
    };
    for at in step..words.len() {
        let sum = value(words[at]).wrapping_add(value(words[at - step]));
        for (place, byte) in words[at].iter_mut().enumerate() {
            let shift = 8 * if little { place } else { N - 1 - place };
            *byte = (sum >> shift) as u8;
        }
    }
}

/// Floats' bytes lie apart, all highest ones first, and differ bytewise.
fn floats(row: &mut [u8], step: usize, size: usize, little: bool) {
    for at in step..row.len() {
        row[at] = row[at].wrapping_add(row[at - step]);
    }
    let apart = row.to_vec();
    let count = row.len() / size;
    for (index, float) in row.chunks_exact_mut(size).enumerate() {
        for (place, byte) in float.iter_mut().enumerate() {
            let plane = if little { size - 1 - place } else { place };
            *byte = apart[plane * count + index];
        }
    }
}
