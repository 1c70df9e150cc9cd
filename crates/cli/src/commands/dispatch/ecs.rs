//! `--engine ecs`: tasks, each on its shard.

use std::time::Duration;

use imgmill_aws::fleet::{Account, AccountSettings, Ecs, Launch};
use imgmill_pipeline::source::shard::ShardBy;
use imgmill_pipeline::{Error, Limits};
use imgmill_systems::batch::place::Place;
use imgmill_systems::fleet::dispatch::{Dispatch, task};
use indicatif::ProgressBar;
use tokio_util::sync::CancellationToken;

use super::view::Line;
use crate::args::{DispatchArguments, ShardKey};
use crate::commands::run::say;
use crate::exit::Exit;
use crate::settings::{Environment, read_objects};

/// Between two looks at all tasks.
const LOOK: Duration = Duration::from_secs(5);

pub async fn run(
    arguments: &DispatchArguments,
    bar: &ProgressBar,
    shutdown: &CancellationToken,
) -> Result<Option<Exit>, Error> {
    let account = Account::open(&AccountSettings::default()).await?;
    let objects = read_objects(&Limits::default(), &Environment::of_process());
    let ecs = &arguments.ecs;
    let definition = ecs.task.clone().unwrap_or_default();
    let family = definition.rsplit('/').next().and_then(|name| name.split(':').next()).unwrap_or_default();
    let dispatch = Dispatch {
        tasks: ecs.tasks.unwrap_or(1),
        by: match ecs.shard_by {
            ShardKey::Row => ShardBy::Row,
            ShardKey::Host => ShardBy::Host,
        },
        input: arguments.input.clone(),
        output: arguments.output.clone(),
        arguments: arguments.arguments.clone(),
        restarts: ecs.restarts,
        task: task(
            ecs.cluster.clone(),
            definition.clone(),
            ecs.container.clone().unwrap_or_else(|| family.to_owned()),
            (ecs.subnet.clone(), ecs.security_group.clone()),
            if ecs.spot { Launch::Spot } else { Launch::Fargate },
        ),
        look: LOOK,
    };
    let mut line = Line::new(bar);
    let dispatched = dispatch.run(&Ecs::of(&account), &objects, shutdown, |view| line.show(view)).await;
    line.finish();
    let dispatched = dispatched?;
    if dispatched.interrupted {
        say("stopped, and its tasks with it; the same command goes on");
        return Ok(None);
    }
    dispatched.lost.iter().for_each(|lost| say(lost));
    if dispatched.parts.is_empty() {
        say("no shard went through");
        return Ok(Some(Exit::Fatal));
    }
    let parts = dispatched.parts.into_iter().map(Place::Object).collect();
    let merged = super::lists(arguments, parts).merge(&objects).await?;
    let exit = super::merged(&merged, arguments.logs.quiet);
    Ok(Some(if dispatched.lost.is_empty() { exit } else { Exit::Fatal }))
}
