//! The memory and the processor time that a process on this machine uses, whoever started it.
//!
//! A server is found by the port on which it listens. A server on another machine, or one whose processes this user may
//! not see, is not found and is left out.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

/// The unit of the times in `/proc/PID/stat`, which is the same on every usual Linux.
const TICKS_PER_SECOND: f64 = 100.0;
/// The state of a socket that listens, as `/proc/net/tcp` writes it.
const LISTENS: &str = "0A";

/// Returns the value of a line of `/proc/PID/status` that counts kB, in MB (10⁶ bytes).
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub fn memory_mb(id: u32, line: &str) -> anyhow::Result<f64> {
    let status = proc(id, "status")?;
    let number = status
        .lines()
        .filter_map(|text| text.split_once(':'))
        .find(|(name, _)| *name == line)
        .and_then(|(_, value)| value.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let kibibytes = number.with_context(|| format!("no {line} in the process's status"))?;
    Ok(kibibytes as f64 * 1024.0 / 1e6)
}

/// Returns the processor time that a process has used so far, in seconds.
pub fn processor_s(id: u32) -> anyhow::Result<f64> {
    let stat = Stat::of(id)?;
    Ok((stat.ticks(14)? + stat.ticks(15)?) / TICKS_PER_SECOND)
}

/// Returns the processor time of the processes that this process started and that have ended, in seconds.
pub fn ended_children_s(id: u32) -> anyhow::Result<f64> {
    let stat = Stat::of(id)?;
    Ok((stat.ticks(16)? + stat.ticks(17)?) / TICKS_PER_SECOND)
}

/// Returns the processor time of a process and of all processes that it started, in seconds. Processes that have ended
/// are included.
pub fn family_processor_s(id: u32) -> anyhow::Result<f64> {
    let all: Vec<(u32, Stat)> = ids().filter_map(|id| Some((id, Stat::of(id).ok()?))).collect();
    let mut family = vec![id];
    // A child may stand at any place in the list, before or after its parent.
    loop {
        let children = all.iter().filter(|(id, stat)| {
            !family.contains(id) && stat.parent().is_some_and(|parent| family.contains(&parent))
        });
        let children: Vec<u32> = children.map(|(id, _)| *id).collect();
        if children.is_empty() {
            break;
        }
        family.extend(children);
    }
    let mut ticks = 0.0;
    for (_, stat) in all.iter().filter(|(id, _)| family.contains(id)) {
        // Fields 16 and 17 count children that have ended.
        for field in 14..=17 {
            ticks += stat.ticks(field)?;
        }
    }
    Ok(ticks / TICKS_PER_SECOND)
}

/// Returns the id of the process that listens on this port of this machine.
pub fn listener(port: u16) -> Option<u32> {
    let sockets =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|file| fs::read_to_string(file).unwrap_or_default());
    let inodes: Vec<&str> = sockets.iter().flat_map(|table| listening(table, port)).collect();
    let is_socket = |link: &Path| {
        let target = fs::read_link(link).unwrap_or_default();
        let target = target.to_string_lossy();
        let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
        inode.is_some_and(|inode| inodes.contains(&inode))
    };
    let mut holders: Vec<u32> = ids()
        .filter(|id| {
            let files = fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
            files.into_iter().any(|file| is_socket(&file.path()))
        })
        .collect();
    // A process that inherited the socket was started later.
    holders.sort_unstable();
    holders.first().copied()
}

/// Returns the inodes of the sockets that listen on this port, from a table like `/proc/net/tcp`.
fn listening(table: &str, port: u16) -> Vec<&str> {
    let port = format!("{port:04X}");
    let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines
        .filter(|fields| fields.get(3) == Some(&LISTENS))
        .filter(|fields| fields.get(1).is_some_and(|local| local.rsplit(':').next() == Some(&port)))
        .filter_map(|fields| fields.get(9).copied())
        .collect()
}

/// Returns the ids of all processes.
fn ids() -> impl Iterator<Item = u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Reads a file of `/proc/PID`.
fn proc(id: u32, file: &str) -> anyhow::Result<String> {
    fs::read_to_string(format!("/proc/{id}/{file}")).context("look at the process")
}

/// The fields of `/proc/PID/stat` after the name, which stands in parentheses and may contain spaces.
struct Stat(Vec<String>);

impl Stat {
    fn of(id: u32) -> anyhow::Result<Self> {
        let stat = proc(id, "stat")?;
        let (_, fields) = stat.rsplit_once(") ").context("read the process's times")?;
        Ok(Self(fields.split(' ').map(str::to_owned).collect()))
    }

    /// Returns a field by the number that proc(5) gives it. The state is field 3.
    fn field(&self, number: usize) -> Option<&str> {
        self.0.get(number - 3).map(String::as_str)
    }

    fn parent(&self) -> Option<u32> {
        self.field(4)?.parse().ok()
    }

    fn ticks(&self, field: usize) -> anyhow::Result<f64> {
        self.field(field).and_then(|text| text.parse().ok()).context("read the process's times")
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_server_is_found_by_its_port() {
        let socket = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        assert_eq!(listener(port), Some(std::process::id()));
        drop(socket);
        assert_eq!(listener(port), None);
    }

    #[test]
    fn a_family_uses_at_least_what_one_of_its_members_uses() {
        let own = processor_s(std::process::id()).unwrap();
        assert!(family_processor_s(std::process::id()).unwrap() >= own);
        assert!(memory_mb(std::process::id(), "VmHWM").unwrap() > 1.0);
    }
}
