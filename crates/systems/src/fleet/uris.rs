//! Which names are images', as `iiif-process-ecs` goes by it: by extension, to `image/*`.

/// Extensions whose media type is `image/*`.
const EXTENSIONS: [&str; 26] = [
    "apng", "arw", "avif", "bmp", "cr2", "dng", "gif", "heic", "heif", "ico", "j2k", "jp2", "jpe", "jpeg",
    "jpg", "jpx", "jxl", "nef", "png", "psd", "svg", "svgz", "tif", "tiff", "webp", "ptif",
];

/// Whether a key, path or URI names an image by its extension.
pub fn is_image_name(name: &str) -> bool {
    let name = name.split(['?', '#']).next().unwrap_or_default();
    let file = name.rsplit('/').next().unwrap_or_default();
    let Some((stem, extension)) = file.rsplit_once('.') else { return false };
    !stem.is_empty() && EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_known_by_extension() {
        for image in [
            "IMG_0084.JPG",
            "a/b.webp",
            "idsecret:///a.jpg?id=1234&secret=x",
            "rewrite:///a.png?target=b.txt",
        ] {
            assert!(is_image_name(image), "{image}");
        }
        for other in ["notes.txt", "a.jpg/", "jpg", ".jpg", "a/.jpg", "x.json?a=b.jpg", ""] {
            assert!(!is_image_name(other), "{other}");
        }
    }
}
