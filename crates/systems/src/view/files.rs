//! Files of the store as they are: static tiles, manifests, renditions, originals.
//!
//! The description of a set of tiles says where it will be served one day; here it is given with where it is now.

use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Method, Request, Response, StatusCode, header};
use imgmill_image::ReadAt;
use serde_json::Value;

use super::answer::{Answer, Refused, add, empty, with_type};
use super::key;
use super::store::{Opened, Store};

/// Bytes that are read at a time.
const PIECE: u64 = 256 << 10;
/// Of a description of tiles at the most.
const MOST_INFO: u64 = 1 << 20;

/// Whatever a file is, it is no page of this server's: nothing in it is run, and it loads nothing.
const POLICY: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// A file of a store.
pub(super) async fn answer(
    store: &Store,
    request: &Request<Incoming>,
    base: &str,
    path: &str,
) -> Result<Answer, Refused> {
    let key = key::of_segments(path.split('/')).ok_or_else(|| Refused::not_there("such file"))?;
    if key.ends_with("/info.json")
        && let Some(bytes) = store.small(&key, MOST_INFO).await?
    {
        let here = format!("{base}/files/{}", key::as_path(key.trim_end_matches("/info.json")));
        return Ok(with_type("application/json", placed(&bytes, &here)));
    }
    let Some(Opened { source, version }) = store.open(&key).await? else {
        return Err(Refused::not_there("such file"));
    };
    let etag = format!("\"{:016x}\"", version.hash());
    let asked = request.headers().get(header::IF_NONE_MATCH).and_then(|tag| tag.to_str().ok());
    let mut answer = if asked == Some(etag.as_str()) {
        empty(StatusCode::NOT_MODIFIED)
    } else if request.method() == Method::HEAD {
        empty(StatusCode::OK)
    } else {
        Response::new(StreamBody::new(pieces(source)).boxed_unsync())
    };
    if answer.status() == StatusCode::OK {
        add(&mut answer, header::CONTENT_LENGTH, &version.length.to_string());
    }
    add(&mut answer, header::CONTENT_TYPE, media_type(&key));
    add(&mut answer, header::CONTENT_SECURITY_POLICY, POLICY);
    add(&mut answer, header::ETAG, &etag);
    add(&mut answer, header::CACHE_CONTROL, "no-cache");
    Ok(answer)
}

/// The file's bytes, read as fast as they are taken.
fn pieces(source: Arc<dyn ReadAt>) -> impl futures::Stream<Item = std::io::Result<Frame<Bytes>>> + Send {
    stream::try_unfold((source, 0u64), |(source, start)| async move {
        let length = PIECE.min(source.length() - start);
        if length == 0 {
            return Ok(None);
        }
        let reading = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; length as usize];
            source.read_at(start, &mut bytes)?;
            Ok::<_, std::io::Error>((source, bytes))
        });
        let (source, bytes) = reading.await.map_err(std::io::Error::other)??;
        Ok(Some((Frame::data(Bytes::from(bytes)), (source, start + length))))
    })
}

/// A description of tiles that says that they are here; what is none stays as it is.
fn placed(bytes: &Bytes, here: &str) -> Bytes {
    let Ok(mut info) = serde_json::from_slice::<Value>(bytes) else { return bytes.clone() };
    for name in ["id", "@id"] {
        if let Some(id) = info.get_mut(name).filter(|id| id.is_string()) {
            *id = Value::from(here);
        }
    }
    Bytes::from(info.to_string())
}

fn media_type(key: &str) -> &'static str {
    let extension = key.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    match extension.as_str() {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "avif" => "image/avif",
        "svg" => "image/svg+xml",
        "tif" | "tiff" | "ptif" => "image/tiff",
        "jp2" => "image/jp2",
        "pdf" => "application/pdf",
        "json" => "application/json",
        "dzi" | "xml" => "application/xml",
        "csv" | "txt" | "jsonl" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_described_where_they_are() {
        let here = "http://127.0.0.1:8182/files/tiles/page";
        let info =
            |text: &str| String::from_utf8(placed(&Bytes::from(text.to_owned()), here).to_vec()).unwrap();
        assert_eq!(
            info(r#"{"id":"https://example.org/page","width":3}"#),
            format!(r#"{{"id":"{here}","width":3}}"#)
        );
        assert_eq!(info(r#"{"@id":"x"}"#), format!(r#"{{"@id":"{here}"}}"#));
        assert_eq!(info("no JSON"), "no JSON");
    }

    #[test]
    fn nothing_is_given_as_a_page() {
        for name in ["a.html", "a.js", "a", "a.xhtml", "a.svgz"] {
            assert_eq!(media_type(name), "application/octet-stream");
        }
    }
}
