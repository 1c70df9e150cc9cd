//! Delegates: a source in a format that imgmill does not decode, handed to ImageMagick for one that it does.
//!
//! A step between fetch and derive: bytes in, bytes of a known format (TIFF, which keeps depth, alpha, CMYK and the
//! colour profile) out. It is off unless asked for. What keeps it at arm's length:
//!
//! - The program is found once, and must say itself that it is ImageMagick ([`Delegates::find`]).
//! - The coder is named by what the first bytes are, never by the file: the source comes on standard input as
//!   `EPS:-` or the like, and only coders of a fixed list are ever named. No shell, no file name, no URL.
//! - Each conversion is a process group of its own with an almost empty environment and a folder of its own that is
//!   deleted afterwards; it is killed as a whole when its time is over or nobody waits for it any more ([`process`]).
//! - On Linux it sees what is installed and its folder, and no network ([`guard`]).
//! - Time, memory, disk, width and height are limited by ImageMagick's own means and, where the system can (Linux),
//!   by the kernel's too; what comes out is counted and spooled like any other body. Its memory is part of the run's.

pub mod guard;

mod coder;
mod process;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::body::{self, Body, BodyPolicy};
use crate::derive::isolated::Program;
use crate::error::{Error, Kind, Stage};

pub use coder::Coder;
use guard::Walls;
use process::{Ended, Shell};

/// What one conversion may cost.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// From its start to its end.
    pub time: Duration,
    /// Pixels that come out, and the least limit on either side of the image.
    pub pixels: u64,
    /// Conversions at once.
    pub at_once: usize,
    /// Memory that results may wait in, in bytes; past it they go to disk.
    pub body_memory: u64,
}

/// Resolution that vector formats are drawn at, in dots an inch.
const DENSITY: &str = "150";
/// How long `-version` may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a file on disk may take a pixel: ImageMagick's own pixels are of 8 or 16 bytes, and it may hold two images.
const DISK: u64 = 32;

/// ImageMagick, found and ready.
#[derive(Debug)]
pub struct Delegates {
    program: PathBuf,
    guard: Option<Program>,
    bounds: Bounds,
    bodies: BodyPolicy,
    turns: Semaphore,
}

impl Delegates {
    /// Memory that one conversion is given, in bytes, where there is as much: half of it for pixels, past which
    /// ImageMagick goes to disk.
    pub const MEMORY: u64 = 512 << 20;

    /// Looks for ImageMagick as `magick` or `convert` in the folders of `path` (what the variable PATH holds), and
    /// takes the first that says it is that. It is started by `guard`, a program that calls [`guard::serve`].
    /// `work_dir` is where conversions get their folders.
    ///
    /// # Errors
    /// If there is none: what to install.
    pub async fn find(
        path: &OsStr,
        guard: Option<Program>,
        bounds: Bounds,
        work_dir: &Path,
    ) -> Result<Delegates, Error> {
        for name in ["magick", "convert"] {
            for folder in std::env::split_paths(path).filter(|folder| folder.is_absolute()) {
                let program = folder.join(name);
                if !program.is_file() {
                    continue;
                }
                if is_image_magick(&program, guard.as_ref(), work_dir).await {
                    tracing::debug!(program = %program.display(), "delegates are read by ImageMagick");
                    if let Some(guard) = &guard {
                        tell(walls(guard, work_dir).await);
                    }
                    return Ok(Delegates::new(program, guard, bounds, work_dir));
                }
                if guard.is_some() && is_image_magick(&program, None, work_dir).await {
                    let message = format!(
                        "the ImageMagick at {} does not run where it sees only installed programs, its settings and \
                         its own folder; install the one that this system comes with",
                        program.display()
                    );
                    return Err(Error::new(Stage::Derive, Kind::Denied, message));
                }
            }
        }
        let message = "--delegates needs ImageMagick, and there is none on the PATH; install it (Debian, Ubuntu: \
            apt-get install imagemagick; macOS: brew install imagemagick) or leave --delegates out";
        Err(Error::new(Stage::Derive, Kind::NotFound, message))
    }

    fn new(program: PathBuf, guard: Option<Program>, bounds: Bounds, work_dir: &Path) -> Delegates {
        let bodies = BodyPolicy {
            // Four channels and a mask of 16 bits a pixel, and a profile.
            max_bytes: bounds.pixels.saturating_mul(10).saturating_add(16 << 20),
            budget: Arc::new(Semaphore::new(body::units(bounds.body_memory))),
            spool_dir: work_dir.to_owned(),
            idle_timeout: bounds.time,
        };
        let turns = Semaphore::new(bounds.at_once.max(1));
        Delegates { program, guard, bounds, bodies, turns }
    }

