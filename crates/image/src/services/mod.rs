//! Image services: what is found out about an image beside its renditions. Pure functions on pixels, and the one place
//! that says what pixels they see.
//!
//! All look at one small upright copy, which is drawn of the same decode as the renditions. Where an image is no larger
//! than that copy, they see its own pixels.

mod blurhash;
mod imagehash;
mod palette;
#[cfg(test)]
mod tests;
mod triangle;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::ops::flatten::flatten;
use crate::ops::resize::{resize, whole};
use crate::pixels::Pixels;
use crate::recipe::{
    Background, Derivative, EncoderOptions, Fit, OutputFormat, Quality, Region, Request, Rotation, Size,
};

pub use palette::{ColourList, NamedColour, Rgb};

/// The longest side of the copy that services look at: many times what the finest of them tells apart.
const VIEW: u32 = 512;

/// What is wanted to be known of an image.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Services {
    /// Its colours: this many at most.
    pub palette: Option<u8>,
    /// Its BlurHash.
    pub blurhash: Option<BlurHash>,
    /// Its average and difference hash.
    pub image_hash: bool,
    /// SHA-1 of its file: a name that others know it by, and no proof of anything.
    pub sha1: bool,
}

/// How a BlurHash is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlurHash {
    /// Waves across, 1 to 9.
    pub across: u8,
    /// Waves down, 1 to 9.
    pub down: u8,
    /// The longest side of the copy that it is made of.
    pub longest: u32,
}

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Findings {
    /// Its colours, the most vibrant first.
    pub palette: Option<Vec<Rgb>>,
    /// Its BlurHash.
    pub blurhash: Option<String>,
    /// Its average and difference hash.
    pub image_hash: Option<ImageHash>,
    /// SHA-1 of its file.
    pub sha1: Option<[u8; 20]>,
}

/// Two hashes of what is bright in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageHash {
    /// Brighter than the mean, for each of 8 × 8.
    pub average: u64,
    /// Brighter to the right, for each of 8 × 8.
    pub difference: u64,
}

impl Services {
    /// The copy that is looked at, as a derivative of the same page as all others.
    pub(crate) fn view(&self, page: u32) -> Option<Derivative> {
        let side = self.blurhash.map_or(VIEW, |blurhash| VIEW.max(blurhash.longest));
        let request = Request {
            region: Region::Full,
            size: Size { fit: Fit::Box(side, side), upscale: false },
            rotation: Rotation::NONE,
            quality: Quality::Default,
            // Of all formats the one that neither drops alpha nor halves colour.
            format: OutputFormat::Png,
        };
        let options = EncoderOptions { page: Some(page), ..EncoderOptions::default() };
        let looks = self.palette.is_some() || self.blurhash.is_some() || self.image_hash;
        looks.then(|| Derivative { label: "services".to_owned(), request, options })
    }

    /// Looks at the copy of an image that has this width and height, upright.
    pub(crate) fn look(&self, view: Pixels, full: (u32, u32)) -> Result<Findings, Error> {
        let view = flatten(view, Background::WHITE);
        let palette = self.palette.map(|count| palette::extract(&view, count.into()));
        let blurhash = match self.blurhash {
            Some(blurhash) => {
                let small = blurhash.small(&view, full)?;
                Some(blurhash::encode(&small, blurhash.across, blurhash.down))
            }
            None => None,
        };
        let hashes =
            || ImageHash { average: imagehash::average(&view), difference: imagehash::difference(&view) };
        let image_hash = self.image_hash.then(hashes);
        Ok(Findings { palette, blurhash, image_hash, sha1: None })
    }

    /// What the file is known by.
    pub(crate) fn fingerprint(&self, source: &[u8]) -> Option<[u8; 20]> {
        use sha1::{Digest, Sha1};
        self.sha1.then(|| Sha1::digest(source).into())
    }
}

impl BlurHash {
    /// A copy with its longest side as asked for; never larger.
    fn small<'a>(&self, view: &'a Pixels, (width, height): (u32, u32)) -> Result<Cow<'a, Pixels>, Error> {
        let (longest, most) = (u64::from(width.max(height)), u64::from(self.longest.max(1)));
        if longest <= most {
            return Ok(Cow::Borrowed(view));
        }
        // Below the longest, which is a number of 32 bits.
        let side = |side: u32| (u64::from(side) * most / longest).max(1) as u32;
        resize(view, whole(view), side(width), side(height)).map(Cow::Owned)
    }
}

impl Findings {
    /// Whether these can be the findings of what was wanted: for who has them from somebody not to be trusted.
    pub fn can_be_of(&self, services: &Services) -> bool {
        let palette = match (&self.palette, services.palette) {
            (Some(colours), Some(most)) => colours.len() <= most.into(),
            (None, None) => true,
            _ => false,
        };
        let blurhash = match (&self.blurhash, services.blurhash) {
            (Some(text), Some(BlurHash { across, down, .. })) => blurhash::is_hash(text, across, down),
            (None, None) => true,
            _ => false,
        };
        let hashes = (self.image_hash.is_some(), self.sha1.is_some()) == (services.image_hash, services.sha1);
        palette && blurhash && hashes
    }
}
