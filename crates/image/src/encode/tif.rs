//! TIFF: one image in strips, 8 bits a sample, grey, RGB or RGBA; texts about it where they are kept.

use std::borrow::Cow;
use std::io::{Cursor, Seek, Write};

use tiff::encoder::colortype::{ColorType, Gray8, RGB8, RGBA8};
use tiff::encoder::compression::DeflateLevel;
use tiff::encoder::{Compression as Packing, Rational, TiffEncoder, TiffValue};
use tiff::tags::{Predictor, ResolutionUnit, Tag, Type};

use super::failed;
use crate::error::{Error, ErrorKind};
use crate::exif;
use crate::pixels::{Channels, Pixels};
use crate::recipe::{Compression, EncoderOptions};

/// `block` is an EXIF structure, whose texts become the file's own.
pub(super) fn encode(
    pixels: &Pixels,
    options: &EncoderOptions,
    block: Option<&[u8]>,
) -> Result<Vec<u8>, Error> {
    let texts = block.map(exif::listed).unwrap_or_default();
    match pixels.channels {
        Channels::Gray => write::<Gray8>(pixels, options, &texts),
        // The encoder knows no grey with alpha.
        Channels::GrayAlpha => {
            write::<RGBA8>(&pixels.map(Channels::Rgba, |[v, a]| [v, v, v, a]), options, &texts)
        }
        Channels::Rgb => write::<RGB8>(pixels, options, &texts),
        Channels::Rgba => write::<RGBA8>(pixels, options, &texts),
    }
}

fn write<C: ColorType<Inner = u8>>(
    pixels: &Pixels,
    options: &EncoderOptions,
    texts: &[(u16, Vec<u8>)],
) -> Result<Vec<u8>, Error>
where
    [u8]: tiff::encoder::TiffValue,
{
    let mut file = Cursor::new(Vec::new());
    write_to::<C>(&mut file, pixels, options, texts)?;
    Ok(file.into_inner())
}

fn write_to<C: ColorType<Inner = u8>>(
    file: impl Write + Seek,
    pixels: &Pixels,
    options: &EncoderOptions,
    texts: &[(u16, Vec<u8>)],
) -> Result<(), Error>
where
    [u8]: tiff::encoder::TiffValue,
{
    let packing = packing(options.compression.unwrap_or_default())?;
    let predictor = match packing {
        Packing::Lzw | Packing::Deflate(_) => Predictor::Horizontal,
        _ => Predictor::None,
    };
    let failed = |e| failed("TIFF", e);
    let encoder = TiffEncoder::new(file).map_err(failed)?;
    let mut encoder = encoder.with_compression(packing).with_predictor(predictor);
    let mut image = encoder.new_image::<C>(pixels.width, pixels.height).map_err(failed)?;
    if let Some(dpi) = options.dpi {
        image.resolution(ResolutionUnit::Inch, Rational { n: dpi.into(), d: 1 });
    }
    for (tag, text) in texts {
        image.encoder().write_tag(Tag::Unknown(*tag), Text(text)).map_err(failed)?;
    }
    image.write_data(&pixels.data).map_err(failed)
}

/// A text of EXIF's kind, closed by a zero.
struct Text<'a>(&'a [u8]);

impl TiffValue for Text<'_> {
    const BYTE_LEN: u8 = 1;
    const FIELD_TYPE: Type = Type::ASCII;

    fn count(&self) -> usize {
        self.0.len() + 1
    }

    fn data(&self) -> Cow<'_, [u8]> {
        [self.0, &[0]].concat().into()
    }
}

fn packing(compression: Compression) -> Result<Packing, Error> {
    Ok(match compression {
        Compression::None => Packing::Uncompressed,
        Compression::Lzw => Packing::Lzw,
        Compression::Deflate => Packing::Deflate(DeflateLevel::Fast),
        Compression::Packbits => Packing::Packbits,
        Compression::Jpeg | Compression::Zstd | Compression::Webp => {
            let message = format!(
                "TIFF with {compression} compression is built in for pyramids (ptif) only; none, lzw, deflate and \
                 packbits are for tif"
            );
            return Err(Error::new(ErrorKind::UnsupportedOutput, message));
        }
    })
}
