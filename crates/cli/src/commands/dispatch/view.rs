//! One line for a whole fleet: rows done, the rate, failures, tasks by state.

use std::time::{Duration, Instant};

use imgmill_systems::fleet::dispatch::View;
use indicatif::{ProgressBar, ProgressStyle};

/// Without a terminal it is told so often.
const EVERY: Duration = Duration::from_secs(30);

/// The bar, or lines where there is none.
pub struct Line<'a> {
    bar: &'a ProgressBar,
    last: Option<Instant>,
    untold: Option<String>,
}

impl<'a> Line<'a> {
    pub fn new(bar: &'a ProgressBar) -> Line<'a> {
        let template = "{bar:30} {pos}/{len} rows, {per_sec}, {eta} left; {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Line { bar, last: None, untold: None }
    }

    pub fn show(&mut self, view: &View) {
        let states: Vec<String> =
            view.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let again = if view.restarts == 0 { String::new() } else { format!(", {} restarts", view.restarts) };
        let words = format!("{} failed; {}{again}", view.failed, states.join(", "));
        let done = view.stored + view.failed;
        self.bar.set_length(view.rows.max(done));
        self.bar.set_position(done);
        if self.bar.is_hidden() {
            let of = if view.all_known { view.rows.to_string() } else { format!("{} or more", view.rows) };
            self.untold = Some(format!("{done} of {of} rows; {words}"));
            if self.last.is_none_or(|last| last.elapsed() >= EVERY) {
                self.last = Some(Instant::now());
                self.tell();
            }
        }
        self.bar.set_message(words);
    }

    /// Nothing more comes: what was seen last is told.
    pub fn finish(mut self) {
        self.tell();
        self.bar.finish_and_clear();
    }

    fn tell(&mut self) {
        if let Some(text) = self.untold.take() {
            tracing::info!("{text}");
        }
    }
}
