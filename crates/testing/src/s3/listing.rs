//! Listings of buckets with many objects: read once for all pages. `s3s-fs` would walk the whole bucket for each page
//! of a thousand.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use s3s::dto::{ListObjectsV2Input, ListObjectsV2Output, Object};

const PAGE: usize = 1000;

type Listed = Arc<Vec<(String, u64, SystemTime)>>;

/// Listings that are being read, by bucket and prefix.
#[derive(Default)]
pub(super) struct Listings(Mutex<HashMap<(String, String), Listed>>);

impl Listings {
    /// A page of a listing without a delimiter; the first reads the bucket, and later ones show it as it was then.
    pub fn page(&self, root: &Path, input: ListObjectsV2Input) -> io::Result<ListObjectsV2Output> {
        let prefix = input.prefix.clone().unwrap_or_default();
        let name = (input.bucket.clone(), prefix.clone());
        let after = input.continuation_token.as_ref().or(input.start_after.as_ref());
        let known = match &input.continuation_token {
            Some(_) => self.0.lock().unwrap().get(&name).cloned(),
            None => None,
        };
        let listed = match known {
            Some(listed) => listed,
            None => {
                let listed = Arc::new(list(&root.join(&input.bucket), &prefix)?);
                self.0.lock().unwrap().insert(name, Arc::clone(&listed));
                listed
            }
        };
        let first = after.map_or(0, |after| listed.partition_point(|(key, ..)| key <= after));
        let most = input.max_keys.and_then(|most| usize::try_from(most).ok()).unwrap_or(PAGE).min(PAGE);
        let last = (first + most).min(listed.len());
        let objects = listed[first..last].iter().map(|(key, size, modified)| Object {
            key: Some(key.clone()),
            size: i64::try_from(*size).ok(),
            last_modified: Some((*modified).into()),
            ..Object::default()
        });
        let is_cut = last < listed.len();
        Ok(ListObjectsV2Output {
            contents: Some(objects.collect()),
            key_count: i32::try_from(last - first).ok(),
            max_keys: i32::try_from(most).ok(),
            is_truncated: Some(is_cut),
            next_continuation_token: is_cut.then(|| listed[last - 1].0.clone()),
            continuation_token: input.continuation_token,
            start_after: input.start_after,
            name: Some(input.bucket),
            prefix: input.prefix,
            ..ListObjectsV2Output::default()
        })
    }
}

/// Keys that begin with `prefix`, in S3's order, which is that of their bytes.
fn list(bucket: &Path, prefix: &str) -> io::Result<Vec<(String, u64, SystemTime)>> {
    let mut listed = Vec::new();
    let folder = &prefix[..prefix.rfind('/').map_or(0, |slash| slash + 1)];
    let mut waiting = vec![(bucket.join(folder), folder.to_owned())];
    while let Some((folder, above)) = waiting.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let key = format!("{above}{}", entry.file_name().to_string_lossy());
            let metadata = match entry.metadata() {
                // Removed since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            if metadata.is_dir() {
                waiting.push((entry.path(), format!("{key}/")));
            } else if key.starts_with(prefix) {
                listed.push((key, metadata.len(), metadata.modified()?));
            }
        }
    }
    listed.sort();
    Ok(listed)
}
