//! Single samples out of unpacked rows, whatever their bits, as 16 bits each.

use super::layout::{Kind, Layout, PALETTE};

/// How a sample's value becomes one of 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// As it is: the index of a colour.
    Index,
    /// Its bits at the top: L\*a\*b\*, whose signed halves must not be stretched.
    Top,
    /// So that its range fills all 16 bits; of signed ones the least becomes 0.
    Range,
    /// 0.0 to 1.0 becomes the range; the rest is cut off.
    Unit,
    /// The same of light that is measured linearly, encoded as sRGB encodes it.
    Light,
}

/// Reads samples of one layout.
pub(super) struct Samples {
    bits: usize,
    kind: Kind,
    little: bool,
    colour: Scale,
    alpha: Scale,
}

impl Samples {
    /// `linear`: floats are measures of light.
    pub(super) fn new(layout: &Layout, linear: bool) -> Self {
        let colour = match layout.kind {
            Kind::Float if linear => Scale::Light,
            Kind::Float => Scale::Unit,
            _ if layout.photometric == PALETTE => Scale::Index,
            _ if layout.is_lab() => Scale::Top,
            _ => Scale::Range,
        };
        let alpha = if layout.kind == Kind::Float { Scale::Unit } else { Scale::Range };
        Self { bits: layout.bits.into(), kind: layout.kind, little: layout.little, colour, alpha }
    }

    /// The sample that is `index` samples into a row. What the row does not hold is 0.
    pub(super) fn at(&self, row: &[u8], index: usize, is_alpha: bool) -> u16 {
        let scale = if is_alpha { self.alpha } else { self.colour };
        match (self.bits, scale) {
            (8, Scale::Range) if self.kind == Kind::Unsigned => {
                u16::from(row.get(index).copied().unwrap_or(0)) * 257
            }
            (_, Scale::Unit | Scale::Light) => self.float(row, index, scale == Scale::Light),
            _ => self.whole(self.raw(row, index), scale),
        }
    }

    fn whole(&self, raw: u64, scale: Scale) -> u16 {
        let bits = self.bits as u32;
        let most = u64::MAX >> (64 - bits);
        let shifted = if self.kind == Kind::Signed { raw ^ (1 << (bits - 1)) } else { raw };
        match scale {
            Scale::Index => raw.min(u16::MAX.into()) as u16,
            Scale::Top if bits <= 16 => (raw << (16 - bits)) as u16,
            Scale::Top => (raw >> (bits - 16)) as u16,
            _ if bits == 16 => shifted as u16,
            _ => (shifted as f64 / most as f64 * 65535.0).round() as u16,
        }
    }

    fn float(&self, row: &[u8], index: usize, is_light: bool) -> u16 {
        let raw = self.raw(row, index);
        let value = match self.bits {
            16 => small_float(raw, 5, 10),
            24 => small_float(raw, 7, 16),
            32 => f32::from_bits(raw as u32).into(),
            _ => f64::from_bits(raw),
        };
        // What is no number is black.
        let value = if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
        let value = if is_light { crate::color::encode_srgb(value as f32).into() } else { value };
        (value * 65535.0).round() as u16
    }

    /// Its bits as they are. Samples of whole bytes are in the file's byte order, others start at the highest bit.
    fn raw(&self, row: &[u8], index: usize) -> u64 {
        if self.bits.is_multiple_of(8) {
            let length = self.bits / 8;
            let bytes = row.get(index * length..(index + 1) * length).unwrap_or_default();
            let fold = |number: u64, byte: &u8| (number << 8) | u64::from(*byte);
            return if self.little { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) };
        }
        let start = index * self.bits;
        let byte = |at: usize| u64::from(row.get(start / 8 + at).copied().unwrap_or(0));
        let window = byte(0) << 16 | byte(1) << 8 | byte(2);
        (window >> (24 - start % 8 - self.bits)) & ((1 << self.bits) - 1)
    }
}

/// A float of a sign, so many bits of exponent and so many of fraction, by IEEE 754's rules.
fn small_float(raw: u64, exponent_bits: u32, fraction_bits: u32) -> f64 {
    let fraction = (raw & ((1 << fraction_bits) - 1)) as f64 / f64::from(1u32 << fraction_bits);
    let exponent_most = (1u64 << exponent_bits) - 1;
    let exponent = raw >> fraction_bits & exponent_most;
    let bias = (exponent_most / 2) as i32;
    let size = match exponent {
        0 => fraction * 2f64.powi(1 - bias),
        _ if exponent == exponent_most && fraction > 0.0 => f64::NAN,
        _ if exponent == exponent_most => f64::INFINITY,
        _ => (1.0 + fraction) * 2f64.powi(exponent as i32 - bias),
    };
    if raw >> (exponent_bits + fraction_bits) & 1 == 1 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_floats_are_what_they_stand_for() {
        let cases = [(0, 0.0), (0x3C00, 1.0), (0x3800, 0.5), (0xBC00, -1.0), (0x0001, 2f64.powi(-24))];
        for (raw, value) in cases {
            assert_eq!(small_float(raw, 5, 10), value, "{raw:#x}");
        }
        assert!(small_float(0x7E00, 5, 10).is_nan());
        assert_eq!(small_float(0x7C00, 5, 10), f64::INFINITY);
    }
}
