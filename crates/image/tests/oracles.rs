//! Comparisons with the tools that people know. Each returns early, saying so, where its tool is not installed.
#![allow(clippy::unwrap_used)] // in tests' own helpers too

mod support;

use std::path::Path;
use std::process::Command;

use imgmill_image::{GrayMethod, Recipe};
use support::*;

/// The first of these programs that runs and, asked for its version, mentions `name`.
fn tool(programs: &[&'static str], argument: &str, name: &str) -> Option<&'static str> {
    let answers = |program: &&&str| {
        let output = Command::new(program).arg(argument).output().ok()?;
        let said = [output.stdout, output.stderr].concat();
        String::from_utf8_lossy(&said).contains(name).then_some(())
    };
    let found = programs.iter().find(|program| answers(program).is_some()).copied();
    if found.is_none() {
        eprintln!("skipped: {name} is not installed");
    }
    found
}

fn run(program: &str, folder: &Path, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).current_dir(folder).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}");
}

#[test]
fn jpegtran_makes_the_same_grey_file() {
    let Some(jpegtran) = tool(&["jpegtran"], "-version", "libjpeg") else { return };
    let folder = tempfile::tempdir().unwrap();
    let image = picture(523, 317);
    for options in ["", r#""q": 40"#, r#""q": 97"#, r#""progressive": true"#, r#""quality": "gray", "q": 80"#]
    {
        let source = jpeg(&image, options);
        std::fs::write(folder.path().join("in.jpg"), &source).unwrap();
        let arguments = ["-copy", "none", "-grayscale", "-optimize", "-outfile", "out.jpg", "in.jpg"];
        run(jpegtran, folder.path(), &arguments);
        let expected = std::fs::read(folder.path().join("out.jpg")).unwrap();
        assert!(only(&source, &Recipe::gray()).bytes == expected, "{options}: not the same bytes");
    }
}

#[test]
fn imagemagick_averages_to_the_same_grey() {
    let programs = ["magick", "convert-im6.q16", "convert"];
    let Some(convert) = tool(&programs, "-version", "ImageMagick") else { return };
    let folder = tempfile::tempdir().unwrap();
    let image = picture(300, 200);
    for (name, source) in [("in.png", png(&image)), ("in.jpg", jpeg(&image, "")), ("in.bmp", bmp(&image))] {
        std::fs::write(folder.path().join(name), &source).unwrap();
        let arguments =
            [name, "-set", "colorspace", "Gray", "-separate", "-average", "-depth", "8", "out.png"];
        run(convert, folder.path(), &arguments);
        let expected = std::fs::read(folder.path().join("out.png")).unwrap();
        let expected = rgb(&expected, "full/max/0/default.png");
        let mut recipe = recipe("full/max/0/gray.png");
        recipe.set_gray(GrayMethod::Average);
        let found = rgb(&only(&source, &recipe).bytes, "full/max/0/default.png");
        let most = found.data.iter().zip(&expected.data).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(most <= Some(1), "{name}: differs by {most:?}");
    }
}
