//! Exit codes. Scripts rely on them; they are documented in the README and in `--help`.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: everything was done.
    Done,
    /// 1: the run could not start, or could not go on.
    Fatal,
    /// 2: wrong usage, or an input file that is not as it must be.
    Usage,
    /// 3: the run went through; some rows failed.
    SomeFailed,
    /// What a container of ECS ended with.
    #[cfg_attr(not(feature = "fleet"), allow(dead_code, reason = "only fleets wait for containers"))]
    Container(u8),
    /// 130 and 143: stopped by SIGINT or SIGTERM.
    Signal(Signal),
}

/// The signals that stop a run in good order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// What service managers send.
    Terminate,
}

impl Exit {
    /// The number for the operating system.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Fatal => 1,
            Exit::Usage => 2,
            Exit::SomeFailed => 3,
            Exit::Container(code) => code,
            // 128 and the signal's number, as shells have it.
            Exit::Signal(Signal::Interrupt) => 130,
            Exit::Signal(Signal::Terminate) => 143,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
