//! Blocks of 1, 2, 4 or 8 samples a side from the lowest frequencies of an 8×8 block's DCT.
//!
//! Taking the N×N lowest of the 8×8 coefficients and transforming them back at N points is the exact scaling of what
//! those frequencies hold: the passband stays flat, unlike in an average of full-size samples, so that a resize which
//! follows finds what it would have found at full size. In single precision, without fused operations: the same on
//! every machine.

// Rows and columns are what this is about; iterators would hide them.
#![allow(clippy::needless_range_loop)]

use super::super::huffman::PLACE;

/// What a coefficient is multiplied by and where it goes, by zigzag position.
pub(super) struct Weights<const N: usize> {
    steps: [f32; 64],
    /// Row by row among N×N; the place behind them is for those that are not used.
    slots: [u8; 64],
}

/// Dequantised coefficients of a block; a power of two holds those of any size and a place for the unused.
pub(super) struct Coefficients {
    values: [f32; 128],
    /// All slots that were put to, or-ed.
    used: usize,
}

impl<const N: usize> Weights<N> {
    /// For a component's quantisation steps, in zigzag order.
    pub(super) fn new(steps: &[u16; 64]) -> Self {
        // N points of N-point orthonormal DCT for 8 of 8: √(N/8) each way. The transforms below leave out √(1/N).
        let scale = N as f32 / 8.0 / N as f32;
        let mut weights = Self { steps: [0.0; 64], slots: [(N * N) as u8; 64] };
        for (position, place) in PLACE.iter().enumerate() {
            let (row, column) = (place / 8, place % 8);
            if usize::from(row.max(column)) < N {
                weights.slots[position] = row * N as u8 + column;
                weights.steps[position] = f32::from(steps[position]) * scale;
            }
        }
        weights
    }

    /// Forgets the block before, whose DC comes with this one's.
    #[inline(always)]
    pub(super) fn start(&self, block: &mut Coefficients, dc: i32) {
        if block.used & (N * N - 1) != 0 {
            block.values[..N * N].fill(0.0);
        }
        block.used = 0;
        // Samples are stored around 128.
        block.values[0] = dc as f32 * self.steps[0] + 128.0;
    }

    #[inline(always)]
    pub(super) fn put(&self, block: &mut Coefficients, position: usize, value: i32) {
        let slot = usize::from(self.slots[position & 63]);
        block.values[slot & 127] = value as f32 * self.steps[position & 63];
        block.used |= slot;
    }
}

impl Coefficients {
    pub(super) fn new() -> Self {
        Self { values: [0.0; 128], used: 0 }
    }

    /// The samples, row by row.
    #[inline(always)]
    pub(super) fn samples<const N: usize>(&self) -> [[u8; N]; N] {
        if self.used & (N * N - 1) == 0 {
            return [[sample(self.values[0]); N]; N];
        }
        let mut block = [[0.0; N]; N];
        for (row, values) in block.iter_mut().zip(self.values.as_chunks::<N>().0) {
            *row = *values;
        }
        let block = transposed(&transform(&transposed(&transform(&block))));
        let mut samples = [[0; N]; N];
        for y in 0..N {
            for x in 0..N {
                samples[y][x] = sample(block[y][x]);
            }
        }
        samples
    }
}

/// Rounded to the nearest: above 2²³ a number in single precision has no fraction, and its lowest bits are the sample.
#[inline(always)]
fn sample(value: f32) -> u8 {
    (value.clamp(0.0, 255.0) + 8_388_608.0).to_bits() as u8
}

// The functions below are loops over all columns at once, which compile to vector instructions.

#[inline(always)]
fn transposed<const N: usize>(block: &[[f32; N]; N]) -> [[f32; N]; N] {
    let mut result = [[0.0; N]; N];
    for y in 0..N {
        for x in 0..N {
            result[y][x] = block[x][y];
        }
    }
    result
}

