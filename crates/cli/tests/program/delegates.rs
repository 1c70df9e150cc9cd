//! Formats that imgmill leaves to ImageMagick: refused with advice, or read where there is one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use imgmill_testing::samples::{encode, photo};

use crate::harness::{Place, expect_failure};

const EPS: &str = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n";

/// A folder with a list of one EPS.
fn place() -> Place {
    let place = Place::new();
    fs::write(place.path("drawing.eps"), EPS).unwrap();
    place.list(["drawing.eps"]);
    place
}

#[test]
fn without_the_flag_an_error_says_that_there_is_one() {
    let place = place();
    place.run(&[]).expect(3);
    let report = place.report();
    expect_failure(&report[0], "derive", "unsupported_format");
    let message = "the format EPS is not supported; --delegates lets ImageMagick read it";
    assert_eq!(report[0]["message"], message);
}

#[test]
fn without_image_magick_the_flag_says_what_to_install() {
    let place = place().with_environment(vec![("PATH", "/no/such/folder".to_owned())]);
    let ran = place.run(&["--delegates"]).expect(1);
    assert!(ran.stderr.contains("install imagemagick"), "{}", ran.stderr);
}

#[test]
fn what_image_magick_gives_is_derived_from() {
    let place = Place::new();
    // Answers every call with the same image.
    let tools = place.path("tools");
    fs::create_dir(&tools).unwrap();
    fs::write(tools.join("image.png"), encode::png(&photo(1, 40, 30))).unwrap();
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = -version ]; then echo Version: ImageMagick 7; else cat >/dev/null; cat {}; fi\n",
        tools.join("image.png").display()
    );
    fs::write(tools.join("magick"), text).unwrap();
    fs::set_permissions(tools.join("magick"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(place.path("drawing.eps"), EPS).unwrap();
    place.list(["drawing.eps"]);
    let place = place.with_environment(vec![("PATH", tools.display().to_string())]);

    place.run(&["--delegates"]).expect(0);
    let report = place.report();
    assert_eq!((&report[0]["width"], &report[0]["height"]), (&40.into(), &30.into()));
    assert_eq!(report[0]["bytes"], EPS.len(), "the source is what was listed");
    // It is known by its own bytes, and not read again.
    fs::remove_file(tools.join("image.png")).unwrap();
    place.run(&["--delegates"]).expect(0);
    assert_eq!(place.report()[0]["status"], "reused");
}

/// Every door that a delegate tries is named on standard error if it stands open.
#[cfg(target_os = "linux")]
#[test]
fn a_delegate_sees_its_own_folder_and_no_network() {
    let place = Place::new();
    let tools = place.path("tools");
    fs::create_dir(&tools).unwrap();
    fs::write(tools.join("image.png"), encode::png(&photo(1, 40, 30))).unwrap();
    fs::write(place.path("secret"), "secret").unwrap();
    let doors = [
        format!("cat {}", place.path("secret").display()),
        format!("touch {}", place.path("written").display()),
        "cat /etc/passwd".to_owned(),
        // Of whoever started it, where the keys to a store may be.
        "cat /proc/$PPID/environ".to_owned(),
        "kill -0 $PPID".to_owned(),
        "perl -MSocket -e 'socket(my $s, AF_INET, SOCK_STREAM, 0) or exit 1'".to_owned(),
    ];
    let tries: String = (1..)
        .zip(&doors)
        .map(|(number, door)| format!("({door}) >/dev/null 2>&1 && echo open: {number} >&2\n"))
        .collect();
    // What it may: write files of its own, and start programs that are installed.
    let text = format!(
        "#!/bin/sh\nif [ \"$1\" = -version ]; then echo Version: ImageMagick 7; exit; fi\ncat >/dev/null\n\
         ({tries}) 2>doors\ntest -f doors || exit 1\nif [ -s doors ]; then cat doors >&2; exit 1; fi\ncat {}\n",
        tools.join("image.png").display()
    );
    fs::write(tools.join("magick"), text).unwrap();
    fs::set_permissions(tools.join("magick"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(place.path("drawing.eps"), EPS).unwrap();
    place.list(["drawing.eps"]);
    let place = place.with_environment(vec![("PATH", tools.display().to_string())]);
    let ran = place.run(&["--delegates"]);
    assert_eq!(ran.code, Some(0), "{:?}\n{}", place.report(), ran.stderr);
}
