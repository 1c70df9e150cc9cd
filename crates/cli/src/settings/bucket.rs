//! What `imgmill bucket`'s arguments and the variables of its users mean: RBSC_BUCKET, PROCESS_BUCKET, IMAGE_BUCKET,
//! MAX_THREADS.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use imgmill_pipeline::Limits;
use imgmill_pipeline::objects::ObjectOptions;
use imgmill_systems::bucket::drain::{self, bucket_name};
use imgmill_systems::bucket::rerun::Selection;
use imgmill_systems::bucket::{SOURCES, keys};

use super::{Environment, delegates, isolation, limits, read_objects};
use crate::args::{DrainArguments, ImagesPlace, RecordArguments, RecordsPlace, RerunArguments, SourcesPlace};

/// What `record` needs.
pub struct Record {
    /// Where records go.
    pub records: String,
    /// The one bucket whose events count, where that is known.
    pub bucket: Option<String>,
}

/// What `rerun` needs.
pub struct Rerun {
    pub sources: String,
    /// Nothing in a dry run.
    pub records: Option<String>,
    /// Only where images without a pyramid are wanted.
    pub images: Option<String>,
    pub selection: Selection,
}

pub fn record(arguments: &RecordArguments, environment: &Environment) -> Result<Record, String> {
    let sources = environment.get("RBSC_BUCKET").is_some() || arguments.sources.sources.is_some();
    let sources = if sources { Some(sources_url(&arguments.sources, environment)?) } else { None };
    Ok(Record {
        records: records(&arguments.records, environment)?,
        bucket: sources.as_deref().and_then(bucket_name),
    })
}

pub fn drain(arguments: &mut DrainArguments, environment: &Environment) -> Result<drain::Settings, String> {
    if arguments.limits.threads.is_none() {
        arguments.limits.threads = max_threads(environment)?;
    }
    let concurrency = arguments.limits.concurrency;
    let limits = limits(&arguments.limits)?;
    // What is known at once is claimed, and others could work on it.
    let window = concurrency + 2 * limits.threads;
    // Each turn is another image, whatever its key.
    let limits = Limits { window, remembered: 0, ..limits };
    let (sources, images) =
        (sources_url(&arguments.sources, environment)?, images(&arguments.images, environment)?);
    if sources.trim_end_matches('/') == images.trim_end_matches('/') {
        return Err(format!(
            "RBSC_BUCKET and IMAGE_BUCKET are both {sources}: pyramids would replace originals"
        ));
    }
    let work_dir = arguments.work_dir.clone().unwrap_or_else(|| std::env::temp_dir().join("imgmill"));
    Ok(drain::Settings {
        sources,
        records: records(&arguments.records, environment)?,
        images,
        objects: read_objects(&limits, environment),
        max_attempts: arguments.max_attempts,
        claim_time: arguments.claim_time,
        watch: arguments.watch.then_some(arguments.interval),
        report: arguments.report.clone(),
        work_dir: std::path::absolute(&work_dir).map_err(|error| format!("--work-dir: {error}"))?,
        delegates: delegates(arguments.delegates, environment)?,
        isolation: isolation(&arguments.limits, SOURCES)?,
        limits,
    })
}

pub fn rerun(arguments: &RerunArguments, environment: &Environment) -> Result<Rerun, String> {
    let extension = |text: &String| {
        let extension = text.trim_start_matches('.').to_ascii_lowercase();
        match keys::EXTENSIONS.contains(&extension.as_str()) {
            true => Ok(extension),
            false => Err(format!("--ext {text}: expected one of {}", keys::EXTENSIONS.join(", "))),
        }
    };
    let since = arguments.since.as_deref().map(time).transpose()?;
    Ok(Rerun {
        sources: sources_url(&arguments.sources, environment)?,
        records: if arguments.dry_run { None } else { Some(records(&arguments.records, environment)?) },
        images: if arguments.missing_only { Some(images(&arguments.images, environment)?) } else { None },
        selection: Selection {
            prefixes: arguments.prefix.clone(),
            extensions: arguments.ext.iter().map(extension).collect::<Result<_, _>>()?,
            since,
        },
    })
}

/// The process bucket.
pub fn records(place: &RecordsPlace, environment: &Environment) -> Result<String, String> {
    url(place.records.as_deref(), "--records", "PROCESS_BUCKET", "the records", environment)
}

/// How the buckets are reached by a command that has no limits of its own.
pub fn objects(environment: &Environment) -> ObjectOptions {
    read_objects(&Limits::default(), environment)
}

