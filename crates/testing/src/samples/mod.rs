//! Photo-like images drawn by code: the same seed gives the same pixels, and no image file is kept in
//! the repository. Drawing is [`photo`], writing it as a file is [`encode`], and [`sample_set`] is the
//! small named collection that `make run` serves.

pub mod encode;
mod exif;
mod kinds;
mod landscape;
mod noise;
mod set;
mod wall;

pub use encode::{JpegOptions, Subsampling};
pub use exif::Orientation;
pub use kinds::kinds;
pub use landscape::photo;
pub use set::{BadSample, Sample, bad_samples, sample_set};
pub use wall::wall_jpeg;

/// A picture in memory: 8-bit RGB, row by row from the top left, no padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `width * height * 3` bytes.
    pub pixels: Vec<u8>,
}

impl Photo {
    /// The colour at one place.
    pub fn pixel(&self, x: u32, y: u32) -> [u8; 3] {
        let start = (y as usize * self.width as usize + x as usize) * 3;
        [self.pixels[start], self.pixels[start + 1], self.pixels[start + 2]]
    }

    /// The same picture turned a quarter clockwise, as a camera held sideways would store it.
    pub fn turned_clockwise(&self) -> Self {
        let (width, height) = (self.height, self.width);
        let mut pixels = Vec::with_capacity(self.pixels.len());
        for y in 0..height {
            for x in 0..width {
                pixels.extend_from_slice(&self.pixel(y, self.height - 1 - x));
            }
        }
        Self { width, height, pixels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_always_draws_one_picture() {
        assert_eq!(photo(7, 120, 80), photo(7, 120, 80));
        assert_ne!(photo(7, 120, 80), photo(8, 120, 80));
    }

    #[test]
    fn four_quarter_turns_lead_home() {
        let upright = photo(1, 30, 20);
        let mut turned = upright.turned_clockwise();
        assert_eq!((turned.width, turned.height), (20, 30));
        assert_eq!(turned.pixel(19, 0), upright.pixel(0, 0));
        for _ in 0..3 {
            turned = turned.turned_clockwise();
        }
        assert_eq!(turned, upright);
    }

    #[test]
    fn a_photo_of_any_size_can_be_drawn() {
        for (width, height) in [(1, 1), (1, 9), (9, 1), (17, 33)] {
            let drawn = photo(3, width, height);
            assert_eq!(drawn.pixels.len(), (width * height * 3) as usize);
        }
    }

    #[test]
    fn a_photo_weighs_what_a_photo_weighs() {
        for seed in 0..4 {
            let kilobytes = encode::jpeg(&photo(seed, 1000, 1000), JpegOptions::default()).len() / 1000;
            assert!((100..=250).contains(&kilobytes), "seed {seed}: {kilobytes} KB");
        }
    }
}
