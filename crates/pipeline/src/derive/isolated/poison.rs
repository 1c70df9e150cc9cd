//! Tests only (the feature `poison`, which no program has): sources whose last bytes say how to misbehave.
//!
//! `…imgmill-poison:abort` and so on, behind any image.
#![allow(unsafe_code)]

use std::fs::File;
use std::os::unix::net::UnixStream;

use super::protocol::{Answer, Laid, Task, send};
use crate::derive::Inspected;

const MARK: &[u8] = b"imgmill-poison:";

/// Does what the source's end says, once its derivatives are to be made.
pub(super) fn take_effect(
    source: &[u8],
    task: Task,
    exchange: &File,
    control: &UnixStream,
) -> std::io::Result<()> {
    let tail = &source[source.len().saturating_sub(64)..];
    let Some(at) = tail.windows(MARK.len()).position(|window| window == MARK) else { return Ok(()) };
    if task == Task::Inspect {
        return Ok(());
    }
    match &tail[at + MARK.len()..] {
        b"abort" => std::process::abort(),
        // SAFETY: not safe, and meant: a write to where nothing is, which ends the process.
        b"segfault" => unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) },
        b"spin" => loop {
            std::hint::spin_loop();
        },
        b"stack" => std::process::exit(i32::from(deep(source.len()) == 0)),
        b"allocate" => {
            let mut kept = Vec::new();
            loop {
                kept.push(vec![1u8; 16 << 20]);
            }
        }
        b"write" => {
            let everything = vec![1u8; 1 << 20];
            for at in 0.. {
                std::os::unix::fs::FileExt::write_all_at(exchange, &everything, at << 20)?;
            }
        }
        b"hang-up" => {
            // SAFETY: not safe either: the socket's owner never learns of it, because this never ends.
            unsafe { libc::close(std::os::fd::AsRawFd::as_raw_fd(control)) };
            loop {
                std::thread::park();
            }
        }
        b"babble" => std::io::Write::write_all(&mut &*control, &[255; 64])?,
        b"lie" => {
            send(&mut &*control, &derived(Vec::new()))?;
        }
        b"shorten" => {
            let laid = Laid { start: source.len() as u64, width: 1, height: 1, bytes: 1 << 20 };
            send(&mut &*control, &derived(vec![laid]))?;
            exchange.set_len(0)?;
        }
        // SAFETY: signal 0 to its own group, which does nothing but ask whether it may.
        b"signal" => refused(match unsafe { libc::kill(0, 0) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }),
        b"socket" => refused(std::net::TcpStream::connect(("127.0.0.1", 9)).map(drop)),
        b"passwd" => refused(std::fs::read("/etc/passwd").map(drop)),
        b"fork" => refused(std::process::Command::new("/bin/true").spawn().map(drop)),
        other => panic!("no poison: {}", String::from_utf8_lossy(other)),
    }
    Ok(())
}

/// What it would say if it had done as it was asked.
fn derived(renditions: Vec<Laid>) -> Answer {
    let header =
        Inspected { format: "JPEG".to_owned(), width: 1, height: 1, need: 1, scratch: 0, written: 0 };
    Answer::Derived {
        header: Some(header),
        renditions,
        truncated: false,
        notes: Vec::new(),
        findings: Default::default(),
        elapsed: std::time::Duration::ZERO,
    }
}

/// A wall that stands is told by its own exit code, and by none that a door left open would give.
fn refused(tried: std::io::Result<()>) {
    let shut = tried
        .is_err_and(|error| matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EACCES | libc::EPERM)));
    std::process::exit(if shut { 77 } else { 78 });
}

#[allow(unconditional_recursion)]
fn deep(level: usize) -> usize {
    let here = std::hint::black_box([level; 64]);
    deep(level + 1) + here[level % 64]
}
