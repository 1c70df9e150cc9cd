//! Where images are and where derivatives go, as a config names it: `images.source` and `derivatives.cache`.

use std::path::Path;
use std::str::FromStr as _;

use imgmill_pipeline::objects::CredentialSource;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::json::Object;
use super::template::Template;

/// A place for images.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// A folder, or a bucket of an object store.
    Bucket(Bucket),
    /// Web servers: a URL with a place for the image's name. Only to read from.
    Web(Template),
    /// Memory or nothing at all, which are the same when the program ends.
    Nowhere,
}

/// A folder, or a bucket of an object store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// `file:///folder`, `s3://bucket/prefix`, `gs://…`, `az://…`, without a slash at its end.
    pub url: String,
    /// Its AWS region, where it is given.
    pub region: Option<String>,
    /// Where credentials for it are found.
    pub credentials: CredentialSource,
}

/// What may stand unencoded in a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// A path as part of a URL.
pub(super) fn encoded(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
}

impl Place {
    /// Reads `{name, path, prefix, region, credentials}` or `{uri}`.
    pub(super) fn read(place: &Object<'_>) -> Result<Option<Place>, String> {
        let (name, path, uri) = (place.text("name")?, place.text("path")?, place.text("uri")?);
        let (prefix, region, credentials) =
            (place.text("prefix")?, place.text("region")?, place.text("credentials")?);
        for (key, value) in
            [("path", path), ("prefix", prefix), ("region", region), ("credentials", credentials)]
        {
            let filled_in = name.is_some_and(|name| name.eq_ignore_ascii_case("uri"));
            if let Some(value) =
                value.filter(|value| value.starts_with('{') && value.ends_with('}') && !filled_in)
            {
                return Err(format!(
                    "{}: {value} is a placeholder; put your own value there",
                    place.path_of(key)
                ));
            }
        }
        if let Some(uri) = uri {
            return Place::of_uri(uri).map(Some).map_err(|why| format!("{}: {why}", place.path_of("uri")));
        }
        let Some(name) = name else {
            return match place.is_there() {
                true => Err(format!(
                    "{}: a name is meant, such as Disk, and there is none",
                    place.path_of("name")
                )),
                false => Ok(None),
            };
        };
        let path = || {
            let what = format!("{}: a path is meant, and there is none", place.path_of("path"));
            path.ok_or(what)
        };
        let at_path = |why: String| format!("{}: {why}", place.path_of("path"));
        let found = match name.to_ascii_lowercase().as_str() {
            "disk" => Place::Bucket(Bucket::folder(path()?).map_err(at_path)?),
            "s3" | "s3blob" if !path()?.contains("://") => {
                Place::Bucket(Bucket::s3(path()?, prefix, region, credentials).map_err(at_path)?)
            }
            "blob" | "s3" | "s3blob" => Place::of_uri(path()?).map_err(at_path)?.with_prefix(prefix),
            "uri" => Place::Web(Template::from_str(path()?).map_err(at_path)?),
            "memory" | "null" => Place::Nowhere,
            "flickr" => {
                return Err(format!(
                    "{}: Flickr is not read here; its images have URLs, which URI reads",
                    place.path_of("name")
                ));
            }
            _ => {
                let path = place.path_of("name");
                return Err(format!(
                    "{path}: {name:?} is not one of Disk, S3, S3Blob, Blob, URI, Memory, Null"
                ));
            }
        };
        Ok(Some(found))
    }

