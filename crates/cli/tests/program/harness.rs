//! A folder to run the program in, and what came of a run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use imgmill_testing::samples::{encode, photo};
use tempfile::TempDir;

/// No run of a test takes longer; one that does hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A fresh folder with the program's files in it. Every run starts there.
pub struct Place {
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
}

/// What came of a run.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        Place { folder: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    pub fn with_environment(mut self, environment: Vec<(&'static str, String)>) -> Self {
        self.environment = environment;
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes `input.csv` with a header and these URLs.
    pub fn list<U: AsRef<str>>(&self, urls: impl IntoIterator<Item = U>) {
        let mut text = "url\n".to_owned();
        for url in urls {
            text.push_str(url.as_ref());
            text.push('\n');
        }
        fs::write(self.path("input.csv"), text).unwrap();
    }

    /// `imgmill run` over `input.csv`, with failed list and report, and quick retries.
    pub fn run(&self, extra: &[&str]) -> Ran {
        Ran::of(self.spawn(extra))
    }

    /// Starts what [`run`](Self::run) runs.
    pub fn spawn(&self, extra: &[&str]) -> Child {
        self.command()
            .args(["run", "--input", "input.csv", "--output", "output.csv", "--output-failed", "failed.csv"])
            .args(["--report", "report.jsonl", "--work-dir", "work"])
            .args(extra)
            .spawn()
            .unwrap()
    }

    /// The program with this folder as its own and nothing of the developer's environment.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imgmill"));
        command.current_dir(self.folder.path()).env_clear().env("HOME", self.folder.path());
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs(self.environment.iter().map(|(name, value)| (*name, value.as_str())));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// `output.csv`, header included.
    pub fn output(&self) -> Vec<Vec<String>> {
        records(&self.path("output.csv"))
    }

    /// The URLs of `failed.csv`.
    pub fn failed(&self) -> Vec<String> {
        records(&self.path("failed.csv")).into_iter().skip(1).map(|mut row| row.remove(0)).collect()
    }

    /// The report's objects.
    pub fn report(&self) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.path("report.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The renditions in the local store, by name, without what is kept beside them and without the staging
    /// files (`NAME#1`) that a killed program leaves.
    pub fn stored(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let folder = self.path("outputs");
        if folder.exists() {
            files_below(&folder, &mut files);
        }
        files.retain(|file| !file.starts_with(folder.join(".imgmill")) && !is_staging(file));
        files.sort();
        files
    }
}

fn is_staging(file: &Path) -> bool {
    let name = file.file_name().unwrap().to_string_lossy();
    name.rsplit_once('#').is_some_and(|(_, number)| number.parse::<u32>().is_ok())
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, files) } else { files.push(path) }
    }
}

fn records(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(path).unwrap();
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

impl Ran {
    /// Waits for the end, and fails the test where it does not come.
    pub fn of(child: Child) -> Ran {
        Ran::within(PATIENCE, child)
    }

    /// The same of what may take long where much is asked for.
    pub fn of_patient(child: Child) -> Ran {
        Ran::within(20 * PATIENCE, child)
    }

    fn within(patience: Duration, mut child: Child) -> Ran {
        let started = Instant::now();
        // Pipes are drained by threads, so that a talkative child never waits for its reader.
        let drain = |pipe: Option<Box<dyn std::io::Read + Send>>| {
            std::thread::spawn(move || {
                let mut text = Vec::new();
                if let Some(mut pipe) = pipe {
                    std::io::Read::read_to_end(&mut pipe, &mut text).unwrap();
                }
                String::from_utf8_lossy(&text).into_owned()
            })
        };
        let stdout = drain(child.stdout.take().map(|pipe| Box::new(pipe) as _));
        let stderr = drain(child.stderr.take().map(|pipe| Box::new(pipe) as _));
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > patience {
                child.kill().unwrap();
                panic!("the program hangs; it said:\n{}", stderr.join().unwrap());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Ran { code: status.code(), stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
    }

    /// The exit code must be this; prints what the program said where it is not.
    #[track_caller]
    pub fn expect(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A small JPEG, different for every seed.
pub fn jpeg(seed: u64) -> Vec<u8> {
    encode::jpeg(&photo(seed, 64, 48), Default::default())
}

/// What a report says of one row.
#[track_caller]
pub fn expect_failure(row: &serde_json::Value, stage: &str, kind: &str) {
    assert_eq!(
        (&row["status"], &row["stage"], &row["kind"]),
        (&"failed".into(), &stage.into(), &kind.into()),
        "{row}"
    );
}
