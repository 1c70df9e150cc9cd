//! `imgmill iiif manifest`: manifests of a list of images.

use clap::Parser as _;
use imgmill_systems::manifest::{self, About, ImageApi, Settings, rights, statement};
use imgmill_systems::view::Place;

use super::super::tile::{complain, say};
use crate::args::{ManifestArguments, ManifestEdition};
use crate::exit::Exit;
use crate::settings::{self, Environment};

const BEHAVIORS: [&str; 15] = [
    "auto-advance",
    "no-auto-advance",
    "repeat",
    "no-repeat",
    "unordered",
    "individuals",
    "continuous",
    "paged",
    "facing-pages",
    "non-paged",
    "multi-part",
    "together",
    "sequence",
    "thumbnail-nav",
    "no-nav",
];
const DIRECTIONS: [&str; 4] = ["left-to-right", "right-to-left", "top-to-bottom", "bottom-to-top"];

/// Writes the manifests of a list.
pub fn run(words: Vec<String>) -> Exit {
    let words = std::iter::once("imgmill iiif manifest".to_owned()).chain(words);
    let arguments = match ManifestArguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and versions are no errors, and go to standard output.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    let settings = match settings(&arguments) {
        Ok(settings) => settings,
        Err(message) => return complain(&message, Exit::Usage),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("the runtime could not start: {error}"), Exit::Fatal),
    };
    match runtime.block_on(manifest::write(&settings)) {
        Err(error) => super::super::run::fatal(&error),
        Ok(written) => {
            for (id, why) in &written.missing {
                say(&format!("imgmill: {id}: {why}"));
            }
            if !arguments.quiet {
                written.files.iter().for_each(|file| say(&file.display().to_string()));
                say(&format!("{} files, {} canvases", written.files.len(), written.canvases));
            }
            if written.missing.is_empty() { Exit::Done } else { Exit::SomeFailed }
        }
    }
}

fn settings(arguments: &ManifestArguments) -> Result<Settings, String> {
    let web = |flag: &str, url: &str| match url::Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") => Ok(url.trim_end_matches('/').to_owned()),
        _ => Err(format!("{flag} {url}: write a URL of http or https")),
    };
    let one_of = |flag: &str, word: &str, known: &[&str]| match known.contains(&word) {
        true => Ok(()),
        false => Err(format!("{flag} {word}: one of {}", known.join(", "))),
    };
    for behavior in &arguments.behavior {
        one_of("--behavior", behavior, &BEHAVIORS)?;
    }
    if let Some(direction) = &arguments.viewing_direction {
        one_of("--viewing-direction", direction, &DIRECTIONS)?;
    }
    let rights =
        arguments.rights.as_deref().map(rights).transpose().map_err(|why| format!("--rights: {why}"))?;
    let images = match arguments.images.contains("://") {
        true => Place::Bucket(arguments.images.clone()),
        false => Place::Folder(arguments.images.clone().into()),
    };
    Ok(Settings {
        list: arguments.list.clone(),
        images,
        objects: settings::read_objects(&imgmill_pipeline::Limits::default(), &Environment::of_process()),
        output: arguments.output.clone(),
        base: web("--base", &arguments.base)?,
        image_base: web("--image-base", &arguments.image_base)?,
        image_api: match arguments.image_api {
            ManifestEdition::Two => ImageApi::Second,
            ManifestEdition::Three => ImageApi::Third,
        },
        about: About {
            label: arguments.label.clone(),
            language: arguments.language.clone(),
            rights,
            required_statement: arguments.required_statement.as_deref().map(statement),
            behavior: arguments.behavior.clone(),
            viewing_direction: arguments.viewing_direction.clone(),
        },
    })
}
