//! `imgmill view`: a store of results in a browser.

use imgmill_systems::view::{Place, Settings, View};
use indicatif::ProgressBar;

use super::run::{complain, fatal, on_runtime, say};
use crate::args::ViewArguments;
use crate::exit::Exit;
use crate::settings::{self, Environment};
use crate::{logging, signals};

/// Serves until a signal comes.
pub fn run(arguments: &ViewArguments) -> Exit {
    match settings(arguments) {
        Ok(settings) => on_runtime(serve(arguments, settings)),
        Err(message) => complain(&message, Exit::Usage),
    }
}

async fn serve(arguments: &ViewArguments, settings: Settings) -> Exit {
    logging::start(&arguments.logs, &ProgressBar::hidden());
    let (shutdown, signal) = match signals::listen() {
        Ok(listening) => listening,
        Err(message) => return complain(&message, Exit::Fatal),
    };
    let prepared = tokio::select! {
        prepared = View::prepare(settings) => prepared,
        () = shutdown.cancelled() => return signal.get().copied().map_or(Exit::Fatal, Exit::Signal),
    };
    let view = match prepared {
        Ok(view) => view,
        Err(error) => return fatal(&error),
    };
    match view.address() {
        Ok(address) if !address.ip().is_loopback() => {
            tracing::warn!("whoever reaches {address} sees the whole store");
            say(&format!("imgmill: http://{address}/"));
        }
        Ok(address) => say(&format!("imgmill: http://{address}/")),
        Err(error) => return complain(&format!("it cannot listen: {error}"), Exit::Fatal),
    }
    view.run(shutdown).await;
    signal.get().copied().map_or(Exit::Done, Exit::Signal)
}

fn settings(arguments: &ViewArguments) -> Result<Settings, String> {
    let limits = imgmill_pipeline::Limits::default();
    let place = if arguments.store.contains("://") {
        Place::Bucket(arguments.store.clone())
    } else {
        Place::Folder(arguments.store.clone().into())
    };
    let base = arguments.base.as_deref().map(|base| base.trim_end_matches('/').to_owned());
    if let Some(base) = &base
        && !url::Url::parse(base).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
    {
        return Err(format!("--base {base}: write a URL of http or https"));
    }
    let threads = arguments.threads.or_else(|| std::thread::available_parallelism().ok().map(Into::into));
    Ok(Settings {
        place,
        objects: settings::read_objects(&limits, &Environment::of_process()),
        originals: arguments.originals.clone(),
        listen: arguments.listen,
        base,
        hosts: arguments.host.clone(),
        max_pixels: arguments.max_pixels,
        threads: threads.unwrap_or(1),
        cache: usize::try_from(arguments.cache).unwrap_or(usize::MAX),
    })
}
