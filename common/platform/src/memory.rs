//! How much memory the work in hand of this process may take.
//!
//! A container has a limit that the machine does not show, and a process that passes it is killed. So the limit of the
//! cgroup and the limit of the address space are looked at first. The half of what the process may have is left to what is
//! not counted: the program itself, connections, small runs, and what the allocator keeps.

use std::fs;
use std::path::Path;

use crate::config::{ConfigError, Values};

const NAME: &str = "DEBRIEF_MAX_MEMORY";
const MIB: u64 = 1024 * 1024;
/// With less, hardly any transcript has room.
const SMALLEST: u64 = 16 * MIB;
/// Where nothing tells how much memory there is.
const UNKNOWN: u64 = 2048 * MIB;
/// From here on a limit of a cgroup means that there is none.
const NO_LIMIT: u64 = 1 << 60;
const UNITS: [(&str, u64); 8] = [
    ("kib", 1024),
    ("mib", MIB),
    ("gib", 1024 * MIB),
    ("kb", 1000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("b", 1),
];

/// The memory in bytes that work in hand may take: `DEBRIEF_MAX_MEMORY`, or half of what the process may have.
pub fn for_work(values: &Values) -> Result<u64, ConfigError> {
    match values.text(NAME) {
        None => Ok((may_have() / 2).max(SMALLEST)),
        Some(text) => match size(&text) {
            Some(bytes) if bytes >= SMALLEST => Ok(bytes),
            Some(_) => Err(ConfigError::new(NAME, "must be at least 16MiB")),
            None => Err(ConfigError::not(NAME, &text, "a size such as 512MB or 2GB")),
        },
    }
}

/// How the memory for work is divided, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// For the runs of stages.
    pub runs: u64,
    /// For the parts of uploads to a bucket. Uploads to the data folder need hardly any memory.
    pub uploads: u64,
}

/// Divides the memory for work. Uploads have a share of their own, so that slow senders never hold the memory that the runs
/// wait for.
pub fn shares(values: &Values) -> Result<Shares, ConfigError> {
    let all = for_work(values)?;
    let uploads = if values.text("BLOB_URL").is_some() { all / 4 } else { 0 };
    Ok(Shares { runs: all - uploads, uploads })
}

/// Reads a size: a whole number with a unit behind it.
fn size(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// The memory in bytes that this process may have.
fn may_have() -> u64 {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let file = |path: &str| read(Path::new(path)).unwrap_or_default();
    let groups = file("/proc/self/cgroup");
    let of_groups = cgroup_files(&groups).into_iter().filter_map(|path| number(&read(Path::new(&path))?));
    // The limit of the address space also counts what is only reserved, such as the stacks of threads.
    let address_space = address_space_limit(&file("/proc/self/limits")).map(|limit| {
        limit.saturating_sub(kilobytes(&file("/proc/self/status"), "VmSize").unwrap_or_default())
    });
    let machine = kilobytes(&file("/proc/meminfo"), "MemTotal");
    of_groups.chain(address_space).chain(machine).min().unwrap_or(UNKNOWN)
}

/// The files that can hold a limit of the cgroups of a process, for version 2 and version 1. A limit of a group also
/// holds for the groups inside it. Inside a container the group of the process is mounted as the root.
fn cgroup_files(groups: &str) -> Vec<String> {
    let mut files = vec![
        "/sys/fs/cgroup/memory.max".to_owned(),
        "/sys/fs/cgroup/memory/memory.limit_in_bytes".to_owned(),
    ];
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, name) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            list if list.split(',').any(|one| one == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let mut folder = Path::new(path.trim_start_matches('/'));
        while !folder.as_os_str().is_empty() {
            files.push(format!("{root}/{}/{name}", folder.display()));
            folder = folder.parent().unwrap_or(Path::new(""));
        }
    }
    files
}

/// A limit that a file of a cgroup holds. The word `max` and an enormous number mean that there is none.
fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|bytes| *bytes < NO_LIMIT)
}

/// The soft limit in a line such as `Max address space  1073741824  unlimited  bytes`.
fn address_space_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The value in bytes of a line such as `MemTotal:  24117248 kB`.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_with_its_unit() {
        for (text, bytes) in [
            ("512MB", 512_000_000),
            ("2 GB", 2_000_000_000),
            ("2GiB", 2 * 1024 * MIB),
            ("300mib", 300 * MIB),
            ("104857600b", 104_857_600),
        ] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "512", "MB", "-1GB", "1.5GB", "2 G B", "99999999999TB", "lots"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn the_setting_is_named_where_it_cannot_be_used() {
        for text in ["0MB", "1MB", "all", "18446744073709551615TB"] {
            let error = for_work(&Values::of([(NAME, text)])).unwrap_err();
            assert_eq!(error.name, NAME, "{text}");
        }
        assert_eq!(for_work(&Values::of([(NAME, "1GB")])).unwrap(), 1_000_000_000);
        assert!(for_work(&Values::default()).unwrap() >= SMALLEST);
    }

    #[test]
    fn uploads_to_a_bucket_have_a_share_of_the_memory() {
        let shares_with = |more: &[(&'static str, &'static str)]| {
            shares(&Values::of([(NAME, "400MB")].iter().chain(more).copied())).unwrap()
        };
        assert_eq!(shares_with(&[]), Shares { runs: 400_000_000, uploads: 0 });
        let divided = Shares { runs: 300_000_000, uploads: 100_000_000 };
        assert_eq!(shares_with(&[("BLOB_URL", "s3://calls")]), divided);
    }

    #[test]
    fn the_limit_of_every_group_around_the_process_counts() {
        let version_2 = cgroup_files("0::/system.slice/debrief.service\n");
        for path in ["system.slice/debrief.service/", "system.slice/", ""] {
            let path = format!("/sys/fs/cgroup/{path}memory.max");
            assert!(version_2.contains(&path), "{path}");
        }
        let version_1 = cgroup_files("12:cpu,cpuacct:/a\n4:memory:/docker/abc\n");
        assert!(version_1.contains(&"/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes".to_owned()));
        assert!(!version_1.iter().any(|path| path.contains("/a/")));
    }

    #[test]
    fn what_means_that_there_is_no_limit_is_none() {
        assert_eq!(number("max\n"), None);
        assert_eq!(number("9223372036854771712\n"), None);
        assert_eq!(number("536870912\n"), Some(536_870_912));
        let line = |limit: &str| {
            format!("Max stack size  8388608\nMax address space         {limit}   unlimited  bytes")
        };
        assert_eq!(address_space_limit(&line("unlimited")), None);
        assert_eq!(address_space_limit(&line("1073741824")), Some(1_073_741_824));
        assert_eq!(kilobytes("MemFree: 1 kB\nMemTotal:   2048 kB\n", "MemTotal"), Some(2_097_152));
    }
}
