//! What is meant: flags and environment, checked and turned into a system's settings.
//!
//! A flag wins over the environment, the environment over the default. An empty variable counts as absent.

pub mod bucket;
#[cfg(feature = "mongodb")]
mod collect;
mod reconcile;
mod shard;
mod worker;

use std::path::Path;

use imgmill_image::{Derivative, GrayMethod, Recipe};
use imgmill_pipeline::Limits;
use imgmill_pipeline::columns::Meaning;
use imgmill_pipeline::derive::Isolation;
use imgmill_pipeline::derive::isolated::Program;
use imgmill_pipeline::naming::{KeyTemplate, Naming as _};
use imgmill_pipeline::objects::{ObjectOptions, UrlStyle};
use imgmill_pipeline::pipeline::Freshness;
use imgmill_pipeline::source::list::{ListFormat, Reading};
use imgmill_pipeline::store::PutSettings;
use imgmill_systems::batch::place::Place;
use imgmill_systems::{Sources, batch};

#[cfg(feature = "mongodb")]
pub use collect::collect;
pub use reconcile::reconcile;
pub use worker::{log_level, queue, worker};

use crate::args::{
    AgainArguments, Gray, InputFormat, Isolate, LimitArguments, ListArguments, ObjectArguments, OnTruncated,
    RecipeArguments, Revalidate, RunArguments, StoreArguments,
};

const DEFAULT_STORE: &str = "outputs";

/// Turns `imgmill run`'s arguments into the batch they mean. The error is one sentence for a person.
pub fn batch(arguments: &RunArguments, environment: &Environment) -> Result<batch::Settings, String> {
    distinct(arguments)?;
    let recipe = recipe(&arguments.recipe)?;
    let keys = keys(&arguments.store, &recipe)?;
    wants_ids(&keys, &arguments.list)?;
    let limits = limits(&arguments.limits)?;
    let work_dir = arguments.store.work_dir.clone().unwrap_or_else(|| std::env::temp_dir().join("imgmill"));
    // The output list names files in it, and is read from elsewhere.
    let work_dir = std::path::absolute(&work_dir).map_err(|error| format!("--work-dir: {error}"))?;
    Ok(batch::Settings {
        input: Place::of(&arguments.input),
        reading: reading(&arguments.list, &arguments.metadata_column),
        output: Place::of(&arguments.output),
        output_failed: arguments.output_failed.as_deref().map(Place::of),
        report: arguments.report.as_deref().map(Place::of),
        contact_sheet: arguments.contact_sheet.as_deref().map(Place::of),
        shard: shard::shard(&arguments.sharding, environment)?,
        recipe,
        store: store(&arguments.store, environment)?,
        objects: objects(&arguments.store, &limits, environment)?,
        put: PutSettings { of_rows: !arguments.metadata_column.is_empty(), ..put(&arguments.store.objects)? },
        keys,
        freshness: freshness(&arguments.again),
        work_dir,
        keep: !arguments.store.discard,
        delegates: delegates(arguments.recipe.delegates, environment)?,
        dry_run: arguments.dry_run,
        isolation: isolation(&arguments.limits, batch::SOURCES)?,
        limits,
    })
}

/// No file may be two things at once. (A list may be read and, when complete, replaced by what failed of it.)
fn distinct(arguments: &RunArguments) -> Result<(), String> {
    let mut seen: Vec<(&str, std::path::PathBuf)> = Vec::new();
    let named = [
        ("--output", Some(&arguments.output)),
        ("--output-failed", arguments.output_failed.as_ref()),
        ("--report", arguments.report.as_ref()),
        ("--contact-sheet", arguments.contact_sheet.as_ref()),
        ("--input", Some(&arguments.input)),
    ];
    for (flag, path) in named.into_iter().filter_map(|(flag, path)| Some((flag, path?))) {
        let whole = std::fs::canonicalize(path).or_else(|_| std::path::absolute(path));
        let whole = whole.unwrap_or_else(|_| path.clone());
        // Devices, `/dev/null` above all, may be named as often as one likes.
        let special = whole.exists() && !whole.is_file();
        let streams = path.as_path() == Path::new("-") && flag == "--input";
        if special || streams {
            continue;
        }
        match seen
            .iter()
            .find(|(other, known)| *known == whole && !(flag == "--input" && *other == "--output-failed"))
        {
            Some((other, _)) => {
                return Err(format!("{other} and {flag} are the same file, {}", path.display()));
            }
            None => seen.push((flag, whole)),
        }
    }
    Ok(())
}

