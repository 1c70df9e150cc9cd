//! Tests only (the feature `poison`, which no program has): sources whose last bytes say how to misbehave.
//!
//! `…imgmill-poison:abort` and so on, behind any image.
#![allow(unsafe_code)]

use super::protocol::Task;

const MARK: &[u8] = b"imgmill-poison:";

/// Does what the source's end says, once its derivatives are to be made.
pub(super) fn take_effect(source: &[u8], task: Task, exchange: &std::fs::File) -> std::io::Result<()> {
    let tail = &source[source.len().saturating_sub(64)..];
    let Some(at) = tail.windows(MARK.len()).position(|window| window == MARK) else { return Ok(()) };
    if task != Task::Derive {
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
        b"socket" => refused(std::net::TcpStream::connect(("127.0.0.1", 9)).map(drop)),
        b"passwd" => refused(std::fs::read("/etc/passwd").map(drop)),
        b"fork" => refused(std::process::Command::new("/bin/true").spawn().map(drop)),
        other => panic!("no poison: {}", String::from_utf8_lossy(other)),
    }
    Ok(())
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
