//! TIFF: one page of the file, the first unless another is asked for; strips and tiles, chunky and planar, 1 to 64
//! bits, whole numbers and floats, and the colour models grey, palette, RGB, CMYK, YCbCr and L\*a\*b\*.
//!
//! `directory` finds the tags, `layout` says what they mean for where samples lie, `unpack` and `predictor` make rows
//! of a strip's or tile's bytes, `samples` picks samples out of those, and `colour` and `chroma` know what they mean.
//! A strip or tile is held at a time, beside the finished pixels.

mod chroma;
mod colour;
mod directory;
mod layout;
mod pieces;
mod predictor;
mod samples;
mod unpack;

use crate::color;
use crate::error::Error;
use crate::header::Header;
use crate::limits::Limits;
use crate::pixels::Pixels;
use crate::sniff::SourceFormat;
use colour::Colours;
use directory::Directory;
use layout::{Kind, Layout, PALETTE, tag};

pub(super) fn header(source: &[u8], page: u32) -> Result<Header, Error> {
    let layout = Layout::read(&Directory::open(source, page)?)?;
    let channels = if layout.photometric == PALETTE { layout.samples + 2 } else { layout.samples };
    Ok(Header {
        format: SourceFormat::Tiff,
        width: layout.width,
        height: layout.height,
        orientation: layout.orientation,
        channels: u8::try_from(channels).unwrap_or(u8::MAX),
        bits: layout.bits,
        jpeg: None,
        vector: None,
    })
}

pub(super) fn decode(source: &[u8], header: &Header, page: u32, limits: &Limits) -> Result<Pixels, Error> {
    let directory = Directory::open(source, page)?;
    let layout = Layout::read(&directory)?;
    let colours = Colours::new(&directory, &layout)?;
    let profile = directory.bytes(tag::PROFILE)?.filter(|profile| !profile.is_empty());
    let is_light = layout.kind == Kind::Float && profile.is_none() && colours.are_light();
    let data = pieces::read(&directory, &layout, &colours, is_light, limits)?;
    let (width, height) = (header.width, header.height);
    if colours.is_ink() {
        return color::cmyk_pixels(width, height, data, colours.has_alpha, profile);
    }
    let mut pixels = Pixels::new(width, height, colours.channels(), data)?;
    if let Some(profile) = profile.filter(|_| colours.is_profiled()) {
        color::to_srgb(&mut pixels, profile);
    }
    Ok(pixels)
}

fn unsupported(what: impl std::fmt::Display) -> Error {
    Error::unsupported(format!("TIFF with {what} is not supported"))
}
