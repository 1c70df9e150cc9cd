//! AVIF: 8 to 12 bits, grey, colour and alpha, any subsampling, grids; of a sequence its still image.
//!
//! Which way up it is, the container's `irot` and `imir` say; an EXIF orientation has no say (MIAF, ISO/IEC 23000-22
//! §7.3.6). Colours are what an ICC profile says, else what H.273's numbers say; of HDR transfers (PQ, HLG) the samples
//! are taken as they are, without tone mapping.

mod av1;
mod boxes;
mod items;
mod yuv;

use crate::color::{self, Space};
use crate::error::Error;
use crate::exif::{self, Turn};
use crate::header::{Header, RowOrder};
use crate::pixels::{Channels, Pixels};
use crate::sniff::SourceFormat;
use av1::Frame;
use boxes::Reader;
use items::{Cicp, Item, Items, Property};

/// Pixels that a grid's first tile may reach beyond its image, in an image that is smaller than a tile.
const MOST_BEYOND: u64 = 1 << 20;

pub(super) fn header(source: &[u8]) -> Result<Header, Error> {
    let items = Items::read(source)?;
    let image = Image::of(&items, items.primary)?;
    let alpha = items.alpha_of(items.primary).is_some();
    Ok(Header {
        format: SourceFormat::Avif,
        width: image.width,
        height: image.height,
        orientation: image.orientation,
        channels: if image.mono { 1 } else { 3 } + u8::from(alpha),
        bits: image.bits,
        rows: RowOrder::AtOnce,
        jpeg: None,
        vector: None,
    })
}

pub(super) fn exif(source: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let items = Items::read(source)?;
    let Some(item) = items.exif_of(items.primary) else { return Ok(None) };
    let bytes = items.bytes(source, item)?;
    // Where the TIFF structure begins, counted from behind this number (ISO/IEC 23008-12 annex A).
    let mut block = Reader(&bytes);
    let start = block.long()? as usize;
    Ok(block.0.get(start..).map(<[u8]>::to_vec))
}

pub(super) fn decode(source: &[u8], header: &Header) -> Result<Pixels, Error> {
    let items = Items::read(source)?;
    let image = Image::of(&items, items.primary)?;
    if (image.width, image.height) != (header.width, header.height) {
        return Err(Error::corrupt("the AVIF's picture is not as large as its header says"));
    }
    let Decoded { mut pixels, cicp } = image.decode(source, &items, Wanted::Colours)?;
    if let Some((alpha, premultiplied)) = items.alpha_of(items.primary) {
        let alpha = Image::of(&items, alpha)?;
        if (alpha.width, alpha.height) != (image.width, image.height) {
            return Err(Error::unsupported("an AVIF with an alpha of another size is not supported"));
        }
        pixels = with_alpha(&pixels, &alpha.decode(source, &items, Wanted::Alpha)?.pixels, premultiplied)?;
    }
    let space = match image.profile {
        Some(profile) => Space::Icc(profile.into()),
        None => Space::Cicp { primaries: cicp.primaries, transfer: cicp.transfer },
    };
    color::space_to_srgb(&mut pixels, &space);
    Ok(pixels)
}

/// Pixels, and the numbers that say what their colours are.
struct Decoded {
    pixels: Pixels,
    cicp: Cicp,
}

/// Which samples of an image are wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Wanted {
    Colours,
    /// Luma alone, in full range: what an alpha image holds.
    Alpha,
}

/// An image item and what its properties say.
struct Image<'a> {
    item: &'a Item,
    width: u32,
    height: u32,
    bits: u8,
    mono: bool,
    orientation: u8,
    cicp: Option<Cicp>,
    profile: Option<&'a [u8]>,
}

impl<'a> Image<'a> {
    fn of(items: &'a Items<'a>, id: u32) -> Result<Self, Error> {
        let item = items.item(id)?;
        let (mut size, mut turn, mut config) = (None, Turn { mirror: false, quarters: 0 }, None);
        let (mut cicp, mut profile) = (None, None);
        for property in items.properties(item) {
            match property {
                Property::Size(width, height) => size = Some((width, height)),
                Property::Config { bits, mono } => config = Some((bits, mono)),
                Property::Cicp(numbers) => cicp = Some(numbers),
                Property::Profile(bytes) => profile = Some(bytes),
                Property::Turn(next) => turn = turn.then(next),
                Property::Aperture => {
                    return Err(Error::unsupported(
                        "an AVIF that shows a part of its picture is not supported",
                    ));
                }
                Property::Auxiliary(_) | Property::Unknown => {}
            }
        }
        let (width, height) = size.ok_or_else(|| Error::corrupt("the AVIF does not say how large it is"))?;
        if width == 0 || height == 0 {
            return Err(Error::corrupt("the AVIF has no pixels"));
        }
        // A grid's configuration is its parts'.
        let first = items.parts_of(id).first().and_then(|part| items.item(*part).ok());
        let of_part = first.and_then(|part| {
            items.properties(part).find_map(|property| match property {
                Property::Config { bits, mono } => Some((bits, mono)),
                _ => None,
            })
        });
        let (bits, mono) = config.or(of_part).unwrap_or((8, false));
        let orientation = (1..=8).find(|number| Turn::upright(*number) == turn).unwrap_or(exif::UPRIGHT);
        Ok(Self { item, width, height, bits, mono, orientation, cicp, profile })
    }