    /// A place by its URL, as newer configs and flags have it.
    pub fn of_uri(text: &str) -> Result<Place, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(format!("{text:?} is no URL; write file:///folder or s3://bucket"));
        };
        match scheme {
            "mem" | "memory" | "null" => return Ok(Place::Nowhere),
            "file" => return Bucket::folder(text).map(Place::Bucket),
            "rfc6570" => {
                let template = rest.trim_start_matches('?').trim_start_matches("template=");
                return Template::from_str(template).map(Place::Web);
            }
            "s3" | "s3blob" | "gs" | "az" | "azblob" => {}
            _ => {
                return Err(format!(
                    "{scheme}:// is not known here; there are file, s3, s3blob, gs, az, mem, null and rfc6570"
                ));
            }
        }
        let url = Url::parse(text).map_err(|error| format!("{text:?}: {error}"))?;
        let option =
            |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        // A bucket may be the host or, behind three slashes, the first part of the path.
        let path = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy().into_owned();
        let whole = format!("{}/{}", url.host_str().unwrap_or_default(), path.trim_start_matches('/'));
        let (bucket, within) = whole.trim_start_matches('/').split_once('/').unwrap_or((&whole, ""));
        let joined =
            [within.trim_matches('/'), option("prefix").unwrap_or_default().trim_matches('/')].join("/");
        let prefix = Some(joined.trim_matches('/')).filter(|prefix| !prefix.is_empty());
        if bucket.is_empty() {
            return Err(format!("{text:?} names no bucket"));
        }
        let scheme = match scheme {
            "azblob" => "az",
            "s3blob" => "s3",
            other => other,
        };
        let credentials = option("credentials").unwrap_or_default();
        Ok(Place::Bucket(Bucket {
            url: Bucket::url(scheme, bucket, prefix),
            region: option("region"),
            credentials: credentials.parse()?,
        }))
    }

    fn with_prefix(self, prefix: Option<&str>) -> Place {
        match (self, prefix.map(|prefix| prefix.trim_matches('/'))) {
            (Place::Bucket(bucket), Some(prefix)) => {
                Place::Bucket(Bucket { url: format!("{}/{}", bucket.url, encoded(prefix)), ..bucket })
            }
            (place, _) => place,
        }
    }

    /// Where an image of it is; empty for what holds none.
    pub fn url_of(&self, origin: &str) -> String {
        match self {
            Place::Bucket(bucket) => format!("{}/{}", bucket.url, encoded(origin)),
            Place::Web(template) => template.expand(origin),
            Place::Nowhere => String::new(),
        }
    }

    /// The folder of this machine, if it is one.
    pub fn folder(&self) -> Option<std::path::PathBuf> {
        match self {
            Place::Bucket(bucket) => {
                Url::parse(&bucket.url).ok().filter(|url| url.scheme() == "file")?.to_file_path().ok()
            }
            _ => None,
        }
    }
}

impl Bucket {
    fn url(scheme: &str, bucket: &str, prefix: Option<&str>) -> String {
        let prefix = prefix.map(|prefix| format!("/{}", encoded(prefix.trim_matches('/'))));
        format!("{scheme}://{bucket}{}", prefix.unwrap_or_default())
    }

    /// The bucket's name, with where it is and how it is reached beside it.
    fn s3(
        bucket: &str,
        prefix: Option<&str>,
        region: Option<&str>,
        credentials: Option<&str>,
    ) -> Result<Self, String> {
        let (name, within) = bucket.split_once('/').unwrap_or((bucket, ""));
        let prefix = [within, prefix.unwrap_or_default()].map(|part| part.trim_matches('/')).join("/");
        let prefix = Some(prefix.trim_matches('/')).filter(|prefix| !prefix.is_empty());
        let credentials = credentials.unwrap_or_default().parse()?;
        Ok(Bucket { url: Bucket::url("s3", name, prefix), region: region.map(str::to_owned), credentials })
    }

    /// A folder, named as such or by its URL; what newer configs ask of a folder's files (`?metadata=skip`) is so here.
    fn folder(text: &str) -> Result<Self, String> {
        let text = text.split_once('?').map_or(text, |(folder, _)| folder);
        let folder = match text.starts_with("file://") {
            true => Url::parse(text).ok().and_then(|url| url.to_file_path().ok()),
            false => std::path::absolute(Path::new(text)).ok(),
        };
        let url = folder.and_then(|folder| Url::from_file_path(folder).ok());
        let url = url.ok_or_else(|| {
            format!("{text} names no folder of this machine; write /folder or file:///folder")
        })?;
        let url = String::from(url).trim_end_matches('/').to_owned();
        Ok(Bucket { url, region: None, credentials: CredentialSource::Chain })
    }
}