/// The inverse DCT down all columns at once, times √N.
#[inline(always)]
fn transform<const N: usize>(block: &[[f32; N]; N]) -> [[f32; N]; N] {
    if N == 1 {
        return *block;
    }
    let mut result = [[0.0; N]; N];
    for y in 0..N / 2 {
        // Even frequencies are mirrored about the middle, odd ones are so with the other sign.
        let (mut even, mut odd) = ([0.0; N], [0.0; N]);
        for x in 0..N {
            // The weight of frequency 0 is 1.
            even[x] = block[0][x];
            odd[x] = ODD[N / 4][y][0] * block[1][x];
        }
        for k in 1..N / 2 {
            for x in 0..N {
                even[x] += EVEN[N / 4][y][k] * block[2 * k][x];
                odd[x] += ODD[N / 4][y][k] * block[2 * k + 1][x];
            }
        }
        for x in 0..N {
            result[y][x] = even[x] + odd[x];
            result[N - 1 - y][x] = even[x] - odd[x];
        }
    }
    result
}

/// √2·cos((2y+1)kπ/2N), 1 for k = 0: for N of 2, 4, 8, for each y of the upper half, for even k.
const EVEN: [[[f32; 4]; 4]; 3] = [
    [[1.0, 0.0, 0.0, 0.0], [0.0; 4], [0.0; 4], [0.0; 4]],
    [[1.0, 1.0, 0.0, 0.0], [1.0, -1.0, 0.0, 0.0], [0.0; 4], [0.0; 4]],
    [
        [1.0, 1.306_563, 1.0, 0.541_196_1],
        [1.0, 0.541_196_1, -1.0, -1.306_563],
        [1.0, -0.541_196_1, -1.0, 1.306_563],
        [1.0, -1.306_563, 1.0, -0.541_196_1],
    ],
];

/// The same for odd k.
const ODD: [[[f32; 4]; 4]; 3] = [
    [[1.0, 0.0, 0.0, 0.0], [0.0; 4], [0.0; 4], [0.0; 4]],
    [[1.306_563, 0.541_196_1, 0.0, 0.0], [0.541_196_1, -1.306_563, 0.0, 0.0], [0.0; 4], [0.0; 4]],
    [
        [1.387_039_8, 1.175_875_6, 0.785_694_96, 0.275_899_38],
        [1.175_875_6, -0.275_899_38, -1.387_039_8, -0.785_694_96],
        [0.785_694_96, -1.387_039_8, 0.275_899_38, 1.175_875_6],
        [0.275_899_38, -0.785_694_96, 1.175_875_6, -1.387_039_8],
    ],
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The formula, in double precision: N points of an 8×8 block's lowest frequencies.
    fn by_the_formula<const N: usize>(coefficients: &[[f64; 8]; 8]) -> [[f64; N]; N] {
        let basis = |k: usize, x: usize| {
            let angle = (2 * x + 1) as f64 * k as f64 * std::f64::consts::PI / (2 * N) as f64;
            if k == 0 { (1.0 / N as f64).sqrt() } else { (2.0 / N as f64).sqrt() * angle.cos() }
        };
        std::array::from_fn(|y| {
            std::array::from_fn(|x| {
                let terms =
                    (0..N * N).map(|n| coefficients[n / N][n % N] * basis(n / N, y) * basis(n % N, x));
                (terms.sum::<f64>() * N as f64 / 8.0 + 128.0).clamp(0.0, 255.0)
            })
        })
    }

    fn agrees<const N: usize>() {
        let steps = std::array::from_fn(|n| 1 + n as u16 % 7);
        let weights = Weights::<N>::new(&steps);
        let mut block = Coefficients::new();
        for seed in 0..40 {
            let dc = seed * 31 - 500;
            weights.start(&mut block, dc);
            let mut coefficients = [[0.0; 8]; 8];
            coefficients[0][0] = f64::from(dc);
            for position in (1..64).step_by(1 + seed as usize % 5) {
                let value = (position as i32 * 37 + seed * 11) % 41 - 20;
                weights.put(&mut block, position, value);
                let place = usize::from(PLACE[position]);
                coefficients[place / 8][place % 8] = f64::from(value) * f64::from(steps[position]);
            }
            let expected = by_the_formula::<N>(&coefficients);
            for (found, expected) in block.samples::<N>().as_flattened().iter().zip(expected.as_flattened()) {
                assert!((f64::from(*found) - expected).abs() <= 0.51, "{N}: {found}, {expected}");
            }
        }
    }

    #[test]
    fn every_size_is_the_formula() {
        agrees::<1>();
        agrees::<2>();
        agrees::<4>();
        agrees::<8>();
    }
}
