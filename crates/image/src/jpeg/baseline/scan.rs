//! What is to be read before the first coefficient: tables, frame, scan header, and the scan's data without stuffing.

use super::super::markers::Segments;
use super::table::Table;

/// A baseline JPEG up to and with its only scan.
pub(super) struct Scan {
    pub width: u32,
    pub height: u32,
    pub components: Vec<Component>,
    /// Largest sampling factors, across and down.
    pub most: (usize, usize),
    /// MCUs across and down.
    pub mcus: (usize, usize),
    /// MCUs from one restart to the next; all there are where nothing restarts.
    pub interval: usize,
    /// The coded data without stuffing and markers.
    pub data: Vec<u8>,
    /// Where in the data each interval ends.
    pub ends: Vec<usize>,
    /// Tables for DC and AC, by number.
    pub tables: [[Option<Table>; 4]; 2],
    /// JFIF's version, unit and density, if there is such a header.
    pub jfif: Option<[u8; 7]>,
}

/// Coded bytes that are read at most, since a copy of them is made: four bits a pixel and as much again as headers take.
pub(crate) fn coded_bytes_most(width: u32, height: u32) -> u64 {
    u64::from(width) * u64::from(height) / 2 + (64 << 10)
}

/// One component of the frame, as it is coded.
#[derive(Clone)]
pub(super) struct Component {
    id: u8,
    /// Blocks of an MCU, across and down.
    pub blocks: (usize, usize),
    quantisation: usize,
    /// Quantisation steps, in zigzag order.
    pub steps: [u16; 64],
    pub dc_table: usize,
    pub ac_table: usize,
}

struct Frame {
    width: u32,
    height: u32,
    components: Vec<Component>,
}

impl Scan {
    /// Reads all that. `None` for what is not as plain as this module's reader wants it.
    pub(super) fn read(source: &[u8]) -> Option<Self> {
        let mut segments = Segments::new(source);
        let mut steps: [Option<[u16; 64]>; 4] = [None; 4];
        let mut tables: [[Option<Table>; 4]; 2] = Default::default();
        let (mut frame, mut interval, mut jfif) = (None, 0, None);
        loop {
            let (marker, payload) = segments.next_segment().ok()??;
            match marker {
                0xC0 | 0xC1 if frame.is_none() => frame = Some(Frame::read(payload)?),
                0xC4 => huffman_tables(payload, &mut tables)?,
                0xC0..=0xCF => return None,
                0xDB => quantisation_tables(payload, &mut steps)?,
                0xDD => interval = usize::from(u16::from_be_bytes(payload.try_into().ok()?)),
                0xDA => {
                    let mut frame = frame?;
                    frame.read_scan(payload, &steps)?;
                    return frame.into_scan(source.get(segments.at()..)?, interval, tables, jfif);
                }
                0xE0 if jfif.is_none() => {
                    // Shorter than its thumbnail's size it counts for nothing.
                    let density = payload.strip_prefix(b"JFIF\0").filter(|rest| rest.len() >= 9);
                    jfif = density.and_then(|rest| rest.first_chunk()).copied();
                }
                _ => {}
            }
        }
    }

    /// Codes for DC and AC of a component.
    pub(super) fn codes(&self, component: &Component) -> Option<(&Table, &Table)> {
        let [dc, ac] = &self.tables;
        Some((dc[component.dc_table].as_ref()?, ac[component.ac_table].as_ref()?))
    }
}

impl Frame {
    fn read(payload: &[u8]) -> Option<Self> {
        let [8, h1, h0, w1, w0, count, rest @ ..] = payload else { return None };
        let (listed, []) = rest.as_chunks::<3>() else { return None };
        let component = |[id, sampling, quantisation]: &[u8; 3]| Component {
            id: *id,
            blocks: (usize::from(sampling >> 4), usize::from(sampling & 15)),
            quantisation: usize::from(*quantisation),
            steps: [0; 64],
            dc_table: 0,
            ac_table: 0,
        };
        let mut components: Vec<Component> = listed.iter().map(component).collect();
        // A component that is alone is coded block by block, whatever its factors say.
        if let [alone] = components.as_mut_slice() {
            alone.blocks = (1, 1);
        }
        let plain = |c: &Component| (1..=2).contains(&c.blocks.0) && (1..=2).contains(&c.blocks.1);
        let frame = Self {
            width: u16::from_be_bytes([*w1, *w0]).into(),
            height: u16::from_be_bytes([*h1, *h0]).into(),
            components,
        };
        let whole = frame.components.len() == usize::from(*count) && matches!(count, 1 | 3);
        (whole && frame.width > 0 && frame.height > 0 && frame.components.iter().all(plain)).then_some(frame)
    }

