//! `-mode lambda`: events of S3 start tasks, whose ARNs are all that a function hands over.

use imgmill_aws::fleet::Ecs;
use imgmill_pipeline::Error;
use imgmill_systems::fleet::event;
use imgmill_systems::fleet::launch::{Patience, launch};
use imgmill_systems::fleet::uris::is_image_name;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::settings::{Meant, meant};
use super::task::{account, objects};
use crate::goflags::Stop;

/// Starts tasks for events, in a function of Lambda.
pub struct Launcher {
    meant: Meant,
}

impl Launcher {
    /// What flags and `IIIF_PROCESS_…` say.
    pub fn of(words: Vec<String>) -> Result<Launcher, String> {
        let get = |name: &str| match name {
            "IIIF_PROCESS_MODE" => Some("lambda".to_owned()),
            _ => std::env::var(name).ok(),
        };
        match meant(words, get) {
            Ok(meant) => {
                if meant.wait {
                    tracing::warn!(
                        "a function does not wait for its task: its end comes as an ECS Task State Change to `imgmill \
                         ecs report`, or to IMGMILL_HANDLER=report"
                    );
                }
                Ok(Launcher { meant })
            }
            Err(Stop::Wrong(why)) => Err(why
                .replace("-task is", "IIIF_PROCESS_TASK is")
                .replace("-subnet is", "IIIF_PROCESS_SUBNET is")),
            Err(Stop::Help) => Err("no flags are read here".to_owned()),
        }
    }

    /// Starts a task for the images that an event tells of, and hands over its ARN.
    pub async fn launch_for(&self, event: &Value) -> Result<Value, Error> {
        let (uris, skipped): (Vec<String>, Vec<String>) =
            event::uris_of(event)?.into_iter().partition(|key| is_image_name(key));
        if !skipped.is_empty() {
            tracing::info!(skipped = skipped.len(), "keys that are no images by their extensions");
        }
        if uris.is_empty() {
            return Ok(json!({ "tasks": [], "uris": [], "skipped": skipped }));
        }
        let ecs = Ecs::of(&account(&self.meant.ecs).await?);
        let request = self.meant.task.request(&uris, &objects(&self.meant.ecs)).await?;
        let arn = launch(&ecs, &request, Patience::SECONDS, &CancellationToken::new()).await?;
        tracing::info!(task = arn, images = uris.len(), "started");
        Ok(json!({ "tasks": [arn], "uris": uris, "skipped": skipped }))
    }
}
