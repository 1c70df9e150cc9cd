//! Pyramids of what is too large for memory: laid aside in files, in this program and in derive processes.

use std::fs;

use imgmill_testing::samples::photo;

use crate::harness::{Place, Ran};

/// A black BMP of more than 32 MiB, whose rows only come whole.
fn large_bmp() -> Vec<u8> {
    let (width, height) = (5601u32, 2003u32);
    let stride = (width * 3).next_multiple_of(4);
    let mut bytes = b"BM".to_vec();
    for number in [54 + stride * height, 0, 54, 40, width, height, 1 | 24 << 16, 0, 0, 0, 0, 0, 0] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.resize(54 + (stride * height) as usize, 0);
    bytes
}

/// Low tiles, so that the bands take little memory.
const LOW: &str = r#"{"p": {"format": "ptif", "tile": 64}}"#;

fn place_of(name: &str, source: &[u8], recipe: &str) -> Place {
    let place = Place::new();
    fs::write(place.path(name), source).unwrap();
    fs::write(place.path("r.json"), recipe).unwrap();
    place.list([place.path(name).display().to_string()]);
    place
}

/// What a run stores in a folder of its own: names and bytes.
fn stored(place: &Place, folder: &str, arguments: &[&str]) -> (Vec<(String, Vec<u8>)>, Ran) {
    let store = url::Url::from_directory_path(place.path(folder)).unwrap();
    let always = ["--recipe", "r.json", "--key", "{stem}_{label}.{ext}", "--store", store.as_str()];
    let ran = place.run(&[&always[..], arguments].concat()).expect(0);
    let mut files = Vec::new();
    for entry in fs::read_dir(place.path(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            files.push((name, fs::read(path).unwrap()));
        }
    }
    files.sort();
    (files, ran)
}

#[test]
fn pyramids_come_out_of_derive_processes_as_they_are_made_here() {
    let opaque = photo(1, 2300, 1900);
    let holes = image::RgbaImage::from_fn(2300, 1900, |x, y| {
        let [red, green, blue] = opaque.pixel(x, y);
        image::Rgba([red, green, blue, red])
    });
    let mut source = std::io::Cursor::new(Vec::new());
    holes.write_to(&mut source, image::ImageFormat::Png).unwrap();
    // The pyramid is made first and handed on second.
    let recipe = r#"{"small": {"size": "!90,90", "format": "png"}, "large": {"format": "ptif", "compression": "jpeg"}}"#;
    let place = place_of("page.png", source.get_ref(), recipe);
    let (here, _) = stored(&place, "here", &["--isolate", "none"]);
    let (apart, ran) = stored(&place, "apart", &["--isolate", "process"]);
    assert_eq!(
        here.iter().map(|file| file.0.as_str()).collect::<Vec<_>>(),
        ["page_large.tif", "page_small.png"]
    );
    assert!(here == apart, "{}", ran.stderr);
    assert!(ran.stderr.contains("no transparency"), "notes come out too: {}", ran.stderr);
}

#[test]
fn what_is_too_large_for_memory_lies_in_files() {
    let place = place_of("page.bmp", &large_bmp(), LOW);
    let (here, _) = stored(&place, "here", &["--isolate", "none", "--memory", "128MiB"]);
    let (apart, _) = stored(&place, "apart", &["--isolate", "process", "--memory", "128MiB"]);
    assert!(here.len() == 1 && here == apart);
}

#[test]
fn a_scratch_disk_without_room_is_named_and_nothing_is_left() {
    let place = place_of("page.bmp", &large_bmp(), LOW);
    for isolate in ["none", "process"] {
        // No file may have more than 100 KB, which is what writing to a full disk is like.
        let script = format!(
            "trap '' XFSZ; ulimit -f 100; exec \"$0\" run --input input.csv --output output.csv --recipe r.json \
             --report report.jsonl --discard --isolate {isolate}"
        );
        let mut command = std::process::Command::new("sh");
        command.current_dir(place.path(".")).env_clear().args(["-c", &script, env!("CARGO_BIN_EXE_imgmill")]);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let ran = Ran::of(command.spawn().unwrap()).expect(3);
        let report = place.report();
        assert_eq!(
            (&report[0]["kind"], &report[0]["stage"]),
            (&"io".into(), &"derive".into()),
            "{}",
            ran.stderr
        );
        assert!(place.stored().is_empty());
        let unfinished = place.path("outputs/.imgmill/unfinished");
        assert!(fs::read_dir(unfinished).map_or(0, Iterator::count) == 0);
    }
}

#[test]
fn tiles_of_what_is_too_large_for_memory_are_cut_too() {
    let place = Place::new();
    fs::write(place.path("page.bmp"), large_bmp()).unwrap();
    let tile = |limit: &str| {
        let script = format!("trap '' XFSZ; {limit} exec \"$0\" tile page.bmp --output tiles --tile 1024");
        let mut command = std::process::Command::new("sh");
        command.current_dir(place.path(".")).env_clear().args(["-c", &script, env!("CARGO_BIN_EXE_imgmill")]);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        Ran::of(command.spawn().unwrap())
    };
    let ran = tile("ulimit -f 1000;").expect(3);
    assert!(ran.stderr.contains("scratch file"), "{}", ran.stderr);
    assert_eq!(fs::read_dir(place.path("tiles")).unwrap().count(), 0);
    tile("").expect(0);
    assert!(place.path("tiles/page/info.json").exists());
}
