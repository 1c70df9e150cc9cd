//! What a worker has done, as numbers, in Prometheus' text format.
//!
//! Labels are words of this program alone: no URL, host, bucket or message id, which strangers could make any number of.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use imgmill_pipeline::source::queue::Depth;
use imgmill_pipeline::{Outcome, Status};

/// Upper bounds of the histograms' buckets, in seconds.
const BOUNDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];

/// How a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ended {
    Done,
    Failed,
    Ignored,
    Retried,
    Released,
    Rejected,
}

impl Ended {
    const ALL: [Ended; 6] =
        [Ended::Done, Ended::Failed, Ended::Ignored, Ended::Retried, Ended::Released, Ended::Rejected];

    pub fn as_str(self) -> &'static str {
        match self {
            Ended::Done => "done",
            Ended::Failed => "failed",
            Ended::Ignored => "ignored",
            Ended::Retried => "retried",
            Ended::Released => "released",
            Ended::Rejected => "rejected",
        }
    }
}

/// How long something took, over all.
#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; BOUNDS.len()],
    count: AtomicU64,
    microseconds: AtomicU64,
}

impl Histogram {
    fn add(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        for (bucket, bound) in self.buckets.iter().zip(BOUNDS) {
            if seconds <= bound {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.microseconds.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn write(&self, text: &mut String, name: &str, labels: &str) {
        let comma = if labels.is_empty() { "" } else { "," };
        for (bucket, bound) in self.buckets.iter().zip(BOUNDS) {
            let count = bucket.load(Ordering::Relaxed);
            let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}");
        }
        let count = self.count.load(Ordering::Relaxed);
        let sum = Duration::from_micros(self.microseconds.load(Ordering::Relaxed)).as_secs_f64();
        let braces = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(text, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {count}");
        let _ = writeln!(text, "{name}_sum{braces} {sum}\n{name}_count{braces} {count}");
    }
}

/// All numbers of a worker.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    ended: [AtomicU64; Ended::ALL.len()],
    images: Mutex<BTreeMap<&'static str, u64>>,
    failures: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
    in_flight: AtomicI64,
    receives: AtomicU64,
    message: Histogram,
    waited: Histogram,
    fetch: Histogram,
    derive: Histogram,
    store: Histogram,
    tell: Histogram,
}

impl Metrics {
    /// A message came that had been in the queue for so long.
    pub fn began(&self, waited: Option<Duration>) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        if let Some(waited) = waited {
            self.waited.add(waited);
        }
    }

    /// A message that had begun ended.
    pub fn ended(&self, how: Ended, after: Duration) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.ended[how as usize].fetch_add(1, Ordering::Relaxed);
        self.message.add(after);
    }

    pub fn received(&self) {
        self.receives.fetch_add(1, Ordering::Relaxed);
    }

    /// Redirected and posted back.
    pub fn told(&self, time: Duration) {
        self.tell.add(time);
    }

    /// What came of one image.
    pub fn image(&self, outcome: &Outcome) {
        *lock(&self.images).entry(outcome.status.as_str()).or_default() += 1;
        self.fetch.add(outcome.timings.fetch);
        if outcome.status == Status::Done {
            self.derive.add(outcome.timings.derive);
            self.store.add(outcome.timings.store);
        }
        if let Err(error) = &outcome.result {
            let what = (error.stage().as_str(), error.kind().as_str());
            *lock(&self.failures).entry(what).or_default() += 1;
        }
    }

    /// How messages ended, for the words at the end.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        let counts = Ended::ALL.map(|how| (how.as_str(), self.ended[how as usize].load(Ordering::Relaxed)));
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// The text that Prometheus reads. `depth` is what the queue said just now, and `oldest` how long the message waited
    /// that was received last.
    pub fn to_text(&self, depth: Option<Depth>) -> String {
        let mut text = String::new();
        let head = |text: &mut String, name: &str, kind: &str, help: &str| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        };
        head(&mut text, "imgmill_worker_messages_total", "counter", "Messages by how they ended.");
        for (how, count) in Ended::ALL.iter().zip(&self.ended) {
            let count = count.load(Ordering::Relaxed);
            let _ = writeln!(text, "imgmill_worker_messages_total{{outcome=\"{}\"}} {count}", how.as_str());
        }
        head(&mut text, "imgmill_worker_images_total", "counter", "Images by what came of them.");
        for (status, count) in &*lock(&self.images) {
            let _ = writeln!(text, "imgmill_worker_images_total{{status=\"{status}\"}} {count}");
        }
        head(&mut text, "imgmill_worker_failures_total", "counter", "Images that failed, by stage and kind.");
        for ((stage, kind), count) in &*lock(&self.failures) {
            let _ =
                writeln!(text, "imgmill_worker_failures_total{{stage=\"{stage}\",kind=\"{kind}\"}} {count}");
        }
        head(&mut text, "imgmill_worker_receives_total", "counter", "Times that the queue was asked.");
        let _ = writeln!(text, "imgmill_worker_receives_total {}", self.receives.load(Ordering::Relaxed));
        head(&mut text, "imgmill_worker_in_flight", "gauge", "Messages that this worker has.");
        let _ = writeln!(text, "imgmill_worker_in_flight {}", self.in_flight.load(Ordering::Relaxed));
        if let Some(depth) = depth {
            head(
                &mut text,
                "imgmill_worker_queue_messages",
                "gauge",
                "Messages in the queue, by their state.",
            );
            for (state, count) in
                [("waiting", depth.waiting), ("in_flight", depth.in_flight), ("delayed", depth.delayed)]
            {
                let _ = writeln!(text, "imgmill_worker_queue_messages{{state=\"{state}\"}} {count}");
            }
        }
        let name = "imgmill_worker_message_seconds";
        head(&mut text, name, "histogram", "From receiving a message to settling it.");
        self.message.write(&mut text, name, "");
        let name = "imgmill_worker_message_age_seconds";
        head(&mut text, name, "histogram", "From sending a message to receiving it.");
        self.waited.write(&mut text, name, "");
        let name = "imgmill_worker_stage_seconds";
        head(&mut text, name, "histogram", "Time by stage, of an image or of telling about a message.");
        let stages =
            [("fetch", &self.fetch), ("derive", &self.derive), ("store", &self.store), ("tell", &self.tell)];
        for (stage, histogram) in stages {
            histogram.write(&mut text, name, &format!("stage=\"{stage}\""));
        }
        text
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_text_that_prometheus_reads() {
        let metrics = Metrics::default();
        metrics.began(Some(Duration::from_secs(3)));
        metrics.began(None);
        metrics.ended(Ended::Done, Duration::from_millis(30));
        let text = metrics.to_text(Some(Depth { waiting: 7, in_flight: 1, delayed: 0 }));
        for line in [
            "imgmill_worker_messages_total{outcome=\"done\"} 1",
            "imgmill_worker_messages_total{outcome=\"rejected\"} 0",
            "imgmill_worker_in_flight 1",
            "imgmill_worker_queue_messages{state=\"waiting\"} 7",
            "imgmill_worker_message_seconds_bucket{le=\"0.025\"} 0",
            "imgmill_worker_message_seconds_bucket{le=\"0.05\"} 1",
            "imgmill_worker_message_seconds_bucket{le=\"+Inf\"} 1",
            "imgmill_worker_message_seconds_sum 0.03",
            "imgmill_worker_message_age_seconds_count 1",
            "imgmill_worker_stage_seconds_count{stage=\"tell\"} 0",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} is missing in\n{text}");
        }
    }
}
