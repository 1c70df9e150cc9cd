//! Whether a file is whole, by its beginning and its end: formats say how long they are, or how they end. Nothing is
//! decoded. It is what tells a cut file from a whole one without reading what is between.

use imgmill_image::OutputFormat;

/// What is read of a file's beginning; files of up to this are read whole.
pub const HEAD: u64 = 32 << 10;
/// What is read of its end.
pub const TAIL: u64 = 64;

/// Looks at a file of `size` bytes.
///
/// # Errors
/// What is wrong with it, in a few words.
pub fn check(format: OutputFormat, head: &[u8], tail: &[u8], size: u64) -> Result<(), String> {
    let begins = |magic: &[u8]| head.starts_with(magic);
    let cut = |what: &str| Err(format!("it is cut: {what}"));
    match format {
        OutputFormat::Jpg if !begins(&[0xff, 0xd8, 0xff]) => other(format),
        OutputFormat::Jpg if !contains(tail, &[0xff, 0xd9]) => cut("there is no end of image"),
        OutputFormat::Png if !begins(b"\x89PNG\r\n\x1a\n") => other(format),
        OutputFormat::Png if !contains(tail, b"IEND\xae\x42\x60\x82") => cut("there is no last chunk"),
        OutputFormat::Gif if !begins(b"GIF8") => other(format),
        OutputFormat::Gif if !tail.contains(&0x3b) => cut("there is no trailer"),
        OutputFormat::Webp if !begins(b"RIFF") || head.get(8..12) != Some(b"WEBP") => other(format),
        OutputFormat::Webp => match number(head, 4, 4, true) {
            Some(length) if length + 8 <= size => Ok(()),
            _ => cut("it is shorter than it says"),
        },
        OutputFormat::Avif if head.get(4..8) != Some(b"ftyp") => other(format),
        OutputFormat::Avif => boxes(head, size),
        OutputFormat::Tif | OutputFormat::Ptif => match directory(head) {
            None => other(format),
            Some(at) if at.offset + 2 > size => cut("its directory is not in it"),
            Some(_) => Ok(()),
        },
        _ => Ok(()),
    }
}

fn other(format: OutputFormat) -> Result<(), String> {
    Err(format!("it does not begin like {}", format.as_str()))
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

fn number(bytes: &[u8], at: usize, length: usize, little: bool) -> Option<u64> {
    let digits = bytes.get(at..at.checked_add(length)?)?;
    let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    Some(if little { digits.iter().rev().fold(0, add) } else { digits.iter().fold(0, add) })
}

/// AVIF is a row of boxes, each of which says how long it is.
fn boxes(head: &[u8], size: u64) -> Result<(), String> {
    let mut at = 0;
    while at < size {
        // What is behind the beginning is not read; that there is something must do.
        let Some(length) = usize::try_from(at).ok().and_then(|at| number(head, at, 4, false)) else {
            return Ok(());
        };
        let length = match length {
            0 => return Ok(()),
            1 => usize::try_from(at).ok().and_then(|at| number(head, at + 8, 8, false)).unwrap_or(u64::MAX),
            length => length,
        };
        at = match at.checked_add(length.max(8)) {
            Some(next) if next <= size => next,
            _ => return Err("it is cut: a part of it is shorter than it says".to_owned()),
        };
    }
    Ok(())
}

/// Where a TIFF's first directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Directory {
    /// From the file's beginning.
    pub offset: u64,
    little: bool,
    big: bool,
}

/// Where a file says that its first directory is, if it is a TIFF.
pub fn directory(head: &[u8]) -> Option<Directory> {
    let little = match head.get(..2)? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let big = match number(head, 2, 2, little)? {
        42 => false,
        43 => true,
        _ => return None,
    };
    let (at, length) = if big { (8, 8) } else { (4, 4) };
    Some(Directory { offset: number(head, at, length, little)?, little, big })
}

impl Directory {
    /// Bytes to read at its offset: more entries than these nobody writes.
    pub const LENGTH: u64 = 8 << 10;

