//! PDFs, which are kept beside their pyramids as they are: readers want the text, not a picture of its first page.

use std::sync::Arc;

use imgmill_pipeline::fetch::{Fetched, Fetcher};
use imgmill_pipeline::identity::text_hash;
use imgmill_pipeline::objects::Expected;
use imgmill_pipeline::store::{Owner, Store};
use imgmill_pipeline::{Error, Kind, Stage};
use tokio_util::sync::CancellationToken;

/// Copies the source at `url` to `key`, if it still has the bytes that the pyramid was made of, over what was there
/// when the work began; answers its length.
///
/// # Errors
/// What reading or writing fails with; a source that changed meanwhile is [`Kind::KeyConflict`], as one that may pass.
pub async fn copy(
    url: &str,
    sha256: &str,
    fetcher: &Fetcher,
    images: &Store,
    key: &str,
    over: &Expected,
) -> Result<u64, Error> {
    let fetch = fetcher.fetch(url, None, &CancellationToken::new()).await?;
    let Fetched::New(body, _) = fetch.fetched else {
        let message = "the origin says unchanged, though it was not asked";
        return Err(Error::new(Stage::Fetch, Kind::HttpStatus, message));
    };
    if body.sha256().to_string() != sha256 {
        let message = format!("{key} changed while its pyramid was made");
        return Err(Error::new(Stage::Fetch, Kind::KeyConflict, message).transient(true));
    }
    let length = body.len() as u64;
    let owner = Owner { url_hash: text_hash(key), hash: sha256.to_owned() };
    images.claim(key, &owner).await?;
    images.put_over(key, &owner, over, Arc::new(body).shared(), &"application/pdf".into()).await?;
    Ok(length)
}
