//! What renditions are called, and what may happen to an object of such a name.
//!
//! A system that owes its users certain names implements [`Naming`]; [`KeyTemplate`] is the one that people write
//! themselves. A name decides nothing about what a rendition is: that is [`crate::identity`].

mod template;

use std::fmt;

use imgmill_image::Derivative;

pub use template::KeyTemplate;

use crate::error::{Error, Kind, Stage};
use crate::identity::{self, RESERVED, SourceHash};
use crate::objects::Expected;

/// A rendition that wants a name.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// Its identity: see [`crate::identity::rendition_hash`].
    pub hash: &'a str,
    /// The bytes it is made of.
    pub source: SourceHash,
    /// Where those came from.
    pub url: &'a str,
    /// The job's place in its source.
    pub row: u64,
    /// What its source knows it by, if it has such a column.
    pub id: Option<&'a str>,
    /// What it is.
    pub derivative: &'a Derivative,
}

/// What may happen to an object once it has its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Nothing: the name tells all images apart, and finding the object is as good as making it.
    Immutable,
    /// The source that claimed the name first may replace it; another source is an error.
    Claimed,
    /// Whatever is there is replaced.
    Replaced,
}

/// How renditions are named.
pub trait Naming: fmt::Debug + Send + Sync {
    /// The key of one rendition, without the store's prefix.
    ///
    /// # Errors
    /// When the rendition can have none; its kind is [`Kind::InvalidUrl`].
    fn key(&self, of: &Named<'_>) -> Result<String, Error>;

    /// What holds for all objects with these names.
    fn placement(&self) -> Placement;

    /// What tells this naming from others: two with one identity name everything alike.
    fn identity(&self) -> String;

    /// Of a claimed name, a key: what was there when the work began. The rendition is put if that is still so, and else the
    /// job fails: work that took too long never replaces newer work. Without it the owner replaces whatever it put
    /// there before, and nothing else.
    fn over(&self, _key: &str) -> Option<&Expected> {
        None
    }

    /// Whether rows of one URL may have names of their own: by their ids.
    fn tells_rows_apart(&self) -> bool {
        false
    }

    /// Of a claimed name: what its owner is known by, if not by the URL.
    fn owner(&self, url: &str) -> String {
        identity::source_name(url).into_owned()
    }
}

/// A key as it may go to a store.
///
/// # Errors
/// One that is empty, could climb out of the store or lies in the reserved `.imgmill/` is [`Kind::InvalidUrl`].
pub(crate) fn checked(key: String) -> Result<String, Error> {
    let unusable = key.split('/').any(|segment| matches!(segment, "" | "." | ".."));
    if unusable || key.split('/').next() == Some(RESERVED) {
        let message = format!(
            "the key {key:?} cannot be used: it is empty, has an empty, '.' or '..' part, or is {RESERVED}'s"
        );
        return Err(Error::new(Stage::Store, Kind::InvalidUrl, message));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_in_the_store() {
        for good in ["a", "a/b.jpg", "a b/ü+%.jpg", "a/.imgmill", "..a/b"] {
            assert_eq!(checked(good.to_owned()).unwrap(), good);
        }
        for bad in ["", "/a", "a/", "a//b", "a/../b", "./a", ".imgmill/by-url"] {
            assert_eq!(checked(bad.to_owned()).unwrap_err().kind(), Kind::InvalidUrl, "{bad}");
        }
    }
}
