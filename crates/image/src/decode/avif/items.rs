//! HEIF's items (ISO/IEC 23008-12): which pieces of the file are images, where they lie, what is said of them.

use super::boxes::{Kind, Reader, cut};
use crate::error::Error;
use crate::exif::Turn;

/// Most items that a file may have: a grid of 64×64 tiles, its alpha, and room.
const MOST_ITEMS: u64 = 10_000;

/// Everything that the `meta` box says.
#[derive(Debug, Default)]
pub(super) struct Items<'a> {
    /// The item that is the file's image.
    pub primary: u32,
    items: Vec<Item>,
    references: Vec<Reference>,
    properties: Vec<Property<'a>>,
    /// Bytes that items may lie in besides the file.
    idat: &'a [u8],
}

#[derive(Debug)]
pub(super) struct Item {
    pub id: u32,
    pub kind: Kind,
    place: Option<Place>,
    /// One-based indices into the properties, in the order that they apply.
    properties: Vec<u16>,
}

#[derive(Debug)]
struct Place {
    in_idat: bool,
    /// Offset and length; a length of 0 reaches to the end.
    extents: Vec<(u64, u64)>,
}

#[derive(Debug)]
struct Reference {
    kind: Kind,
    from: u32,
    to: Vec<u32>,
}

/// What is said of an image.
#[derive(Debug, Clone, Copy)]
pub(super) enum Property<'a> {
    Size(u32, u32),
    /// From AV1's configuration: bits a sample, and whether there is no colour.
    Config {
        bits: u8,
        mono: bool,
    },
    Cicp(Cicp),
    Profile(&'a [u8]),
    Turn(Turn),
    /// What an auxiliary image is, as a URN.
    Auxiliary(&'a [u8]),
    /// A cut to a part of the image.
    Aperture,
    Unknown,
}

/// Colour in four numbers (ITU-T H.273).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cicp {
    pub primaries: u8,
    pub transfer: u8,
    pub matrix: u8,
    pub full_range: bool,
}

impl<'a> Items<'a> {
    /// Reads the file's `meta` box.
    pub(super) fn read(file: &'a [u8]) -> Result<Self, Error> {
        let mut rest = Reader(file);
        while !rest.is_empty() {
            let (kind, payload) = rest.next_box()?;
            if kind == *b"meta" {
                return Self::read_meta(payload);
            }
        }
        Err(cut())
    }

    fn read_meta(mut meta: Reader<'a>) -> Result<Self, Error> {
        let mut items = Self::default();
        meta.version()?;
        // The boxes come in any order, and what belongs to an item is said in several.
        let mut later = Vec::new();
        while !meta.is_empty() {
            let (kind, mut payload) = meta.next_box()?;
            match &kind {
                b"pitm" => {
                    items.primary = payload.version().and_then(|(version, _)| id(&mut payload, version))?
                }
                b"iinf" => items.read_kinds(payload)?,
                b"iref" => items.read_references(payload)?,
                b"idat" => items.idat = payload.0,
                b"iloc" | b"iprp" => later.push((kind, payload)),
                _ => {}
            }
        }
        for (kind, payload) in later {
            if kind == *b"iloc" { items.read_places(payload)? } else { items.read_properties(payload)? }
        }
        Ok(items)
    }

    /// `iinf`: what each item is.
    fn read_kinds(&mut self, mut iinf: Reader<'a>) -> Result<(), Error> {
        let (version, _) = iinf.version()?;
        let count = iinf.number(if version == 0 { 2 } else { 4 })?;
        for _ in 0..count {
            let (kind, mut infe) = iinf.next_box()?;
            let (version, _) = infe.version()?;
            if kind != *b"infe" || version < 2 {
                continue;
            }
            let id = infe.number(if version == 2 { 2 } else { 4 })? as u32;
            infe.short()?;
            let kind = infe.kind()?;
            check_count(self.items.len() as u64)?;
            self.items.push(Item { id, kind, place: None, properties: Vec::new() });
        }
        Ok(())
    }

