//! The smallest EXIF block that says which way up a picture is.

/// EXIF orientations, by the number the tag holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Orientation {
    Upright = 1,
    Mirrored = 2,
    UpsideDown = 3,
    UpsideDownMirrored = 4,
    MirroredTurnClockwiseThreeQuarters = 5,
    /// Show it turned a quarter clockwise: what a phone held upright stores.
    TurnClockwise = 6,
    MirroredTurnClockwise = 7,
    TurnCounterClockwise = 8,
}

impl Orientation {
    /// All eight, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Upright,
        Self::Mirrored,
        Self::UpsideDown,
        Self::UpsideDownMirrored,
        Self::MirroredTurnClockwiseThreeQuarters,
        Self::TurnClockwise,
        Self::MirroredTurnClockwise,
        Self::TurnCounterClockwise,
    ];

    /// A TIFF structure with one directory of one entry, as EXIF wants it (without the `Exif\0\0` mark).
    pub(super) fn exif(self) -> Vec<u8> {
        const HEADER: [u8; 8] = [b'M', b'M', 0, 42, 0, 0, 0, 8]; // big-endian; the directory is at byte 8
        const ONE_ENTRY: [u8; 2] = [0, 1];
        const ORIENTATION_AS_ONE_SHORT: [u8; 8] = [0x01, 0x12, 0, 3, 0, 0, 0, 1];
        const NO_NEXT_DIRECTORY: [u8; 4] = [0; 4];
        let value = [0, self as u8, 0, 0];
        [&HEADER[..], &ONE_ENTRY, &ORIENTATION_AS_ONE_SHORT, &value, &NO_NEXT_DIRECTORY].concat()
    }
}
