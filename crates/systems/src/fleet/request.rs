//! A task's request: which URIs it is for, and the command of its container.

use imgmill_aws::fleet::{Launch, TaskRequest};
use imgmill_pipeline::identity::text_hash;
use imgmill_pipeline::objects::ObjectOptions;
use imgmill_pipeline::{Error, Kind, Stage};
use serde_json::json;

use super::uris::is_image_name;
use crate::batch::place::Place;

/// ECS takes no more of all overrides together.
pub const MOST_OVERRIDES: usize = 8192;
/// What runs in the container.
const PROGRAM: &str = "/bin/iiif-process";

/// Where tasks run, and what is the same of all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskSettings {
    /// The cluster; without one the account's default.
    pub cluster: Option<String>,
    /// The task definition.
    pub task: String,
    /// The container whose command is replaced.
    pub container: String,
    /// The subnets that it may run in.
    pub subnets: Vec<String>,
    /// Its security groups.
    pub security_groups: Vec<String>,
    /// The config file in the container.
    pub config: String,
    /// The instructions file in the container.
    pub instructions: String,
    /// Whether and under what name a report on each URI is stored.
    pub report: Option<String>,
    /// Whether a URI's folders are left out.
    pub strip_paths: bool,
    /// Where lists of URIs go that are too long for a command, if anywhere.
    pub upload_uris: Option<String>,
}

impl TaskSettings {
    /// The request for a task that processes these URIs. A list of them that is too long goes to a bucket first.
    ///
    /// # Errors
    /// No URIs; a list that is too long and may go nowhere.
    pub async fn request(&self, uris: &[String], objects: &ObjectOptions) -> Result<TaskRequest, Error> {
        if uris.is_empty() {
            return Err(wrong("there is no URI to process; give -uri"));
        }
        let uris: Vec<String> =
            uris.iter().map(|uri| if self.strip_paths { stripped(uri) } else { uri.clone() }).collect();
        let listed = uris.iter().flat_map(|uri| ["-uri".to_owned(), uri.clone()]);
        let request = self.with_command(listed);
        let length = overrides(&request);
        if length <= MOST_OVERRIDES {
            return Ok(request);
        }
        let Some(prefix) = &self.upload_uris else {
            return Err(wrong(&format!(
                "the command for {} URIs has {length} bytes, and ECS takes {MOST_OVERRIDES}; give -upload-uris \
                 s3://bucket/prefix, where the list can go instead",
                uris.len()
            )));
        };
        let (folder, name) = upload(prefix, &uris, objects).await?;
        tracing::info!("the list of {} URIs is {folder}/{name}", uris.len());
        Ok(self.with_command(["-mode", "csv", "-csv-source", &folder, "-uri", &name].map(str::to_owned)))
    }

    fn with_command(&self, what: impl IntoIterator<Item = String>) -> TaskRequest {
        let mut command = [PROGRAM, "-config", &self.config, "-instructions", &self.instructions]
            .map(str::to_owned)
            .to_vec();
        if let Some(name) = &self.report {
            command.extend(["-report".to_owned(), "-report-name".to_owned(), name.clone()]);
        }
        command.extend(what);
        TaskRequest {
            cluster: self.cluster.clone(),
            task: self.task.clone(),
            container: self.container.clone(),
            command,
            environment: Vec::new(),
            subnets: self.subnets.clone(),
            security_groups: self.security_groups.clone(),
            launch: Launch::Fargate,
            started_by: "imgmill ecs".to_owned(),
        }
    }
}

/// Refuses what is no image by its extension.
///
/// # Errors
/// The first that is none.
pub fn must_be_images(uris: &[String]) -> Result<(), String> {
    match uris.iter().find(|uri| !is_image_name(uri)) {
        Some(uri) => Err(format!("{uri} is not an image by its extension; nothing was started")),
        None => Ok(()),
    }
}

/// How long ECS takes a request's overrides to be: as JSON.
pub fn overrides(request: &TaskRequest) -> usize {
    let environment = request.environment.iter().map(|(name, value)| json!({ "name": name, "value": value }));
    let overrides = json!({ "containerOverrides": [{
        "name": request.container,
        "command": request.command,
        "environment": environment.collect::<Vec<_>>(),
    }] });
    overrides.to_string().len()
}

