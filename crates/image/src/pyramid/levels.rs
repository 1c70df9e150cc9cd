//! How large each level of a pyramid is.
//!
//! Sides are halved and rounded up, so that no row or column of the image is left out of any level, and a level is as
//! large as the IIIF Image API says that its tiles are (3.0, implementation notes, “Tile size”).

/// Widths and heights from full size down to where one tile of this side holds the image.
pub(crate) fn until_one_tile(width: u32, height: u32, tile: u32) -> Vec<(u32, u32)> {
    halved_while(width, height, |(w, h)| w > tile || h > tile)
}

/// Widths and heights from full size down to one pixel.
pub(crate) fn until_one_pixel(width: u32, height: u32) -> Vec<(u32, u32)> {
    halved_while(width, height, |size| size != (1, 1))
}

fn halved_while(width: u32, height: u32, goes_on: impl Fn((u32, u32)) -> bool) -> Vec<(u32, u32)> {
    let mut sizes = vec![(width, height)];
    let (mut w, mut h) = (width, height);
    while goes_on((w, h)) {
        (w, h) = (w.div_ceil(2), h.div_ceil(2));
        sizes.push((w, h));
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_at_one_tile() {
        assert_eq!(until_one_tile(512, 512, 512), [(512, 512)]);
        assert_eq!(until_one_tile(513, 1, 512), [(513, 1), (257, 1)]);
        let page = [(9810, 8010), (4905, 4005), (2453, 2003), (1227, 1002), (614, 501), (307, 251)];
        assert_eq!(until_one_tile(9810, 8010, 512), page);
    }

    #[test]
    fn ends_at_one_pixel() {
        assert_eq!(until_one_pixel(1, 1), [(1, 1)]);
        assert_eq!(until_one_pixel(5, 2), [(5, 2), (3, 1), (2, 1), (1, 1)]);
    }
}
