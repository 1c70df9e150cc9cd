//! TIFF files put together tag by tag, which no library writes for us.

/// A page whose strips or tiles are given as stored, with tags that can be set and set again.
pub struct Tiff {
    pieces: Vec<Vec<u8>>,
    tiled: bool,
    entries: Vec<Entry>,
    big_endian: bool,
    next: Option<Box<Tiff>>,
}

struct Entry {
    tag: u16,
    kind: u16,
    count: u32,
    /// Numbers, by the length of each, or bytes as they are.
    value: Value,
}

enum Value {
    Numbers(usize, Vec<u32>),
    Bytes(Vec<u8>),
    /// What stands in the entry, whatever the count says.
    InPlace([u8; 4]),
}

/// Grey of 8 bits in one strip, until tags say otherwise.
pub fn strip(width: u32, height: u32, data: &[u8]) -> Tiff {
    Tiff::new(width, height, &[data])
}

impl Tiff {
    pub fn new(width: u32, height: u32, strips: &[&[u8]]) -> Self {
        Self::of(width, height, strips, false)
    }

    pub fn tiled(width: u32, height: u32, side: u32, tiles: &[&[u8]]) -> Self {
        Self::of(width, height, tiles, true).long(322, &[side]).long(323, &[side])
    }

    fn of(width: u32, height: u32, pieces: &[&[u8]], tiled: bool) -> Self {
        let pieces = pieces.iter().map(|piece| piece.to_vec()).collect();
        let tiff = Self { pieces, tiled, entries: Vec::new(), big_endian: false, next: None };
        tiff.long(256, &[width]).long(257, &[height]).short(258, &[8]).short(259, &[1]).short(262, &[1])
    }

    pub fn big_endian(mut self) -> Self {
        self.big_endian = true;
        self
    }

    pub fn short(self, tag: u16, values: &[u16]) -> Self {
        let values: Vec<u32> = values.iter().map(|value| u32::from(*value)).collect();
        self.entry(tag, 3, values.len(), Value::Numbers(2, values))
    }

    pub fn long(self, tag: u16, values: &[u32]) -> Self {
        self.entry(tag, 4, values.len(), Value::Numbers(4, values.to_vec()))
    }

    pub fn rational(self, tag: u16, values: &[(u32, u32)]) -> Self {
        let halves = values.iter().flat_map(|(above, below)| [*above, *below]).collect();
        self.entry(tag, 5, values.len(), Value::Numbers(4, halves))
    }

    pub fn undefined(self, tag: u16, bytes: &[u8]) -> Self {
        self.entry(tag, 7, bytes.len(), Value::Bytes(bytes.to_vec()))
    }

    pub fn ascii(self, tag: u16, text: &str) -> Self {
        self.entry(tag, 2, text.len() + 1, Value::Bytes([text.as_bytes(), &[0]].concat()))
    }

    pub fn raw(self, tag: u16, kind: u16, count: u32, value: [u8; 4]) -> Self {
        self.entry(tag, kind, count as usize, Value::InPlace(value))
    }

    pub fn followed_by(mut self, page: Tiff) -> Self {
        self.next = Some(Box::new(match self.next.take() {
            Some(next) => next.followed_by(page),
            None => page,
        }));
        self
    }

    fn entry(mut self, tag: u16, kind: u16, count: usize, value: Value) -> Self {
        self.entries.retain(|entry| entry.tag != tag);
        self.entries.push(Entry { tag, kind, count: count as u32, value });
        self
    }

    pub fn bytes(self) -> Vec<u8> {
        self.written(false)
    }

    pub fn bytes_linked_to_itself(self) -> Vec<u8> {
        self.written(true)
    }

    fn written(self, to_itself: bool) -> Vec<u8> {
        let big_endian = self.big_endian;
        let mut file = if big_endian { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
        file.extend([0; 4]);
        let mut link = 4;
        let mut page = Some(Box::new(self));
        while let Some(mut current) = page {
            page = current.next.take();
            let (directory, next) = current.append(&mut file);
            file[link..link + 4].copy_from_slice(&number(directory, 4, big_endian));
            link = next;
            if to_itself {
                file[link..link + 4].copy_from_slice(&number(directory, 4, big_endian));
            }
        }
        file
    }

    /// Adds the page; where its directory is, and where the link to the next one.
    fn append(mut self, file: &mut Vec<u8>) -> (u32, usize) {
        let mut starts = Vec::new();
        for piece in &self.pieces {
            starts.push(file.len() as u32);
            file.extend(piece);
        }
        let lengths: Vec<u32> = self.pieces.iter().map(|piece| piece.len() as u32).collect();
        let (starts_tag, lengths_tag) = if self.tiled { (324, 325) } else { (273, 279) };
        for (tag, list) in [(starts_tag, starts), (lengths_tag, lengths)] {
            if !self.entries.iter().any(|entry| entry.tag == tag) {
                self = self.long(tag, &list);
            }
        }
        self.entries.sort_by_key(|entry| entry.tag);
        let mut table = number(self.entries.len() as u32, 2, self.big_endian);
        for Entry { tag, kind, count, value } in &self.entries {
            table.extend(number((*tag).into(), 2, self.big_endian));
            table.extend(number((*kind).into(), 2, self.big_endian));
            table.extend(number(*count, 4, self.big_endian));
            let mut bytes = match value {
                Value::Numbers(length, numbers) => {
                    numbers.iter().flat_map(|n| number(*n, *length, self.big_endian)).collect()
                }
                Value::Bytes(bytes) => bytes.clone(),
                Value::InPlace(bytes) => bytes.to_vec(),
            };
            if bytes.len() > 4 {
                let start = file.len() as u32;
                file.extend(bytes);
                bytes = number(start, 4, self.big_endian);
            }
            bytes.resize(4, 0);
            table.extend(bytes);
        }
        let directory = file.len();
        file.extend(&table);
        file.extend([0; 4]);
        (directory as u32, directory + table.len())
    }
}

fn number(value: u32, length: usize, big_endian: bool) -> Vec<u8> {
    if big_endian {
        value.to_be_bytes()[4 - length..].to_vec()
    } else {
        value.to_le_bytes()[..length].to_vec()
    }
}
