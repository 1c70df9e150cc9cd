//! One call of a program that is not trusted with much: bytes in on standard input, bytes out on standard output, a
//! bounded ear for what it complains of, and an end for it and all that it started.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::body::{Body, BodyPolicy};
use crate::derive::isolated::Program;
use crate::error::{Error, Kind, Stage};

/// As much of standard error as is kept.
const WORDS: usize = 2048;
/// A piece of standard output.
const PIECE: usize = 64 << 10;

/// A program and where it runs.
#[derive(Clone, Copy)]
pub(super) struct Shell<'a> {
    pub program: &'a Path,
    /// What starts it and shuts it in, if anything does.
    pub guard: Option<&'a Program>,
    /// Where it runs and leaves its temporary files.
    pub folder: &'a Path,
}

/// A program, what it is told, and what it may take.
pub(super) struct Call<'a> {
    pub shell: Shell<'a>,
    pub arguments: Vec<OsString>,
    pub time: Duration,
    /// Bytes of memory that it may write to.
    pub memory: u64,
    /// Bytes of one file that it writes.
    pub disk: u64,
}

/// How a call ended, where it gave no body.
pub(super) enum Ended {
    /// Its time was over.
    Timeout,
    /// It gave more bytes than the policy takes.
    TooMuch,
    /// It failed, with these words.
    Failed(String),
    /// It could not be run, or its result not be kept.
    Other(Error),
}

impl Call<'_> {
    /// Feeds `source` to the program and reads what comes of it.
    pub async fn run(self, source: Arc<Body>, bodies: &BodyPolicy) -> Result<Body, Ended> {
        let mut child = self.shell.command(self.time).args(&self.arguments).spawn().map_err(|error| {
            let message = format!("{} could not be started: {error}", self.shell.program.display());
            Ended::Other(Error::new(Stage::Derive, Kind::Io, message).caused_by(error))
        })?;
        // From here on, whatever comes between ends the whole group.
        let mut group = Group::of(&child);
        // Before it has read a single byte that could make it do anything.
        group.restrict(self.memory, self.disk);
        let talk = tokio::time::timeout(self.time, talk(&mut child, source, bodies)).await;
        let Ok((body, words, succeeded)) = talk else { return Err(Ended::Timeout) };
        group.is_over();
        match body {
            Err(error) if error.kind() == Kind::TooLarge => Err(Ended::TooMuch),
            Err(error) if error.kind() == Kind::Timeout => Err(Ended::Timeout),
            Err(error) if matches!(error.kind(), Kind::Io | Kind::DiskFull) => Err(Ended::Other(error)),
            // ImageMagick may fail after an image that is good enough, or say nothing and give none.
            Ok(body) if succeeded => Ok(body),
            _ => Err(Ended::Failed(words)),
        }
    }
}

/// The three pipes at once, so that none can block another, and then its end.
async fn talk(
    child: &mut Child,
    source: Arc<Body>,
    bodies: &BodyPolicy,
) -> (Result<Body, Error>, String, bool) {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async move {
        if let Some(mut stdin) = stdin {
            // One that has read enough closes its end, which is its right.
            let _ = stdin.write_all(&source).await;
            let _ = stdin.shutdown().await;
        }
    };
    let result = async {
        match stdout {
            Some(stdout) => bodies.read(pieces(stdout), None).await,
            None => Err(Error::new(Stage::Derive, Kind::Internal, "a process has no standard output")),
        }
    };
    let listen = async {
        match stderr {
            Some(stderr) => words(stderr).await,
            None => String::new(),
        }
    };
    let whole = async {
        let ((), body, words) = tokio::join!(feed, result, listen);
        (body, words)
    };
    tokio::pin!(whole);
    let (body, words) = whole.await;
    let succeeded = child.wait().await.is_ok_and(|status| status.success());
    (body, words, succeeded)
}

