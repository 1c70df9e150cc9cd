//! How a tile's samples become its bytes in the file, and what the directory says of it.

use libdeflater::{CompressionLvl, Compressor};
use weezl::BitOrder;

use super::super::Tile;
use crate::encode::webp;
use crate::error::Error;
use crate::jpeg::TileEncoder;
use crate::pixels::{Channels, Depth, Pixels};
use crate::recipe::Compression;

/// How tiles are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packing {
    pub compression: Compression,
    /// 1 to 100, for JPEG and WebP.
    pub quality: u8,
    /// 1 (fast) to 12 (small), for deflate; tiles that are hardly larger at 1 are packed at that.
    pub deflate_level: u8,
}

/// What zstd's own authors call the upper end of the fast levels; libtiff's default too.
const ZSTD_LEVEL: i32 = 9;

/// Which part of a tile is packed twice to see what effort brings: one of so many.
const SAMPLE: usize = 16;

/// So many hundredths of the least size are as good as it.
const HARDLY_LARGER: usize = 103;

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
    pub(crate) fn is_subsampled(self) -> bool {
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
    Deflate { fast: Compressor, small: Compressor },
    Lzw,
    Zstd,
    Webp,
    Jpeg(TileEncoder),
}

/// What tiles come as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Samples {
    /// Pixels.
    Pixels(Channels, Depth),
    /// Y, Cb and Cr apart, the latter two as fine as the packing keeps them: for JPEG.
    Planes,
}

impl Samples {
    /// What an image of it is made of, for the directory.
    pub(super) fn channels(self) -> Channels {
        match self {
            Samples::Pixels(channels, _) => channels,
            Samples::Planes => Channels::Rgb,
        }
    }

    pub(super) fn depth(self) -> Depth {
        match self {
            Samples::Pixels(_, depth) => depth,
            Samples::Planes => Depth::Eight,
        }
    }
}

impl Packer {
    /// Something that packs tiles of this side.
    pub(super) fn new(packing: Packing, side: u32, samples: Samples) -> Result<Self, Error> {
        let codec = match packing.compression {
            Compression::Jpeg => Codec::Jpeg(jpeg(packing, side, samples)?),
            _ if samples == Samples::Planes => return Err(Error::encode("planes are packed as JPEG")),
            Compression::None => Codec::Plain,
            Compression::Deflate => {
                let compressor = |level: u8| {
                    let level = CompressionLvl::new(level.into());
                    level.map(Compressor::new).map_err(|_| Error::encode("deflate has levels from 0 to 12"))
                };
                Codec::Deflate { fast: compressor(1)?, small: compressor(packing.deflate_level)? }
            }
            Compression::Lzw => Codec::Lzw,
            Compression::Zstd => Codec::Zstd,
            Compression::Webp => Codec::Webp,
            Compression::Packbits => return Err(Error::encode("a pyramid is not packed with packbits")),
        };
        Ok(Self { packing, codec, samples: Vec::new(), packed: Vec::new() })
    }

    /// The tile as it stands in the file, of one set of samples or of three planes.
    pub(super) fn pack(&mut self, tiles: &[Tile]) -> Result<Vec<u8>, Error> {
        if let Codec::Jpeg(encoder) = &mut self.codec {
            return pack_jpeg(encoder, tiles);
        }
        let [tile] = tiles else { return Err(Error::encode("a tile is packed from its pixels")) };
        if self.packing.has_predictor() {
            tile.padded_differences(&mut self.samples);
        } else {
            tile.padded(&mut self.samples);
        }
        match &mut self.codec {
            Codec::Plain => Ok(self.samples.clone()),
            Codec::Deflate { fast, small } => {
                // Noise, as photographs have it, is hardly smaller for any effort. A piece of the tile tells.
                let sample = self.samples.len() / SAMPLE;
                let sample = &self.samples[sample * (SAMPLE / 2)..][..sample];
                let least = deflate(small, sample, &mut self.packed)?;
                let soon = deflate(fast, sample, &mut self.packed)?;
                let compressor = if soon * 100 <= least * HARDLY_LARGER { fast } else { small };
                let length = deflate(compressor, &self.samples, &mut self.packed)?;
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
            Codec::Jpeg(_) => Err(Error::encode("a JPEG tile is packed from its rows")),
        }
    }
}

/// Packs bytes to the beginning of `into`, and says how long they are then.
fn deflate(compressor: &mut Compressor, bytes: &[u8], into: &mut Vec<u8>) -> Result<usize, Error> {
    into.resize(compressor.zlib_compress_bound(bytes.len()).max(into.len()), 0);
    compressor.zlib_compress(bytes, into).map_err(|e| failed(&e))
}

/// Whole tiles are read where they lie.
fn pack_jpeg(encoder: &mut TileEncoder, tiles: &[Tile]) -> Result<Vec<u8>, Error> {
    let padded: Vec<Vec<u8>> = tiles
        .iter()
        .map(|tile| {
            let mut samples = Vec::new();
            if tile.is_partial() {
                tile.padded(&mut samples);
            }
            samples
        })
        .collect();
    let planes: Vec<Vec<&[u8]>> = tiles
        .iter()
        .zip(&padded)
        .map(|(tile, padded)| match padded.is_empty() {
            true => tile.rows().collect(),
            false => padded.chunks_exact(tile.side as usize * tile.band.pixel()).collect(),
        })
        .collect();
    encoder.encode(&planes)
}

/// The tables that all of a file's JPEG tiles share (TIFF technical note 2).
pub(super) fn jpeg_tables(packing: Packing, side: u32, samples: Samples) -> Result<Vec<u8>, Error> {
    jpeg(packing, side, samples)?.tables()
}

fn jpeg(packing: Packing, side: u32, samples: Samples) -> Result<TileEncoder, Error> {
    let (quality, subsampled) = (packing.quality, packing.is_subsampled());
    match samples {
        Samples::Pixels(channels, _) => TileEncoder::new(side, channels.count(), quality, subsampled),
        Samples::Planes => TileEncoder::of_planes(side, quality, subsampled),
    }
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    Error::encode(format!("a tile could not be packed: {error}"))
}
