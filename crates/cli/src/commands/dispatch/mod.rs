//! `imgmill dispatch`: a list that a fleet works on, in one view, and its parts merged.

#[cfg(feature = "fleet")]
mod ecs;
#[cfg(feature = "fleet")]
mod states;
#[cfg(feature = "fleet")]
mod view;

use crate::args::DispatchArguments;
use crate::exit::Exit;

#[cfg(not(feature = "fleet"))]
pub fn run(_: &DispatchArguments) -> Exit {
    let message = "this build has no fleets; build it with: make build FEATURES=fleet";
    super::run::complain(message, Exit::Usage)
}

#[cfg(feature = "fleet")]
pub fn run(arguments: &DispatchArguments) -> Exit {
    use super::run::{complain, failed, on_runtime};
    use crate::args::Engine;
    use crate::{logging, progress, signals};

    for (flag, url) in [("--input", &arguments.input), ("--output", &arguments.output)] {
        if !["s3://", "gs://", "az://"].iter().any(|scheme| url.starts_with(scheme)) {
            let message =
                format!("{flag} {url}: the machines of a fleet share a bucket; write s3://bucket/key");
            return complain(&message, Exit::Usage);
        }
    }
    if arguments.engine == Engine::Ecs && arguments.input.ends_with("/manifest.json") {
        let message = "shards read a CSV list; an inventory is worked on by --engine stepfunctions";
        return complain(message, Exit::Usage);
    }
    if arguments.input == arguments.output {
        return complain("--input and --output are the same object", Exit::Usage);
    }
    let bar = progress::bar(&arguments.logs);
    logging::start(&arguments.logs, &bar);
    on_runtime(async {
        let (shutdown, signal) = match signals::listen() {
            Ok(listening) => listening,
            Err(message) => return complain(&message, Exit::Fatal),
        };
        let ended = match arguments.engine {
            Engine::Ecs => ecs::run(arguments, &bar, &shutdown).await,
            Engine::Stepfunctions => states::run(arguments, &bar, &shutdown).await,
        };
        bar.finish_and_clear();
        match ended {
            Ok(Some(exit)) => exit,
            Ok(None) => signal.get().copied().map_or(Exit::Fatal, Exit::Signal),
            Err(error) => failed(&error),
        }
    })
}

/// What merging came to, told, and the exit code.
#[cfg(feature = "fleet")]
fn merged(merged: &imgmill_systems::batch::merge::Merged, quiet: bool) -> Exit {
    let is_whole = merged.failed + merged.missing == 0;
    if !quiet || !is_whole {
        super::run::say(&super::merge::told(merged));
    }
    if is_whole { Exit::Done } else { Exit::SomeFailed }
}

/// The lists that are merged.
#[cfg(feature = "fleet")]
fn lists(
    arguments: &DispatchArguments,
    parts: Vec<imgmill_systems::batch::place::Place>,
) -> super::merge::Lists {
    use imgmill_systems::batch::place::Place;

    super::merge::Lists {
        input: Place::Object(arguments.input.clone()),
        // Other lists are not divided among machines that are started here: their flags go to each run alone.
        reading: Default::default(),
        parts,
        output: Place::Object(arguments.output.clone()),
        failed: arguments.output_failed.as_deref().map(Place::of),
        missing: arguments.output_missing.as_deref().map(Place::of),
    }
}
