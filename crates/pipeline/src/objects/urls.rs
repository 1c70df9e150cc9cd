//! What the URLs of stored objects look like, as far as that can be chosen.

/// What the URLs of stored objects look like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum UrlStyle {
    /// The bucket in the host's name, as AWS has it now: `https://BUCKET.s3.REGION.amazonaws.com/KEY`.
    #[default]
    Virtual,
    /// The bucket in the path: `https://s3.REGION.amazonaws.com/BUCKET/KEY`.
    Path,
    /// Below a URL of one's own, such as a CDN's.
    Base(String),
}

impl std::str::FromStr for UrlStyle {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "virtual" => Ok(UrlStyle::Virtual),
            None if text == "path" => Ok(UrlStyle::Path),
            Some(("base", base)) if base.contains("://") => {
                Ok(UrlStyle::Base(base.trim_end_matches('/').to_owned()))
            }
            _ => Err(format!("{text:?} is not one of virtual, path, base=URL")),
        }
    }
}
