//! The IIIF Image API over pyramids: `/iiif/2/…` by 2.1 and `/iiif/3/…` by 3.0, both at level 2.

mod asked;
mod info;

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request as HttpRequest, StatusCode, header};
use imgmill_image::Edition;

use super::answer::{Answer, Refused, add, empty, with_type};
use super::{Shown, key};
use asked::{Asked, What};

/// Answers for what follows `/iiif/`.
pub(super) async fn answer(
    shown: &Arc<Shown>,
    request: &HttpRequest<Incoming>,
    base: &str,
    path: &str,
) -> Result<Answer, Refused> {
    let Asked { edition, identifier, what } = Asked::parse(path)?;
    let name = match edition {
        Edition::V2 => 2,
        Edition::V3 => 3,
    };
    let id = format!("{base}/iiif/{name}/{}", key::as_identifier(&identifier));
    let image = shown.pyramids.get(&shown.store, &identifier).await?;
    let etag = format!("\"{}-{:x}\"", image.number, started());
    let is_known = request
        .headers()
        .get(header::IF_NONE_MATCH)
        .and_then(|tags| tags.to_str().ok())
        .is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == etag));
    let mut answer = match what {
        What::Base => {
            let mut answer = empty(StatusCode::SEE_OTHER);
            add(&mut answer, header::LOCATION, &format!("{id}/info.json"));
            return Ok(answer);
        }
        What::Info => {
            let wants_linked = accepts(request, "application/ld+json");
            info::answer(edition, &id, &image.pyramid, &shown.limits, wants_linked)
        }
        What::Image(asked) => {
            let resolved = image.resolve(&asked, &shown.limits)?;
            asked::check_box(edition, &asked, &resolved)?;
            let canonical = asked::canonical(edition, &asked, &resolved, image.pyramid.size());
            let link = format!(
                "<http://iiif.io/api/image/{name}/level2.json>;rel=\"profile\", <{id}/{canonical}>;rel=\"canonical\""
            );
            let mut answer = if is_known {
                empty(StatusCode::NOT_MODIFIED)
            } else {
                let bytes = match shown.pyramids.made(&image, &canonical) {
                    Some(made) => made,
                    None => shown.pyramids.draw(&image, resolved, &shown.limits, canonical).await?,
                };
                with_type(asked.format.media_type(), bytes)
            };
            add(&mut answer, header::LINK, &link);
            answer
        }
    };
    add(&mut answer, header::ETAG, &etag);
    // Asked for again, it is looked whether the file is another by now.
    add(&mut answer, header::CACHE_CONTROL, "no-cache");
    Ok(answer)
}

/// When this program was started, so that its tags are no other's.
fn started() -> u128 {
    static STARTED: std::sync::OnceLock<u128> = std::sync::OnceLock::new();
    *STARTED.get_or_init(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0, |time| time.as_nanos())
    })
}

/// Whether a media type is named by the request as one that is wanted.
fn accepts(request: &HttpRequest<Incoming>, wanted: &str) -> bool {
    let all = request.headers().get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_it = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
        is_it && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}