/// The variables that are read, looked up in one place.
pub struct Environment {
    lookup: Lookup,
}

type Lookup = Box<dyn Fn(&str) -> Option<String>>;

impl Environment {
    /// The process's own.
    pub fn of_process() -> Self {
        Environment { lookup: Box::new(|name| std::env::var(name).ok()) }
    }

    /// A variable that has a value.
    pub fn get(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.trim().is_empty())
    }
}

fn recipe(arguments: &RecipeArguments) -> Result<Recipe, String> {
    let mut recipe = match &arguments.recipe {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("--recipe {}: {error}", path.display()))?;
            Recipe::parse_json(&text).map_err(|error| format!("--recipe {}: {error}", path.display()))?
        }
        None if arguments.derive.is_empty() => Recipe::gray(),
        None => {
            let derivatives = arguments
                .derive
                .iter()
                .map(|text| text.parse::<Derivative>().map_err(|error| format!("--derive {text}: {error}")));
            Recipe::new(derivatives.collect::<Result<_, _>>()?)
                .map_err(|error| format!("--derive: {error}"))?
        }
    };
    recipe.set_gray(match arguments.gray {
        Gray::Luma => GrayMethod::Luma,
        Gray::Average => GrayMethod::Average,
        Gray::Rec709 => GrayMethod::Rec709,
        Gray::Lightness => GrayMethod::Lightness,
    });
    Ok(recipe)
}

fn keys(arguments: &StoreArguments, recipe: &Recipe) -> Result<KeyTemplate, String> {
    let Some(text) = &arguments.key else { return Ok(KeyTemplate::default()) };
    let keys: KeyTemplate = text.parse().map_err(|error| format!("--key: {error}"))?;
    if recipe.derivatives().len() > 1 && !keys.tells_derivatives_apart() {
        return Err(format!(
            "--key {text}: the recipe has several derivatives; put {{label}} into the template"
        ));
    }
    Ok(keys)
}

/// Names made of ids need ids.
fn wants_ids(keys: &KeyTemplate, list: &ListArguments) -> Result<(), String> {
    if keys.tells_rows_apart() && list.id_column.is_none() {
        return Err("--key: {id} wants --id-column, the name of the list's column that holds it".to_owned());
    }
    Ok(())
}

/// How a list is read.
pub fn reading(arguments: &ListArguments, metadata: &[String]) -> Reading {
    let meaning = Meaning {
        url: arguments.url_column.clone(),
        id: arguments.id_column.clone(),
        metadata: metadata.to_vec(),
    };
    let format = arguments.input_format.map(|format| match format {
        InputFormat::Csv => ListFormat::Csv,
        InputFormat::Tsv => ListFormat::Tsv,
        InputFormat::Jsonl => ListFormat::JsonLines,
        InputFormat::Parquet => ListFormat::Parquet,
    });
    Reading { format, meaning }
}

fn store(arguments: &StoreArguments, environment: &Environment) -> Result<String, String> {
    let named = arguments.store.clone().or_else(|| {
        let bucket = environment.get("S3_BUCKET")?;
        Some(if bucket.starts_with("s3://") { bucket } else { format!("s3://{bucket}") })
    });
    let text = named.unwrap_or_else(|| DEFAULT_STORE.to_owned());
    if let Some((scheme, _)) = text.split_once("://") {
        return match scheme {
            "s3" | "gs" | "az" | "file" => Ok(text),
            _ => Err(format!(
                "--store: {scheme}:// is not a store; there are s3, gs, az and file, or a folder"
            )),
        };
    }
    let folder = std::path::absolute(Path::new(&text)).map_err(|error| format!("--store {text}: {error}"))?;
    url::Url::from_directory_path(&folder)
        .map(String::from)
        .map_err(|()| format!("--store {text}: not a folder"))
}

