//! The page and what it needs, which are part of the program: no other server is asked for anything.

use hyper::header;

use super::answer::{Answer, Refused, add, with_type};

const PAGE: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/view.css");
const SCRIPT: &str = include_str!("page/view.js");
const OPENSEADRAGON: &str = include_str!("../../third-party/openseadragon/openseadragon.min.js");
const LICENCE: &str = include_str!("../../third-party/openseadragon/LICENSE.txt");

/// Scripts of its own alone; images and image services from wherever manifests and lists say they are.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' blob: data: http: https:; connect-src 'self' http: https:; base-uri 'none'; frame-ancestors 'none'";

/// A part of the page.
pub(super) fn answer(path: &str) -> Result<Answer, Refused> {
    const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
    let mut answer = match path {
        "/" => with_type("text/html; charset=utf-8", PAGE),
        "/view.css" => with_type("text/css; charset=utf-8", STYLE),
        "/view.js" => with_type(JAVASCRIPT, SCRIPT),
        "/openseadragon.js" => with_type(JAVASCRIPT, OPENSEADRAGON),
        "/openseadragon-licence.txt" => with_type("text/plain; charset=utf-8", LICENCE),
        _ => return Err(Refused::not_there("such page; the list is at /")),
    };
    add(&mut answer, header::CONTENT_SECURITY_POLICY, POLICY);
    add(&mut answer, header::REFERRER_POLICY, "no-referrer");
    add(&mut answer, header::CACHE_CONTROL, "no-cache");
    Ok(answer)
}