    /// Looks at the directory's bytes: its entries are there, and what they lead to is in the file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, bytes: &[u8], size: u64) -> Result<(), String> {
        let cut = || "it is cut: its directory leads out of it".to_owned();
        let (count, entry, wide) = if self.big { (8, 20, 8) } else { (2, 12, 4) };
        let entries = number(bytes, 0, count, self.little).ok_or_else(cut)?;
        if entries == 0 {
            return Err("its directory is empty".to_owned());
        }
        for index in 0..entries.min(400) {
            let at = count + usize::try_from(index).unwrap_or(usize::MAX) * entry;
            let kind = number(bytes, at + 2, 2, self.little).ok_or_else(cut)?;
            let values = number(bytes, at + 4, wide, self.little).ok_or_else(cut)?;
            let width = match kind {
                1 | 2 | 6 | 7 => 1,
                3 | 8 => 2,
                4 | 9 | 11 | 13 => 4,
                _ => 8,
            };
            let length = values.saturating_mul(width);
            if length > wide as u64 {
                let offset = number(bytes, at + 4 + wide, wide, self.little).ok_or_else(cut)?;
                if offset.saturating_add(length) > size {
                    return Err(cut());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small image in each format that is written.
    fn written(request: &str) -> (OutputFormat, Vec<u8>) {
        let drawing = imgmill_image::Recipe::new(vec![format!("x={request}").parse().unwrap()]).unwrap();
        let mut source = Vec::from(&b"BM"[..]);
        // A bitmap of 200 × 40 pixels, 24 bits each.
        let (width, height) = (200u32, 40u32);
        source.extend((54 + width * height * 3).to_le_bytes());
        source.extend([0; 4]);
        source.extend(54u32.to_le_bytes());
        source.extend(40u32.to_le_bytes());
        source.extend(width.to_le_bytes());
        source.extend(height.to_le_bytes());
        source.extend([1, 0, 24, 0]);
        source.extend([0; 24]);
        source.extend((0..width * height * 3).map(|at| (at * at / 7) as u8));
        let mut made = Vec::new();
        imgmill_image::derive(&source, &drawing, &mut made, &imgmill_image::Limits::default()).unwrap();
        (drawing.derivatives()[0].request.format, made.remove(0).bytes)
    }

    fn looked_at(format: OutputFormat, bytes: &[u8]) -> Result<(), String> {
        let size = bytes.len() as u64;
        let head = &bytes[..bytes.len().min(HEAD as usize)];
        check(format, head, &bytes[bytes.len().saturating_sub(TAIL as usize)..], size)?;
        match directory(head) {
            Some(at) => at.check(&bytes[at.offset as usize..], size),
            None => Ok(()),
        }
    }

    #[test]
    fn whole_files_pass_and_cut_ones_do_not() {
        for format in ["jpg", "png", "webp", "tif", "ptif", "gif"] {
            let (format, bytes) = written(&format!("full/max/0/default.{format}"));
            assert_eq!(looked_at(format, &bytes), Ok(()), "{format:?}");
            for cut in [0, 1, bytes.len() / 3, bytes.len() / 2, bytes.len() * 9 / 10, bytes.len() - 8] {
                assert!(looked_at(format, &bytes[..cut]).is_err(), "{format:?} at {cut} of {}", bytes.len());
            }
            assert!(
                looked_at(format, b"<html>not an image at all, but long enough to be one</html>").is_err()
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_looked_at(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..120), size in 0u64..200) {
            for format in [OutputFormat::Jpg, OutputFormat::Webp, OutputFormat::Avif, OutputFormat::Ptif] {
                drop(check(format, &bytes, &bytes, size));
            }
            for start in [&b"II*\0\x08\0\0\0"[..], b"MM\0\x2b\0\x08\0\0\0\0\0\0\0\0\0\x10"] {
                if let Some(at) = directory(&[start, &bytes].concat()) {
                    drop(at.check(&bytes, size));
                }
            }
        }
    }
}
