//! go-iiif's URIs: which image, and where what is made of it goes.
//!
//! Everything in a URI is below the source's and the cache's own folder or prefix, however it is written: a leading
//! slash means nothing, and a `..` is refused.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;
use rand::RngExt as _;

use super::instructions::Spelling;
use super::place::encoded;

/// Letters of a secret that is made here: 62 to this power are more than 2 to the 190th.
const SECRET: usize = 32;
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A URI, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uri {
    /// The image, as a path below the source.
    pub origin: String,
    target: Target,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    /// `file`: a folder of this name, with IIIF's paths in it.
    Folder(String),
    /// `rewrite`: this very file.
    File(String),
    /// `idsecret`: files of this name, with their labels.
    Secret { id: u64, folder: String, secret: String, original: String },
}

impl Uri {
    /// Reads a URI; a path by itself is `file:///PATH`.
    ///
    /// # Errors
    /// One sentence that says what is wrong with it.
    pub fn read(text: &str) -> Result<Uri, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("file", text));
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, query),
            None => (rest, ""),
        };
        let path = percent_decode_str(path).decode_utf8().map_err(|_| "its path is no UTF-8".to_owned())?;
        let origin = below("its path", &path)?;
        let query = Query::read(query)?;
        let target = match scheme {
            "file" => Target::Folder(query.path("target")?.unwrap_or_else(|| origin.clone())),
            "rewrite" => match query.path("target")? {
                Some(target) if target != origin => Target::File(target),
                Some(_) => return Err("its target is the image itself".to_owned()),
                None => return Err("it has no target; write rewrite:///image.jpg?target=name.jpg".to_owned()),
            },
            "idsecret" => query.secret()?,
            other => return Err(format!("{other}:// is not known; there are file, rewrite and idsecret")),
        };
        query.finish(scheme)?;
        Ok(Uri { origin, target })
    }

    /// Where a derivative goes, as a path below the cache.
    pub fn path_of(&self, spelling: &Spelling) -> String {
        match &self.target {
            Target::Folder(folder) => format!("{folder}/{}", spelling.path),
            Target::File(file) => file.clone(),
            Target::Secret { id, folder, secret, original } => {
                let Spelling { label, format, .. } = spelling;
                let secret = if label == "o" { original } else { secret };
                format!("{folder}/{id}_{secret}_{label}.{format}")
            }
        }
    }

    /// Whether derivatives of so many instructions have a path each.
    ///
    /// # Errors
    /// One sentence that says why not.
    pub fn holds(&self, instructions: usize) -> Result<(), String> {
        match self.target {
            Target::File(_) if instructions > 1 => Err(format!(
                "rewrite:// names one file, and the instructions make {instructions}; file:// and idsecret:// have room for them"
            )),
            _ => Ok(()),
        }
    }

    /// The file that is made of this image, where only one is: its target as it is.
    pub fn plain_path(&self) -> Option<&str> {
        match &self.target {
            Target::Folder(path) | Target::File(path) => Some(path),
            Target::Secret { .. } => None,
        }
    }

    /// The folder that a report goes to; none is the cache's own.
    pub fn report_folder(&self) -> Option<&str> {
        match &self.target {
            Target::Folder(folder) | Target::Secret { folder, .. } => Some(folder),
            Target::File(file) => file.rsplit_once('/').map(|(folder, _)| folder),
        }
    }

    /// `file:///PATH`, as reports have it.
    pub fn of_path(path: &str) -> String {
        format!("file:///{path}")
    }
}

impl fmt::Display for Uri {
    /// With the secrets that were made for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = &self.origin;
        match &self.target {
            Target::Folder(folder) if folder == origin => write!(f, "file:///{origin}"),
            Target::Folder(folder) => write!(f, "file:///{origin}?target={}", encoded(folder)),
            Target::File(file) => write!(f, "rewrite:///{origin}?target={}", encoded(file)),
            Target::Secret { id, secret, original, folder } => {
                write!(f, "idsecret:///{origin}?id={id}")?;
                if *folder != folder_of(*id) {
                    write!(f, "&prefix={}", encoded(folder))?;
                }
                write!(f, "&secret={secret}&secret_o={original}")
            }
        }
    }
}

/// A path without slashes at its ends, all of whose parts are names.
fn below(what: &str, path: &str) -> Result<String, String> {
    let path = path.trim_matches('/');
    if path.is_empty() {
        return Err(format!("{what} is empty"));
    }
    if path.chars().any(char::is_control) || path.contains('\\') {
        return Err(format!("{what} holds a character that no path may have"));
    }
    match path.split('/').find(|part| matches!(*part, "" | "." | "..")) {
        Some(part) => Err(format!("{what} has the part {part:?}, which could lead anywhere")),
        None => Ok(path.to_owned()),
    }
}