    fn decode(&self, source: &[u8], items: &Items<'_>, wanted: Wanted) -> Result<Decoded, Error> {
        match &self.item.kind {
            b"av01" => self.decode_picture(source, items, wanted, self.cicp),
            b"grid" => self.decode_grid(source, items, wanted),
            other => {
                let kind = other.escape_ascii();
                Err(Error::unsupported(format!(
                    "an AVIF whose image is of the kind “{kind}” is not supported"
                )))
            }
        }
    }

    fn decode_picture(
        &self,
        source: &[u8],
        items: &Items<'_>,
        wanted: Wanted,
        cicp: Option<Cicp>,
    ) -> Result<Decoded, Error> {
        let bytes = items.bytes(source, self.item)?;
        if bytes.is_empty() {
            return Err(boxes::cut());
        }
        let frame = av1::decode(bytes, self.width, self.height, cicp)?;
        let Frame { bits, .. } = frame;
        let (channels, data) = match (wanted, frame.subsampling) {
            (Wanted::Alpha, _) => (Channels::Gray, yuv::gray(&frame.planes[0], bits, true)),
            (Wanted::Colours, None) => {
                (Channels::Gray, yuv::gray(&frame.planes[0], bits, frame.cicp.full_range))
            }
            (Wanted::Colours, Some(_)) => (Channels::Rgb, yuv::rgb(&frame)?),
        };
        let pixels = Pixels::new(self.width, self.height, channels, data)?;
        Ok(Decoded { pixels, cicp: frame.cicp })
    }

    /// Puts a grid's tiles together (ISO/IEC 23008-12 §6.6.2.3).
    fn decode_grid(&self, source: &[u8], items: &Items<'_>, wanted: Wanted) -> Result<Decoded, Error> {
        let bytes = items.bytes(source, self.item)?;
        let mut grid = Reader(&bytes);
        let (_, flags) = (grid.byte()?, grid.byte()?);
        let (rows, columns) = (usize::from(grid.byte()?) + 1, usize::from(grid.byte()?) + 1);
        let size_of_number = if flags & 1 == 0 { 2 } else { 4 };
        let (width, height) = (grid.number(size_of_number)?, grid.number(size_of_number)?);
        let tiles = items.parts_of(self.item.id);
        let wrong = |what: &str| Error::corrupt(format!("the AVIF's grid is damaged: {what}"));
        if (width, height) != (self.width.into(), self.height.into()) {
            return Err(wrong("it is not as large as the image"));
        }
        let first = tiles.first().map(|tile| Image::of(items, *tile)).transpose()?;
        let Some(first) = first.filter(|_| tiles.len() == rows * columns) else {
            return Err(wrong("it has not as many tiles as it says"));
        };
        let covers = |count: usize, tile: u32, side: u32| {
            let (count, tile, side) = (count as u64, u64::from(tile), u64::from(side));
            count * tile >= side && (count - 1) * tile < side
        };
        if !covers(columns, first.width, self.width) || !covers(rows, first.height, self.height) {
            return Err(wrong("its tiles do not cover the image"));
        }
        let pixels = |width: u32, height: u32| u64::from(width) * u64::from(height);
        if pixels(first.width, first.height) > pixels(self.width, self.height) * 4 + MOST_BEYOND {
            return Err(wrong("its tiles are far larger than the image"));
        }
        let mut canvas: Option<Decoded> = None;
        let mut read = 0;
        for (index, id) in tiles.iter().enumerate() {
            let tile = Image::of(items, *id)?;
            if tile.item.kind != *b"av01" || (tile.width, tile.height) != (first.width, first.height) {
                return Err(wrong("its tiles are of different sizes"));
            }
            // Items may share bytes; a file whose tiles all do is made to waste time.
            read += items.bytes(source, tile.item)?.len();
            if read > source.len() {
                return Err(wrong("its tiles share their bytes"));
            }
            let Decoded { pixels, cicp } =
                tile.decode_picture(source, items, wanted, self.cicp.or(tile.cicp))?;
            let canvas = &mut canvas
                .get_or_insert_with(|| Decoded {
                    pixels: Pixels::blank(self.width, self.height, pixels.channels),
                    cicp,
                })
                .pixels;
            if canvas.channels != pixels.channels {
                return Err(wrong("some of its tiles are grey and some are not"));
            }
            place(
                canvas,
                &pixels,
                index % columns * tile.width as usize,
                index / columns * tile.height as usize,
            );
        }
        canvas.ok_or_else(|| wrong("it has no tiles"))
    }
}

/// Copies a tile to its place, as far as it lies on the canvas.
fn place(canvas: &mut Pixels, tile: &Pixels, x: usize, y: usize) {
    let count = canvas.channels.count();
    let length = tile.stride().min(canvas.stride().saturating_sub(x * count));
    let stride = canvas.stride();
    for (from, to) in tile.rows().zip(canvas.data.chunks_exact_mut(stride).skip(y)) {
        to[x * count..][..length].copy_from_slice(&from[..length]);
    }
}

fn with_alpha(pixels: &Pixels, alpha: &Pixels, premultiplied: bool) -> Result<Pixels, Error> {
    let count = pixels.channels.count();
    let mut data = Vec::with_capacity(alpha.data.len() * (count + 1));
    for (colours, alpha) in pixels.data.chunks_exact(count).zip(&alpha.data) {
        if premultiplied {
            data.extend(colours.iter().map(|colour| super::unmultiplied(*colour, *alpha)));
        } else {
            data.extend_from_slice(colours);
        }
        data.push(*alpha);
    }
    Pixels::new(pixels.width, pixels.height, pixels.channels.with_alpha(), data)
}
