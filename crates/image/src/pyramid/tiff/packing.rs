//! How a tile's samples become its bytes in the file, and what the directory says of it.

use libdeflater::{CompressionLvl, Compressor};
use weezl::BitOrder;

use super::super::Tile;
use crate::encode::webp;
use crate::error::Error;
use crate::jpeg::TileEncoder;
use crate::pixels::{Channels, Pixels};
use crate::recipe::Compression;

/// How tiles are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packing {
    pub compression: Compression,
    /// 1 to 100, for JPEG and WebP.
    pub quality: u8,
    /// 0 (fast) to 12 (small), for deflate.
    pub deflate_level: u8,
}

/// What zstd's own authors call the upper end of the fast levels; libtiff's default too.
const ZSTD_LEVEL: i32 = 9;

impl Packing {
    /// The number of the compression (TIFF 6.0 §3 and its supplement 2; 50000 and 50001 by libtiff).
    pub(super) fn number(self) -> u16 {
        match self.compression {
            Compression::None => 1,
            Compression::Lzw => 5,
            Compression::Jpeg => 7,
            Compression::Deflate => 8,
            Compression::Packbits => 32773,
            Compression::Zstd => 50000,
            Compression::Webp => 50001,
        }
    }

    /// Whether samples are differences to the pixel on the left: it helps whatever looks for repetitions.
    pub(super) fn has_predictor(self) -> bool {
        matches!(self.compression, Compression::Lzw | Compression::Deflate | Compression::Zstd)
    }

    /// What tiles hold, of an image of these channels: WebP knows no grey.
    pub(super) fn stored(self, channels: Channels) -> Channels {
        match (self.compression, channels) {
            (Compression::Webp, Channels::Gray) => Channels::Rgb,
            (Compression::Webp, Channels::GrayAlpha) => Channels::Rgba,
            _ => channels,
        }
    }

    /// Whether a JPEG keeps its colours at half the resolution.
    pub(super) fn is_subsampled(self) -> bool {
        self.quality < 90
    }
}

/// What one thread packs tiles with.
pub(super) struct Packer {
    packing: Packing,
    codec: Codec,
    samples: Vec<u8>,
    packed: Vec<u8>,
}

enum Codec {
    Plain,
    Deflate(Compressor),
    Lzw,
    Zstd,
    Webp,
    Jpeg(TileEncoder),
}

impl Packer {
    /// Something that packs tiles of this side.
    pub(super) fn new(packing: Packing, side: u32, channels: Channels) -> Result<Self, Error> {
        let codec = match packing.compression {
            Compression::None => Codec::Plain,
            Compression::Deflate => {
                let level = CompressionLvl::new(packing.deflate_level.into())
                    .map_err(|_| Error::encode("deflate has levels from 0 to 12"))?;
                Codec::Deflate(Compressor::new(level))
            }
            Compression::Lzw => Codec::Lzw,
            Compression::Zstd => Codec::Zstd,
            Compression::Webp => Codec::Webp,
            Compression::Jpeg => Codec::Jpeg(jpeg(packing, side, channels)?),
            Compression::Packbits => return Err(Error::encode("a pyramid is not packed with packbits")),
        };
        Ok(Self { packing, codec, samples: Vec::new(), packed: Vec::new() })
    }

    /// The tile as it stands in the file.
    pub(super) fn pack(&mut self, tile: &Tile) -> Result<Vec<u8>, Error> {
        if self.packing.has_predictor() {
            tile.padded_differences(&mut self.samples);
        } else {
            tile.padded(&mut self.samples);
        }
        match &mut self.codec {
            Codec::Plain => Ok(self.samples.clone()),
            Codec::Deflate(compressor) => {
                self.packed.resize(compressor.zlib_compress_bound(self.samples.len()), 0);
                let length = compressor.zlib_compress(&self.samples, &mut self.packed);
                let length = length.map_err(|e| failed(&e))?;
                Ok(self.packed[..length].to_vec())
            }
            Codec::Lzw => weezl::encode::Encoder::with_tiff_size_switch(BitOrder::Msb, 8)
                .encode(&self.samples)
                .map_err(|e| failed(&e)),
            Codec::Zstd => zstd::bulk::compress(&self.samples, ZSTD_LEVEL).map_err(|e| failed(&e)),
            Codec::Webp => {
                let data = std::mem::take(&mut self.samples);
                let pixels = Pixels::new(tile.side, tile.side, tile.channels(), data)?;
                let packed = webp::plain(&pixels, self.packing.quality)?;
                self.samples = pixels.data;
                Ok(packed)
            }
            Codec::Jpeg(encoder) => encoder.encode(&self.samples),
        }
    }
}

/// The tables that all of a file's JPEG tiles share (TIFF technical note 2).
pub(super) fn jpeg_tables(packing: Packing, side: u32, channels: Channels) -> Result<Vec<u8>, Error> {
    jpeg(packing, side, channels)?.tables()
}

fn jpeg(packing: Packing, side: u32, channels: Channels) -> Result<TileEncoder, Error> {
    TileEncoder::new(side, channels.count(), packing.quality, packing.is_subsampled())
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    Error::encode(format!("a tile could not be packed: {error}"))
}