fn objects(
    arguments: &StoreArguments,
    limits: &Limits,
    environment: &Environment,
) -> Result<ObjectOptions, String> {
    let encryption = match &arguments.objects.sse {
        Some(text) => Some(text.parse().map_err(|error| format!("--sse: {error}"))?),
        None => None,
    };
    Ok(ObjectOptions { encryption, ..read_objects(limits, environment) })
}

/// How buckets are reached that are only read.
pub fn read_objects(limits: &Limits, environment: &Environment) -> ObjectOptions {
    let role = environment.get("AWS_ROLE_ARN").or_else(|| environment.get("AWS_ROLE_URN"));
    // With a web identity token the chain itself assumes that role; doing it twice would fail.
    let role = role.filter(|_| environment.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_none());
    ObjectOptions {
        region: environment.get("AWS_REGION").or_else(|| environment.get("AWS_DEFAULT_REGION")),
        endpoint: environment.get("AWS_ENDPOINT_URL_S3").or_else(|| environment.get("AWS_ENDPOINT_URL")),
        keys: None,
        urls: UrlStyle::default(),
        role_arn: role,
        encryption: None,
        retries: limits.retries,
        read_only: false,
        credentials: Default::default(),
        connect_timeout: limits.connect_timeout,
    }
}

fn put(arguments: &ObjectArguments) -> Result<PutSettings, String> {
    let tag = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("--tag {text}: expected NAME=VALUE")),
    };
    Ok(PutSettings {
        cache_control: arguments.cache_control.clone(),
        storage_class: arguments.storage_class.clone(),
        tags: arguments.tag.iter().map(tag).collect::<Result<_, _>>()?,
        of_rows: false,
    })
}

fn freshness(arguments: &AgainArguments) -> Freshness {
    match arguments.revalidate {
        _ if arguments.refresh => Freshness::Refresh,
        Revalidate::Never => Freshness::Trust,
        Revalidate::Always => Freshness::Revalidate,
    }
}

/// Where images are made: as was typed, or as befits the system's sources.
pub fn isolation(arguments: &LimitArguments, sources: Sources) -> Result<Isolation, String> {
    let everywhere = match arguments.isolate {
        Some(isolate) => isolate == Isolate::Process,
        None => sources.isolated(),
    };
    isolated(everywhere)
}

/// Where images are made by a command that has no flag for it.
pub fn isolation_for(sources: Sources) -> Result<Isolation, String> {
    isolated(sources.isolated())
}

fn isolated(everywhere: bool) -> Result<Isolation, String> {
    Ok(Isolation { everywhere, program: this_program(crate::DERIVE_PROCESS)? })
}

fn delegates(wanted: bool, environment: &Environment) -> Result<Option<batch::DelegateSettings>, String> {
    if !wanted {
        return Ok(None);
    }
    let path = environment.get("PATH").unwrap_or_default().into();
    Ok(Some(batch::DelegateSettings { path, guard: this_program(crate::DELEGATE)? }))
}

/// This very program, by whatever name it was started: on Linux the running file itself, even where a newer one
/// has taken its place.
fn this_program(argument: &str) -> Result<Program, String> {
    let path = if cfg!(target_os = "linux") {
        std::path::PathBuf::from("/proc/self/exe")
    } else {
        std::env::current_exe().map_err(|error| format!("this program cannot find itself: {error}"))?
    };
    Ok(Program { path, arguments: vec![argument.into()] })
}

