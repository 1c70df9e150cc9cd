//! The C library's heap: what it keeps of freed pixels is given back to the system.
//!
//! glibc holds on to tens of megabytes once large blocks were freed (its thresholds grow with them), which is right
//! for a process that goes on and wrong for one that waits.

/// Gives back what is free. Elsewhere than with glibc there is nothing to do.
pub(super) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[allow(unsafe_code)]
        // SAFETY: malloc_trim takes no pointer and touches only memory that nobody has allocated.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}
