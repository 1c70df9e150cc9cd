//! SSIMULACRA2 of pictures that arrive as numbers: on standard input the width and height (u32), then two pictures of
//! that size, reference first, as f32 sRGB from 0 to 1, red, green, blue, all little-endian. Prints the score.

use std::error::Error;
use std::io::Read;

use ssimulacra2::{ColorPrimaries, Rgb, TransferCharacteristic, compute_frame_ssimulacra2};

fn main() -> Result<(), Box<dyn Error>> {
    let mut input = Vec::new();
    std::io::stdin().lock().read_to_end(&mut input)?;
    let mut words = input.chunks_exact(4).map(|four| [four[0], four[1], four[2], four[3]]);
    let mut size = || words.next().map(u32::from_le_bytes).ok_or("no size");
    let (width, height) = (size()? as usize, size()? as usize);
    let values: Vec<f32> = words.map(f32::from_le_bytes).collect();
    let pixels: Vec<[f32; 3]> = values.chunks_exact(3).map(|rgb| [rgb[0], rgb[1], rgb[2]]).collect();
    if pixels.len() != 2 * width * height {
        return Err("two pictures are wanted".into());
    }
    let (reference, picture) = pixels.split_at(width * height);
    println!("{:.3}", compute_frame_ssimulacra2(rgb(reference, width, height)?, rgb(picture, width, height)?)?);
    Ok(())
}

fn rgb(pixels: &[[f32; 3]], width: usize, height: usize) -> Result<Rgb, Box<dyn Error>> {
    let (transfer, primaries) = (TransferCharacteristic::SRGB, ColorPrimaries::BT709);
    Ok(Rgb::new(pixels.to_vec(), width, height, transfer, primaries)?)
}