    /// The source in a format that the image engine decodes, by a process that may take `memory` bytes.
    ///
    /// # Errors
    /// What ImageMagick said, or which bound was passed; the stage is [`Stage::Derive`].
    pub async fn convert(&self, source: Arc<Body>, coder: Coder, memory: u64) -> Result<Body, Error> {
        let _turn = self.turns.acquire().await;
        let folder = tempfile::tempdir_in(&self.bodies.spool_dir).map_err(|error| {
            let message = format!("no folder for ImageMagick could be made in the work folder: {error}");
            Error::new(Stage::Derive, Kind::Io, message).caused_by(error)
        })?;
        let command = process::Call {
            shell: Shell { program: &self.program, guard: self.guard.as_ref(), folder: folder.path() },
            arguments: self.arguments(coder, memory / 2),
            time: self.bounds.time,
            memory,
            disk: self.disk(),
        };
        let name = coder.name();
        match command.run(source, &self.bodies).await {
            Ok(body) => Ok(body),
            Err(Ended::Timeout) => {
                let seconds = self.bounds.time.as_secs_f32();
                let message =
                    format!("ImageMagick did not read the {name} within {seconds} s, and was stopped");
                Err(Error::new(Stage::Derive, Kind::Timeout, message))
            }
            Err(Ended::TooMuch) => {
                let most = self.bodies.max_bytes;
                let message = format!(
                    "ImageMagick made more than {most} bytes of the {name}, which is more than --max-pixels allows"
                );
                Err(Error::new(Stage::Derive, Kind::TooManyPixels, message))
            }
            Err(Ended::Failed(words)) => Err(self.refusal(coder, &words)),
            Err(Ended::Other(error)) => Err(error),
        }
    }

    /// Limits first: they hold for what follows them.
    fn arguments(&self, coder: Coder, memory: u64) -> Vec<OsString> {
        let (memory, disk) = (memory.to_string(), self.disk().to_string());
        let side = self.bounds.pixels.min(1 << 20).to_string();
        let time = (self.bounds.time.as_secs() + 1).to_string();
        let limits = [
            ("memory", &memory),
            // A mapped file is in memory as well.
            ("map", &"0".to_owned()),
            ("area", &memory),
            ("disk", &disk),
            ("width", &side),
            ("height", &side),
            ("time", &time),
        ];
        let mut arguments: Vec<OsString> = Vec::new();
        for (what, most) in limits {
            arguments.extend(["-limit".into(), what.into(), most.into()]);
        }
        arguments.extend(["-limit", "thread", "1"].map(OsString::from));
        if coder.is_drawn() {
            arguments.extend(["-density", DENSITY].map(OsString::from));
        }
        // The first image of several, or what they all come to.
        arguments.push(format!("{}:-[0]", coder.name()).into());
        arguments.extend(["-compress", "None", "TIFF:-"].map(OsString::from));
        arguments
    }

    fn disk(&self) -> u64 {
        self.bounds.pixels.saturating_mul(DISK)
    }

    /// What ImageMagick's last words mean.
    fn refusal(&self, coder: Coder, words: &str) -> Error {
        let (name, program) = (coder.name(), self.program.display());
        let lower = words.to_lowercase();
        let any = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
        let (kind, message) = if any(&["security policy", "not authorized"]) {
            let message = format!(
                "the ImageMagick of this machine ({program}) is not allowed to read {name}; \
                 its policy.xml says so (`{program} -list policy`)"
            );
            (Kind::UnsupportedFormat, message)
        } else if any(&[
            "no decode delegate",
            "unable to open module",
            "delegate library support not built-in",
        ]) {
            let message = format!("the ImageMagick of this machine ({program}) was built without {name}");
            (Kind::UnsupportedFormat, message)
        } else if any(&["exceeds limit", "resources exhausted", "limit exceeded", "memory allocation failed"])
        {
            (Kind::TooManyPixels, format!("the {name} takes more than ImageMagick is allowed: {words}"))
        } else if words.is_empty() {
            (Kind::Corrupt, format!("ImageMagick failed on the {name} and did not say why"))
        } else {
            (Kind::Corrupt, format!("ImageMagick could not read the {name}: {words}"))
        };
        Error::new(Stage::Derive, kind, message)
    }
}

/// What is said of a source that only a delegate could read, where there are none.
pub fn refusal(coder: Coder) -> Error {
    let message =
        format!("the format {} is not supported; --delegates lets ImageMagick read it", coder.name());
    Error::new(Stage::Derive, Kind::UnsupportedFormat, message)
}

/// Programs of other makers go by the name of `convert` too.
async fn is_image_magick(program: &Path, guard: Option<&Program>, work_dir: &Path) -> bool {
    let shell = Shell { program, guard, folder: work_dir };
    shell
        .first_words(PATIENCE)
        .await
        .is_some_and(|words| words.trim_start().starts_with("Version: ImageMagick"))
}

/// Which walls stand around delegates here.
async fn walls(guard: &Program, work_dir: &Path) -> Walls {
    let nothing = Walls { landlock: false, seccomp: false };
    let words = process::walls(guard, work_dir, PATIENCE).await;
    words.and_then(|words| serde_json::from_str(&words).ok()).unwrap_or(nothing)
}

fn tell(walls: Walls) {
    match walls {
        Walls { landlock: true, seccomp: true } => {
            tracing::debug!("delegates are shut in by Landlock and seccomp");
        }
        Walls { landlock, seccomp } => tracing::warn!(
            landlock,
            seccomp,
            "delegates are processes of their own, but this system cannot shut them in fully"
        ),
    }
}

#[cfg(test)]
mod tests;
