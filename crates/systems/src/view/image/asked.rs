//! What a path asks for, and how the Image API spells it canonically. 2.1 and 3.0: §2, §4 and §4.7.

use hyper::StatusCode;
use imgmill_image::{Edition, Fit, OutputFormat, Quality, Region, Request, Resolved, Rotation};
use percent_encoding::percent_decode_str;

use crate::view::answer::Refused;
use crate::view::key;

/// Formats that an image is given in.
pub(super) const FORMATS: [OutputFormat; 5] =
    [OutputFormat::Jpg, OutputFormat::Png, OutputFormat::Webp, OutputFormat::Gif, OutputFormat::Tif];

/// Formats of the Image API's own list that are not made.
const NOT_MADE: [&str; 4] = ["jp2", "pdf", "avif", "ptif"];

/// What is asked of which image.
#[derive(Debug)]
pub(super) struct Asked {
    pub edition: Edition,
    pub identifier: String,
    pub what: What,
}

/// What is asked of it.
#[derive(Debug)]
pub(super) enum What {
    /// The image itself: its description is meant.
    Base,
    /// `info.json`.
    Info,
    /// Region, size, rotation, quality and format.
    Image(Request),
}

impl Asked {
    /// Parses what follows `/iiif/`.
    pub(super) fn parse(path: &str) -> Result<Self, Refused> {
        let mut parts = path.split('/');
        let edition = match parts.next() {
            Some("2") => Edition::V2,
            Some("3") => Edition::V3,
            _ => {
                return Err(Refused::not_there(
                    "such edition of the Image API; there are /iiif/2/ and /iiif/3/",
                ));
            }
        };
        let parts: Vec<&str> = parts.collect();
        let [identifier, rest @ ..] = parts.as_slice() else { return Err(Refused::not_there("such image")) };
        let what = match rest {
            [] | [""] => What::Base,
            ["info.json"] => What::Info,
            [_, _, _, _] => What::Image(image(rest, edition)?),
            _ => return Err(Refused::not_there("such image; slashes of an identifier are written %2F")),
        };
        let identifier = key::of_segments([*identifier]).ok_or_else(|| Refused::not_there("such image"))?;
        Ok(Self { edition, identifier, what })
    }
}

fn image(parts: &[&str], edition: Edition) -> Result<Request, Refused> {
    let decode = |part: &&str| percent_decode_str(part).decode_utf8().map(String::from);
    let parts: Result<Vec<String>, _> = parts.iter().map(decode).collect();
    let parts = parts.map_err(|_| Refused::bad("the path is no text in UTF-8"))?;
    let [_, size, _, last] = parts.as_slice() else { return Err(Refused::not_there("such image")) };
    // Words that the recipes' grammar takes for another edition's.
    let other = match edition {
        Edition::V2 => size.starts_with('^'),
        Edition::V3 => size == "full",
    };
    if other {
        return Err(Refused::bad(format!("size “{size}” is not of this edition of the Image API")));
    }
    if let Some((_, format)) = last.rsplit_once('.')
        && NOT_MADE.contains(&format)
    {
        return Err(Refused::new(
            StatusCode::NOT_IMPLEMENTED,
            format!("images are not given as {format} here"),
        ));
    }
    let request =
        Request::parse(&parts.join("/"), edition).map_err(|error| Refused::bad(error.to_string()))?;
    let is_known = !matches!(request.region, Region::Smart { .. })
        && request.rotation != Rotation::AsStored
        && !matches!(request.quality, Quality::Dither | Quality::Crisp { .. });
    if !is_known {
        return Err(Refused::bad("that is known in recipes alone, not in the Image API"));
    }
    Ok(request)
}

/// Refuses a large box around a region that lies within it, by 3.0.
///
/// The text of the API (§4.2) has such a box answered with the region as it is, its validator wants 400. Clients that know
/// no sizes ask for thumbnails so, and are answered by the text; whoever asks for more has read `info.json`.
pub(super) fn check_box(edition: Edition, request: &Request, resolved: &Resolved) -> Result<(), Refused> {
    const THUMBNAIL: u32 = 1024;
    let (_, _, w, h) = resolved.region;
    match request.size.fit {
        Fit::Box(width, height)
            if edition == Edition::V3
                && !request.size.upscale
                && width > w
                && height > h
                && width.max(height) > THUMBNAIL =>
        {
            let message =
                format!("the size {0} would enlarge a region of {w}×{h}; ^{0} allows that", request.size);
            Err(Refused::bad(message))
        }
        _ => Ok(()),
    }
}

/// The canonical path of a request, from the region on.
pub(super) fn canonical(
    edition: Edition,
    request: &Request,
    resolved: &Resolved,
    full: (u32, u32),
) -> String {
    let (x, y, w, h) = resolved.region;
    let region =
        if (x, y, w, h) == (0, 0, full.0, full.1) { "full".to_owned() } else { format!("{x},{y},{w},{h}") };
    let (width, height) = resolved.size;
    let size = match edition {
        Edition::V2 if (width, height) == (w, h) => "full".to_owned(),
        Edition::V2 if keeps_shape((w, h), (width, height)) => format!("{width},"),
        Edition::V2 => format!("{width},{height}"),
        Edition::V3 if request.size.fit == Fit::Max && !request.size.upscale => "max".to_owned(),
        Edition::V3 if (width, height) == (w, h) => "max".to_owned(),
        Edition::V3 => {
            let caret = if width > w || height > h { "^" } else { "" };
            format!("{caret}{width},{height}")
        }
    };
    let quality = match request.quality {
        Quality::Color => Quality::Default,
        other => other,
    };
    format!("{region}/{size}/{}/{quality}.{}", request.rotation, request.format)
}

/// Whether a height follows from a width, so that it need not be said.
fn keeps_shape((w, h): (u32, u32), (width, height): (u32, u32)) -> bool {
    let [w, h, width, height] = [w, h, width, height].map(u64::from);
    (2 * h * width + w) / (2 * w) == height
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(path: &str) -> u16 {
        Asked::parse(path).err().map_or(200, |refused| refused.status.as_u16())
    }

    #[test]
    fn what_is_wrong_has_the_status_for_it() {
        for (path, expected) in [
            ("3/a", 200),
            ("3/a/info.json", 200),
            ("2/a%2Fb/full/full/0/default.jpg", 200),
            ("2/a/full/max/0/default.jpg", 200),
            ("3/a/pct:10,10,20,20/!90,90/!22.5/bitonal.webp", 200),
            ("3/a/b/full/max/0/default.jpg", 404),
            ("4/a/info.json", 404),
            ("3", 404),
            ("3//info.json", 404),
            ("3/..%2Fa/info.json", 404),
            ("3/a/full/full/0/default.jpg", 400),
            ("2/a/full/^max/0/default.jpg", 400),
            ("3/a/full/max/361/default.jpg", 400),
            ("3/a/full/max/0/nonsense.jpg", 400),
            ("3/a/full/max/0/default.xyz", 400),
            ("3/a/full/max/0/default", 400),
            ("3/a/-1,-1,10,10/max/0/default.jpg", 400),
            ("3/a/full/max/-1/default.jpg", 400),
            ("3/a/full/max/0/dither.jpg", 400),
            ("3/a/full/max/0/default.jp2", 501),
            ("3/a/full/%ff/0/default.jpg", 400),
        ] {
            assert_eq!(status(path), expected, "{path}");
        }
    }
}
