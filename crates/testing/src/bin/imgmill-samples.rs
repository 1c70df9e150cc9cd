//! The sample images as a program: `serve` puts the named set on a loopback web server and writes a list
//! of its URLs (what `make run` works through) and prints what is posted to it, `write` fills a directory with JPEGs (what `make bench`
//! measures on), `kinds` writes one picture in every way (what `make conformance` compares and `make fuzz`
//! begins with), `wall` writes one JPEG of any size without holding it in memory (what `make test-large` is about).

use std::error::Error;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::ScopedJoinHandle;

use imgmill_testing::http::{Answer, Behaviour, Request, TestServer};
use imgmill_testing::samples::{self, JpegOptions, encode};

const USAGE: &str = "\
usage: imgmill-samples serve --list FILE [--port PORT]
       imgmill-samples write DIR --count N --width W --height H [--seed S]
       imgmill-samples kinds DIR --width W --height H [--seed S]
       imgmill-samples wall FILE --width W --height H [--seed S]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("imgmill-samples: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    match arguments.split_first() {
        Some((command, rest)) if command == "serve" => {
            let options = Options::parse(rest, &["list", "port"])?;
            serve(Path::new(options.required("list")?), options.number("port", Some(0))?)
        }
        Some((command, rest)) if command == "write" => {
            let (directory, rest) = rest.split_first().ok_or(USAGE)?;
            let options = Options::parse(rest, &["count", "width", "height", "seed"])?;
            write(&Batch {
                directory: directory.into(),
                count: options.number("count", None)?,
                width: options.number("width", None)?,
                height: options.number("height", None)?,
                seed: options.number("seed", Some(1))?,
            })
        }
        Some((command, rest)) if command == "kinds" => {
            let (directory, rest) = rest.split_first().ok_or(USAGE)?;
            let options = Options::parse(rest, &["width", "height", "seed"])?;
            let (width, height) = (options.number("width", None)?, options.number("height", None)?);
            fs::create_dir_all(directory).map_err(|error| format!("{directory}: {error}"))?;
            for (name, file) in samples::kinds(options.number("seed", Some(1))?, width, height) {
                fs::write(Path::new(directory).join(name), file)?;
            }
            Ok(())
        }
        Some((command, rest)) if command == "wall" => {
            let (file, rest) = rest.split_first().ok_or(USAGE)?;
            let options = Options::parse(rest, &["width", "height", "seed"])?;
            let (width, height) = (options.number("width", None)?, options.number("height", None)?);
            let to = fs::File::create(file).map_err(|error| format!("{file}: {error}"))?;
            samples::wall_jpeg(options.number("seed", Some(1))?, width, height, io::BufWriter::new(to))?;
            Ok(())
        }
        _ => Err(USAGE.into()),
    }
}

/// `--name value` pairs.
struct Options<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Options<'a> {
    fn parse(arguments: &'a [String], known: &[&str]) -> Result<Self, Box<dyn Error>> {
        let pairs = arguments.chunks(2).map(|pair| match pair {
            [flag, value] => match flag.strip_prefix("--") {
                Some(name) if known.contains(&name) => Ok((name, value.as_str())),
                _ => Err(format!("no such option: {flag}\n{USAGE}")),
            },
            _ => Err(format!("{} wants a value\n{USAGE}", pair.concat())),
        });
        Ok(Self(pairs.collect::<Result<_, _>>()?))
    }

    fn required(&self, name: &str) -> Result<&'a str, String> {
        let given = self.0.iter().rfind(|(known, _)| *known == name);
        given.map(|(_, value)| *value).ok_or_else(|| format!("--{name} is missing\n{USAGE}"))
    }

    fn number<N: std::str::FromStr>(&self, name: &str, default: Option<N>) -> Result<N, String> {
        match (self.required(name), default) {
            (Ok(value), _) => value.parse().map_err(|_| format!("--{name}: not a number that fits: {value}")),
            (Err(_), Some(default)) => Ok(default),
            (Err(missing), None) => Err(missing),
        }
    }
}

fn serve(list: &Path, port: u16) -> Result<(), Box<dyn Error>> {
    let server = TestServer::start_on(port).map_err(|error| format!("port {port}: {error}"))?;
    let mut rows = String::from("url\n");
    let mut add_row = |name: &str| rows.push_str(&format!("{}\n", server.url(&format!("/{name}"))));
    for sample in samples::sample_set() {
        let path = format!("/{}", sample.name);
        server.route(&path, Answer::ok(&sample.bytes).content_type(sample.content_type).etag_of_body());
        add_row(sample.name);
    }
    for sample in samples::bad_samples() {
        if let Some(page) = sample.page {
            server.route(&format!("/{}", sample.name), Answer::html(page));
        }
        add_row(sample.name);
    }
    server.fallback(|request| (request.method == "POST").then(|| heard(request)));
    fs::write(list, &rows).map_err(|error| format!("{}: {error}", list.display()))?;
    let count = rows.lines().count() - 1;
    writeln!(io::stdout(), "serving {count} samples at {}, listed in {}", server.url("/"), list.display())?;
    io::stdout().flush()?;
    wait_for_the_end();
    Ok(())
}

/// Prints what was posted, and thanks for it.
fn heard(request: &Request) -> Behaviour {
    let signature = request.header("x-imgmill-signature").unwrap_or("none");
    let body = String::from_utf8_lossy(&request.body);
    let mut out = io::stdout().lock();
    // Nobody may be reading; the sender is thanked all the same.
    let _ =
        writeln!(out, "heard at {}, signature {signature}\n{body}", request.path).and_then(|()| out.flush());
    Answer::ok("thanks").into()
}

/// Returns when the pipe on standard input closes. On anything but a pipe (a terminal, or the /dev/null
/// that a shell gives to background jobs) it waits to be killed.
fn wait_for_the_end() {
    if stdin_is_a_pipe() {
        let mut ignored = [0; 1024];
        while io::stdin().read(&mut ignored).is_ok_and(|length| length > 0) {}
    } else {
        loop {
            std::thread::park();
        }
    }
}

#[cfg(unix)]
fn stdin_is_a_pipe() -> bool {
    use std::os::unix::fs::FileTypeExt;
    fs::metadata("/dev/stdin").is_ok_and(|metadata| metadata.file_type().is_fifo())
}

#[cfg(not(unix))]
fn stdin_is_a_pipe() -> bool {
    false
}

/// JPEGs to write.
struct Batch {
    directory: PathBuf,
    count: u64,
    width: u32,
    height: u32,
    seed: u64,
}

/// Writes `photo_000001.jpg` and on, each from a seed of its own, on all cores.
fn write(batch: &Batch) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(&batch.directory)
        .map_err(|error| format!("{}: {error}", batch.directory.display()))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(1);
    let written: io::Result<()> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| write_share(batch, &next))).collect();
        let result_of = |worker: ScopedJoinHandle<'_, _>| {
            worker.join().unwrap_or_else(|_| Err(io::Error::other("a drawing thread panicked")))
        };
        workers.into_iter().try_for_each(result_of)
    });
    written.map_err(|error| format!("{}: {error}", batch.directory.display()).into())
}

fn write_share(batch: &Batch, next: &AtomicU64) -> io::Result<()> {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number > batch.count {
            return Ok(());
        }
        let drawn = samples::photo(batch.seed.wrapping_add(number), batch.width, batch.height);
        let file = batch.directory.join(format!("photo_{number:06}.jpg"));
        fs::write(file, encode::jpeg(&drawn, JpegOptions::default()))?;
    }
}
