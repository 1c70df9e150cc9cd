//! What a person sees of a run: a bar while it goes, where standard error is a terminal, and a summary.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::time::Duration;

use async_trait::async_trait;
use imgmill_pipeline::report::{Reporter, Summary};
use imgmill_pipeline::{Error, Outcome, Status};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::args::{LogArguments, LogFormat};

/// A bar that is shown on terminals only.
pub fn bar(logs: &LogArguments) -> ProgressBar {
    let shown = std::io::stderr().is_terminal() && !logs.quiet && logs.log_format == LogFormat::Text;
    let target = if shown { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
    ProgressBar::with_draw_target(None, target)
}

/// Gives the bar its length and looks.
pub fn begin(bar: &ProgressBar, rows: Option<u64>) {
    let template = match rows {
        Some(rows) => {
            bar.set_length(rows);
            "{bar:30} {pos}/{len} rows, {msg} failed, {rate}, {eta} left"
        }
        None => "{spinner} {pos} rows, {msg} failed, {rate}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        let rate = |state: &ProgressState, line: &mut dyn std::fmt::Write| {
            // A line that cannot be drawn is no reason to stop.
            let _ = write!(line, "{:.0} rows/s", state.per_sec());
        };
        bar.set_style(style.with_key("rate", rate));
    }
    bar.set_message("0");
    bar.enable_steady_tick(Duration::from_millis(200));
}

/// Shows that objects are counted, of which nobody knows how many there are.
pub fn begin_counting(bar: &ProgressBar) {
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} objects counted") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
}

/// Moves the bar.
pub struct BarReporter {
    pub bar: ProgressBar,
    failed: u64,
}

impl BarReporter {
    pub fn new(bar: ProgressBar) -> Self {
        BarReporter { bar, failed: 0 }
    }
}

#[async_trait]
impl Reporter for BarReporter {
    async fn report(&mut self, outcome: &Outcome) -> Result<(), Error> {
        self.bar.inc(1);
        if outcome.status == Status::Failed {
            self.failed += 1;
            self.bar.set_message(self.failed.to_string());
        }
        Ok(())
    }
}

/// The closing words: what came of the rows, what failed where, what it cost.
pub fn closing(summary: &Summary, elapsed: Duration, address: &str) -> String {
    let mut text = format!("{} rows in {}: ", summary.rows(), seconds(elapsed));
    let mut parts = vec![format!("{} made", summary.done), format!("{} already stored", summary.reused)];
    if summary.planned > 0 {
        parts =
            vec![format!("{} would be made", summary.planned), format!("{} already stored", summary.reused)];
    }
    parts.push(format!("{} failed", summary.failed));
    text.push_str(&parts.join(", "));
    for ((stage, kind), count) in &summary.failures {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  failed in {stage}: {kind} × {count}");
    }
    text + &cost(summary, address, "rows")
}

/// What the rows, or whatever they are called, cost together.
pub fn cost(summary: &Summary, address: &str, rows: &str) -> String {
    let times = &summary.timings;
    format!(
        "\n  downloaded {}, stored {} in {address}\n  time over all {rows}: fetch {}, derive {}, store {}",
        mebibytes(summary.downloaded),
        mebibytes(summary.stored),
        seconds(times.fetch),
        seconds(times.derive),
        seconds(times.store),
    )
}

/// The same as one log line, for machines.
pub fn log_closing(summary: &Summary, elapsed: Duration) {
    tracing::info!(
        rows = summary.rows(),
        done = summary.done,
        reused = summary.reused,
        planned = summary.planned,
        failed = summary.failed,
        downloaded = summary.downloaded,
        stored = summary.stored,
        ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        "run finished"
    );
    for ((stage, kind), count) in &summary.failures {
        tracing::info!(%stage, %kind, count, "rows that failed");
    }
}

/// For people.
pub fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

/// For people.
pub fn mebibytes(bytes: u64) -> String {
    // Exact enough for people up to petabytes.
    #[allow(clippy::cast_precision_loss)]
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    format!("{mebibytes:.1} MiB")
}
