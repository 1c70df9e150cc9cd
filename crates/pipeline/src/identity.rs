//! What sources and renditions are, whatever they are called: SHA-256 over what they come from.
//!
//! The identity of a rendition is SHA-256 over its source (which enters by its own SHA-256, so that it can
//! be recomputed from a pointer without the bytes), the canonical derivative request and the version of
//! the encoder settings. Output bytes do not enter: they may differ with the sizes made beside them. What was made of
//! a source that breaks off has an identity of its own, so that it is never taken for what a whole one would give.

use std::borrow::Cow;
use std::fmt;

use imgmill_image::{Derivative, ENCODER_VERSION};
use sha2::{Digest, Sha256};

/// The folder of a store that holds what imgmill itself needs to know; no rendition's key lies in it.
pub const RESERVED: &str = ".imgmill";

/// SHA-256 of a source's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourceHash(pub [u8; 32]);

impl SourceHash {
    /// Reads 64 hex digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 64 {
            return None;
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(bytes.chunks_exact(2)) {
            let digits = std::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        Some(SourceHash(hash))
    }
}

impl fmt::Display for SourceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// Lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        text
    })
}

/// What makes two rows the same source: the URL, or for a file of this machine its absolute path, so that
/// `a.jpg` of one folder is never taken for another folder's.
pub fn source_name(url: &str) -> Cow<'_, str> {
    let path = match url.split_once("://") {
        None => Some(std::path::PathBuf::from(url)),
        Some(("file", _)) => url::Url::parse(url).ok().and_then(|url| url.to_file_path().ok()),
        Some(_) => None,
    };
    match path.and_then(|path| std::path::absolute(path).ok()) {
        Some(path) => Cow::Owned(format!("file://{}", path.display())),
        None => Cow::Borrowed(url),
    }
}

/// SHA-256 of a text, in hex: the names of pointers.
pub fn text_hash(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// The identity of the rendition that `derivative` makes of a source; `truncated` says that the source ends before its
/// image does, and that what is there of it was accepted.
pub fn rendition_hash(source: SourceHash, derivative: &Derivative, truncated: bool) -> String {
    let mut hasher = Sha256::new();
    hasher.update(source.0);
    hasher.update([0]);
    hasher.update(derivative.canonical());
    hasher.update([0]);
    hasher.update(ENCODER_VERSION.to_be_bytes());
    if truncated {
        hasher.update(b"\0truncated");
    }
    hex(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derivative() -> Derivative {
        "gray=full/max/0/gray.jpg".parse().unwrap()
    }

    #[test]
    fn a_file_is_named_by_its_absolute_path() {
        let here = std::env::current_dir().unwrap();
        let name = format!("file://{}/a b.jpg", here.display());
        assert_eq!(source_name("a b.jpg"), name);
        assert_eq!(source_name("./a b.jpg"), name);
        assert_eq!(source_name(&name.replace(' ', "%20")), name);
        assert_eq!(source_name("http://h/a.jpg"), "http://h/a.jpg");
    }

    #[test]
    fn identity_depends_on_source_and_request() {
        let a = SourceHash([1; 32]);
        let gray = rendition_hash(a, &derivative(), false);
        assert_eq!(gray.len(), 64);
        assert_eq!(
            gray,
            rendition_hash(a, &"other=full/max/0/gray.jpg".parse().unwrap(), false),
            "the label does not enter"
        );
        assert_ne!(gray, rendition_hash(SourceHash([2; 32]), &derivative(), false));
        assert_ne!(gray, rendition_hash(a, &derivative(), true), "a cut source's is another");
        assert_ne!(gray, rendition_hash(a, &"gray=full/max/0/gray.png".parse().unwrap(), false));
        assert_eq!(SourceHash::from_hex(&a.to_string()), Some(a));
    }
}
