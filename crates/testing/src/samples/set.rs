//! The named samples: one image of each format imgmill reads, with a progressive and a sideways JPEG
//! among them, and two rows that cannot succeed.

use super::encode::{self, JpegOptions};
use super::{Orientation, photo};

/// One file of the set.
#[derive(Clone, Debug)]
pub struct Sample {
    /// File name, with its extension.
    pub name: &'static str,
    /// What a well-behaved server calls it.
    pub content_type: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

/// A row that must fail, and why.
#[derive(Clone, Debug)]
pub struct BadSample {
    /// File name, with its extension.
    pub name: &'static str,
    /// What the server sends; nothing means that it answers 404.
    pub page: Option<&'static str>,
}

/// The samples, drawn afresh: eight files, the same every time.
pub fn sample_set() -> Vec<Sample> {
    let sideways = JpegOptions { orientation: Some(Orientation::TurnClockwise), ..JpegOptions::default() };
    // Turned the other way three times, so that the tag turns it upright again.
    let held_sideways = photo(3, 600, 800).turned_clockwise().turned_clockwise().turned_clockwise();
    let progressive = JpegOptions { progressive: true, quality: 90, ..JpegOptions::default() };
    let sample = |name, content_type, bytes| Sample { name, content_type, bytes };
    vec![
        sample("mountains.jpg", "image/jpeg", encode::jpeg(&photo(1, 1200, 900), JpegOptions::default())),
        sample("dawn-progressive.jpg", "image/jpeg", encode::jpeg(&photo(2, 1000, 750), progressive)),
        sample("held-sideways.jpg", "image/jpeg", encode::jpeg(&held_sideways, sideways)),
        sample("valley.png", "image/png", encode::png(&photo(4, 640, 480))),
        sample("meadow.gif", "image/gif", encode::gif(&photo(5, 480, 360))),
        sample("ridge.webp", "image/webp", encode::webp(&photo(6, 640, 480))),
        sample("print.tiff", "image/tiff", encode::tiff(&photo(7, 480, 640))),
        sample("screen.bmp", "image/bmp", encode::bmp(&photo(8, 400, 300))),
    ]
}

/// The rows that `make run` lists last, to show what failing looks like.
pub fn bad_samples() -> Vec<BadSample> {
    let page = "<!doctype html><title>Sign in</title><p>This photograph is for members only.</p>";
    vec![
        BadSample { name: "members-only.jpg", page: Some(page) },
        BadSample { name: "moved-away.jpg", page: None },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_what_its_name_says() {
        for sample in sample_set() {
            let by_content = image::guess_format(&sample.bytes).expect(sample.name);
            assert_eq!(image::ImageFormat::from_path(sample.name).expect(sample.name), by_content);
            assert_eq!(by_content.to_mime_type(), sample.content_type);
            image::load_from_memory(&sample.bytes).expect(sample.name);
        }
    }
}
