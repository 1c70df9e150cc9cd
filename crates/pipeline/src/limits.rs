//! Every bound of a run, with its default: what one image may cost, and what all together may.

use std::time::Duration;

use imgmill_image::OnTruncated;

/// The bounds of a run.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Jobs between the start of their download and the end of their upload. Default: 64.
    pub concurrency: usize,
    /// Downloads at once from one host. Default: 8.
    pub per_host: usize,
    /// Attempts after the first for a failure that may pass. Default: 3.
    pub retries: u32,
    /// Bytes of one source. Default: 64 MiB.
    pub max_bytes: u64,
    /// Pixels of one source, width × height. Default: 100 million.
    pub max_pixels: u64,
    /// What becomes of a source that ends before its image does. Default: it fails.
    pub on_truncated: OnTruncated,
    /// Until a connection stands. Default: 10 s.
    pub connect_timeout: Duration,
    /// Between two pieces of a body. Default: 30 s.
    pub idle_timeout: Duration,
    /// For one whole download, however it drips. Default: 120 s.
    pub fetch_timeout: Duration,
    /// Time for making the derivatives of one image. Its process is killed then; a thread ends at the next point where
    /// the engine looks at the clock. Default: 120 s.
    pub job_timeout: Duration,
    /// Bytes of all renditions of one source together. Default: 1 GiB.
    pub max_output: u64,
    /// Memory for decoded pixels of all images at once, in bytes; an image that needs more is refused.
    /// Default: 512 MiB.
    pub pixel_memory: u64,
    /// Memory that each derive process may take beyond what its image's header promises, in bytes. Default: 32 MiB.
    pub process_slack: u64,
    /// Memory for downloaded bytes that wait, of all images at once; past it they go to disk.
    /// Default: 64 MiB.
    pub body_memory: u64,
    /// Images made at once. Default: the number of cores.
    pub threads: usize,
    /// Rows that may be known at once: under way, or finished and waiting for an earlier row's report.
    /// Default: 1,024.
    pub window: usize,
    /// Results remembered of URLs and of images, so that a list which names one twice has it made once; at least as many as
    /// can be under way are. With 0, only while they are under way: in a queue, a URL that comes again may be another
    /// image by then. Default: 16,384, some ten megabytes.
    pub remembered: usize,
    /// The share of rows, 0 to 1, that may fail for the same reason before the run is stopped; see
    /// [`breaker`](crate::breaker). Default: any.
    pub max_failure_rate: Option<f64>,
    /// How long work under way may go on after a shutdown is asked for. Default: 5 s.
    pub grace: Duration,
}

impl Limits {
    /// The least that a run can do with.
    pub const LEAST_MEMORY: u64 = 128 << 20;
    /// What the program is taken to need beside images, and each of its derive processes.
    const BESIDE: u64 = 48 << 20;
    const PROCESS: u64 = 12 << 20;
    const SLACK: std::ops::RangeInclusive<u64> = 8 << 20..=32 << 20;

    /// Divides `memory` bytes, what the whole program may take, among its budgets.
    pub fn divide_memory(&mut self, memory: u64) {
        let threads = self.threads as u64;
        self.process_slack = (memory / (8 * threads.max(1))).clamp(*Self::SLACK.start(), *Self::SLACK.end());
        let beside = Self::BESIDE + (Self::PROCESS + self.process_slack) * threads;
        let images = memory.saturating_sub(beside).max(memory / 4);
        self.body_memory = (images / 4).min(64 << 20);
        self.pixel_memory = images - self.body_memory;
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            concurrency: 64,
            per_host: 8,
            retries: 3,
            max_bytes: 64 << 20,
            max_pixels: 100_000_000,
            on_truncated: OnTruncated::Fail,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            fetch_timeout: Duration::from_secs(120),
            job_timeout: Duration::from_secs(120),
            max_output: 1 << 30,
            pixel_memory: 512 << 20,
            process_slack: 32 << 20,
            body_memory: 64 << 20,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            window: 1024,
            remembered: 16_384,
            max_failure_rate: None,
            grace: Duration::from_secs(5),
        }
    }
}
