//! Programs that say they are ImageMagick, and then do what hostile files make decoders do.

use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use super::*;

/// A small TIFF, what a good conversion gives.
const TIFF: &str = "II*\\000\\010\\000\\000\\000rest of a TIFF";

fn bounds() -> Bounds {
    Bounds { time: Duration::from_secs(20), pixels: 1000, at_once: 2, body_memory: 1 << 20 }
}

/// A folder with a `convert` that answers `-version` as ImageMagick does, and anything else with `script`.
fn fake(script: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("convert");
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = -version ]; then echo 'Version: ImageMagick 7.1.1'; exit 0; fi\n{script}\n"
    );
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

async fn eps(bodies: &BodyPolicy) -> Arc<Body> {
    let bytes = bytes::Bytes::from_static(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n");
    Arc::new(bodies.read(futures::stream::iter([Ok(bytes)]), None).await.unwrap())
}

async fn converted(script: &str, bounds: Bounds) -> Result<Body, Error> {
    converted_in(32 << 20, script, bounds).await
}

async fn converted_in(memory: u64, script: &str, bounds: Bounds) -> Result<Body, Error> {
    let (folder, work) = (fake(script), tempfile::tempdir().unwrap());
    let found = Delegates::find(folder.path().as_os_str(), None, bounds, work.path()).await.unwrap();
    let source = eps(&found.bodies).await;
    let coder = Coder::of(&source).unwrap();
    let converted = found.convert(source, coder, memory).await;
    let left = std::fs::read_dir(work.path()).unwrap().count();
    assert_eq!(left, 0, "the folder of the conversion is gone");
    converted
}

#[tokio::test]
async fn bytes_go_in_and_bytes_come_out() {
    let script = format!("cat > source; test -s source && printf '{TIFF}'; printf '%s ' \"$@\"; env");
    let body = converted(&script, bounds()).await.unwrap();
    let text = String::from_utf8_lossy(&body).into_owned();
    assert!(text.starts_with("II*") && text.contains("rest of a TIFF"), "{text}");
    assert!(text.contains("-limit memory 16777216 ") && text.contains("-limit time 21 "), "{text}");
    assert!(text.contains(" EPS:-[0] ") && text.contains("TIFF:- "), "{text}");
    assert!(!text.contains("CARGO"), "the environment stays here: {text}");
}

#[tokio::test]
async fn one_that_hangs_is_killed_with_all_that_it_started() {
    let marker = tempfile::NamedTempFile::new().unwrap();
    let path = marker.path().display();
    // A grandchild that would go on for long, and keeps the output open.
    let script = format!("(sleep 300 & echo $! > {path}; wait) & cat > /dev/null; wait");
    let started = Instant::now();
    let error = converted(&script, Bounds { time: Duration::from_secs(1), ..bounds() }).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout, "{error}");
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    let grandchild = std::fs::read_to_string(marker.path()).unwrap();
    let grandchild = rustix::process::Pid::from_raw(grandchild.trim().parse().unwrap()).unwrap();
    for _ in 0..100 {
        if is_gone(grandchild) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the grandchild lives on");
}

/// Gone, or a zombie that nobody has collected yet.
fn is_gone(process: rustix::process::Pid) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
    let zombie = state.is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')));
    zombie || rustix::process::test_kill_process(process).is_err()
}

#[tokio::test]
async fn one_that_spews_is_stopped_and_heard_no_more_than_needed() {
    let error = converted(&format!("printf '{TIFF}'; yes"), bounds()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::TooManyPixels, "{error}");
    let error = converted("yes complaint | head -c 5000000 >&2; exit 1", bounds()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt);
    assert!(
        error.message().contains("complaint") && error.message().len() < 3000,
        "{}",
        error.message().len()
    );
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_that_eats_memory_gets_no_more() {
    // Doubles a text until the kernel says no; without a limit it would go on to gigabytes.
    let script = format!(
        "cat > /dev/null; a=0123456789abcdef; i=0; while [ $i -lt 27 ]; do a=$a$a; i=$((i+1)); done; printf '{TIFF}'"
    );
    assert!(converted_in(64 << 20, &script, bounds()).await.is_err());
}

#[tokio::test]
async fn what_it_says_is_made_into_advice() {
    for (words, kind, says) in [
        ("no decode delegate for this image format EPS", Kind::UnsupportedFormat, "built without EPS"),
        (
            "attempt to perform an operation not allowed by the security policy",
            Kind::UnsupportedFormat,
            "policy.xml",
        ),
        ("cache resources exhausted", Kind::TooManyPixels, "more than ImageMagick is allowed"),
        ("improper image header", Kind::Corrupt, "improper image header"),
        ("", Kind::Corrupt, "did not say why"),
    ] {
        let error = converted(&format!("echo '{words}' >&2; exit 1"), bounds()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(says), "{error}");
    }
    // An image, but a bad end; and a good end, but no image.
    for script in [format!("printf '{TIFF}'; exit 1"), "exit 0".to_owned(), "echo no image".to_owned()] {
        assert_eq!(converted(&script, bounds()).await.unwrap_err().kind(), Kind::Corrupt, "{script}");
    }
}

#[tokio::test]
async fn only_image_magick_is_taken_for_it() {
    let (other, work) = (fake(""), tempfile::tempdir().unwrap());
    let program = other.path().join("convert");
    std::fs::write(&program, "#!/bin/sh\necho 'convert: turns FAT into NTFS'\n").unwrap();
    let find = async |path: &OsStr| Delegates::find(path, None, bounds(), work.path()).await;
    let error = find(other.path().as_os_str()).await.unwrap_err();
    assert!(error.message().contains("apt-get install imagemagick"), "{error}");
    let good = fake("");
    let path = std::env::join_paths([other.path(), good.path()]).unwrap();
    assert_eq!(find(&path).await.unwrap().program, good.path().join("convert"));
}
