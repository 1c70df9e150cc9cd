//! What a rendition is called: by its content, or by a template that the user gave.
//!
//! The identity of a rendition is SHA-256 over its source (which enters by its own SHA-256, so that it can
//! be recomputed from a pointer without the bytes), the canonical derivative request and the version of
//! the encoder settings. Output bytes do not enter: they may differ with the sizes made beside them. What was made of
//! a source that breaks off has an identity of its own, so that it is never taken for what a whole one would give.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use imgmill_image::{Derivative, ENCODER_VERSION};
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use crate::error::{Error, Kind, Stage};

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

/// How object keys are made: text with `{hash} {stem} {path} {label} {ext} {row}` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTemplate {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Hash,
    Stem,
    Path,
    Label,
    Extension,
    Row,
}

const FIELDS: &str = "{hash} {stem} {path} {label} {ext} {row}";

impl Default for KeyTemplate {
    /// `{hash}.{ext}`
    fn default() -> Self {
        KeyTemplate {
            parts: vec![Part::Field(Field::Hash), Part::Text(".".to_owned()), Part::Field(Field::Extension)],
        }
    }
}

impl FromStr for KeyTemplate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            if rest.as_bytes()[open] == b'}' {
                return Err(format!("a '}}' without its '{{' in key template {text:?}"));
            }
            if open > 0 {
                parts.push(Part::Text(rest[..open].to_owned()));
            }
            let close = rest[open..]
                .find('}')
                .ok_or_else(|| format!("a '{{' without its '}}' in key template {text:?}"))?;
            parts.push(Part::Field(match &rest[open + 1..open + close] {
                "hash" => Field::Hash,
                "stem" => Field::Stem,
                "path" => Field::Path,
                "label" => Field::Label,
                "ext" => Field::Extension,
                "row" => Field::Row,
                other => {
                    return Err(format!("unknown field {{{other}}} in key template; there are {FIELDS}"));
                }
            }));
            rest = &rest[open + close + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        if !parts.iter().any(|part| matches!(part, Part::Field(field) if field.tells_sources_apart())) {
            return Err(format!(
                "key template {text:?} gives every image the same key; use at least one of {{hash}} {{stem}} {{path}} {{row}}"
            ));
        }
        Ok(KeyTemplate { parts })
    }
}

impl Field {
    fn tells_sources_apart(self) -> bool {
        matches!(self, Field::Hash | Field::Stem | Field::Path | Field::Row)
    }
}

impl KeyTemplate {
    /// Whether a key names one rendition for ever, whoever asks for it.
    pub fn is_content_addressed(&self) -> bool {
        self.parts.contains(&Part::Field(Field::Hash))
    }

    /// Whether two derivatives of one source get two keys.
    pub fn tells_derivatives_apart(&self) -> bool {
        self.is_content_addressed() || self.parts.contains(&Part::Field(Field::Label))
    }

    /// The key of one rendition, without the store's prefix.
    ///
    /// # Errors
    /// A key that comes out empty, or inside the reserved `.imgmill/`, is [`Kind::InvalidUrl`].
    pub fn key(&self, hash: &str, row: u64, url: &str, derivative: &Derivative) -> Result<String, Error> {
        let (path, stem) = path_and_stem(url);
        let mut key = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => key.push_str(text),
                Part::Field(Field::Hash) => key.push_str(hash),
                Part::Field(Field::Stem) => key.push_str(&stem),
                Part::Field(Field::Path) => key.push_str(&path),
                Part::Field(Field::Label) => key.push_str(&derivative.label),
                Part::Field(Field::Extension) => key.push_str(derivative.request.format.extension()),
                Part::Field(Field::Row) => key.push_str(&row.to_string()),
            }
        }
        let segments: Vec<&str> =
            key.split('/').filter(|segment| !matches!(*segment, "" | "." | "..")).collect();
        if segments.is_empty() || segments[0] == RESERVED {
            return Err(Error::new(
                Stage::Store,
                Kind::InvalidUrl,
                format!("the key template gives this row the key {key:?}, which cannot be used"),
            ));
        }
        Ok(segments.join("/"))
    }
}

/// The folder part and the file stem of a URL's or file's path, decoded, with nothing that could climb out
/// of a store: no empty, `.` or `..` segment and no control character.
fn path_and_stem(url: &str) -> (String, String) {
    let path = match url.split_once("://") {
        Some((_, rest)) => {
            let end = rest.find(['?', '#']).unwrap_or(rest.len());
            let path = rest[..end].split_once('/').map_or("", |(_, path)| path);
            percent_decode_str(path).decode_utf8_lossy().into_owned()
        }
        None => url.replace('\\', "/"),
    };
    let clean: String = path.chars().map(|c| if c.is_control() { '_' } else { c }).collect();
    let mut segments: Vec<&str> =
        clean.split('/').filter(|segment| !matches!(*segment, "" | "." | "..")).collect();
    let name = segments.pop().unwrap_or("index");
    let stem = match name.rfind('.') {
        Some(dot) if dot > 0 => &name[..dot],
        _ => name,
    };
    (segments.join("/"), stem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derivative() -> Derivative {
        "gray=full/max/0/gray.jpg".parse().unwrap()
    }

    #[test]
    fn templates_name_keys() {
        let key = |template: &str, url: &str| {
            template.parse::<KeyTemplate>().unwrap().key("h4sh", 7, url, &derivative())
        };
        assert_eq!(key("{hash}.{ext}", "http://h/a.png").unwrap(), "h4sh.jpg");
        assert_eq!(
            key("{path}/{stem}_{label}.{ext}", "http://h/a/b%20c/d.e.png?x=/y").unwrap(),
            "a/b c/d.e_gray.jpg"
        );
        assert_eq!(key("{path}/{stem}.{ext}", "http://h/d.png").unwrap(), "d.jpg");
        assert_eq!(key("{row}", "http://h").unwrap(), "7");
        assert_eq!(key("{stem}", "http://h/").unwrap(), "index");
        assert_eq!(key("x/{path}/{stem}", "http://h/../../%2e%2e/etc/passwd").unwrap(), "x/etc/passwd");
        assert_eq!(key("{path}/{stem}.{ext}", "/home/me/.jpg").unwrap(), "home/me/.jpg.jpg");
        assert!(key("{path}/{stem}", "http://h/.imgmill/by-url").is_err());
    }

    #[test]
    fn templates_are_checked() {
        for bad in ["x.jpg", "{label}.{ext}", "{hash", "hash}", "{nope}"] {
            assert!(bad.parse::<KeyTemplate>().is_err(), "{bad}");
        }
        assert_eq!("{hash}.{ext}".parse::<KeyTemplate>().unwrap(), KeyTemplate::default());
        assert!(!"{stem}.{ext}".parse::<KeyTemplate>().unwrap().tells_derivatives_apart());
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

    proptest::proptest! {
        #[test]
        fn keys_never_climb(url in ".{0,60}") {
            if let Ok(key) = "{path}/{stem}".parse::<KeyTemplate>().unwrap().key("h", 1, &url, &derivative()) {
                proptest::prop_assert!(!key.split('/').any(|part| part.is_empty() || part == "." || part == ".."));
            }
        }
    }
}