    /// The scan header: all components, in the frame's order, with all their coefficients.
    fn read_scan(&mut self, payload: &[u8], steps: &[Option<[u16; 64]>; 4]) -> Option<()> {
        let (count, rest) = payload.split_first()?;
        if usize::from(*count) != self.components.len() || rest.len() != self.components.len() * 2 + 3 {
            return None;
        }
        let (listed, spectrum) = rest.split_at(self.components.len() * 2);
        for (component, [id, tables]) in self.components.iter_mut().zip(listed.as_chunks::<2>().0) {
            component.steps = (*steps.get(component.quantisation)?)?;
            (component.dc_table, component.ac_table) = (usize::from(tables >> 4), usize::from(tables & 15));
            if component.id != *id || component.dc_table > 3 || component.ac_table > 3 {
                return None;
            }
        }
        (spectrum == [0, 63, 0]).then_some(())
    }

    fn into_scan(
        self,
        coded: &[u8],
        interval: usize,
        tables: [[Option<Table>; 4]; 2],
        jfif: Option<[u8; 7]>,
    ) -> Option<Scan> {
        let Self { width, height, components } = self;
        let most =
            (components.iter().map(|c| c.blocks.0).max()?, components.iter().map(|c| c.blocks.1).max()?);
        let mcus = ((width as usize).div_ceil(8 * most.0), (height as usize).div_ceil(8 * most.1));
        let all = mcus.0 * mcus.1;
        if coded_bytes_most(width, height) < coded.len() as u64 {
            return None;
        }
        let interval = if interval == 0 { all } else { interval };
        let (data, ends) = without_stuffing(coded)?;
        let scan = Scan { width, height, components, most, mcus, interval, data, ends, tables, jfif };
        let complete = scan.components.iter().all(|component| scan.codes(component).is_some());
        (complete && scan.ends.len() == all.div_ceil(interval)).then_some(scan)
    }
}

fn quantisation_tables(mut payload: &[u8], steps: &mut [Option<[u16; 64]>; 4]) -> Option<()> {
    while let Some((kind, rest)) = payload.split_first() {
        let (table, rest) = rest.split_first_chunk::<64>()?;
        // The upper half says that steps have two bytes, which no baseline file has.
        *steps.get_mut(usize::from(*kind))? = Some(table.map(u16::from));
        payload = rest;
    }
    Some(())
}

fn huffman_tables(mut payload: &[u8], tables: &mut [[Option<Table>; 4]; 2]) -> Option<()> {
    while let Some((kind, rest)) = payload.split_first() {
        let (counts, rest) = rest.split_first_chunk::<16>()?;
        let count = counts.iter().map(|count| usize::from(*count)).sum();
        let (symbols, rest) = rest.split_at_checked(count)?;
        let class = tables.get_mut(usize::from(kind >> 4))?;
        *class.get_mut(usize::from(kind & 15))? = Some(Table::new(counts, symbols)?);
        payload = rest;
    }
    Some(())
}

/// Coded data up to the end of the image, and where in it there were restarts (T.81 §B.1.1.5, §E.1.4).
fn without_stuffing(coded: &[u8]) -> Option<(Vec<u8>, Vec<usize>)> {
    let mut data = Vec::with_capacity(coded.len());
    let mut ends = Vec::new();
    let mut at = 0;
    loop {
        let rest = &coded[at..];
        let run = memchr::memchr(0xFF, rest)?;
        data.extend_from_slice(&rest[..run]);
        match *rest.get(run + 1)? {
            0x00 => data.push(0xFF),
            marker @ 0xD0..=0xD7 if usize::from(marker - 0xD0) == ends.len() % 8 => ends.push(data.len()),
            0xD9 => {
                ends.push(data.len());
                return Some((data, ends));
            }
            _ => return None,
        }
        at += run + 2;
    }
}
