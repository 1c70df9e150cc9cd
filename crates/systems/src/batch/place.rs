//! Where a list is: a file of this machine, or an object of a store, which is copied here to be read and written back
//! when it is whole. Machines that share nothing but a bucket read their list there and leave their parts there.

use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use imgmill_pipeline::identity::text_hash;
use imgmill_pipeline::objects::{Bucket, ObjectOptions, failure};
use imgmill_pipeline::{Error, Kind, Stage};
use object_store::buffered::BufWriter;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Read and written at once.
const BLOCK: usize = 1 << 20;

/// Where a list, or a part of one, is or goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file; `-` is a standard stream.
    Here(PathBuf),
    /// `s3://…`, `gs://…` or `az://…`.
    Object(String),
}

impl Place {
    /// What a command line says.
    pub fn of(typed: &Path) -> Place {
        let text = typed.to_string_lossy();
        match text.split_once("://") {
            Some(("s3" | "gs" | "az", _)) => Place::Object(text.into_owned()),
            _ => Place::Here(typed.to_owned()),
        }
    }

    /// The file that stands for it on this machine: itself, or one below `folder` of the same name.
    pub fn local(&self, folder: &Path) -> PathBuf {
        match self {
            Place::Here(path) => path.clone(),
            Place::Object(url) => {
                let name = url.rsplit('/').next().unwrap_or_default();
                folder.join("lists").join(&text_hash(url)[..16]).join(name)
            }
        }
    }

    /// The same with another name in the same folder.
    #[must_use]
    pub fn renamed(&self, rename: impl FnOnce(&Path) -> PathBuf) -> Place {
        match self {
            Place::Here(path) => Place::Here(rename(path)),
            Place::Object(url) => {
                let (folder, name) = url.rsplit_once('/').unwrap_or(("", url));
                Place::Object(format!("{folder}/{}", rename(Path::new(name)).display()))
            }
        }
    }

    /// Has its folder where it stands for an object.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub fn begin(&self, folder: &Path) -> Result<PathBuf, Error> {
        let path = self.local(folder);
        if let (Place::Object(_), Some(folder)) = (self, path.parent()) {
            std::fs::create_dir_all(folder).map_err(|error| unusable(folder, &error))?;
        }
        Ok(path)
    }

    /// Copies an object here, to be read. A file is there already.
    ///
    /// # Errors
    /// No such object, no permission; a disk that is full.
    pub async fn fetch(&self, folder: &Path, options: &ObjectOptions) -> Result<PathBuf, Error> {
        let path = self.begin(folder)?;
        let Place::Object(url) = self else { return Ok(path) };
        let (store, key) = open(Stage::Source, url, options).await?;
        let doing = format!("reading {url}");
        let found = store.get(&key).await.map_err(|error| failure(Stage::Source, &doing, error))?;
        let mut file = tokio::fs::File::create(&path).await.map_err(|error| unusable(&path, &error))?;
        let mut bytes = found.into_stream();
        while let Some(block) = bytes.next().await {
            let block = block.map_err(|error| failure(Stage::Source, &doing, error))?;
            file.write_all(&block).await.map_err(|error| unusable(&path, &error))?;
        }
        file.flush().await.map_err(|error| unusable(&path, &error))?;
        Ok(path)
    }

    /// Puts what was written here to where it belongs.
    ///
    /// # Errors
    /// What the store answers.
    pub async fn put(&self, folder: &Path, options: &ObjectOptions) -> Result<(), Error> {
        let Place::Object(url) = self else { return Ok(()) };
        let path = self.local(folder);
        let (store, key) = open(Stage::Report, url, options).await?;
        let failed = |error: std::io::Error| {
            Error::new(Stage::Report, Kind::Io, format!("writing {url} failed; {} has it", path.display()))
                .caused_by(error)
        };
        let mut file = tokio::fs::File::open(&path).await.map_err(failed)?;
        let mut object = BufWriter::with_capacity(store, key, 8 * BLOCK);
        let mut block = vec![0; BLOCK];
        loop {
            match file.read(&mut block).await.map_err(failed)? {
                0 => break,
                read => object.write_all(&block[..read]).await.map_err(failed)?,
            }
        }
        object.shutdown().await.map_err(failed)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Here(path) => write!(f, "{}", path.display()),
            Place::Object(url) => f.write_str(url),
        }
    }
}

async fn open(
    stage: Stage,
    url: &str,
    options: &ObjectOptions,
) -> Result<(std::sync::Arc<dyn ObjectStore>, Key), Error> {
    let bucket = Bucket::connect(stage, url, options).await?;
    if bucket.prefix.as_ref().is_empty() {
        let message = format!("{url}: the object's key is missing behind the bucket");
        return Err(Error::new(stage, Kind::InvalidUrl, message));
    }
    Ok((bucket.store, bucket.prefix))
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    let message = format!("{} cannot be written: {error}; name another --work-dir", path.display());
    Error::new(Stage::Report, Kind::Io, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_have_a_file_of_the_same_name() {
        let place = Place::of(Path::new("s3://lists/monday/output.csv"));
        assert_eq!(place, Place::Object("s3://lists/monday/output.csv".into()));
        assert_eq!(place.local(Path::new("/work")).file_name().unwrap(), "output.csv");
        let part = place.renamed(|path| path.with_extension("part.csv"));
        assert_eq!(part.to_string(), "s3://lists/monday/output.part.csv");
        assert_eq!(Place::of(Path::new("-")).local(Path::new("/work")), Path::new("-"));
        assert_eq!(Place::of(Path::new("a/s3.csv")), Place::Here("a/s3.csv".into()));
    }
}
