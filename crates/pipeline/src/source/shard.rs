//! Shards: a list that several machines work on, each with the rows that are its own. Which rows those are follows from
//! the list alone, so that nobody has to agree with anybody, and a shard that is started again has the same ones.

use std::fmt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use url::Url;

/// What decides whose a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardBy {
    /// Its number: rows go round.
    Row,
    /// The host of its URL, so that what one host is asked for at once holds over all machines. Rows that no host
    /// serves go round.
    Host,
}

/// One of several parts of a list; parts are counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    count: u32,
    by: ShardBy,
}

impl Shard {
    /// # Errors
    /// Where there is no such part: one sentence.
    pub fn new(index: u32, count: u32, by: ShardBy) -> Result<Shard, String> {
        match count {
            0 => Err("a list has at least one shard".to_owned()),
            _ if index >= count => {
                Err(format!("there is no shard {index} of {count}: they are counted from 0 to {}", count - 1))
            }
            _ => Ok(Shard { index, count, by }),
        }
    }

    /// Whether a row is its own. Rows are counted from 1 over the whole list.
    pub fn has(&self, row: u64, url: &str) -> bool {
        let host = match self.by {
            ShardBy::Row => None,
            ShardBy::Host => host(url),
        };
        let number = match host {
            Some(host) => hash(&host),
            None => row.saturating_sub(1),
        };
        number % u64::from(self.count) == u64::from(self.index)
    }

    /// The file of its own beside those of the others: `output.csv` is `output.3-of-8.csv` of shard 3 of 8. Standard
    /// output stays that.
    pub fn part_of(&self, path: &Path) -> PathBuf {
        if path == Path::new("-") {
            return path.to_owned();
        }
        let width = self.count.to_string().len();
        let part = format!("{:0width$}-of-{}", self.index, self.count);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let name = match path.extension() {
            Some(extension) => format!("{stem}.{part}.{}", extension.to_string_lossy()),
            None => format!("{stem}.{part}"),
        };
        path.with_file_name(name)
    }

    /// Which part of how many a file is, as [`Shard::part_of`] names them.
    pub fn of_part(path: &Path) -> Option<(u32, u32)> {
        let name = path.file_name()?.to_str()?;
        name.split('.').find_map(|word| {
            let (index, count) = word.split_once("-of-")?;
            Some((index.parse().ok()?, count.parse().ok()?))
        })
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// Who would be asked for an image, if a web server is.
fn host(url: &str) -> Option<String> {
    let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    url.host_str().map(str::to_ascii_lowercase)
}

fn hash(text: &str) -> u64 {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(index: u32, count: u32, by: ShardBy) -> Shard {
        Shard::new(index, count, by).unwrap()
    }

    #[test]
    fn hosts_stay_together_and_files_go_round() {
        let owner = |row, url: &str| (0..8).find(|index| shard(*index, 8, ShardBy::Host).has(row, url));
        assert_eq!(owner(1, "http://a.example/1.jpg"), owner(99, "https://A.example:8443/2.jpg"));
        let hosts = (0..64).map(|number| owner(1, &format!("http://host{number}.example/1.jpg")));
        assert_eq!(hosts.collect::<std::collections::BTreeSet<_>>().len(), 8, "all have something to do");
        assert_eq!(owner(3, "/srv/a.jpg"), Some(2));
        assert_eq!(owner(3, "s3://bucket/a.jpg"), Some(2));
        let pinned = shard(6, 8, ShardBy::Host);
        assert!(
            pinned.has(7, "http://example.org/a.jpg"),
            "restarts of another version must find the same rows"
        );
    }

    #[test]
    fn parts_have_names_of_their_own() {
        let name = |index, count, path: &str| shard(index, count, ShardBy::Row).part_of(Path::new(path));
        assert_eq!(name(3, 8, "out/output.csv"), Path::new("out/output.3-of-8.csv"));
        assert_eq!(name(3, 1000, "report"), Path::new("report.0003-of-1000"));
        assert_eq!(name(3, 8, "-"), Path::new("-"));
        assert_eq!(Shard::of_part(&name(3, 1000, "a.b/output.v1.csv")), Some((3, 1000)));
        assert_eq!(Shard::of_part(Path::new("output.csv.partial")), None);
    }

    #[test]
    fn a_shard_that_is_not_there_is_refused() {
        assert!(Shard::new(8, 8, ShardBy::Row).unwrap_err().contains("from 0 to 7"));
        assert!(Shard::new(0, 0, ShardBy::Row).is_err());
    }

    proptest::proptest! {
        #[test]
        fn every_row_is_one_shards(row in 1u64.., url in "(http://[a-z]{1,5}/|/)[a-z]{1,9}", count in 1u32..40) {
            for by in [ShardBy::Row, ShardBy::Host] {
                let owners = (0..count).filter(|index| shard(*index, count, by).has(row, &url)).count();
                proptest::prop_assert_eq!(owners, 1);
            }
        }
    }
}
