//! Keys by a template that the user gave.

use std::str::FromStr;

use percent_encoding::percent_decode_str;

use super::{Named, Naming, Placement};
use crate::error::{Error, Kind, Stage};
use crate::identity::RESERVED;

/// How object keys are made: text with `{hash} {stem} {path} {id} {label} {ext} {row}` in it.
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
    Id,
    Label,
    Extension,
    Row,
}

const FIELDS: &str = "{hash} {stem} {path} {id} {label} {ext} {row}";

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
                "id" => Field::Id,
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
                "key template {text:?} gives every image the same key; use at least one of {{hash}} {{stem}} {{path}} {{id}} {{row}}"
            ));
        }
        Ok(KeyTemplate { parts })
    }
}

impl Field {
    fn tells_sources_apart(self) -> bool {
        matches!(self, Field::Hash | Field::Stem | Field::Path | Field::Id | Field::Row)
    }
}

impl Naming for KeyTemplate {
    /// # Errors
    /// A key that comes out empty, or inside the reserved `.imgmill/`, is [`Kind::InvalidUrl`].
    fn key(&self, of: &Named<'_>) -> Result<String, Error> {
        let (path, stem) = path_and_stem(of.url);
        let mut key = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => key.push_str(text),
                Part::Field(Field::Hash) => key.push_str(of.hash),
                Part::Field(Field::Stem) => key.push_str(&stem),
                Part::Field(Field::Path) => key.push_str(&path),
                Part::Field(Field::Id) => key.push_str(&id(of)?),
                Part::Field(Field::Label) => key.push_str(&of.derivative.label),
                Part::Field(Field::Extension) => key.push_str(of.derivative.request.format.extension()),
                Part::Field(Field::Row) => key.push_str(&of.row.to_string()),
            }
        }
        let segments: Vec<&str> =
            key.split('/').filter(|segment| !matches!(*segment, "" | "." | "..")).collect();
        if segments.is_empty() || segments[0] == RESERVED {
            let message = format!("the key template gives this row the key {key:?}, which cannot be used");
            return Err(Error::new(Stage::Store, Kind::InvalidUrl, message));
        }
        Ok(segments.join("/"))
    }

    fn placement(&self) -> Placement {
        if self.is_content_addressed() { Placement::Immutable } else { Placement::Claimed }
    }

    fn identity(&self) -> String {
        format!("{:?}", self.parts)
    }

    fn tells_rows_apart(&self) -> bool {
        self.parts.contains(&Part::Field(Field::Id))
    }
}

impl KeyTemplate {
    /// Whether a key names one rendition for ever, whoever asks for it.
    pub fn is_content_addressed(&self) -> bool {
        self.parts.contains(&Part::Field(Field::Hash))
    }

    /// Whether a key follows from a job's name alone, without its bytes.
    pub fn follows_from_name(&self) -> bool {
        !self.is_content_addressed()
    }

    /// Whether a key follows from a job's place in its list.
    pub fn wants_row(&self) -> bool {
        self.parts.contains(&Part::Field(Field::Row))
    }

    /// Whether two derivatives of one source get two keys.
    pub fn tells_derivatives_apart(&self) -> bool {
        self.is_content_addressed() || self.parts.contains(&Part::Field(Field::Label))
    }
}

/// The row's id, with nothing that stores would not take; slashes in it make folders.
fn id(of: &Named<'_>) -> Result<String, Error> {
    let id = of.id.ok_or_else(|| {
        let message = "the key template wants the row's id, and the row has none";
        Error::new(Stage::Store, Kind::InvalidUrl, message)
    })?;
    Ok(id.chars().map(|c| if c.is_control() { '_' } else { c }).collect())
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
    use crate::identity::SourceHash;

    fn key(template: &str, url: &str) -> Result<String, Error> {
        let derivative = "gray=full/max/0/gray.jpg".parse().unwrap();
        let of = Named {
            hash: "h4sh",
            source: SourceHash([1; 32]),
            url,
            row: 7,
            id: Some("x/../7\n"),
            derivative: &derivative,
        };
        template.parse::<KeyTemplate>().unwrap().key(&of)
    }

    #[test]
    fn templates_name_keys() {
        assert_eq!(key("{hash}.{ext}", "http://h/a.png").unwrap(), "h4sh.jpg");
        assert_eq!(
            key("{path}/{stem}_{label}.{ext}", "http://h/a/b%20c/d.e.png?x=/y").unwrap(),
            "a/b c/d.e_gray.jpg"
        );
        assert_eq!(key("{path}/{stem}.{ext}", "http://h/d.png").unwrap(), "d.jpg");
        assert_eq!(key("{row}", "http://h").unwrap(), "7");
        assert_eq!(key("{id}.{ext}", "http://h").unwrap(), "x/7_.jpg");
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

    proptest::proptest! {
        #[test]
        fn keys_never_climb(url in ".{0,60}") {
            if let Ok(key) = key("{path}/{stem}", &url) {
                proptest::prop_assert!(!key.split('/').any(|part| part.is_empty() || part == "." || part == ".."));
            }
        }
    }
}
