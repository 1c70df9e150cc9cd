//! A JPEG of any size that is drawn while it is written: one picture hung side by side, every other one mirrored, ever
//! darker from the top left to the bottom right. Memory holds that one picture.

use std::io::{self, Write};

use jpeg_encoder::{Encoder, EncodingError, ImageBuffer, JpegColorType, SamplingFactor};

use super::{Photo, photo};

/// Writes a wall of pictures, 4:2:0.
///
/// # Errors
/// What `to` says; a side of more than 65,535 pixels.
pub fn wall_jpeg(seed: u64, width: u32, height: u32, to: impl Write) -> io::Result<()> {
    let side = |pixels: u32| u16::try_from(pixels).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput));
    let wall = Wall { picture: photo(seed, 1536, 1152), width: side(width)?, height: side(height)? };
    let mut encoder = Encoder::new(to, 90);
    encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
    encoder.encode_image(wall).map_err(|error| match error {
        EncodingError::IoError(error) => error,
        other => io::Error::other(other),
    })
}

struct Wall {
    picture: Photo,
    width: u16,
    height: u16,
}

impl ImageBuffer for Wall {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        JpegColorType::Ycbcr
    }

    fn width(&self) -> u16 {
        self.width
    }

    fn height(&self) -> u16 {
        self.height
    }

    fn fill_buffers(&self, y: u16, buffers: &mut [Vec<u8>; 4]) {
        let (across, down) = (self.picture.width, self.picture.height);
        let place = |at: u32, side: u32| {
            let within = at % side;
            if (at / side).is_multiple_of(2) { within } else { side - 1 - within }
        };
        let all = u32::from(self.width) + u32::from(self.height);
        for x in 0..u32::from(self.width) {
            let light = 256 - (x + u32::from(y)) * 128 / all;
            let rgb = self.picture.pixel(place(x, across), place(y.into(), down));
            let [r, g, b] = rgb.map(|sample| (u32::from(sample) * light / 256) as i32);
            // Rec. 601 in 256ths, as JFIF has it.
            buffers[0].push(((77 * r + 150 * g + 29 * b) >> 8) as u8);
            buffers[1].push((((-43 * r - 85 * g + 128 * b) >> 8) + 128).clamp(0, 255) as u8);
            buffers[2].push((((128 * r - 107 * g - 21 * b) >> 8) + 128).clamp(0, 255) as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_jpeg_of_the_size_that_is_asked_for() {
        let mut file = Vec::new();
        wall_jpeg(3, 1700, 40, &mut file).unwrap();
        let read = image::load_from_memory(&file).unwrap().to_rgb8();
        assert_eq!(read.dimensions(), (1700, 40));
        // The second picture mirrors the first.
        let (left, right) = (read.get_pixel(1530, 20), read.get_pixel(1541, 20));
        assert!(left.0.iter().zip(right.0).all(|(a, b)| a.abs_diff(b) < 12), "{left:?} {right:?}");
        assert!(wall_jpeg(3, 70_000, 1, Vec::new()).is_err());
    }
}