    /// `iref`: which item belongs to which.
    fn read_references(&mut self, mut iref: Reader<'a>) -> Result<(), Error> {
        let (version, _) = iref.version()?;
        while !iref.is_empty() {
            let (kind, mut payload) = iref.next_box()?;
            let from = id(&mut payload, version)?;
            let count = payload.short()?;
            let to = (0..count).map(|_| id(&mut payload, version)).collect::<Result<_, _>>()?;
            check_count(self.references.len() as u64)?;
            self.references.push(Reference { kind, from, to });
        }
        Ok(())
    }

    /// `iloc`: where each item lies.
    fn read_places(&mut self, mut iloc: Reader<'a>) -> Result<(), Error> {
        let (version, _) = iloc.version()?;
        let (sizes, more) = (iloc.byte()?, iloc.byte()?);
        let (offset_size, length_size, base_size) = (sizes >> 4, sizes & 15, more >> 4);
        let index_size = if version == 0 { 0 } else { more & 15 };
        if [offset_size, length_size, base_size, index_size].iter().any(|size| *size > 8) {
            return Err(Error::corrupt("the AVIF says where its items lie in numbers of too many bytes"));
        }
        let count = iloc.number(if version < 2 { 2 } else { 4 })?;
        check_count(count)?;
        for _ in 0..count {
            let id = iloc.number(if version < 2 { 2 } else { 4 })? as u32;
            let method = if version == 0 { 0 } else { iloc.short()? & 15 };
            iloc.short()?;
            let base = iloc.number(base_size.into())?;
            let extents = iloc.short()?;
            let mut place = Place { in_idat: method == 1, extents: Vec::new() };
            for _ in 0..extents {
                iloc.number(index_size.into())?;
                let offset = iloc.number(offset_size.into())?.saturating_add(base);
                place.extents.push((offset, iloc.number(length_size.into())?));
                if offset_size + length_size + index_size == 0 {
                    break;
                }
            }
            if let Some(item) = self.items.iter_mut().find(|item| item.id == id)
                && method < 2
            {
                item.place = Some(place);
            }
        }
        Ok(())
    }

