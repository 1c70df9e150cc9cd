//! SIGINT and SIGTERM: the first asks the run to stop, the second leaves at once.

use std::sync::Arc;
use std::sync::OnceLock;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::{Exit, Signal};

/// Listens from now on. The token is cancelled by the first signal, which is then known.
///
/// # Errors
/// A sentence, where the system does not let it.
pub fn listen() -> Result<(CancellationToken, Arc<OnceLock<Signal>>), String> {
    let heard = |kind| signal(kind).map_err(|error| format!("signals cannot be heard: {error}"));
    let (mut interrupt, mut terminate) = (heard(SignalKind::interrupt())?, heard(SignalKind::terminate())?);
    let token = CancellationToken::new();
    let first = Arc::new(OnceLock::new());
    let (cancel, known) = (token.clone(), Arc::clone(&first));
    tokio::spawn(async move {
        loop {
            let came = tokio::select! {
                _ = interrupt.recv() => Signal::Interrupt,
                _ = terminate.recv() => Signal::Terminate,
            };
            if known.set(came).is_err() {
                std::process::exit(Exit::Signal(came).code().into());
            }
            tracing::warn!(
                "stopping; what is under way may finish for a few seconds, a second signal leaves at once"
            );
            cancel.cancel();
        }
    });
    Ok((token, first))
}
