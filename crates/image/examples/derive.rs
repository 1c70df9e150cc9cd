//! Makes derivatives of one file: `derive FILE OUTDIR [--derive LABEL=REQUEST]... [--recipe FILE.json] [--gray METHOD]`.
//!
//! Without `--derive` or `--recipe` it makes the grey one. Each rendition is written to `OUTDIR/LABEL.EXT`.

use std::error::Error;
use std::path::{Path, PathBuf};

use imgmill_image::{
    Coming, Derivative, Limits, Output, Recipe, Rendition, Sink, Written, derive, memory_need, probe,
};

struct Folder(PathBuf);

impl Sink for Folder {
    fn put(&mut self, rendition: Rendition) -> std::io::Result<()> {
        let path = self.0.join(format!("{}.{}", rendition.label, rendition.format.extension()));
        eprintln!(
            "{}: {}×{}, {} bytes",
            path.display(),
            rendition.width,
            rendition.height,
            rendition.bytes.len()
        );
        std::fs::write(path, rendition.bytes)
    }

    fn open(&mut self, _: &Coming) -> std::io::Result<Option<Box<dyn Output>>> {
        Ok(Some(Box::new(std::fs::File::create(self.0.join("unfinished"))?)))
    }

    fn put_written(&mut self, written: Written) -> std::io::Result<()> {
        let Coming { label, format, width, height, .. } = written.coming;
        let path = self.0.join(format!("{label}.{}", format.extension()));
        eprintln!("{}: {width}×{height}, {} bytes", path.display(), written.length);
        std::fs::rename(self.0.join("unfinished"), path)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "derive FILE OUTDIR [--derive LABEL=REQUEST]... [--recipe FILE.json] [--gray METHOD]";
    let (file, folder) = arguments.next().zip(arguments.next()).ok_or(usage)?;
    let (mut derivatives, mut recipe, mut gray) = (Vec::<Derivative>::new(), None, None);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().ok_or(usage)?;
        match flag.as_str() {
            "--derive" => derivatives.push(value.parse()?),
            "--recipe" => recipe = Some(Recipe::parse_json(&std::fs::read_to_string(value)?)?),
            "--gray" => gray = Some(value.parse()?),
            _ => return Err(usage.into()),
        }
    }
    let mut recipe = match recipe {
        Some(recipe) => recipe,
        None if derivatives.is_empty() => Recipe::gray(),
        None => Recipe::new(derivatives)?,
    };
    if let Some(method) = gray {
        recipe.set_gray(method);
    }
    let source = std::fs::read(Path::new(&file))?;
    let header = probe(&source)?;
    let (width, height) = header.upright();
    eprintln!(
        "{file}: {}, {width}×{height}, needs {} MB",
        header.format,
        memory_need(&header, &recipe) >> 20
    );
    let threads = std::thread::available_parallelism()?;
    let limits = Limits { max_pixels: 1 << 30, threads, ..Limits::default() };
    derive(&source, &recipe, &mut Folder(folder.into()), &limits)?;
    Ok(())
}
