//! What a derive process may not do: open files, reach a network, start processes, grow without end.
//!
//! Three walls, each of which the others do not need: Landlock (no file system, no TCP), seccomp (no system call
//! but those that computing needs), and resource limits, which the program sets from outside for each image. Where
//! the kernel lacks one, the log says so once.

use std::io;
use std::process::Child;

use serde::{Deserialize, Serialize};

/// Which walls stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sandbox {
    /// Landlock keeps it from files.
    landlock: bool,
    /// seccomp keeps it from all system calls but a few.
    seccomp: bool,
}

impl Sandbox {
    /// Shuts the calling process in, as far as the system can.
    pub fn enter() -> Sandbox {
        #[cfg(target_os = "linux")]
        return linux::enter();
        #[cfg(not(target_os = "linux"))]
        Sandbox { landlock: false, seccomp: false }
    }

    /// Says in the log what stands and what does not.
    pub fn tell(self) {
        match self.lacks() {
            None => tracing::debug!("derive processes are shut in by Landlock and seccomp"),
            Some(lacking) => tracing::warn!(
                "derive processes can crash alone, but this system cannot shut them in fully: {lacking}"
            ),
        }
    }

    /// The walls that do not stand, and what that leaves open.
    fn lacks(self) -> Option<&'static str> {
        match self {
            Sandbox { landlock: true, seccomp: true } => None,
            Sandbox { landlock: false, seccomp: true } => {
                Some("there is no Landlock; seccomp alone keeps them from files and the network")
            }
            Sandbox { landlock: true, seccomp: false } => Some(
                "there is no seccomp; Landlock keeps them from files and TCP, not from other networks or programs",
            ),
            Sandbox { landlock: false, seccomp: false } => Some(
                "there is neither Landlock nor seccomp; a hostile image that takes a decoder over has this user's rights",
            ),
        }
    }
}

/// What a process may add to what it has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowed {
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of files that it may map beside.
    pub mapped: u64,
    /// The length of a file that it may write.
    pub file: u64,
}

/// Sets the bounds of a process. What may be mapped is no more memory: that has a bound of its own (its data), where the
/// kernel knows one.
#[cfg(target_os = "linux")]
pub(super) fn limit(child: &Child, allowed: Allowed) -> io::Result<()> {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

    let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return Ok(()) };
    // Without /proc there is nothing to add to.
    let has = std::fs::read_to_string(format!("/proc/{}/statm", child.id())).unwrap_or_default();
    // Of all, and of data and stack (proc_pid_statm(5)), in pages.
    let has = |field| has.split_whitespace().nth(field).and_then(|pages| pages.parse::<u64>().ok());
    let page = rustix::param::page_size() as u64;
    let set = |resource, most: u64| {
        // Nobody may go past the limit that this program was started with, nor raise it.
        let maximum = getrlimit(resource).maximum;
        let current = Some(maximum.map_or(most, |maximum| most.min(maximum)));
        prlimit(Some(pid), resource, Rlimit { current, maximum }).map(drop).or_else(|error| match error {
            // It is dead, which whoever asks it will find out; or a container forbids limits.
            rustix::io::Errno::SRCH | rustix::io::Errno::PERM => Ok(()),
            error => Err(error),
        })
    };
    let Allowed { memory, mapped, file } = allowed;
    if let Some(pages) = has(0).filter(|pages| *pages > 0) {
        set(Resource::As, (pages * page).saturating_add(memory).saturating_add(mapped))?;
    }
    if let Some(pages) = has(5).filter(|pages| *pages > 0) {
        set(Resource::Data, (pages * page).saturating_add(memory))?;
    }
    Ok(set(Resource::Fsize, file)?)
}

