//! Files of a directory as answers, with the validators a static server would send.

use std::path::{Component, Path};

use super::{Answer, Request};

/// The file a request names, or nothing where there is none (or the path climbs out of the directory).
pub(super) fn file_answer(root: &Path, request: &Request) -> Option<Answer> {
    let path = request.decoded_path()?;
    let relative = Path::new(path.trim_start_matches('/'));
    if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
        return None;
    }
    let file = root.join(relative);
    let bytes = std::fs::read(&file).ok()?;
    let modified = file.metadata().and_then(|metadata| metadata.modified()).ok()?;
    Some(Answer::ok(&bytes).content_type(content_type(&file)).etag_of_body().last_modified(modified))
}

fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("png") => "image/png",
        Some("gif") => "image/gif",
        Some("webp") => "image/webp",
        Some("tif" | "tiff") => "image/tiff",
        Some("bmp") => "image/bmp",
        Some("html") => "text/html; charset=utf-8",
        _ => "application/octet-stream",
    }
}
