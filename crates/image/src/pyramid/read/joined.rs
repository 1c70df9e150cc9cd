//! A JPEG tile and the tables that it shares with others, joined to a file. TIFF technical note 2; T.81 Annex B.
//!
//! Nothing is decoded: markers are walked to see that the stream is what the directory says, and the tables are put
//! before its own segments.

const SOI: [u8; 2] = [0xFF, 0xD8];
const EOI: [u8; 2] = [0xFF, 0xD9];
/// JFIF 1.02 without a density: by it, three components are YCbCr and one is grey.
const JFIF: [u8; 18] = *b"\xFF\xE0\0\x10JFIF\0\x01\x02\0\0\x01\0\x01\0\0";

/// A tile as a file; `None` if it is no whole stream of that size which goes with JFIF.
pub(super) fn joined(tables: &[u8], tile: &[u8], (width, height): (u32, u32)) -> Option<Vec<u8>> {
    let rest = tile.strip_prefix(&SOI)?;
    // Some writers fill up to an even length.
    let end = rest.iter().rposition(|byte| *byte != 0)? + 1;
    let rest = rest[..end].strip_suffix(&EOI)?;
    if !is_plain(rest, (width, height)) {
        return None;
    }
    let tables = match tables {
        [] => tables,
        tables => tables.strip_prefix(&SOI)?.strip_suffix(&EOI)?,
    };
    Some([&SOI[..], &JFIF, tables, rest, &EOI].concat())
}

/// Whether the segments before the scan are one baseline frame of this size, and none says that colours are something
/// else than JFIF has them.
fn is_plain(mut rest: &[u8], (width, height): (u32, u32)) -> bool {
    let mut frame_is_right = false;
    while let [0xFF, marker, high, low, ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(segment) = rest.get(4..2 + length) else { return false };
        match marker {
            // SOS: the scan comes.
            0xDA => return frame_is_right,
            // SOF0 and SOF1: precision, height, width, number of components.
            0xC0 | 0xC1 => {
                let [8, y1, y0, x1, x0, 1 | 3, ..] = segment else { return false };
                let found = (u16::from_be_bytes([*x1, *x0]), u16::from_be_bytes([*y1, *y0]));
                frame_is_right = (u32::from(found.0), u32::from(found.1)) == (width, height);
            }
            // DQT, DHT, DRI, comments.
            0xDB | 0xC4 | 0xDD | 0xFE => {}
            _ => return false,
        }
        rest = &rest[2 + length..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: &[u8] = b"\xFF\xC0\0\x0B\x08\0\x10\0\x20\x01\x01\x11\0";
    const SCAN: &[u8] = b"\xFF\xDA\0\x08\x01\x01\0\0\x3F\0data";

    fn tile(segments: &[&[u8]]) -> Vec<u8> {
        [&SOI[..], &segments.concat(), &EOI].concat()
    }

    #[test]
    fn tables_come_before_the_frame() {
        let tables = tile(&[b"\xFF\xDB\0\x03q"]);
        let found = joined(&tables, &tile(&[FRAME, SCAN]), (32, 16)).unwrap();
        assert_eq!(found, tile(&[&JFIF, b"\xFF\xDB\0\x03q", FRAME, SCAN]));
        let filled = [&tile(&[FRAME, SCAN])[..], &[0]].concat();
        assert_eq!(joined(&tables, &filled, (32, 16)).unwrap(), found);
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_decoder() {
        let adobe: &[u8] = b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0\0";
        let progressive: &[u8] = b"\xFF\xC2\0\x0B\x08\0\x10\0\x20\x01\x01\x11\0";
        for tile in [
            tile(&[adobe, FRAME, SCAN]),
            tile(&[progressive, SCAN]),
            tile(&[SCAN]),
            tile(&[FRAME]),
            tile(&[]),
            tile(&[FRAME, SCAN])[..20].to_vec(),
            Vec::new(),
            vec![0xFF, 0xD8],
            b"\xFF\xD8\xFF\xDA\xFF\xFF\xFF\xD9".to_vec(),
        ] {
            assert_eq!(joined(&[], &tile, (32, 16)), None);
        }
        assert_eq!(joined(&[], &tile(&[FRAME, SCAN]), (16, 32)), None);
        assert_eq!(joined(b"no tables", &tile(&[FRAME, SCAN]), (32, 16)), None);
    }
}