impl Shell<'_> {
    fn command(self, time: Duration) -> Command {
        match self.guard {
            Some(guard) => {
                let mut command = guarded(guard, self.folder, time);
                command.arg(self.program);
                command
            }
            None => bare(Command::new(self.program), self.folder),
        }
    }

    /// What it says when asked for its version; `None` where it does not answer in time, or not at all.
    pub async fn first_words(self, time: Duration) -> Option<String> {
        let mut command = self.command(time);
        command.arg("-version");
        said(command, time).await
    }
}

/// What a guard says of the walls that it can put up.
pub(super) async fn walls(guard: &Program, folder: &Path, time: Duration) -> Option<String> {
    said(guarded(guard, folder, time), time).await
}

fn guarded(guard: &Program, folder: &Path, time: Duration) -> Command {
    let mut command = Command::new(&guard.path);
    // Its own clock strikes later than the one that it is watched by.
    let seconds = time.as_secs().saturating_add(2);
    command.args(&guard.arguments).arg(folder).arg(seconds.to_string());
    bare(command, folder)
}

/// Almost nothing of this program's environment.
fn bare(mut command: Command, folder: &Path) -> Command {
    command.env_clear().current_dir(folder).process_group(0).kill_on_drop(true);
    // What Ghostscript and the like are found by, and where temporary files go.
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin").env("LC_ALL", "C");
    for name in ["HOME", "TMPDIR", "TEMP", "MAGICK_TEMPORARY_PATH", "MAGICK_TMPDIR"] {
        command.env(name, folder);
    }
    // An installation that is not where it was built for is found by this.
    for name in ["MAGICK_HOME", "MAGICK_CONFIGURE_PATH"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a short run of a program gives on standard output.
async fn said(mut command: Command, time: Duration) -> Option<String> {
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
    let mut group = Group::of(&child);
    let stdout = child.stdout.take()?;
    let words = tokio::time::timeout(time, async { (words(stdout).await, child.wait().await) }).await;
    let (words, status) = words.ok()?;
    group.is_over();
    status.ok()?.success().then_some(words)
}

fn pieces(stdout: impl AsyncRead + Unpin) -> impl Stream<Item = Result<Bytes, Error>> {
    stream::unfold(stdout, |mut stdout| async move {
        let mut piece = BytesMut::with_capacity(PIECE);
        match stdout.read_buf(&mut piece).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(piece.freeze()), stdout)),
            Err(error) => {
                let message = format!("the output of a delegate broke off: {error}");
                Some((Err(Error::new(Stage::Derive, Kind::Io, message).caused_by(error)), stdout))
            }
        }
    })
}

/// The beginning of a text, on one line; the rest is read and forgotten.
async fn words(mut from: impl AsyncRead + Unpin) -> String {
    let (mut kept, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        let room = WORDS - kept.len();
        kept.extend_from_slice(&piece[..read.min(room)]);
    }
    String::from_utf8_lossy(&kept).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A process and all that it started, which end with it unless it is over by itself.
struct Group {
    leader: Option<rustix::process::Pid>,
}

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Group { leader: id.and_then(rustix::process::Pid::from_raw) }
    }

    /// Limits that the kernel holds it to, and what it starts later. Other systems than Linux have no such call.
    fn restrict(&self, memory: u64, disk: u64) {
        #[cfg(target_os = "linux")]
        if let Some(leader) = self.leader {
            use rustix::process::{Resource, Rlimit, prlimit};
            for (resource, most) in [(Resource::Data, memory), (Resource::Fsize, disk), (Resource::Core, 1)] {
                let limit = Rlimit { current: Some(most), maximum: Some(most) };
                if let Err(error) = prlimit(Some(leader), resource, limit) {
                    tracing::debug!("a delegate could not be limited: {error}");
                }
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (memory, disk);
    }

    /// Its end was seen, so that its number may be another's by now.
    fn is_over(&mut self) {
        self.leader = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            // The leader is not reaped before this, so its number is still its own.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}
