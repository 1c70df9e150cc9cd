//! What `imgmill collect` means.

use imgmill_systems::collect::{MongoUrl, Query, Settings, wanted};
use serde_json::{Map, Value};

use super::{Environment, queue};
use crate::args::{CollectOptions, Collection};

/// Turns `imgmill collect`'s arguments into what they mean. The error is one sentence for a person.
pub fn collect(what: &Collection, environment: &Environment) -> Result<Settings, String> {
    let (collection, redirect_queue, options) = match what {
        Collection::Channels(options) => ("channels", "ChannelImages", options),
        Collection::Episodes(options) => ("episodes", "EpisodeImages", options),
    };
    let after = options.after.as_deref().map(|text| json("--after", text)).transpose()?;
    let filter = match &options.filter {
        Some(text) => match json("--filter", text)? {
            Value::Object(filter) => filter,
            _ => return Err(format!("--filter {text}: expected a JSON object")),
        },
        None => wanted(),
    };
    Ok(Settings {
        url: MongoUrl(url(environment)?),
        query: Query {
            database: options.database.clone(),
            collection: options.collection.clone().unwrap_or_else(|| collection.to_owned()),
            filter,
            fields: options.field.clone(),
            after,
            batch: options.batch,
        },
        queue: if options.dry_run { None } else { Some(queue(&options.queue, environment)?) },
        added: added(options, redirect_queue),
        limit: options.limit,
        state: options.state.clone().filter(|_| !options.dry_run),
    })
}

fn json(flag: &str, text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{flag} {text}: not JSON: {error}"))
}

fn added(options: &CollectOptions, redirect_queue: &str) -> Map<String, Value> {
    let redirect_queue = options.redirect_queue.as_deref().unwrap_or(redirect_queue);
    let all = [
        ("redirect_queue", Some(redirect_queue)),
        ("postback_url", options.postback_url.as_deref()),
        ("bucket_name", options.bucket_name.as_deref()),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?)))).collect()
}

/// `MONGO_URL`, or the one of the environment that is named.
fn url(environment: &Environment) -> Result<String, String> {
    if let Some(url) = environment.get("MONGO_URL") {
        return Ok(url);
    }
    let named = environment.get("DB_ENVIRONMENT").or_else(|| environment.get("ENVIRONMENT"));
    let named = named.unwrap_or_else(|| "DEVELOP".to_owned());
    let name = match named.trim().to_ascii_uppercase().as_str() {
        "PRODUCTION" | "PROD" => "MONGO_URL_PRODUCTION",
        "DEVELOP" | "DEVELOPMENT" | "DEV" => "MONGO_URL_DEVELOP",
        other => {
            return Err(format!("the environment {other} is not known; there are PRODUCTION and DEVELOP"));
        }
    };
    environment.get(name).ok_or_else(|| format!("no database is named; set MONGO_URL, or {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_chooses_the_database() {
        let chosen = |variables: &'static [(&str, &str)]| {
            let lookup = move |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            url(&Environment { lookup: Box::new(lookup) })
        };
        const BOTH: [(&str, &str); 2] = [("MONGO_URL_DEVELOP", "dev"), ("MONGO_URL_PRODUCTION", "prod")];
        assert_eq!(chosen(&[BOTH[0], BOTH[1]]).unwrap(), "dev");
        assert_eq!(chosen(&[BOTH[0], BOTH[1], ("ENVIRONMENT", "PRODUCTION")]).unwrap(), "prod");
        assert_eq!(
            chosen(&[BOTH[0], BOTH[1], ("ENVIRONMENT", "PRODUCTION"), ("DB_ENVIRONMENT", "DEVELOP")])
                .unwrap(),
            "dev"
        );
        assert_eq!(chosen(&[BOTH[0], ("MONGO_URL", "this")]).unwrap(), "this");
        assert!(
            chosen(&[BOTH[0], ("ENVIRONMENT", "PRODUCTION")]).unwrap_err().contains("MONGO_URL_PRODUCTION")
        );
        assert!(chosen(&[("ENVIRONMENT", "MARS")]).unwrap_err().contains("MARS is not known"));
    }
}
