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
use crate::pixels::{Channels, Pixels};
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
        rows: layout.order(),
        jpeg: None,
        vector: None,
    })
}

pub(super) fn decode(source: &[u8], header: &Header, page: u32, limits: &Limits) -> Result<Pixels, Error> {
    let mut rows = InOrder::open(source, page, false)?;
    let mut data = Vec::with_capacity(header.width as usize * header.height as usize * rows.colours.made);
    while rows.append(&mut data, limits)? > 0 {}
    let profile = rows.profile();
    if rows.is_ink() {
        return rows.ink_to_pixels(header.height, data);
    }
    let mut pixels = Pixels::new(header.width, header.height, rows.channels(), data)?;
    if let Some(profile) = profile {
        color::to_srgb(&mut pixels, profile);
    }
    Ok(pixels)
}

/// A page that is read from top to bottom, a row of strips or tiles at a time.
pub(super) struct InOrder<'a> {
    rows: pieces::Rows<'a>,
    colours: Colours,
    profile: Option<&'a [u8]>,
    to_srgb: Option<color::InkToSrgb>,
    width: u32,
}

impl<'a> InOrder<'a> {
    /// Starts to read a page, counted from 1: in 8 bits a sample, or with `wide` in 16 where it is grey or RGB.
    pub(super) fn open(source: &'a [u8], page: u32, wide: bool) -> Result<Self, Error> {
        let directory = Directory::open(source, page)?;
        let layout = Layout::read(&directory)?;
        let colours = Colours::new(&directory, &layout)?;
        let profile = directory.bytes(tag::PROFILE)?.filter(|profile| !profile.is_empty());
        let is_light = layout.kind == Kind::Float && profile.is_none() && colours.are_light();
        let wide = wide && colours.can_be_wide();
        let width = layout.width;
        let rows = pieces::Rows::open(directory, &layout, &colours, is_light, wide)?;
        let to_srgb = colours.is_ink().then(|| color::InkToSrgb::of(profile));
        Ok(Self { rows, colours, profile, to_srgb, width })
    }

    /// Whether its samples keep more than 8 bits if they are asked for.
    pub(super) fn can_be_wide(&self) -> bool {
        self.colours.can_be_wide()
    }

    /// Whether finished samples are ink.
    pub(super) fn is_ink(&self) -> bool {
        self.colours.is_ink()
    }

    /// What finished pixels are made of, if they are no ink.
    pub(super) fn channels(&self) -> Channels {
        self.colours.channels()
    }

    /// The profile of finished samples, if one speaks of them.
    pub(super) fn profile(&self) -> Option<&'a [u8]> {
        self.profile.filter(|_| self.colours.is_profiled() && !self.is_ink())
    }

    /// Adds the next rows to `data`, and says how many; none after the last.
    pub(super) fn append(&mut self, data: &mut Vec<u8>, limits: &Limits) -> Result<u32, Error> {
        self.rows.append(&self.colours, data, limits)
    }

    /// What rows of ink look like.
    pub(super) fn ink_to_pixels(&self, rows: u32, data: Vec<u8>) -> Result<Pixels, Error> {
        let to_srgb = self.to_srgb.as_ref().ok_or_else(|| Error::corrupt("the TIFF holds no ink"))?;
        color::cmyk_pixels(self.width, rows, data, self.colours.has_alpha, to_srgb)
    }
}

fn unsupported(what: impl std::fmt::Display) -> Error {
    Error::unsupported(format!("TIFF with {what} is not supported"))
}
