//! The C library's calls that nobody has wrapped: what a process for strangers' images does with its heap, its signals and
//! the files that it was born with.
#![allow(unsafe_code)]

/// Gives back what is free of the heap. Elsewhere than with glibc there is nothing to do.
///
/// glibc holds on to tens of megabytes once large blocks were freed (its thresholds grow with them), which is right
/// for a process that goes on and wrong for one that waits.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim takes no pointer and touches only memory that nobody has allocated.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Keeps what is freed for the next image, until it is [given back](give_back): without this the C library asks the
/// system for each larger block anew, page by page, or does so now and then, as its guesses go.
pub(crate) fn keep_freed() {
    /// Blocks from this size on come from the system in any case.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    const LARGE: libc::c_int = 16 << 20;
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: numbers for the allocator, before there is a second thread.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 4 * LARGE);
        // Threads that pack tiles share one heap: each one's own would take address space that nobody counted.
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Leaves it to the program what a Ctrl-C, a closed terminal or a stopped service means: those reach all processes of
/// a group, and an image must not fail because its process heard them too.
pub(crate) fn ignore_signals() {
    #[cfg(target_os = "linux")]
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: SIG_IGN is no function; nothing is called when the signal comes.
        unsafe {
            libc::signal(signal, libc::SIG_IGN);
        }
    }
}

/// Closes all files but the three standard ones: whoever started the program may have left others open, which no
/// sandbox would take away. Kernels before 5.9 do not know how.
pub(crate) fn close_inherited() {
    #[cfg(target_os = "linux")]
    // SAFETY: called before this process opened anything, so no file is closed that somebody in it still uses.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, 0u32);
    }
}
