//! `imgmill view`: a store of results to look at in a browser, and an image server for a team.
//!
//! Pyramids are answered for by the IIIF Image API, 2.1 and 3.0 at level 2 ([`image`]); static tiles, manifests and plain
//! renditions are given out as they are ([`files`]); [`listing`] says what there is, and the page puts it into a viewer.
//! Everything is read only. [`access`] decides whom an answer is for: whoever can name this server by an address of its
//! own, not a stranger's page that has a name of its own for it.
//!
//! Only pyramids are decoded here, by decoders that cannot end the process; all other images are the browser's to decode.

mod access;
mod answer;
mod files;
mod image;
pub(crate) mod key;
mod listing;
mod opened;
mod pages;
mod server;
pub(crate) mod store;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use imgmill_image::Limits;
use imgmill_pipeline::objects::{Bucket, ObjectOptions};
use imgmill_pipeline::{Error, Kind, Stage};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use access::Access;
use listing::Listing;
use opened::Pyramids;
use store::Store;

/// Where a store is.
#[derive(Debug, Clone)]
pub enum Place {
    /// A folder of this machine.
    Folder(PathBuf),
    /// A bucket's URL.
    Bucket(String),
}

/// Everything that decides what is shown, and to whom.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The results.
    pub place: Place,
    /// How buckets are reached.
    pub objects: ObjectOptions,
    /// The folder that originals may be shown from.
    pub originals: Option<PathBuf>,
    /// Where to listen.
    pub listen: SocketAddr,
    /// The URL that this server is reached at from outside, if it is another.
    pub base: Option<String>,
    /// Names of this server, besides its addresses and `localhost`.
    pub hosts: Vec<String>,
    /// Pixels of one answer at the most.
    pub max_pixels: u64,
    /// Images drawn at once.
    pub threads: usize,
    /// Bytes of made images that are kept.
    pub cache: usize,
}

/// A server that listens.
pub struct View {
    listener: TcpListener,
    shown: Arc<Shown>,
}

/// What all connections share.
struct Shown {
    store: Store,
    originals: Option<Store>,
    access: Access,
    listing: Listing,
    pyramids: Pyramids,
    limits: Limits,
}

impl View {
    /// Opens the store and listens.
    ///
    /// # Errors
    /// When there is no such folder, the bucket cannot be reached, or the address is taken.
    pub async fn prepare(settings: Settings) -> Result<View, Error> {
        let store = match &settings.place {
            Place::Folder(folder) => Store::folder(folder)?,
            Place::Bucket(url) => {
                Store::bucket(Bucket::connect(Stage::Source, url, &settings.objects).await?)
            }
        };
        let originals = settings.originals.as_deref().map(Store::folder).transpose()?;
        let listener = TcpListener::bind(settings.listen).await.map_err(|error| {
            let message = format!("nothing can listen at {}; --listen names another place", settings.listen);
            Error::new(Stage::Source, Kind::Io, message).caused_by(error)
        })?;
        let access = Access { base: settings.base, hosts: settings.hosts };
        let limits = Limits { max_pixels: settings.max_pixels, ..Limits::default() };
        let pyramids = Pyramids::new(settings.threads, settings.cache);
        let shown = Shown { store, originals, access, listing: Listing::default(), pyramids, limits };
        Ok(View { listener, shown: Arc::new(shown) })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until it is told to stop.
    pub async fn run(self, shutdown: CancellationToken) {
        server::serve(self.listener, self.shown, shutdown).await;
    }
}
