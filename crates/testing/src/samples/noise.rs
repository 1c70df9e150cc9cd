//! Value noise: random numbers on a lattice, blended smoothly between. Summed over ever finer lattices
//! it looks like clouds, rock or grass. Only `+ - * /` on floats, so every machine draws the same.

/// Well-mixed bits from a seed and a place (the finaliser of MurmurHash3).
pub fn hash(seed: u64, x: u32, y: u32) -> u32 {
    let folded = (seed ^ (seed >> 32)) as u32;
    let mut bits =
        folded.wrapping_mul(0x9E37_79B1) ^ x.wrapping_mul(0x85EB_CA77) ^ y.wrapping_mul(0xC2B2_AE3D);
    bits ^= bits >> 16;
    bits = bits.wrapping_mul(0x85EB_CA6B);
    bits ^= bits >> 13;
    bits = bits.wrapping_mul(0xC2B2_AE35);
    bits ^ (bits >> 16)
}

/// A random number from 0 up to 1 for a place.
pub fn random(seed: u64, x: u32, y: u32) -> f32 {
    (hash(seed, x, y) >> 8) as f32 / (1 << 24) as f32
}

/// From `from` to `to`, `part` of the way.
pub fn blend(from: f32, to: f32, part: f32) -> f32 {
    from + (to - from) * part
}

/// Noise over a whole image, each value from 0 up to 1. The largest features are `largest` pixels wide;
/// each finer octave is half as wide and `roughness` times as strong, down to `smallest` pixels.
pub struct Octaves {
    pub largest: usize,
    pub smallest: usize,
    pub roughness: f32,
}

impl Octaves {
    /// The noise of every pixel, row by row.
    pub fn draw(&self, seed: u64, width: usize, height: usize) -> Vec<f32> {
        let cells: Vec<usize> = std::iter::successors(Some(self.largest), |cell| Some(cell / 2))
            .take_while(|cell| *cell >= self.smallest.max(1))
            .collect();
        let strengths: Vec<f32> =
            std::iter::successors(Some(1.0), |strength| Some(strength * self.roughness))
                .take(cells.len())
                .collect();
        let total: f32 = strengths.iter().sum();
        let mut field = vec![0.0; width * height];
        for (octave, (cell, strength)) in cells.iter().zip(&strengths).enumerate() {
            let octave_seed = seed ^ (octave as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            add_octave(&mut field, width, octave_seed, *cell, strength / total);
        }
        field
    }
}

/// Adds one lattice. Working row by row keeps the inner loop to a multiply and an add a pixel, which is
/// what makes a thousand benchmark images a matter of seconds.
fn add_octave(field: &mut [f32], width: usize, seed: u64, cell: usize, strength: f32) {
    let columns = width / cell + 2;
    let lattice_row = |row: usize| -> Vec<f32> {
        (0..columns).map(|column| strength * random(seed, column as u32, row as u32)).collect()
    };
    let easing: Vec<f32> = (0..cell).map(|step| ease(step as f32 / cell as f32)).collect();
    let (mut above, mut below) = (lattice_row(0), lattice_row(1));
    let mut between = vec![0.0; columns];
    for (y, row) in field.chunks_exact_mut(width).enumerate() {
        if y > 0 && y % cell == 0 {
            above = std::mem::replace(&mut below, lattice_row(y / cell + 1));
        }
        for (value, (upper, lower)) in between.iter_mut().zip(above.iter().zip(&below)) {
            *value = blend(*upper, *lower, easing[y % cell]);
        }
        for (span, ends) in row.chunks_mut(cell).zip(between.windows(2)) {
            for (pixel, part) in span.iter_mut().zip(&easing) {
                *pixel += blend(ends[0], ends[1], *part);
            }
        }
    }
}

/// Smoothstep: flat at both ends, so the lattice does not show as creases.
fn ease(part: f32) -> f32 {
    part * part * (3.0 - 2.0 * part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_stays_in_range_and_varies() {
        let field = Octaves { largest: 16, smallest: 2, roughness: 0.5 }.draw(5, 64, 48);
        let (low, high) = field.iter().fold((1.0_f32, 0.0_f32), |(low, high), v| (low.min(*v), high.max(*v)));
        assert!(low >= 0.0 && high <= 1.0 && high - low > 0.3, "{low}..{high}");
    }
}
