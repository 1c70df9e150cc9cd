//! Starting a task: again where there is no room at the moment, as often as is worth waiting for.

use std::time::Duration;

use imgmill_aws::fleet::TaskRequest;
use imgmill_pipeline::Error;
use tokio_util::sync::CancellationToken;

use super::engine::Tasks;

/// How often and how patiently.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Tries in all.
    pub tries: u32,
    /// The first wait; it doubles.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Patience {
    /// Of somebody who stands before the screen: about a minute.
    pub const MINUTE: Patience =
        Patience { tries: 6, first: Duration::from_secs(2), longest: Duration::from_secs(30) };
    /// Of a function, whose event comes again by itself.
    pub const SECONDS: Patience =
        Patience { tries: 3, first: Duration::from_secs(1), longest: Duration::from_secs(2) };

    /// The wait after so many tries.
    pub fn wait(&self, tries: u32) -> Duration {
        let wait = self.first.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(self.longest);
        // Many who wait for the same do not come back at once.
        wait.mul_f64(rand::random_range(0.75..1.0))
    }
}

/// Starts the task, and answers its ARN.
///
/// # Errors
/// What ECS said last.
pub async fn launch(
    tasks: &dyn Tasks,
    request: &TaskRequest,
    patience: Patience,
    shutdown: &CancellationToken,
) -> Result<String, Error> {
    let mut tries = 0;
    loop {
        let error = match tasks.run(request).await {
            Ok(arn) => return Ok(arn),
            Err(error) => error,
        };
        tries += 1;
        if !error.is_transient() || tries >= patience.tries || shutdown.is_cancelled() {
            return Err(error.after_attempts(tries));
        }
        tracing::warn!(tries, "will try again: {}", error.chain());
        tokio::select! {
            () = tokio::time::sleep(patience.wait(tries)) => {}
            () = shutdown.cancelled() => {}
        }
    }
}