/// `?name=value&…`, each to be asked for.
struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    const KNOWN: [(&'static str, &'static [&'static str]); 3] = [
        ("file", &["target"]),
        ("rewrite", &["target"]),
        ("idsecret", &["id", "secret", "secret_o", "prefix", "root", "label", "format", "original"]),
    ];

    fn read(text: &'a str) -> Result<Self, String> {
        Ok(Query(url::form_urlencoded::parse(text.as_bytes()).collect()))
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| &**value)
    }

    fn path(&self, name: &str) -> Result<Option<String>, String> {
        self.get(name).map(|path| below(&format!("its {name}"), path)).transpose()
    }

    fn secret(&self) -> Result<Target, String> {
        let id = self.get("id").ok_or("it has no id; write idsecret:///image.jpg?id=1234")?;
        let id: u64 = id.parse().map_err(|_| format!("its id is {id:?}, and a whole number is meant"))?;
        let secret = |name: &str| match self.get(name) {
            Some(secret) if secret.contains('/') => Err(format!("its {name} holds a slash")),
            Some(secret) => below(&format!("its {name}"), secret),
            None => Ok(generated()),
        };
        let folder = self.path("prefix")?.or(self.path("root")?).unwrap_or_else(|| folder_of(id));
        Ok(Target::Secret { id, folder, secret: secret("secret")?, original: secret("secret_o")? })
    }

    /// A misspelled name must not be overlooked.
    fn finish(&self, scheme: &str) -> Result<(), String> {
        let known = Self::KNOWN.iter().find(|(name, _)| *name == scheme).map_or(&[][..], |(_, known)| known);
        match self.0.iter().find(|(name, _)| !known.contains(&&**name)) {
            Some((name, _)) => {
                Err(format!("{name:?} means nothing in {scheme}://; there are {}", known.join(", ")))
            }
            None => Ok(()),
        }
    }
}

/// The digits of an id in threes, a folder each: `123/4`.
fn folder_of(id: u64) -> String {
    let digits = id.to_string();
    let threes = digits.as_bytes().chunks(3).map(String::from_utf8_lossy);
    threes.collect::<Vec<_>>().join("/")
}

/// From the generator that the standard library's users take keys from: seeded by the system, and cryptographic.
fn generated() -> String {
    let mut random = rand::rng();
    (0..SECRET).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelling(label: &str) -> Spelling {
        Spelling { label: label.into(), path: "full/!2048,1536/0/color.jpg".into(), format: "jpg".into() }
    }

    fn path(uri: &str, label: &str) -> String {
        Uri::read(uri).unwrap().path_of(&spelling(label))
    }

    #[test]
    fn paths_are_go_iiifs() {
        let iiif = "source/IMG_0084.JPG/full/!2048,1536/0/color.jpg";
        assert_eq!(path("source/IMG_0084.JPG", "b"), iiif);
        assert_eq!(path("/source/IMG_0084.JPG", "b"), iiif);
        assert_eq!(path("file:///source/IMG_0084.JPG", "b"), iiif);
        assert_eq!(path("file:///x/a%20b.jpg?target=/t/u+v", "b"), "t/u v/full/!2048,1536/0/color.jpg");
        assert_eq!(path("rewrite:///a.jpg?target=/final/name.jpg", "b"), "final/name.jpg");
        let secret = "idsecret:///path/image.jpg?id=1234&secret=s33kret&secret_o=seekr3t";
        assert_eq!(path(secret, "b"), "123/4/1234_s33kret_b.jpg");
        assert_eq!(path(secret, "o"), "123/4/1234_seekr3t_o.jpg");
        assert_eq!(path(&format!("{secret}&prefix=/p/q/"), "b"), "p/q/1234_s33kret_b.jpg");
        assert_eq!(Uri::read(secret).unwrap().report_folder(), Some("123/4"));
        assert_eq!(Uri::read(secret).unwrap().to_string(), secret);
        assert_eq!(Uri::read("rewrite:///a.jpg?target=b.jpg").unwrap().report_folder(), None);
    }

    #[test]
    fn secrets_that_are_missing_are_made_and_never_the_same() {
        let one = Uri::read("idsecret:///a.jpg?id=7").unwrap();
        let Target::Secret { secret, original, .. } = &one.target else { panic!() };
        assert!(secret != original && secret.len() == SECRET);
        assert!(secret.bytes().all(|letter| LETTERS.contains(&letter)));
        assert_ne!(one, Uri::read("idsecret:///a.jpg?id=7").unwrap());
        assert_eq!(one, Uri::read(&one.to_string()).unwrap(), "a report says what was made");
    }

    #[test]
    fn nothing_leads_out() {
        for (uri, says) in [
            ("../a.jpg", "\"..\""),
            ("file:///a/../../b.jpg", "\"..\""),
            ("file:///%2e%2e/b.jpg", "\"..\""),
            ("a.jpg?target=/../b", "its target"),
            ("idsecret:///a.jpg?id=1&prefix=../..", "its prefix"),
            ("idsecret:///a.jpg?id=1&secret=a/b", "a slash"),
            ("idsecret:///a.jpg?id=1&secret=..", "\"..\""),
            ("idsecret:///a.jpg?id=-1", "whole number"),
            ("idsecret:///a.jpg", "no id"),
            ("rewrite:///a.jpg", "no target"),
            ("rewrite:///a.jpg?target=a.jpg", "the image itself"),
            ("a.jpg?tarket=b", "\"tarket\" means nothing"),
            ("http://h/a.jpg", "http:// is not known"),
            ("a//b.jpg", "\"\""),
            ("", "empty"),
            ("file:///", "empty"),
            ("a\u{0}.jpg", "character"),
        ] {
            let error = Uri::read(uri).unwrap_err();
            assert!(error.contains(says), "{uri}: {error}");
        }
        assert!(Uri::read("rewrite:///a.jpg?target=b.jpg").unwrap().holds(2).is_err());
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_read_stays_below(text in "\\PC{0,40}", target in "\\PC{0,20}") {
            for text in [text.clone(), format!("file:///{text}?target={target}"), format!("idsecret:///{text}?id=5&prefix={target}")] {
                if let Ok(uri) = Uri::read(&text) {
                    let path = uri.path_of(&spelling("b"));
                    for path in [&uri.origin, &path] {
                        proptest::prop_assert!(!path.starts_with('/'));
                        proptest::prop_assert!(!path.split('/').any(|part| matches!(part, "" | "." | "..")), "{}", path);
                    }
                }
            }
        }
    }
}
