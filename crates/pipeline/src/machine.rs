//! What this machine, or the container that the program runs in, has to give.

use std::path::{Path, PathBuf};

/// Bytes of memory: the machine's, or less where a control group (a container) allows less. Nothing where the
/// system does not say.
///
/// Linux only: `/proc/meminfo`, and `memory.max` (cgroup v2) or `memory.limit_in_bytes` (v1) of the process's
/// groups and those above them, as the kernel's documents `cgroup-v2` and `cgroup-v1/memory` describe them.
pub fn memory() -> Option<u64> {
    memory_below(Path::new("/"))
}

fn memory_below(root: &Path) -> Option<u64> {
    let machine = std::fs::read_to_string(root.join("proc/meminfo")).ok().and_then(|text| total(&text));
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().flat_map(|line| limits_of(&root.join("sys/fs/cgroup"), line));
    machine.into_iter().chain(limits).min()
}

/// `MemTotal:  24576000 kB`.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// The limits of one line of `/proc/self/cgroup`, `ID:CONTROLLERS:PATH`: of that group and all above it.
fn limits_of(mounted: &Path, line: &str) -> Vec<u64> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { return Vec::new() };
    let (top, file) = match controllers {
        "" => (mounted.to_owned(), "memory.max"),
        _ if controllers.split(',').any(|name| name == "memory") => {
            (mounted.join("memory"), "memory.limit_in_bytes")
        }
        _ => return Vec::new(),
    };
    let group = top.join(path.trim_start_matches('/'));
    let above = group.ancestors().take_while(|folder| folder.starts_with(&top));
    let limit = |folder: &Path| -> Option<u64> {
        // `max`, and in v1 a number near the largest there is, mean none.
        let file: PathBuf = folder.join(file);
        std::fs::read_to_string(file).ok()?.trim().parse().ok().filter(|limit| *limit < 1 << 60)
    };
    above.filter_map(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        memory_below(root.path())
    }

    #[test]
    fn the_smallest_limit_counts() {
        let meminfo = ("proc/meminfo", "MemTotal:       2048 kB\nMemFree:  1 kB\n");
        assert_eq!(machine(&[meminfo]), Some(2 << 20));
        let group = ("proc/self/cgroup", "0::/a/b\n");
        let above = ("sys/fs/cgroup/a/memory.max", "1048576\n");
        assert_eq!(
            machine(&[meminfo, group, above, ("sys/fs/cgroup/a/b/memory.max", "max\n")]),
            Some(1 << 20)
        );
        let old = ("proc/self/cgroup", "5:cpu:/x\n4:memory:/a\n");
        let limit = ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "4096\n");
        let none = ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(machine(&[meminfo, old, limit, none]), Some(4096));
        assert_eq!(machine(&[]), None);
    }
}
