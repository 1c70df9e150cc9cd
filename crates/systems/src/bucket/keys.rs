//! Keys: which are of images, where they are read from, and what their pyramids are called. A key is taken as it is,
//! character by character; only a URL encodes it.

use imgmill_pipeline::{Error, Kind, Stage};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The sources that become pyramids, by extension.
pub const EXTENSIONS: [&str; 8] = ["jpeg", "jpg", "bmp", "tif", "tiff", "png", "eps", "pdf"];

/// What stands for itself in a URL's path (RFC 3986 § 2.3).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Why a key is not an image's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotAnImage {
    /// It ends with a slash: what consoles and gateways put for a folder.
    Folder,
    /// It, or a folder in it, begins with a dot: what desktops leave behind.
    DotFile,
    /// Its extension is none of [`EXTENSIONS`].
    Extension,
}

impl NotAnImage {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            NotAnImage::Folder => "a folder",
            NotAnImage::DotFile => "a dot file",
            NotAnImage::Extension => "not an image by its extension",
        }
    }
}

/// Whether the object at this key is one that a pyramid is made of.
///
/// # Errors
/// Why not.
pub fn is_image(key: &str) -> Result<(), NotAnImage> {
    if key.is_empty() || key.ends_with('/') {
        return Err(NotAnImage::Folder);
    }
    if key.split('/').any(|part| part.starts_with('.') && part != "." && part != "..") {
        return Err(NotAnImage::DotFile);
    }
    match extension(key) {
        Some(extension) if EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)) => Ok(()),
        _ => Err(NotAnImage::Extension),
    }
}

/// Whether the source is a PDF, which is kept beside its pyramid.
pub fn is_pdf(key: &str) -> bool {
    extension(key).is_some_and(|extension| extension.eq_ignore_ascii_case("pdf"))
}

/// What follows the last dot of the last part.
pub fn extension(key: &str) -> Option<&str> {
    let name = key.rsplit('/').next()?;
    name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, extension)| extension)
}

/// The key's folder, with the slash at its end: `path` in a record.
pub fn folder(key: &str) -> &str {
    &key[..key.rfind('/').map_or(0, |slash| slash + 1)]
}

/// The pyramid of `a/b/name.png` is `a/b/name.tif`.
pub fn pyramid(key: &str) -> String {
    let stem = match extension(key) {
        Some(extension) => &key[..key.len() - extension.len() - 1],
        None => key,
    };
    format!("{stem}.tif")
}

/// The keys of all sources whose pyramid is that of this one, as extensions are commonly written.
pub fn of_one_pyramid(key: &str) -> impl Iterator<Item = String> {
    let pyramid = pyramid(key);
    EXTENSIONS.iter().flat_map(move |extension| {
        let stem = &pyramid[..pyramid.len() - "tif".len()];
        let capitalised = extension[..1].to_uppercase() + &extension[1..];
        let spelt = [(*extension).to_owned(), extension.to_uppercase(), capitalised];
        spelt.map(|extension| format!("{stem}{extension}"))
    })
}

/// Refuses a key that no URL and no client of object stores passes on as it is, before it leads to another object.
///
/// # Errors
/// [`Kind::InvalidUrl`] with the part that is to blame.
pub fn check(key: &str) -> Result<(), Error> {
    let wrong = |why: &str| {
        let message = format!("the key {key:?} cannot be read: {why}; give the object another name");
        Err(Error::new(Stage::Source, Kind::InvalidUrl, message))
    };
    if key.split('/').any(str::is_empty) {
        return wrong("a part of it between slashes is empty");
    }
    if key.split('/').any(|part| matches!(part, "." | "..")) {
        return wrong("a part of it is . or ..");
    }
    if key.chars().any(|c| c.is_ascii_control()) {
        return wrong("it holds a control character");
    }
    Ok(())
}

/// The URL of the object at `key` in the bucket or folder with this URL.
pub fn url(bucket: &str, key: &str) -> String {
    let parts = key.split('/').map(|part| utf8_percent_encode(part, UNRESERVED).to_string());
    format!("{}/{}", bucket.trim_end_matches('/'), parts.collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_told_by_extension_and_name() {
        for key in ["a.png", "digital/x/lantern.JPEG", "a.b.tif", "x y+%ü.Pdf"] {
            assert_eq!(is_image(key), Ok(()), "{key}");
        }
        for (key, why) in [
            ("digital/", NotAnImage::Folder),
            ("", NotAnImage::Folder),
            ("a/.DS_Store", NotAnImage::DotFile),
            ("a/._lantern.png", NotAnImage::DotFile),
            (".Trash/a.png", NotAnImage::DotFile),
            ("a/Thumbs.db", NotAnImage::Extension),
            ("png", NotAnImage::Extension),
            ("a.png/b", NotAnImage::Extension),
        ] {
            assert_eq!(is_image(key), Err(why), "{key}");
        }
    }

    #[test]
    fn names_and_urls() {
        assert_eq!(pyramid("a/b/name.png"), "a/b/name.tif");
        assert_eq!(pyramid("a.b/name"), "a.b/name.tif");
        assert_eq!(pyramid("x.tar.PNG"), "x.tar.tif");
        assert!(of_one_pyramid("a/x.png").any(|key| key == "a/x.TIFF"));
        assert_eq!((folder("a/b/c.png"), folder("c.png")), ("a/b/", ""));
        assert_eq!(
            url("s3://pictures", "a b/1+1%20=ü?#.png"),
            "s3://pictures/a%20b/1%2B1%2520%3D%C3%BC%3F%23.png"
        );
        assert_eq!(url("file:///srv/in/", "a.png"), "file:///srv/in/a.png");
        for key in ["/a.png", "a//b.png", "../a.png", "a/./b.png", "a\nb.png"] {
            assert!(check(key).is_err(), "{key:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_url_leads_back_to_its_key(key in "[^/\\x00-\\x1f\\x7f]{1,12}(/[^/\\x00-\\x1f\\x7f]{1,12}){0,3}") {
            proptest::prop_assume!(check(&key).is_ok());
            let url = url::Url::parse(&url("s3://bucket", &key)).unwrap();
            let path = percent_encoding::percent_decode_str(url.path()).decode_utf8().unwrap();
            proptest::prop_assert_eq!(path.strip_prefix('/'), Some(key.as_str()));
        }
    }
}
