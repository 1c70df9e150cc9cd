//! A file that grows under `NAME.partial` and gets its name when complete.
//!
//! So a killed run never shortens what an earlier one had reported: `NAME` stays as it was, and what the
//! killed run left under `.partial` is kept by the next, as `NAME` where there is none, else as
//! `NAME.partial.1` and so on. What is not a regular file (a pipe, `/dev/null`) is written as it is.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Stage, is_disk_full};

/// The file, or what is written directly.
#[derive(Debug)]
pub struct PartialFile {
    target: Target,
}

#[derive(Debug)]
enum Target {
    Stdout,
    /// A device or a pipe.
    Direct(File, PathBuf),
    File {
        file: File,
        partial: PathBuf,
        path: PathBuf,
    },
}

impl PartialFile {
    /// Begins the file that will be `path`; `-` is standard output. A symbolic link stays one: its target is
    /// written.
    ///
    /// # Errors
    /// A folder that is missing or closed; a path that is a folder.
    pub fn create(path: &Path) -> Result<PartialFile, Error> {
        if path == Path::new("-") {
            return Ok(PartialFile { target: Target::Stdout });
        }
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let failed = |error: std::io::Error| failed(&path, &error);
        match std::fs::metadata(&path) {
            Ok(found) if found.is_dir() => return Err(failed(std::io::ErrorKind::IsADirectory.into())),
            Ok(found) if !found.is_file() => {
                let file = OpenOptions::new().write(true).open(&path).map_err(failed)?;
                return Ok(PartialFile { target: Target::Direct(file, path) });
            }
            _ => {}
        }
        let partial = beside(&path, ".partial");
        rescue(&partial, &path).map_err(failed)?;
        let file = File::create(&partial).map_err(failed)?;
        Ok(PartialFile { target: Target::File { file, partial, path } })
    }

    /// Appends whole lines; they are with the operating system when this returns.
    ///
    /// # Errors
    /// A full disk, a closed pipe.
    pub fn append(&mut self, lines: &[u8]) -> Result<(), Error> {
        match &mut self.target {
            Target::Stdout => {
                let mut stdout = std::io::stdout().lock();
                let written = stdout.write_all(lines).and_then(|()| stdout.flush());
                written.map_err(|error| failed(Path::new("standard output"), &error))
            }
            Target::Direct(file, path) | Target::File { file, path, .. } => {
                file.write_all(lines).map_err(|error| failed(path, &error))
            }
        }
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn finish(&mut self) -> Result<(), Error> {
        match &self.target {
            Target::Stdout | Target::Direct(..) => Ok(()),
            Target::File { file, partial, path } => {
                let renamed = file.sync_all().and_then(|()| std::fs::rename(partial, path));
                renamed.map_err(|error| failed(path, &error))
            }
        }
    }
}

/// Keeps what a killed run left: under the name itself where nothing has it, else beside it.
fn rescue(partial: &Path, path: &Path) -> std::io::Result<()> {
    match std::fs::metadata(partial) {
        Ok(left) if left.is_file() && left.len() > 0 => {}
        _ => return Ok(()),
    }
    cut_after_last_line(partial)?;
    let free = (1..).map(|number| beside(partial, &format!(".{number}"))).find(|free| !free.exists());
    let kept = match free {
        Some(free) if path.exists() => free,
        _ => path.to_owned(),
    };
    std::fs::rename(partial, &kept)?;
    tracing::warn!("a killed run left {}; it is now {}", partial.display(), kept.display());
    Ok(())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// A kill in the middle of a write leaves half a line.
fn cut_after_last_line(path: &Path) -> std::io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut end = file.metadata()?.len();
    let mut block = vec![0; 64 << 10];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let part = &mut block[..usize::try_from(end - start).unwrap_or(0)];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(part)?;
        if let Some(newline) = part.iter().rposition(|byte| *byte == b'\n') {
            return file.set_len(start + newline as u64 + 1);
        }
        end = start;
    }
    file.set_len(0)
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    let (kind, hint) = match error.kind() {
        _ if is_disk_full(error) => {
            (Kind::DiskFull, "; free some space and run again: what is stored is kept")
        }
        std::io::ErrorKind::NotFound => (Kind::NotFound, "; make its folder first"),
        std::io::ErrorKind::IsADirectory => (Kind::Io, "; name a file"),
        _ => (Kind::Io, ""),
    };
    Error::new(Stage::Report, kind, format!("could not write {}: {error}{hint}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_its_name_only_when_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        let mut file = PartialFile::create(&path).unwrap();
        file.append(b"a\nb\n").unwrap();
        assert!(!path.exists());
        file.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"a\nb\n");
    }

    #[test]
    fn a_kill_never_shortens_what_was_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        let killed = |lines: &[u8]| PartialFile::create(&path).unwrap().append(lines).unwrap();
        let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        killed(b"1\n2\n3\nhal");
        killed(b"4\n");
        assert_eq!(text("out.csv"), "1\n2\n3\n", "rescued, without the torn line");
        killed(b"5\n");
        PartialFile::create(&path).unwrap().finish().unwrap();
        assert_eq!((text("out.csv.partial.1"), text("out.csv.partial.2")), ("4\n".into(), "5\n".into()));
    }

    #[test]
    fn links_stay_links_and_devices_devices() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target.csv"), folder.path().join("link.csv"));
        std::fs::write(&target, "old\n").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let mut file = PartialFile::create(&link).unwrap();
        file.append(b"new\n").unwrap();
        file.finish().unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read(&target).unwrap(), b"new\n");
        let null = folder.path().join("null");
        std::os::unix::fs::symlink("/dev/null", &null).unwrap();
        let mut file = PartialFile::create(&null).unwrap();
        file.append(b"gone\n").unwrap();
        file.finish().unwrap();
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
        assert!(PartialFile::create(folder.path()).is_err());
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = PartialFile::create(Path::new("/no/such/folder/out.csv")).unwrap_err();
        assert!(error.message().contains("/no/such/folder/out.csv"));
    }
}
