//! Image file directories: TIFF 6.0 §2, and BigTIFF's, whose numbers are eight bytes long.

/// The tags that a pyramid has, by their numbers: TIFF 6.0, its supplements 1 and 2, and ICC.1 annex B.
pub(super) mod tag {
    pub const NEW_SUBFILE_TYPE: u16 = 254;
    pub const IMAGE_WIDTH: u16 = 256;
    pub const IMAGE_LENGTH: u16 = 257;
    pub const BITS_PER_SAMPLE: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const ORIENTATION: u16 = 274;
    pub const SAMPLES_PER_PIXEL: u16 = 277;
    pub const X_RESOLUTION: u16 = 282;
    pub const Y_RESOLUTION: u16 = 283;
    pub const PLANAR_CONFIGURATION: u16 = 284;
    pub const RESOLUTION_UNIT: u16 = 296;
    pub const PREDICTOR: u16 = 317;
    pub const TILE_WIDTH: u16 = 322;
    pub const TILE_LENGTH: u16 = 323;
    pub const TILE_OFFSETS: u16 = 324;
    pub const TILE_BYTE_COUNTS: u16 = 325;
    pub const SUB_IFDS: u16 = 330;
    pub const EXTRA_SAMPLES: u16 = 338;
    pub const JPEG_TABLES: u16 = 347;
    pub const YCBCR_SUBSAMPLING: u16 = 530;
    pub const REFERENCE_BLACK_WHITE: u16 = 532;
    pub const PROFILE: u16 = 34675;
}

/// Offsets of four bytes, or of eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    Classic,
    Big,
}

/// The values of an entry.
#[derive(Debug, Clone)]
enum Values {
    Text(Vec<u8>),
    Short(Vec<u16>),
    Long(Vec<u32>),
    Rational(Vec<(u32, u32)>),
    Undefined(Vec<u8>),
    /// Places of data in the file.
    Offset(Vec<u64>),
    /// Places of directories in the file.
    Directory(Vec<u64>),
}

/// A directory. Entries may be added in any order.
#[derive(Debug, Clone, Default)]
pub(super) struct Directory {
    entries: Vec<(u16, Values)>,
}

impl Directory {
    pub(super) fn short(&mut self, tag: u16, values: &[u16]) {
        self.entries.push((tag, Values::Short(values.to_vec())));
    }

    pub(super) fn long(&mut self, tag: u16, values: &[u32]) {
        self.entries.push((tag, Values::Long(values.to_vec())));
    }

    pub(super) fn rational(&mut self, tag: u16, values: &[(u32, u32)]) {
        self.entries.push((tag, Values::Rational(values.to_vec())));
    }

    /// A text, without its closing zero.
    pub(super) fn text(&mut self, tag: u16, text: &[u8]) {
        self.entries.push((tag, Values::Text([text, &[0]].concat())));
    }

    pub(super) fn undefined(&mut self, tag: u16, bytes: &[u8]) {
        self.entries.push((tag, Values::Undefined(bytes.to_vec())));
    }

    pub(super) fn offsets(&mut self, tag: u16, values: &[u64]) {
        self.entries.push((tag, Values::Offset(values.to_vec())));
    }

    pub(super) fn directories(&mut self, tag: u16, values: &[u64]) {
        self.entries.push((tag, Values::Directory(values.to_vec())));
    }

    /// Puts other places where as many stood.
    pub(super) fn replace_directories(&mut self, tag: u16, values: &[u64]) {
        self.entries.retain(|(other, _)| *other != tag);
        self.directories(tag, values);
    }

    /// Bytes that it takes, the values behind it among them.
    pub(super) fn length(&self, width: Width) -> u64 {
        self.encode(width, 0, 0).len() as u64
    }

    /// The directory as it stands at place `at` of a little-endian file, with the place of the next one in it.
    pub(super) fn encode(&self, width: Width, at: u64, next: u64) -> Vec<u8> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|(tag, _)| *tag);
        let mut bytes = Vec::new();
        let (entry_length, inline) = match width {
            Width::Classic => {
                bytes.extend((entries.len() as u16).to_le_bytes());
                (12, 4)
            }
            Width::Big => {
                bytes.extend((entries.len() as u64).to_le_bytes());
                (20, 8)
            }
        };
        let mut behind = Vec::new();
        let first = at + (bytes.len() + entries.len() * entry_length + inline) as u64;
        for (tag, values) in entries {
            let (kind, count, mut value) = values.encode(width);
            bytes.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
            width.number(count as u64, &mut bytes);
            if value.len() <= inline {
                value.resize(inline, 0);
                bytes.extend(value);
            } else {
                width.number(first + behind.len() as u64, &mut bytes);
                // Values, and what comes after them, start at even places: here at those of eight.
                value.resize(value.len().next_multiple_of(8), 0);
                behind.extend(value);
            }
        }
        width.number(next, &mut bytes);
        bytes.extend(behind);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }
}

