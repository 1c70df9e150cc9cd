//! Puts that happen only if an object is still what somebody saw: the one means by which programs that know nothing
//! of each other share a bucket.
//!
//! S3, Google Cloud Storage and Azure decide such a put themselves (`If-Match`, `If-None-Match`). A folder decides
//! whether a file is there; whether it is still the same one is compared here, under a lock on a file beside the
//! objects that every imgmill of the machine takes.

use std::path::PathBuf;

use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion};

use super::{Address, Bucket};
use crate::identity::RESERVED;

/// What has to be at a path for a put to happen.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// Nothing.
    Nothing,
    /// This very object.
    This(UpdateVersion),
}

impl Expected {
    /// Whether both are the same object, or nothing.
    pub fn same_as(&self, other: &Expected) -> bool {
        match (self, other) {
            (Expected::Nothing, Expected::Nothing) => true,
            (Expected::This(one), Expected::This(other)) => one.e_tag == other.e_tag,
            _ => false,
        }
    }
}

impl Bucket {
    /// Puts an object if what is `expected` is there, and answers what is there then; nothing if it was not.
    ///
    /// A put that broke off may have arrived all the same: it is not tried again here, since a second one would meet
    /// the first.
    ///
    /// # Errors
    /// Whatever the store answers but that the condition does not hold.
    pub async fn put_if(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
        expected: &Expected,
    ) -> object_store::Result<Option<UpdateVersion>> {
        use object_store::Error as E;
        let put = match (expected, &self.address) {
            (Expected::Nothing, _) => self.put_with(path, payload, options, PutMode::Create).await,
            (Expected::This(version), Address::Local(folder)) => {
                let _locked = lock(folder.clone()).await?;
                let found = match self.store.head(path).await {
                    Err(E::NotFound { .. }) => return Ok(None),
                    found => found?,
                };
                if found.e_tag != version.e_tag {
                    return Ok(None);
                }
                self.put_with(path, payload, options, PutMode::Overwrite).await
            }
            (Expected::This(version), _) => {
                self.put_with(path, payload, options, PutMode::Update(version.clone())).await
            }
        };
        match put {
            Ok(version) => Ok(Some(version)),
            Err(E::AlreadyExists { .. } | E::Precondition { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn put_with(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
        mode: PutMode,
    ) -> object_store::Result<UpdateVersion> {
        let put = self.store.put_opts(path, payload, PutOptions { mode, ..options }).await?;
        Ok(UpdateVersion { e_tag: put.e_tag, version: put.version })
    }
}

/// Waits for the folder's lock; it lasts as long as the file is open, at the longest as this program.
async fn lock(folder: PathBuf) -> object_store::Result<std::fs::File> {
    let locking = move || {
        let inside = folder.join(RESERVED);
        std::fs::create_dir_all(&inside)?;
        let file = std::fs::File::options().create(true).append(true).open(inside.join("lock"))?;
        file.lock()?;
        Ok(file)
    };
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| object_store::Error::Generic {
        store: "LocalFileSystem",
        source,
    };
    let locked: std::io::Result<_> =
        tokio::task::spawn_blocking(locking).await.map_err(|join| failed(join.into()))?;
    locked.map_err(|io| failed(io.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Stage;
    use crate::objects::ObjectOptions;

    #[tokio::test]
    async fn one_of_many_has_its_way() {
        let folder = tempfile::tempdir().unwrap();
        let url = url::Url::from_directory_path(folder.path()).unwrap();
        let bucket = Bucket::connect(Stage::Store, url.as_str(), &ObjectOptions::default()).await.unwrap();
        let path = Path::from("claims/a.json");
        let put = async |text: String, expected: Expected| {
            bucket.put_if(&path, text.into(), PutOptions::default(), &expected).await.unwrap()
        };
        let first = put("0".into(), Expected::Nothing).await.unwrap();
        assert!(put("x".into(), Expected::Nothing).await.is_none(), "it is there");
        let all = (1..=16).map(|n| put(format!("{n:02}"), Expected::This(first.clone())));
        let won: Vec<_> = futures::future::join_all(all).await.into_iter().flatten().collect();
        assert_eq!(won.len(), 1, "all of them saw the first, one takes its place");
        assert!(put("late".into(), Expected::This(first)).await.is_none());
        assert!(put("next".into(), Expected::This(won[0].clone())).await.is_some());
        std::fs::remove_file(folder.path().join("claims/a.json")).unwrap();
        assert!(put("gone".into(), Expected::This(won[0].clone())).await.is_none());
    }
}
