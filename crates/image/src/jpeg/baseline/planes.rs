//! A JPEG's components as planes of samples, each scaled in the DCT by itself.

use super::bits::Bits;
use super::block::{ac_values, dc_difference};
use super::idct::{Coefficients, Weights};
use super::scan::{Component, Scan};
use super::table::Table;
use crate::limits::Limits;

/// One component's samples. It reaches to the end of its last blocks; what is past the image's edges repeats them.
pub(crate) struct Plane {
    pub width: u32,
    pub height: u32,
    /// `width * height` samples.
    pub data: Vec<u8>,
    /// Samples for each pixel of the full-size image, across and down.
    pub scale: (f64, f64),
}

/// How large planes are wanted, in eighths of full size: 1, 2, 4 or 8. One that is stored coarser is given as near to it
/// as its own eight eighths allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scales {
    pub luma: u8,
    pub colour: u8,
}

/// Reads the three components of a JPEG of this size. `None` if this reader is not for it, or time
/// is up, which libjpeg will say.
pub(crate) fn planes(source: &[u8], size: (u32, u32), scales: Scales, limits: &Limits) -> Option<[Plane; 3]> {
    let scan = Scan::read(source)?;
    if scan.components.len() != 3 || (scan.width, scan.height) != size {
        return None;
    }
    let mut readers = Vec::new();
    for (component, eighths) in scan.components.iter().zip([scales.luma, scales.colour, scales.colour]) {
        let coarser = (scan.most.0 / component.blocks.0).max(scan.most.1 / component.blocks.1) as u8;
        let (dc, ac) = scan.codes(component)?;
        let state = State::new(&scan, component, usize::from((eighths * coarser).min(8)), dc, ac);
        readers.push(match state.side {
            1 => Reader::One(state, Weights::new(&component.steps)),
            2 => Reader::Two(state, Weights::new(&component.steps)),
            4 => Reader::Four(state, Weights::new(&component.steps)),
            _ => Reader::Eight(state, Weights::new(&component.steps)),
        });
    }
    let mut bits = Bits::new(&scan.data, 0);
    for mcu in 0..scan.mcus.0 * scan.mcus.1 {
        if mcu % scan.interval == 0 && mcu > 0 {
            let end = *scan.ends.get(mcu / scan.interval - 1)?;
            ends_at(&bits, end).then_some(())?;
            bits = Bits::new(&scan.data, end);
            readers.iter_mut().for_each(|reader| reader.state().dc_before = 0);
        }
        let at = (mcu % scan.mcus.0, mcu / scan.mcus.0);
        if at.0 == 0 {
            limits.check_time().ok()?;
        }
        for reader in &mut readers {
            match reader {
                Reader::One(state, weights) => state.read(&mut bits, weights, at)?,
                Reader::Two(state, weights) => state.read(&mut bits, weights, at)?,
                Reader::Four(state, weights) => state.read(&mut bits, weights, at)?,
                Reader::Eight(state, weights) => state.read(&mut bits, weights, at)?,
            }
        }
    }
    ends_at(&bits, scan.data.len()).then_some(())?;
    let mut readers = readers.into_iter().map(|mut reader| reader.state().finish(&scan));
    Some([readers.next()?, readers.next()?, readers.next()?])
}

/// Whether reading stopped within the last byte before `end`, as it does where nothing is missing or left.
pub(super) fn ends_at(bits: &Bits<'_>, end: usize) -> bool {
    bits.position().div_ceil(8) == end
}

/// A component being read, by the size of its scaled blocks.
enum Reader<'a> {
    One(State<'a>, Weights<1>),
    Two(State<'a>, Weights<2>),
    Four(State<'a>, Weights<4>),
    Eight(State<'a>, Weights<8>),
}

impl<'a> Reader<'a> {
    fn state(&mut self) -> &mut State<'a> {
        match self {
            Reader::One(state, _)
            | Reader::Two(state, _)
            | Reader::Four(state, _)
            | Reader::Eight(state, _) => state,
        }
    }
}

struct State<'a> {
    dc: &'a Table,
    ac: &'a Table,
    /// Blocks of an MCU, across and down.
    blocks: (usize, usize),
    /// Samples of a scaled block's side.
    side: usize,
    stride: usize,
    data: Vec<u8>,
    dc_before: i32,
    block: Coefficients,
}

impl<'a> State<'a> {
    fn new(scan: &Scan, component: &Component, side: usize, dc: &'a Table, ac: &'a Table) -> Self {
        let blocks = component.blocks;
        let stride = scan.mcus.0 * blocks.0 * side;
        let data = vec![0; stride * scan.mcus.1 * blocks.1 * side];
        Self { dc, ac, blocks, side, stride, data, dc_before: 0, block: Coefficients::new() }
    }

    /// Reads this component's blocks of the MCU at a column and row.
    #[inline(always)]
    fn read<const N: usize>(
        &mut self,
        bits: &mut Bits<'_>,
        weights: &Weights<N>,
        (column, row): (usize, usize),
    ) -> Option<()> {
        for y in 0..self.blocks.1 {
            for x in 0..self.blocks.0 {
                self.dc_before = self.dc_before.wrapping_add(dc_difference(bits, self.dc)?);
                let block = &mut self.block;
                weights.start(block, self.dc_before);
                ac_values(bits, self.ac, |position, value| weights.put(block, position, value))?;
                let (left, top) = ((column * self.blocks.0 + x) * N, (row * self.blocks.1 + y) * N);
                let target = &mut self.data[top * self.stride..][..N * self.stride];
                let samples = block.samples::<N>();
                for (row, samples) in target.chunks_exact_mut(self.stride).zip(samples) {
                    row[left..left + N].copy_from_slice(&samples);
                }
            }
        }
        Some(())
    }

    fn finish(&mut self, scan: &Scan) -> Plane {
        let mut data = std::mem::take(&mut self.data);
        let part = |length: u32, blocks: usize, most: usize| {
            (length as usize * blocks * self.side).div_ceil(most * 8).max(1)
        };
        let width = part(scan.width, self.blocks.0, scan.most.0);
        let height = part(scan.height, self.blocks.1, scan.most.1);
        for row in data.chunks_exact_mut(self.stride).take(height) {
            let last = row[width - 1];
            row[width..].fill(last);
        }
        let (inside, outside) = data.split_at_mut(height * self.stride);
        for row in outside.chunks_exact_mut(self.stride) {
            row.copy_from_slice(&inside[(height - 1) * self.stride..]);
        }
        let scale = |blocks: usize, most: usize| (self.side * blocks) as f64 / (8 * most) as f64;
        Plane {
            width: self.stride as u32,
            height: (data.len() / self.stride) as u32,
            data,
            scale: (scale(self.blocks.0, scan.most.0), scale(self.blocks.1, scan.most.1)),
        }
    }
}