/// The URI without the folders of its path: what is behind `?` stays.
fn stripped(uri: &str) -> String {
    let (path, query) = match uri.find('?') {
        Some(at) => uri.split_at(at),
        None => (uri, ""),
    };
    let (scheme, path) = match path.split_once("://") {
        Some((scheme, path)) => (format!("{scheme}:///"), path),
        None => (String::new(), path),
    };
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    format!("{scheme}{name}{query}")
}

/// Puts the list below `prefix`, under a name that comes from what it says: again the same, once there.
async fn upload(prefix: &str, uris: &[String], objects: &ObjectOptions) -> Result<(String, String), Error> {
    let mut list = csv::Writer::from_writer(Vec::new());
    let written =
        list.write_record(["uri"]).and_then(|()| uris.iter().try_for_each(|uri| list.write_record([uri])));
    let failed = |error: &dyn std::fmt::Display| {
        Error::new(Stage::Source, Kind::Internal, format!("the list of URIs could not be made: {error}"))
    };
    written.map_err(|error| failed(&error))?;
    let text = list.into_inner().map_err(|error| failed(&error))?;
    let folder = prefix.trim_end_matches('/').to_owned();
    let name = format!("{}.csv", &text_hash(&String::from_utf8_lossy(&text))[..32]);
    let place = Place::Object(format!("{folder}/{name}"));
    let here = tempfile::tempdir().map_err(|error| failed(&error))?;
    std::fs::write(place.begin(here.path())?, text).map_err(|error| failed(&error))?;
    place.put(here.path(), objects).await?;
    Ok((folder, name))
}

fn wrong(message: &str) -> Error {
    Error::new(Stage::Source, Kind::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> TaskSettings {
        TaskSettings {
            task: "go-iiif-process-ecs:1".into(),
            container: "go-iiif-process-ecs".into(),
            config: "/etc/go-iiif/config.json".into(),
            instructions: "/etc/go-iiif/instructions.json".into(),
            strip_paths: true,
            ..TaskSettings::default()
        }
    }

    async fn command(settings: &TaskSettings, uris: &[&str]) -> Result<Vec<String>, String> {
        let uris: Vec<String> = uris.iter().map(|uri| (*uri).to_owned()).collect();
        let request = settings.request(&uris, &ObjectOptions::default()).await;
        request.map(|request| request.command).map_err(|error| error.message().to_owned())
    }

    #[tokio::test]
    async fn the_command_is_what_the_container_knows() {
        let found = command(&settings(), &["a/IMG_0084.JPG", "file:///x/y.jpg?target=/t/u"]).await.unwrap();
        assert_eq!(
            found.join(" "),
            "/bin/iiif-process -config /etc/go-iiif/config.json -instructions /etc/go-iiif/instructions.json \
             -uri IMG_0084.JPG -uri file:///y.jpg?target=/t/u"
        );
        let with = TaskSettings { report: Some("r.json".into()), strip_paths: false, ..settings() };
        let found = command(&with, &["a/b.jpg"]).await.unwrap();
        assert_eq!(found[5..], ["-report", "-report-name", "r.json", "-uri", "a/b.jpg"]);
        assert!(command(&settings(), &[]).await.unwrap_err().contains("give -uri"));
    }

    #[tokio::test]
    async fn a_list_that_is_too_long_needs_a_bucket() {
        let names: Vec<String> = (0..400).map(|number| format!("photograph-{number:06}.jpg")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let error = command(&settings(), &names).await.unwrap_err();
        assert!(error.contains("400 URIs") && error.contains("-upload-uris"), "{error}");
        assert!(command(&settings(), &names[..100]).await.is_ok());
    }

    #[test]
    fn what_is_no_image_is_refused() {
        let uris = ["a.jpg".to_owned(), "notes.txt".to_owned()];
        assert!(must_be_images(&uris).unwrap_err().contains("notes.txt is not an image"));
        assert_eq!(must_be_images(&uris[..1]), Ok(()));
    }
}