/// Every bound, as typed.
pub fn limits(arguments: &LimitArguments) -> Result<Limits, String> {
    let default = Limits::default();
    let mut limits = Limits {
        concurrency: arguments.concurrency,
        per_host: arguments.per_host,
        retries: arguments.retries,
        max_bytes: arguments.max_bytes,
        max_pixels: arguments.max_pixels,
        on_truncated: match arguments.on_truncated {
            OnTruncated::Fail => imgmill_image::OnTruncated::Fail,
            OnTruncated::Accept => imgmill_image::OnTruncated::Accept,
        },
        connect_timeout: arguments.connect_timeout,
        idle_timeout: arguments.idle_timeout,
        fetch_timeout: arguments.fetch_timeout,
        job_timeout: arguments.job_timeout,
        max_output: arguments.max_output,
        max_failure_rate: arguments.max_failure_rate,
        threads: arguments.threads.unwrap_or(default.threads),
        window: default.window.max(arguments.concurrency * 16),
        ..default
    };
    // Half, because the machine is seldom imgmill's alone, and a container's kernel wants some for files.
    let share = || imgmill_pipeline::machine::memory().map(|all| (all / 2).max(Limits::LEAST_MEMORY));
    match arguments.memory {
        Some(memory) if memory < Limits::LEAST_MEMORY => {
            let least = Limits::LEAST_MEMORY >> 20;
            return Err(format!("--memory: expected {least}MiB or more"));
        }
        Some(memory) => limits.divide_memory(memory),
        None => limits.divide_memory(share().unwrap_or(1 << 30)),
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Arguments, Command};
    use clap::Parser as _;

    fn settings(flags: &[&str], variables: &'static [(&str, &str)]) -> Result<batch::Settings, String> {
        let typed = [&["imgmill", "run", "--input", "i", "--output", "o"], flags].concat();
        let Command::Run(run) = Arguments::try_parse_from(typed).unwrap().command else { panic!() };
        let lookup = move |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        batch(&run, &Environment { lookup: Box::new(lookup) })
    }

    #[test]
    fn flag_then_environment_then_default() {
        let store = |flags: &[&str], variables| settings(flags, variables).unwrap().store;
        assert!(store(&[], &[]).ends_with("/outputs/"));
        assert!(store(&[], &[("S3_BUCKET", " ")]).ends_with("/outputs/"));
        assert_eq!(store(&[], &[("S3_BUCKET", "b")]), "s3://b");
        assert_eq!(store(&["--store", "gs://c/d"], &[("S3_BUCKET", "b")]), "gs://c/d");
        assert_eq!(store(&["--store", "/srv/x y"], &[]), "file:///srv/x%20y/");
    }

    #[test]
    fn a_role_is_assumed_once() {
        let role = |variables| settings(&[], variables).unwrap().objects.role_arn;
        assert_eq!(role(&[("AWS_ROLE_URN", "arn:r")]).as_deref(), Some("arn:r"));
        assert_eq!(role(&[("AWS_ROLE_URN", "arn:r"), ("AWS_ROLE_ARN", "arn:s")]).as_deref(), Some("arn:s"));
        assert_eq!(role(&[("AWS_ROLE_ARN", "arn:s"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/t")]), None);
    }

    #[test]
    fn whose_images_decides_where_they_are_made() {
        let everywhere = |flags: &[&str]| settings(flags, &[]).unwrap().isolation.everywhere;
        assert!(!everywhere(&[]), "a list is its user's own");
        assert!(everywhere(&["--isolate", "process"]));
        let typed = ["imgmill", "run", "--input", "i", "--output", "o"];
        let Command::Run(mut run) = Arguments::try_parse_from(typed).unwrap().command else { panic!() };
        assert!(isolation(&run.limits, Sources::Strangers).unwrap().everywhere);
        run.limits.isolate = Some(Isolate::None);
        assert!(!isolation(&run.limits, Sources::Strangers).unwrap().everywhere, "what is typed wins");
    }

    #[test]
    fn bad_values_name_their_flag() {
        for (flags, says) in [
            (&["--derive", "x=full/max/0/grey.jpg"][..], "--derive x=full/max/0/grey.jpg: "),
            (&["--key", "{label}.jpg"], "--key: "),
            (&["--tag", "novalue"], "--tag novalue"),
            (&["--sse", "rot13"], "--sse: "),
            (&["--store", "ftp://x/y"], "ftp:// is not a store"),
            (&["--report", "./o"], "--output and --report are the same file"),
            (&["--output-failed", "o"], "the same file"),
            (&["--recipe", "/no/such.json"], "--recipe /no/such.json: "),
            (
                &[
                    "--key",
                    "{stem}.{ext}",
                    "--derive",
                    "a=full/max/0/gray.jpg",
                    "--derive",
                    "b=full/max/0/gray.png",
                ],
                "put {label}",
            ),
        ] {
            let error = settings(flags, &[]).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
