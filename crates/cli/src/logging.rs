//! Log lines on standard error, above the progress bar where there is one.

use std::io::{self, Write};

use indicatif::ProgressBar;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::time::SystemTime;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::args::{LogArguments, LogFormat, LogLevel};

/// Sets up logging for the rest of the process.
pub fn start(arguments: &LogArguments, bar: &ProgressBar) {
    let level = match arguments.log_level.unwrap_or(LogLevel::Info) {
        _ if arguments.quiet => LevelFilter::ERROR,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // Libraries speak up only when something is wrong: their lines may show headers and signatures.
    let filter = Targets::new().with_default(LevelFilter::ERROR).with_target("imgmill", level);
    let writer = AboveBar { bar: bar.clone() };
    let registry = tracing_subscriber::registry().with(filter);
    let layer =
        tracing_subscriber::fmt::layer().with_writer(writer).with_timer(SystemTime).with_target(false);
    match arguments.log_format {
        LogFormat::Text => {
            let color = io::IsTerminal::is_terminal(&io::stderr()) && std::env::var_os("NO_COLOR").is_none();
            registry.with(layer.with_ansi(color)).init();
        }
        LogFormat::Json => {
            let json = layer.json().flatten_event(true).with_current_span(true).with_span_list(false);
            registry.with(json).init();
        }
    }
}

/// Standard error with the progress bar lifted while a line is written.
struct AboveBar {
    bar: ProgressBar,
}

impl<'a> MakeWriter<'a> for AboveBar {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { bar: &self.bar }
    }
}

struct Line<'a> {
    bar: &'a ProgressBar,
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.bar.is_hidden() {
            return io::stderr().write(line);
        }
        self.bar.suspend(|| io::stderr().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
