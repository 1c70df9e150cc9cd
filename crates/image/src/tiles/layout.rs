//! What the files of a set of tiles are called, and the one that describes them.
//!
//! Image API 3.0 and 2.1: §5 (`info.json`), §4.7 (canonical requests) and the implementation notes on tiles. Deep Zoom:
//! Microsoft's Deep Zoom file format overview.

use serde_json::{Value, json};

use super::TileSettings;
use crate::pyramid::{until_one_pixel, until_one_tile};
use crate::recipe::{OutputFormat, Quality};

/// How a set of tiles is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    /// `iiif3`: a level-0 service by Image API 3.0.
    #[default]
    Iiif3,
    /// `iiif2`: a level-0 service by Image API 2.1.
    Iiif2,
    /// `dzi`: Deep Zoom, without overlap.
    Dzi,
}

/// The longest side of whole images that are written beside the tiles.
const WHOLE: u32 = 2048;

/// A set of tiles of an image of known size.
pub(super) struct Plan<'a> {
    settings: &'a TileSettings,
    /// From full size down.
    pub sizes: Vec<(u32, u32)>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(settings: &'a TileSettings, (width, height): (u32, u32)) -> Self {
        let sizes = match settings.layout {
            Layout::Iiif3 | Layout::Iiif2 => until_one_tile(width, height, settings.tile),
            Layout::Dzi => until_one_pixel(width, height),
        };
        let mut plan = Self { settings, sizes };
        let smallest = plan.factors().iter().max().map_or(0, |factor| factor.ilog2() as usize);
        // Smaller ones than a viewer needs, where somebody asked for them.
        while plan.sizes.len() <= smallest
            && let Some((w, h)) = plan.sizes.last().copied()
        {
            plan.sizes.push((w.div_ceil(2), h.div_ceil(2)));
        }
        plan
    }

    fn factors(&self) -> &[u32] {
        self.settings.factors.as_deref().unwrap_or_default()
    }

    /// Whether a level is cut into tiles.
    pub(super) fn is_cut(&self, level: usize) -> bool {
        self.settings.factors.is_none()
            || self.factors().iter().any(|factor| factor.ilog2() as usize == level)
    }

    /// The last part of a request: how and in what format.
    fn quality(&self) -> String {
        format!("{}.{}", self.settings.quality, self.extension())
    }

    fn extension(&self) -> &'static str {
        self.settings.format.extension()
    }

    /// The path of a tile of `size` pixels at this column and row of a level.
    pub(super) fn tile(&self, level: usize, (column, row): (u32, u32), size: (u32, u32)) -> String {
        if self.settings.layout == Layout::Dzi {
            let number = self.sizes.len() - 1 - level;
            return format!("{}_files/{number}/{column}_{row}.{}", self.settings.name, self.extension());
        }
        if self.sizes[level] == size {
            return self.whole(level);
        }
        let ((width, height), scale) = (self.sizes[0], 1u64 << level);
        let along = |number: u32, side: u32| {
            let start = u64::from(number) * u64::from(self.settings.tile) * scale;
            (start, (u64::from(self.settings.tile) * scale).min(u64::from(side).saturating_sub(start)))
        };
        let ((x, w), (y, h)) = (along(column, width), along(row, height));
        format!("{x},{y},{w},{h}/{}/0/{}", self.sized(size), self.quality())
    }

    /// The path of a level as one image.
    fn whole(&self, level: usize) -> String {
        format!("full/{}/0/{}", self.sized(self.sizes[level]), self.quality())
    }

    /// A size as its canonical form has it.
    fn sized(&self, (width, height): (u32, u32)) -> String {
        match self.settings.layout {
            Layout::Iiif2 => format!("{width},"),
            _ => format!("{width},{height}"),
        }
    }

    /// The largest level that is written as one image.
    fn largest_whole(&self) -> usize {
        let fits = |(w, h): &(u32, u32)| *w <= WHOLE && *h <= WHOLE;
        self.sizes.iter().position(fits).unwrap_or(self.sizes.len() - 1)
    }

    /// Under which paths a level is written as one image, beside its tiles. A level of one tile is one already, under
    /// the first of them.
    pub(super) fn wholes(&self, level: usize) -> Vec<String> {
        if self.settings.layout == Layout::Dzi || level < self.largest_whole() {
            return Vec::new();
        }
        let mut paths = vec![self.whole(level)];
        if level == self.largest_whole() {
            let mut add = |size: &str| paths.push(format!("full/{size}/0/{}", self.quality()));
            add("max");
            // What 2.1 calls the image as it is; there is no such word for the largest that is served.
            if self.settings.layout == Layout::Iiif2 && level == 0 {
                add("full");
            }
        }
        paths
    }

    /// The file that describes the tiles: its path and what is in it.
    pub(super) fn description(&self) -> (String, String) {
        match self.settings.layout {
            Layout::Iiif3 => ("info.json".to_owned(), pretty(&self.info_3())),
            Layout::Iiif2 => ("info.json".to_owned(), pretty(&self.info_2())),
            Layout::Dzi => (format!("{}.dzi", self.settings.name), self.dzi()),
        }
    }

    fn info_3(&self) -> Value {
        let (width, height) = self.sizes[0];
        let mut info = json!({
            "@context": "http://iiif.io/api/image/3/context.json",
            "id": self.settings.id,
            "type": "ImageService3",
            "protocol": "http://iiif.io/api/image",
            "profile": "level0",
            "width": width,
            "height": height,
            "sizes": self.listed_sizes(),
            "tiles": self.listed_tiles(),
        });
        if let Some((max_width, max_height)) = self.most() {
            info["maxWidth"] = max_width.into();
            info["maxHeight"] = max_height.into();
        }
        if self.settings.quality != Quality::Default {
            info["extraQualities"] = json!([self.settings.quality.to_string()]);
        }
        if self.settings.format != OutputFormat::Jpg {
            info["extraFormats"] = json!([self.extension()]);
            info["preferredFormats"] = json!([self.extension()]);
        }
        info
    }

    fn info_2(&self) -> Value {
        let (width, height) = self.sizes[0];
        let mut profile =
            json!({ "formats": [self.extension()], "qualities": [self.settings.quality.to_string()] });
        if let Some((max_width, max_height)) = self.most() {
            profile["maxWidth"] = max_width.into();
            profile["maxHeight"] = max_height.into();
        }
        json!({
            "@context": "http://iiif.io/api/image/2/context.json",
            "@id": self.settings.id,
            "protocol": "http://iiif.io/api/image",
            "profile": ["http://iiif.io/api/image/2/level0.json", profile],
            "width": width,
            "height": height,
            "sizes": self.listed_sizes(),
            "tiles": self.listed_tiles(),
        })
    }

    /// Width and height of the largest whole image, where that is not the full size.
    fn most(&self) -> Option<(u32, u32)> {
        let level = self.largest_whole();
        (level > 0).then(|| self.sizes[level])
    }

    /// From small to large, as viewers look for the first that is large enough.
    fn listed_sizes(&self) -> Value {
        let listed = self.sizes[self.largest_whole()..].iter().rev();
        listed.map(|(width, height)| json!({ "width": width, "height": height })).collect()
    }

    fn listed_tiles(&self) -> Value {
        let cut = (0..self.sizes.len()).filter(|level| self.is_cut(*level));
        let factors: Vec<u64> = cut.map(|level| 1 << level).collect();
        json!([{ "width": self.settings.tile, "height": self.settings.tile, "scaleFactors": factors }])
    }

    fn dzi(&self) -> String {
        let ((width, height), tile) = (self.sizes[0], self.settings.tile);
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <Image xmlns=\"http://schemas.microsoft.com/deepzoom/2008\" Format=\"{}\" Overlap=\"0\" \
             TileSize=\"{tile}\">\n  <Size Width=\"{width}\" Height=\"{height}\"/>\n</Image>\n",
            self.extension()
        )
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::EncoderOptions;

    fn settings(layout: Layout) -> TileSettings {
        TileSettings {
            layout,
            tile: 512,
            format: OutputFormat::Jpg,
            options: EncoderOptions::default(),
            factors: None,
            quality: Quality::Default,
            id: "https://example.org/a".into(),
            name: "a".into(),
        }
    }

    #[test]
    fn tiles_are_called_by_their_canonical_requests() {
        let settings_3 = settings(Layout::Iiif3);
        let plan = Plan::new(&settings_3, (5000, 3001));
        assert_eq!(plan.sizes, [(5000, 3001), (2500, 1501), (1250, 751), (625, 376), (313, 188)]);
        assert_eq!(plan.tile(0, (0, 0), (512, 512)), "0,0,512,512/512,512/0/default.jpg");
        assert_eq!(plan.tile(1, (4, 2), (452, 477)), "4096,2048,904,953/452,477/0/default.jpg");
        assert_eq!(plan.tile(4, (0, 0), (313, 188)), "full/313,188/0/default.jpg");
        let settings_2 = settings(Layout::Iiif2);
        let plan = Plan::new(&settings_2, (5000, 3001));
        assert_eq!(plan.tile(1, (4, 2), (452, 477)), "4096,2048,904,953/452,/0/default.jpg");
        let settings = settings(Layout::Dzi);
        let plan = Plan::new(&settings, (5000, 3001));
        assert_eq!(plan.tile(0, (3, 1), (512, 512)), "a_files/13/3_1.jpg");
        assert_eq!(plan.tile(13, (0, 0), (1, 1)), "a_files/0/0_0.jpg");
    }

    #[test]
    fn only_the_factors_that_are_asked_for_are_cut() {
        let settings =
            TileSettings { factors: Some(vec![4, 16, 1]), quality: Quality::Gray, ..settings(Layout::Iiif2) };
        let plan = Plan::new(&settings, (1000, 600));
        assert_eq!(plan.sizes, [(1000, 600), (500, 300), (250, 150), (125, 75), (63, 38)]);
        assert_eq!(
            (0..5).map(|level| plan.is_cut(level)).collect::<Vec<_>>(),
            [true, false, true, false, true]
        );
        let info: Value = serde_json::from_str(&plan.description().1).unwrap();
        assert_eq!(info["tiles"][0]["scaleFactors"], json!([1, 4, 16]));
        assert_eq!(info["profile"][1]["qualities"], json!(["gray"]));
        assert_eq!(plan.tile(0, (1, 1), (488, 88)), "512,512,488,88/488,/0/gray.jpg");
    }

    #[test]
    fn every_size_that_is_listed_is_written_and_max_is_the_largest() {
        for (layout, size) in
            [(Layout::Iiif3, (5000, 3001)), (Layout::Iiif2, (5000, 3001)), (Layout::Iiif3, (300, 20))]
        {
            let settings = settings(layout);
            let plan = Plan::new(&settings, size);
            let info: Value = serde_json::from_str(&plan.description().1).unwrap();
            let written: Vec<String> = (0..plan.sizes.len()).flat_map(|level| plan.wholes(level)).collect();
            for size in info["sizes"].as_array().unwrap() {
                let size = (size["width"].as_u64().unwrap() as u32, size["height"].as_u64().unwrap() as u32);
                let path = format!("full/{}/0/default.jpg", plan.sized(size));
                assert!(written.contains(&path), "{path} in {written:?}");
            }
            assert!(written.contains(&"full/max/0/default.jpg".to_owned()));
            let most =
                if layout == Layout::Iiif3 { &info["maxWidth"] } else { &info["profile"][1]["maxWidth"] };
            assert_eq!(most.as_u64(), (size.0 > 2048).then_some(1250));
        }
    }
}