    /// `iprp`: properties (`ipco`), and which item has which (`ipma`).
    fn read_properties(&mut self, mut iprp: Reader<'a>) -> Result<(), Error> {
        while !iprp.is_empty() {
            let (kind, mut payload) = iprp.next_box()?;
            match &kind {
                b"ipco" => {
                    while !payload.is_empty() {
                        let (kind, property) = payload.next_box()?;
                        self.properties.push(Property::read(kind, property)?);
                    }
                }
                b"ipma" => self.read_associations(payload)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn read_associations(&mut self, mut ipma: Reader<'a>) -> Result<(), Error> {
        let (version, flags) = ipma.version()?;
        let count = ipma.long()?;
        check_count(count.into())?;
        for _ in 0..count {
            let id = id(&mut ipma, version)?;
            let each = ipma.byte()?;
            let mut properties = Vec::new();
            for _ in 0..each {
                // The highest bit says that the property is essential.
                properties.push(if flags & 1 == 1 {
                    ipma.short()? & 0x7FFF
                } else {
                    u16::from(ipma.byte()? & 0x7F)
                });
            }
            if let Some(item) = self.items.iter_mut().find(|item| item.id == id) {
                item.properties = properties;
            }
        }
        Ok(())
    }

    pub(super) fn item(&self, id: u32) -> Result<&Item, Error> {
        let found = self.items.iter().find(|item| item.id == id);
        found.ok_or_else(|| Error::corrupt("the AVIF refers to an image that it does not hold"))
    }

    /// The item that is an image's alpha, and whether the image is premultiplied by it.
    pub(super) fn alpha_of(&self, image: u32) -> Option<(u32, bool)> {
        let of_image = |reference: &&Reference| reference.kind == *b"auxl" && reference.to.contains(&image);
        let alpha = self.references.iter().filter(of_image).find(|reference| {
            let item = self.item(reference.from);
            item.is_ok_and(|item| self.properties(item).any(|property| property.is_alpha()))
        })?;
        let premultiplied = |reference: &Reference| {
            reference.kind == *b"prem" && reference.from == image && reference.to.contains(&alpha.from)
        };
        Some((alpha.from, self.references.iter().any(premultiplied)))
    }

    /// The items that an image is put together from, in order.
    pub(super) fn parts_of(&self, image: u32) -> &[u32] {
        let of_image = |reference: &&Reference| reference.kind == *b"dimg" && reference.from == image;
        self.references.iter().find(of_image).map_or(&[], |reference| &reference.to)
    }

    /// The item that is an image's EXIF.
    pub(super) fn exif_of(&self, image: u32) -> Option<&Item> {
        let describes = |item: &&Item| {
            let describes = |r: &Reference| r.kind == *b"cdsc" && r.from == item.id && r.to.contains(&image);
            item.kind == *b"Exif" && self.references.iter().any(describes)
        };
        self.items.iter().find(describes)
    }

    /// An item's properties, in the order that they apply.
    pub(super) fn properties<'s>(&'s self, item: &'s Item) -> impl Iterator<Item = Property<'a>> + 's {
        let lookup = |index: &u16| self.properties.get(usize::from(*index).checked_sub(1)?).copied();
        item.properties.iter().filter_map(lookup)
    }

    /// An item's bytes, its extents put together.
    pub(super) fn bytes(&self, file: &[u8], item: &Item) -> Result<Vec<u8>, Error> {
        let place = item.place.as_ref().ok_or_else(cut)?;
        let whole = if place.in_idat { self.idat } else { file };
        let mut bytes = Vec::new();
        for (offset, length) in &place.extents {
            let from =
                usize::try_from(*offset).ok().and_then(|offset| whole.get(offset..)).ok_or_else(cut)?;
            let length =
                if *length == 0 { from.len() } else { usize::try_from(*length).map_err(|_| cut())? };
            // Extents may overlap, but an item has no more bytes than its file.
            if bytes.len() + length > file.len() {
                return Err(cut());
            }
            bytes.extend_from_slice(from.get(..length).ok_or_else(cut)?);
        }
        Ok(bytes)
    }
}

impl<'a> Property<'a> {
    fn read(kind: Kind, mut payload: Reader<'a>) -> Result<Self, Error> {
        Ok(match &kind {
            b"ispe" => {
                payload.version()?;
                Property::Size(payload.long()?, payload.long()?)
            }
            b"av1C" => {
                payload.short()?;
                let flags = payload.byte()?;
                let bits = match (flags & 0x40 != 0, flags & 0x20 != 0) {
                    (false, _) => 8,
                    (true, false) => 10,
                    (true, true) => 12,
                };
                Property::Config { bits, mono: flags & 0x10 != 0 }
            }
            b"colr" => match &payload.kind()? {
                b"nclx" => {
                    let mut number = || payload.short().map(|n| u8::try_from(n).unwrap_or(2));
                    let (primaries, transfer, matrix) = (number()?, number()?, number()?);
                    Property::Cicp(Cicp {
                        primaries,
                        transfer,
                        matrix,
                        full_range: payload.byte()? & 0x80 != 0,
                    })
                }
                b"prof" | b"rICC" => Property::Profile(payload.0),
                _ => Property::Unknown,
            },
            // Quarters against the clock.
            b"irot" => Property::Turn(Turn { mirror: false, quarters: (4 - (payload.byte()? & 3)) % 4 }),
            // 0 exchanges top and bottom: a mirror left to right, and half a turn.
            b"imir" => {
                Property::Turn(Turn { mirror: true, quarters: if payload.byte()? & 1 == 0 { 2 } else { 0 } })
            }
            b"auxC" => {
                payload.version()?;
                let name = payload.0.split(|byte| *byte == 0).next().unwrap_or_default();
                Property::Auxiliary(name)
            }
            b"clap" => Property::Aperture,
            _ => Property::Unknown,
        })
    }

    fn is_alpha(self) -> bool {
        const ALPHA: [&[u8]; 2] =
            [b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1"];
        matches!(self, Property::Auxiliary(name) if ALPHA.contains(&name))
    }
}

/// Each is looked for among all others, so there must not be too many.
fn check_count(count: u64) -> Result<(), Error> {
    if count < MOST_ITEMS {
        return Ok(());
    }
    Err(Error::corrupt(format!("the AVIF has more items than the limit of {MOST_ITEMS}")))
}

fn id(reader: &mut Reader<'_>, version: u8) -> Result<u32, Error> {
    Ok(reader.number(if version == 0 { 2 } else { 4 })? as u32)
}
