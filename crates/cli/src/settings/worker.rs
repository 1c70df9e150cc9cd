//! What `imgmill worker`, `redrive` and `send` mean.

use std::time::Duration;

use imgmill_pipeline::fetch::guard::{Allowed, Network};
use imgmill_pipeline::objects::{AccessKeys, ObjectOptions};
use imgmill_systems::worker::postback::{PostbackSettings, Secret};
use imgmill_systems::worker::{QueueSettings, SOURCES, Settings, region_of, thumbnails};

use super::{Environment, isolation, limits, objects, put, recipe, store};
use crate::args::{
    Gray, LogLevel, NetworkArguments, QueueArguments, RecipeArguments, StoreArguments, WorkerArguments,
    WorkerMakingArguments,
};

/// Messages held for each thread that makes images: enough that none waits for a download.
const HELD_PER_THREAD: usize = 8;
/// How long a worker that ends with its queue waits for messages at a time: the last wait is in vain.
const LAST_WAIT: Duration = Duration::from_secs(1);
/// Receives between two fetches of the list of queues, as image-service has it.
const LIST_EVERY: u64 = 100_000;

/// Turns `imgmill worker`'s arguments into what they mean. The error is one sentence for a person.
pub fn worker(arguments: &WorkerArguments, environment: &Environment) -> Result<Settings, String> {
    let mut limits = limits(&arguments.limits)?;
    if let Some(workers) = arguments.workers {
        limits.threads = workers;
    }
    limits.grace = arguments.grace;
    // Messages that are held and not worked on are kept from other workers.
    limits.window = limits.concurrency.min(limits.threads * HELD_PER_THREAD);
    limits.remembered = 0;
    let mut queue = queue(&arguments.queue, environment)?;
    if arguments.until_empty {
        queue.wait = queue.wait.min(LAST_WAIT);
    }
    let making = &arguments.making;
    let stored = stored(making);
    let urls = making.url_style.parse().map_err(|error| format!("--url-style: {error}"))?;
    let found = objects(&stored, &limits, environment)?;
    // Who gives a queue's URL and no region means one region.
    let region = found.region.clone().or_else(|| region_of(&queue.url));
    let keys = keys(environment, "S3")?;
    let role_arn = found.role_arn.clone().filter(|_| keys.is_none());
    let objects = ObjectOptions { urls, region, keys, role_arn, ..found };
    let work_dir = making.work_dir.clone().unwrap_or_else(|| std::env::temp_dir().join("imgmill"));
    Ok(Settings {
        queue,
        recipe: derivatives(making)?,
        store: store(&stored, environment)?,
        objects,
        put: put(&stored.objects)?,
        network: network(&arguments.network)?,
        postback: PostbackSettings {
            secret: environment.get("POSTBACK_SECRET_KEY").map(Secret::new),
            signing_key: environment.get("POSTBACK_SIGNING_KEY").map(Secret::new),
            retries: limits.retries,
            timeout: arguments.network.postback_timeout,
            deadline: arguments.network.postback_deadline,
        },
        metrics_address: arguments.metrics_addr,
        work_dir: std::path::absolute(&work_dir).map_err(|error| format!("--work-dir: {error}"))?,
        retry_delay: arguments.retry_delay,
        refresh: making.refresh,
        until_empty: arguments.until_empty,
        isolation: isolation(&arguments.limits, SOURCES)?,
        limits,
    })
}

/// Which queue is meant, and how it is reached.
pub fn queue(arguments: &QueueArguments, environment: &Environment) -> Result<QueueSettings, String> {
    let url = arguments.queue_url.clone().or_else(|| environment.get("QUEUE_URL"));
    let url =
        url.ok_or("no queue is named; give --queue-url or set QUEUE_URL, or try a folder: --queue dir:PATH")?;
    let list_every = match environment.get("CALLS_TO_UPDATE_LIST_SQS_QUEUES") {
        Some(text) => text.trim().parse().map_err(|_| {
            format!("CALLS_TO_UPDATE_LIST_SQS_QUEUES is {text:?}; expected a number of receives, such as {LIST_EVERY}")
        })?,
        None => LIST_EVERY,
    };
    Ok(QueueSettings {
        url,
        visibility: arguments.visibility,
        wait: arguments.wait,
        most_receives: arguments.max_receives,
        region: environment.get("AWS_REGION").or_else(|| environment.get("AWS_DEFAULT_REGION")),
        endpoint: environment.get("AWS_ENDPOINT_URL_SQS").or_else(|| environment.get("AWS_ENDPOINT_URL")),
        keys: keys(environment, "SQS")?,
        list_every,
    })
}

