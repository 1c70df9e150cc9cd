//! What stands between this program and a delegate: the same program once more, which shuts itself in and then becomes
//! the delegate.
//!
//! A delegate is a stranger's program with libraries, settings and helpers of its own, so its walls are wider than a
//! derive process's: it may read and start what is installed, read the settings that ImageMagick and Ghostscript have,
//! and write to its own folder. It sees no other file, reaches no network, and can neither look into other processes
//! nor signal them. Landlock and seccomp do that where the kernel has them; rules pass to all that it starts.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde::{Deserialize, Serialize};

use crate::system;

/// Which walls stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Walls {
    pub landlock: bool,
    pub seccomp: bool,
}

/// Shuts itself in and becomes a program: for `main` to call with the arguments `FOLDER SECONDS PROGRAM ARGUMENT…`.
/// Without a program it says which walls stand.
pub fn serve(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.into_iter();
    let (Some(folder), Some(seconds)) = (arguments.next().map(PathBuf::from), arguments.next()) else {
        return ExitCode::FAILURE;
    };
    let seconds = seconds.to_str().and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
    let program = arguments.next().map(PathBuf::from);
    system::close_inherited();
    let walls = enter(&folder, seconds, program.as_deref());
    let Some(program) = program else {
        let told = serde_json::to_string(&walls).unwrap_or_default();
        let told = writeln!(std::io::stdout(), "{told}");
        return if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    };
    let error = become_program(Command::new(&program).args(arguments));
    let _ = writeln!(std::io::stderr(), "{} could not be started: {error}", program.display());
    ExitCode::FAILURE
}

/// Comes back only where the program could not be started.
fn become_program(command: &mut Command) -> std::io::Error {
    use std::os::unix::process::CommandExt as _;
    command.exec()
}

#[cfg(not(target_os = "linux"))]
fn enter(_: &Path, _: u64, _: Option<&Path>) -> Walls {
    Walls { landlock: false, seccomp: false }
}

#[cfg(target_os = "linux")]
fn enter(folder: &Path, seconds: u64, program: Option<&Path>) -> Walls {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // Its clock, should the one that watches it be killed.
    let _ = setrlimit(Resource::Cpu, Rlimit { current: Some(seconds), maximum: Some(seconds) });
    let landlock = linux::only_these_files(folder, program).unwrap_or(false);
    Walls { landlock, seccomp: linux::no_reach().is_ok() }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use landlock::{
        ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
        RulesetError, RulesetStatus, Scope, path_beneath_rules,
    };
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule,
    };

    /// Where programs and libraries are installed.
    const INSTALLED: &[&str] = &[
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib32",
        "/lib64",
        "/nix/store",
        "/gnu/store",
        "/home/linuxbrew/.linuxbrew",
    ];
    /// What they are set up by. Not all of `/etc`: there are secrets in it.
    const SETTINGS: &[&str] = &[
        "/etc/ImageMagick",
        "/etc/ImageMagick-6",
        "/etc/ImageMagick-7",
        "/etc/alternatives",
        "/etc/fonts",
        "/etc/ghostscript",
        "/etc/ld.so.cache",
        "/etc/ld.so.conf",
        "/etc/ld.so.conf.d",
        "/etc/ld.so.preload",
        "/etc/localtime",
        "/etc/papersize",
        "/var/cache/fontconfig",
        "/var/lib/ghostscript",
        "/dev/random",
        "/dev/urandom",
        "/dev/zero",
        "/proc/cpuinfo",
        "/proc/meminfo",
        "/sys/devices/system/cpu",
    ];
    /// Folders beside the program's own that belong to it, where it is installed by itself.
    const BESIDE: &[&str] =
        &["../lib", "../lib64", "../libexec", "../etc", "../share/ImageMagick-6", "../share/ImageMagick-7"];

    pub fn only_these_files(folder: &Path, program: Option<&Path>) -> Result<bool, RulesetError> {
        let abi = ABI::V6;
        let read = AccessFs::from_read(abi);
        let status = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(abi))?
            .handle_access(AccessNet::from_all(abi))?
            .scope(Scope::from_all(abi))?
            .create()?
            .add_rules(path_beneath_rules(INSTALLED, read))?
            .add_rules(path_beneath_rules(SETTINGS, AccessFs::ReadFile | AccessFs::ReadDir))?
            .add_rules(path_beneath_rules(program.map(home).unwrap_or_default(), read))?
            .add_rules(path_beneath_rules(named(), AccessFs::ReadFile | AccessFs::ReadDir))?
            .add_rules(path_beneath_rules([folder], AccessFs::from_all(abi)))?
            .add_rules(path_beneath_rules(["/dev/null"], AccessFs::ReadFile | AccessFs::WriteFile))?
            .restrict_self()?;
        Ok(status.ruleset != RulesetStatus::NotEnforced)
    }

    /// The program itself and what is installed with it.
    fn home(program: &Path) -> Vec<PathBuf> {
        let mut paths = vec![program.to_owned()];
        let whole = program.canonicalize().unwrap_or_else(|_| program.to_owned());
        for folder in [program.parent(), whole.parent()].into_iter().flatten() {
            // In a folder of everything, the program alone.
            if folder.parent().is_some() {
                paths.push(folder.to_owned());
                paths.extend(BESIDE.iter().map(|beside| folder.join(beside)));
            }
        }
        paths
    }

    /// Settings that the environment names.
    fn named() -> Vec<PathBuf> {
        let names = ["MAGICK_HOME", "MAGICK_CONFIGURE_PATH"];
        names
            .into_iter()
            .filter_map(std::env::var_os)
            .flat_map(|value| std::env::split_paths(&value).collect::<Vec<_>>())
            .collect()
    }

    /// Reaching out of itself: networks, other processes, the kernel's rarer parts.
    const REFUSED: &[i64] = &[
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_kill,
        libc::SYS_tkill,
        libc::SYS_pidfd_open,
        libc::SYS_pidfd_send_signal,
        libc::SYS_pidfd_getfd,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_io_uring_setup,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_keyctl,
        libc::SYS_open_by_handle_at,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_chroot,
        libc::SYS_pivot_root,
        libc::SYS_kexec_load,
        libc::SYS_init_module,
        libc::SYS_finit_module,
    ];

    pub fn no_reach() -> Result<(), Box<dyn std::error::Error>> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
            REFUSED.iter().map(|call| (*call, Vec::new())).collect();
        // Processes, but none that begins as another user of its own making.
        let user = u64::from(libc::CLONE_NEWUSER.unsigned_abs());
        let operator = SeccompCmpOp::MaskedEq(user);
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Qword, operator, user)?;
        rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![condition])?]);
        refuse(rules, libc::EPERM)?;
        // Its flags no filter can see; without it the C library takes the other.
        refuse(BTreeMap::from([(libc::SYS_clone3, Vec::new())]), libc::ENOSYS)
    }

    fn refuse(rules: BTreeMap<i64, Vec<SeccompRule>>, with: i32) -> Result<(), Box<dyn std::error::Error>> {
        let refused = SeccompAction::Errno(with.unsigned_abs());
        let machine = std::env::consts::ARCH.try_into()?;
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, machine)?;
        let program: BpfProgram = filter.try_into()?;
        Ok(seccompiler::apply_filter(&program)?)
    }
}