fn sources_url(place: &SourcesPlace, environment: &Environment) -> Result<String, String> {
    let url = url(place.sources.as_deref(), "--sources", "RBSC_BUCKET", "the images", environment)?;
    let is_prefixed =
        |(scheme, rest): (&str, &str)| scheme != "file" && rest.trim_end_matches('/').contains('/');
    if url.split_once("://").is_some_and(is_prefixed) {
        return Err(format!("RBSC_BUCKET, {url}: name the bucket alone; keys in records are whole"));
    }
    Ok(url)
}

fn images(place: &ImagesPlace, environment: &Environment) -> Result<String, String> {
    url(place.images.as_deref(), "--images", "IMAGE_BUCKET", "the pyramids", environment)
}

/// A bucket as its users name it: by its name alone, or as a URL.
fn url(
    typed: Option<&str>,
    flag: &str,
    variable: &str,
    what: &str,
    environment: &Environment,
) -> Result<String, String> {
    let named = typed.map(str::to_owned).or_else(|| environment.get(variable));
    let text = named.ok_or_else(|| {
        format!("{variable} is not set; name the bucket or folder of {what} there, or with {flag}")
    })?;
    match text.split_once("://") {
        Some(("s3" | "gs" | "az" | "file", _)) => Ok(text),
        Some((scheme, _)) => {
            Err(format!("{variable}: {scheme}:// is no bucket; there are s3, gs, az and file"))
        }
        None if text.contains('/') => Err(format!(
            "{variable}, {text}: expected the name of an S3 bucket or a URL; a folder is file:///folder"
        )),
        None => Ok(format!("s3://{text}")),
    }
}

fn max_threads(environment: &Environment) -> Result<Option<usize>, String> {
    let Some(text) = environment.get("MAX_THREADS") else { return Ok(None) };
    match text.trim().parse() {
        Ok(threads @ 1..=1024) => Ok(Some(threads)),
        _ => Err(format!("MAX_THREADS={text}: expected a whole number from 1 to 1024")),
    }
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    let date = || text.parse::<NaiveDate>().ok().map(|date| date.and_time(NaiveTime::MIN).and_utc());
    let whole = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
    whole.or_else(date).ok_or_else(|| format!("--since {text}: expected 2026-03-01 or 2026-03-01T12:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Arguments, BucketCommand, Command};
    use clap::Parser as _;

    const BUCKETS: &[(&str, &str)] =
        &[("RBSC_BUCKET", "in"), ("PROCESS_BUCKET", "file:///p"), ("IMAGE_BUCKET", "s3://out/x")];

    fn settings(flags: &[&str], more: &'static [(&str, &str)]) -> Result<drain::Settings, String> {
        let typed = [&["imgmill", "bucket", "drain"], flags].concat();
        let command = Arguments::try_parse_from(typed).unwrap().command;
        let Command::Bucket { command: BucketCommand::Drain(mut arguments) } = command else { panic!() };
        let lookup = move |name: &str| {
            let known = more.iter().chain(BUCKETS).find(|(known, _)| *known == name);
            known.map(|(_, value)| (*value).to_owned())
        };
        drain(&mut arguments, &Environment { lookup: Box::new(lookup) })
    }

    #[test]
    fn variables_of_today_and_flags() {
        let of_today = settings(&[], &[("MAX_THREADS", "3")]).unwrap();
        assert_eq!(
            (of_today.sources.as_str(), of_today.records.as_str(), of_today.images.as_str()),
            ("s3://in", "file:///p", "s3://out/x")
        );
        assert_eq!((of_today.limits.threads, of_today.max_attempts), (3, 5));
        assert!(of_today.isolation.everywhere, "anybody's images");
        assert_eq!((of_today.limits.concurrency, of_today.limits.max_bytes), (8, 1 << 30));
        let typed =
            settings(&["--threads", "2", "--sources", "other", "--isolate", "none"], &[("MAX_THREADS", "3")]);
        let typed = typed.unwrap();
        assert_eq!((typed.limits.threads, typed.sources.as_str()), (2, "s3://other"));
        assert!(!typed.isolation.everywhere);
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        for (flags, more, says) in [
            (&[][..], &[("RBSC_BUCKET", " ")][..], "RBSC_BUCKET is not set"),
            (&[], &[("RBSC_BUCKET", "in/prefix")], "a folder is file:///folder"),
            (&[], &[("RBSC_BUCKET", "s3://in/prefix")], "name the bucket alone"),
            (&["--images", "ftp://x"], &[], "ftp:// is no bucket"),
            (&["--images", "s3://in/"], &[], "would replace originals"),
            (&[], &[("MAX_THREADS", "many")], "MAX_THREADS=many"),
        ] {
            let error = settings(flags, more).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        assert!(time("2026-03-01").unwrap() == time("2026-03-01T01:00:00+01:00").unwrap());
        assert!(time("yesterday").is_err());
    }
}