/// image-service's own variables for a service's credentials: both or neither.
fn keys(environment: &Environment, service: &str) -> Result<Option<AccessKeys>, String> {
    let [id, secret] = ["ACCESS", "SECRET"].map(|which| format!("AWS_{which}_KEY_{service}"));
    match (environment.get(&id), environment.get(&secret)) {
        (Some(id), Some(secret)) => Ok(Some(AccessKeys { id, secret })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(format!("{id} is set and {secret} is not; set both or neither")),
        (None, Some(_)) => Err(format!("{secret} is set and {id} is not; set both or neither")),
    }
}

fn network(arguments: &NetworkArguments) -> Result<Network, String> {
    let hosts = arguments.allow_host.iter();
    let hosts = hosts.map(|text| text.parse().map_err(|error| format!("--allow-host: {error}")));
    Ok(Network::guarded(Allowed {
        hosts: hosts.collect::<Result<_, _>>()?,
        ports: arguments.allow_port.clone(),
        private_network: arguments.allow_private_network,
    }))
}

fn derivatives(arguments: &WorkerMakingArguments) -> Result<imgmill_image::Recipe, String> {
    if arguments.derive.is_empty() && arguments.recipe.is_none() {
        return thumbnails().map_err(|error| format!("the thumbnails' recipe: {error}"));
    }
    recipe(&RecipeArguments {
        derive: arguments.derive.clone(),
        recipe: arguments.recipe.clone(),
        gray: Gray::Luma,
        delegates: false,
    })
}

/// What is said of objects, as `run` has it; keys and local copies are not for the user to choose here.
fn stored(arguments: &WorkerMakingArguments) -> StoreArguments {
    StoreArguments {
        store: arguments.store.clone(),
        key: None,
        objects: arguments.objects.clone(),
        work_dir: arguments.work_dir.clone(),
        discard: true,
    }
}

/// How much is told: what a flag says, else `LEVEL` in Python's words.
pub fn log_level(flag: Option<LogLevel>, environment: &Environment) -> Result<Option<LogLevel>, String> {
    let Some(text) = environment.get("LEVEL").filter(|_| flag.is_none()) else { return Ok(flag) };
    match text.trim().to_ascii_uppercase().as_str() {
        "DEBUG" | "NOTSET" => Ok(Some(LogLevel::Debug)),
        "INFO" => Ok(Some(LogLevel::Info)),
        "WARNING" | "WARN" => Ok(Some(LogLevel::Warn)),
        "ERROR" | "CRITICAL" | "FATAL" => Ok(Some(LogLevel::Error)),
        _ => Err(format!("LEVEL is {text:?}; expected DEBUG, INFO, WARNING, ERROR or CRITICAL")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Arguments, Command};
    use clap::Parser as _;
    use imgmill_pipeline::objects::UrlStyle;

    fn settings(flags: &[&str], variables: &'static [(&str, &str)]) -> Result<Settings, String> {
        let typed = [&["imgmill", "worker"], flags].concat();
        let Command::Worker(worker) = Arguments::try_parse_from(typed).unwrap().command else { panic!() };
        let lookup = move |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        super::worker(&worker, &Environment { lookup: Box::new(lookup) })
    }

    #[test]
    fn image_services_variables_mean_what_they_did() {
        let settings = settings(
            &["-w", "1"],
            &[
                ("QUEUE_URL", "https://sqs.us-east-2.amazonaws.com/328097268885/ImageQueue.fifo"),
                ("S3_BUCKET", "images-ch"),
                ("AWS_ACCESS_KEY_S3", "a"),
                ("AWS_SECRET_KEY_S3", "hush-s3"),
                ("AWS_ACCESS_KEY_SQS", "b"),
                ("AWS_SECRET_KEY_SQS", "hush-sqs"),
                ("CALLS_TO_UPDATE_LIST_SQS_QUEUES", "7"),
                ("POSTBACK_SECRET_KEY", "hush-postback"),
                ("AWS_ROLE_ARN", "arn:r"),
            ],
        )
        .unwrap();
        assert_eq!((settings.store.as_str(), settings.limits.threads), ("s3://images-ch", 1));
        assert_eq!(settings.objects.region.as_deref(), Some("us-east-2"));
        assert_eq!(settings.objects.keys.as_ref().map(|keys| keys.id.as_str()), Some("a"));
        assert_eq!(settings.objects.role_arn, None, "keys of one's own are meant as they are");
        assert_eq!(settings.objects.urls, UrlStyle::Path);
        assert_eq!(settings.queue.keys.as_ref().map(|keys| keys.id.as_str()), Some("b"));
        assert_eq!(settings.queue.list_every, 7);
        let shown = format!("{settings:?}");
        assert!(!shown.contains("hush"), "secrets are not shown: {shown}");
        let labels: Vec<&str> =
            settings.recipe.derivatives().iter().map(|derivative| derivative.label.as_str()).collect();
        assert_eq!(labels, ["50x50", "250X250", "800x800"]);
        assert!(settings.isolation.everywhere, "strangers' images");
    }

    #[test]
    fn what_is_wrong_is_named() {
        const QUEUE: (&str, &str) = ("QUEUE_URL", "dir:q");
        for (flags, variables, says) in [
            (&[][..], &[][..], "set QUEUE_URL"),
            (
                &[],
                &[QUEUE, ("AWS_ACCESS_KEY_S3", "a")],
                "AWS_ACCESS_KEY_S3 is set and AWS_SECRET_KEY_S3 is not",
            ),
            (&[], &[QUEUE, ("CALLS_TO_UPDATE_LIST_SQS_QUEUES", "x")], "CALLS_TO_UPDATE_LIST_SQS_QUEUES"),
            (&["--url-style", "flat"], &[QUEUE], "--url-style: \"flat\" is not one of"),
            (&["--allow-host", "a b"], &[QUEUE], "--allow-host: \"a b\""),
        ] {
            let error = settings(flags, variables).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn levels_have_pythons_names() {
        let level = |flag, text: &'static str| {
            log_level(flag, &Environment { lookup: Box::new(move |_| Some(text.to_owned())) })
        };
        assert_eq!(level(None, "WARNING"), Ok(Some(LogLevel::Warn)));
        assert_eq!(level(None, "debug"), Ok(Some(LogLevel::Debug)));
        assert_eq!(level(Some(LogLevel::Info), "LOUD"), Ok(Some(LogLevel::Info)));
        assert!(level(None, "LOUD").unwrap_err().contains("LEVEL is \"LOUD\""));
    }
}