/// Only Linux lets one process bound another.
#[cfg(not(target_os = "linux"))]
pub(super) fn limit(_: &Child, _: Allowed) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;

    use landlock::{
        ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus, Scope,
    };
    use rustix::process::{Resource, Rlimit, Signal, set_parent_process_death_signal, setrlimit};
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule, TargetArch,
    };

    use super::Sandbox;

    /// A system call's number by the kernel's table for this machine.
    type Call = i64;

    /// What computing needs of the kernel: memory, time, threads, the files that are open, and an end.
    const ALLOWED: &[Call] = &[
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_readv,
        libc::SYS_writev,
        libc::SYS_pread64,
        libc::SYS_pwrite64,
        libc::SYS_recvfrom,
        libc::SYS_sendto,
        libc::SYS_close,
        libc::SYS_fstat,
        libc::SYS_lseek,
        libc::SYS_ppoll,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll,
        libc::SYS_ftruncate,
        libc::SYS_fallocate,
        libc::SYS_brk,
        libc::SYS_mmap,
        libc::SYS_mremap,
        libc::SYS_munmap,
        libc::SYS_mprotect,
        libc::SYS_madvise,
        libc::SYS_futex,
        libc::SYS_set_robust_list,
        libc::SYS_rseq,
        libc::SYS_membarrier,
        libc::SYS_gettid,
        libc::SYS_getpid,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        libc::SYS_clock_gettime,
        libc::SYS_clock_getres,
        libc::SYS_clock_nanosleep,
        libc::SYS_nanosleep,
        libc::SYS_gettimeofday,
        libc::SYS_getrandom,
        libc::SYS_getrusage,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_restart_syscall,
        libc::SYS_exit,
        libc::SYS_exit_group,
    ];

    pub fn enter() -> Sandbox {
        // Of a program that is killed nothing stays behind. (The signal comes when the thread ends that started this
        // process, which is why only threads of the pool start any: those live as long as the run.)
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
        // A crash is common here, and a dump of it fills disks. One byte: unlike none at all, that keeps from dumping
        // into a program as well (core(5)).
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(1), maximum: Some(1) });
        let landlock = no_files().unwrap_or(false);
        Sandbox { landlock, seccomp: few_calls().is_ok() }
    }

    /// No rule allows anything: what is open stays open, nothing else can be opened or connected to.
    fn no_files() -> Result<bool, landlock::RulesetError> {
        let abi = ABI::V6;
        let status = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(abi))?
            .handle_access(AccessNet::from_all(abi))?
            .scope(Scope::from_all(abi))?
            .create()?
            .restrict_self()?;
        Ok(status.ruleset != RulesetStatus::NotEnforced)
    }

    /// Every other call fails as one that the kernel does not have, which libraries are written to bear.
    fn few_calls() -> Result<(), Box<dyn std::error::Error>> {
        let mut rules: BTreeMap<Call, Vec<SeccompRule>> =
            ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
        let when = |argument, operator, value| -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
            let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Qword, operator, value)?;
            Ok(vec![SeccompRule::new(vec![condition])?])
        };
        // Threads, not processes. (The C library falls back to this from clone3, whose flags no filter can see.)
        let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
        rules.insert(libc::SYS_clone, when(0, SeccompCmpOp::MaskedEq(thread), thread)?);
        // Limits may be read, not set.
        rules.insert(libc::SYS_prlimit64, when(2, SeccompCmpOp::Eq, 0)?);
        // A thread may be given a name.
        let name = u64::from(libc::PR_SET_NAME.unsigned_abs());
        rules.insert(libc::SYS_prctl, when(0, SeccompCmpOp::Eq, name)?);
        // It may end itself by a signal, as abort() does, and nobody else.
        let itself = u64::from(std::process::id());
        rules.insert(libc::SYS_tgkill, when(0, SeccompCmpOp::Eq, itself)?);
        let missing = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
        let machine: TargetArch = std::env::consts::ARCH.try_into()?;
        let filter = SeccompFilter::new(rules, missing, SeccompAction::Allow, machine)?;
        let program: BpfProgram = filter.try_into()?;
        Ok(seccompiler::apply_filter(&program)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let lacks = |landlock, seccomp| Sandbox { landlock, seccomp }.lacks();
        assert_eq!(lacks(true, true), None);
        assert!(lacks(false, true).unwrap().contains("no Landlock"));
        assert!(lacks(true, false).unwrap().contains("no seccomp"));
        assert!(lacks(false, false).unwrap().contains("neither"));
    }
}