impl Values {
    /// Type, count, and the bytes: TIFF 6.0 §2; IFD (13) by supplement 1; 16 and 18 by BigTIFF.
    fn encode(&self, width: Width) -> (u16, usize, Vec<u8>) {
        let numbers = |values: &[u64], classic, big| {
            let mut bytes = Vec::new();
            values.iter().for_each(|value| width.number(*value, &mut bytes));
            (if width == Width::Classic { classic } else { big }, values.len(), bytes)
        };
        match self {
            Values::Text(text) => (2, text.len(), text.clone()),
            Values::Short(values) => (3, values.len(), values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Values::Long(values) => (4, values.len(), values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Values::Rational(values) => {
                let halves = values.iter().flat_map(|(n, d)| [n.to_le_bytes(), d.to_le_bytes()]);
                (5, values.len(), halves.flatten().collect())
            }
            Values::Undefined(bytes) => (7, bytes.len(), bytes.clone()),
            Values::Offset(values) => numbers(values, 4, 16),
            Values::Directory(values) => numbers(values, 13, 18),
        }
    }
}

impl Width {
    /// An offset or a count.
    pub(super) fn number(self, value: u64, into: &mut Vec<u8>) {
        match self {
            // Which width is used is decided by the last of the numbers.
            Width::Classic => into.extend((value as u32).to_le_bytes()),
            Width::Big => into.extend(value.to_le_bytes()),
        }
    }

    /// What a file starts with, as long for either.
    pub(super) fn header(self, first_directory: u64) -> [u8; 16] {
        let mut header = [0; 16];
        match self {
            Width::Classic => {
                header[..4].copy_from_slice(b"II*\0");
                header[4..8].copy_from_slice(&(first_directory as u32).to_le_bytes());
            }
            Width::Big => {
                header[..8].copy_from_slice(b"II+\0\x08\0\0\0");
                header[8..].copy_from_slice(&first_directory.to_le_bytes());
            }
        }
        header
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tiff::decoder::Decoder;
    use tiff::tags::Tag;

    use super::*;

    /// A file of one grey pixel, in either width.
    fn file(width: Width) -> Vec<u8> {
        let mut directory = Directory::default();
        directory.offsets(tag::TILE_OFFSETS, &[16]);
        directory.long(tag::TILE_BYTE_COUNTS, &[256]);
        for (tag, value) in [(tag::IMAGE_WIDTH, 1), (tag::IMAGE_LENGTH, 1)] {
            directory.long(tag, &[value]);
        }
        for (tag, value) in [(tag::TILE_WIDTH, 16), (tag::TILE_LENGTH, 16)] {
            directory.long(tag, &[value]);
        }
        let shorts = [tag::BITS_PER_SAMPLE, tag::COMPRESSION, tag::PHOTOMETRIC, tag::SAMPLES_PER_PIXEL];
        for (tag, value) in shorts.into_iter().zip([8, 1, 1, 1]) {
            directory.short(tag, &[value]);
        }
        directory.rational(tag::X_RESOLUTION, &[(300, 1)]);
        directory.text(270, b"a text longer than eight");
        let mut file = width.header(16 + 256).to_vec();
        file.resize(16 + 256, 77);
        file.extend(directory.encode(width, 16 + 256, 0));
        file
    }

    #[test]
    fn a_reader_understands_both_widths() {
        for width in [Width::Classic, Width::Big] {
            let file = file(width);
            assert_eq!(file[2], if width == Width::Big { 43 } else { 42 });
            let mut decoder = Decoder::new(Cursor::new(&file)).unwrap();
            assert_eq!(decoder.dimensions().unwrap(), (1, 1));
            let text = decoder.get_tag_ascii_string(Tag::ImageDescription).unwrap();
            assert_eq!(text, "a text longer than eight");
            assert_eq!(decoder.read_image().unwrap().as_buffer(0).as_bytes(), [77]);
        }
    }

    #[test]
    fn entries_are_sorted_and_lengths_are_told() {
        for width in [Width::Classic, Width::Big] {
            let mut directory = Directory::default();
            directory.short(tag::TILE_WIDTH, &[1, 2, 3]);
            directory.short(tag::IMAGE_WIDTH, &[4]);
            let bytes = directory.encode(width, 800, 0);
            assert_eq!(bytes.len() as u64, directory.length(width));
            let first = if width == Width::Big { 8 } else { 2 };
            assert_eq!(bytes[first..first + 2], tag::IMAGE_WIDTH.to_le_bytes());
        }
    }
}
